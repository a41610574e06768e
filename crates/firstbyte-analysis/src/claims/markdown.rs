//! Markdown: paragraphs, list items, headings and tables. Code blocks are skipped.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::{
    document::{Block, Document, Source},
    table::{Cell, Table},
};

/// Reads a document; every text is one.
pub(super) fn read(text: &str) -> Document {
    let lines = Lines::of(text);
    let mut reader = Reader::default();
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        reader.take(event, lines.at(range.start));
    }
    reader.flush();
    reader.document
}

/// Where lines begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(memchr::memchr_iter(b'\n', text.as_bytes()).collect())
    }

    fn at(&self, byte: usize) -> usize {
        self.0.partition_point(|end| *end < byte) + 1
    }
}

#[derive(Default)]
struct Reader {
    document: Document,
    text: Source,
    is_heading: bool,
    is_code: bool,
    rows: Vec<Vec<Cell>>,
    row: Vec<Cell>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, line: usize) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => {
                self.flush();
                self.is_code = true;
            }
            Event::End(TagEnd::CodeBlock) => self.is_code = false,
            Event::Text(text) | Event::Code(text) if !self.is_code => self.text.push(&text, line),
            Event::SoftBreak | Event::HardBreak => self.text.push(" ", line),
            Event::Start(Tag::Heading { .. }) => {
                self.flush();
                self.is_heading = true;
            }
            Event::End(TagEnd::TableCell) => {
                let text = std::mem::take(&mut self.text);
                self.row.push(Cell::of(&text, &mut self.document.numbering));
            }
            Event::End(TagEnd::TableHead | TagEnd::TableRow) => {
                self.rows.push(std::mem::take(&mut self.row));
            }
            Event::End(TagEnd::Table) => {
                let mut rows = std::mem::take(&mut self.rows).into_iter();
                let head = rows.next().unwrap_or_default();
                self.document.blocks.push(Block::Table(Table::new(&head, rows.collect())));
            }
            Event::Start(Tag::Paragraph | Tag::Item | Tag::Table(_) | Tag::BlockQuote(_))
            | Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::Heading(_)) => self.flush(),
            _ => {}
        }
    }

    /// Ends a paragraph, an item or a heading.
    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        let is_heading = std::mem::take(&mut self.is_heading);
        if text.text().trim().is_empty() {
            return;
        }
        let numbering = &mut self.document.numbering;
        self.document.blocks.push(if is_heading {
            Block::Heading(super::document::Sentence { tokens: text.tokens(numbering) })
        } else {
            Block::Text(text.sentences(numbering))
        });
    }
}
