//! What a document is made of, whatever its format.

use super::{
    number::Number,
    table::Table,
    token::{Numbering, Token},
};

/// Headings, sentences and tables in their order.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) blocks: Vec<Block>,
    pub(super) numbering: Numbering,
}

/// A piece of a document.
#[derive(Debug)]
pub(super) enum Block {
    Heading(Sentence),
    /// A paragraph, or an item of a list.
    Text(Vec<Sentence>),
    Table(Table),
}

/// A sentence, cut.
#[derive(Debug, Default)]
pub(super) struct Sentence {
    pub(super) tokens: Vec<Token>,
}

impl Sentence {
    /// Its numbers, in their order.
    pub(super) fn numbers(&self) -> impl Iterator<Item = Number> {
        self.tokens.iter().filter_map(Token::number)
    }

    /// Whether it has one of these words.
    pub(super) fn has(&self, words: &[&str]) -> bool {
        self.tokens.iter().filter_map(Token::word).any(|word| words.contains(&word))
    }
}

/// A text in the making: its bytes, and in which line they stand.
#[derive(Debug, Default)]
pub(super) struct Source {
    text: String,
    /// The first byte of each piece, and its line.
    lines: Vec<(usize, usize)>,
}

impl Source {
    pub(super) fn push(&mut self, text: &str, line: usize) {
        self.lines.push((self.text.len(), line));
        self.text.push_str(text);
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn line(&self, byte: usize) -> usize {
        let after = self.lines.partition_point(|(first, _)| *first <= byte);
        self.lines.get(after.saturating_sub(1)).map_or(0, |(_, line)| *line)
    }

    pub(super) fn tokens(&self, numbering: &mut Numbering) -> Vec<Token> {
        numbering.tokens(&self.text, |byte| self.line(byte))
    }

    /// Cut into sentences, at a full stop before white space.
    pub(super) fn sentences(&self, numbering: &mut Numbering) -> Vec<Sentence> {
        let mut sentences = Vec::new();
        let mut start = 0;
        let bytes = self.text.as_bytes();
        for end in 1..=bytes.len() {
            let is_end = end == bytes.len()
                || (matches!(bytes[end - 1], b'.' | b'!' | b'?')
                    && bytes[end].is_ascii_whitespace());
            if is_end {
                let tokens =
                    numbering.tokens(&self.text[start..end], |byte| self.line(start + byte));
                sentences.push(Sentence { tokens });
                start = end;
            }
        }
        sentences
    }
}
