//! From text to numbers, words and signs.

use super::number::{Kind, Number, Unit};

/// A piece of a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(Number),
    /// In lower case.
    Word(String),
    /// An operator, a bracket, or the punctuation after a word.
    Sign(char),
}

impl Token {
    pub(super) fn number(&self) -> Option<Number> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    pub(super) fn word(&self) -> Option<&str> {
        if let Self::Word(word) = self { Some(word) } else { None }
    }

    pub(super) fn is(&self, sign: char) -> bool {
        *self == Self::Sign(sign)
    }
}

/// What stands at the edge of a word without being a part of it.
const EDGES: &[char] = &['(', ')', '[', ']', '{', '}', '"', '\'', '“', '”', '*', '`', ','];

/// Words before a number that is not meant to its last digit.
const VAGUE: [&str; 14] = [
    "about", "above", "almost", "around", "below", "least", "most", "nearly", "over", "roughly",
    "some", "than", "under", "within",
];

/// The numbers of a document so far; each gets the next place and the line that it stands in.
#[derive(Debug, Default)]
pub(super) struct Numbering(pub(super) usize);

impl Numbering {
    /// Cuts a text; `line` tells the line of a byte of it.
    ///
    /// Digits within words, dates and versions are no numbers: `p95`, `2026-11-24`, `0.32.0`.
    pub(super) fn tokens(&mut self, text: &str, line: impl Fn(usize) -> usize) -> Vec<Token> {
        let mut tokens = Vec::new();
        let start = text.as_ptr() as usize;
        for chunk in text.split_whitespace() {
            let line = line(chunk.as_ptr() as usize - start);
            let before = tokens.len();
            self.chunk(chunk, &mut tokens);
            for token in &mut tokens[before..] {
                if let Token::Number(number) = token {
                    number.line = line;
                }
            }
        }
        units(tokens)
    }

    fn chunk(&mut self, chunk: &str, tokens: &mut Vec<Token>) {
        let body = chunk.trim_start_matches(EDGES);
        tokens.extend(chunk[..chunk.len() - body.len()].chars().map(Token::Sign));
        let rest = body.trim_start_matches(['~', '≈', '<', '>', '≤', '≥']);
        let bound = &body[..body.len() - rest.len()];
        tokens.extend(bound.chars().map(Token::Sign));
        let rest = if bound.is_empty() { rest } else { rest.trim_start_matches('=') };
        let body = rest.trim_end_matches(EDGES).trim_end_matches([':', ';', '.', '!', '?']);
        let body = body.trim_end_matches(EDGES);
        self.body(body, tokens);
        tokens.extend(rest[body.len()..].chars().map(Token::Sign));
    }

    fn body(&mut self, body: &str, tokens: &mut Vec<Token>) {
        let sign = match body {
            "" => return,
            "-" | "\u{2212}" | "–" => Some('-'),
            "*" | "×" => Some('*'),
            "/" | "÷" => Some('/'),
            "+" | "=" => body.chars().next(),
            "->" | "→" => Some('→'),
            _ => None,
        };
        if let Some(sign) = sign {
            tokens.push(Token::Sign(sign));
            return;
        }
        if let Some(number) = number(body) {
            tokens.push(Token::Number(self.next(number)));
            return;
        }
        // `n=5`, `23.14/27.39`, `2.1–3.4`.
        let cut = ['=', '→', '+', '/', '–', '-'].into_iter().find_map(|sign| {
            let (left, right) = body.split_once(sign)?;
            let is_cut = number(right).is_some() && (sign == '=' || number(left).is_some());
            is_cut.then_some((left, if sign == '–' { '-' } else { sign }, right))
        });
        if let Some((left, sign, right)) = cut {
            match number(left) {
                Some(number) => tokens.push(Token::Number(self.next(number))),
                None => tokens.push(Token::Word(left.to_lowercase())),
            }
            tokens.push(Token::Sign(sign));
            tokens.extend(number(right).map(|number| Token::Number(self.next(number))));
            return;
        }
        tokens.push(Token::Word(body.to_lowercase()));
    }

    fn next(&mut self, number: Number) -> Number {
        self.0 += 1;
        Number { id: self.0 - 1, ..number }
    }
}

/// A number with what is written onto it: `3.2x`, `84.5%`, `17M`.
fn number(text: &str) -> Option<Number> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-\u{2212}".contains(c)) {
        return None;
    }
    let end = text.rfind(|c: char| c.is_ascii_digit())? + 1;
    let (digits, suffix) = text.split_at(end);
    let number = Number::of_digits(digits)?;
    match suffix {
        "" => Some(number),
        "k" | "K" => Some(number.times(1e3)),
        "M" => Some(number.times(1e6)),
        _ => Some(number.with(Unit::of(suffix)?)),
    }
}

/// Gives numbers the units that stand as words of their own after them.
fn units(tokens: Vec<Token>) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        let Token::Number(mut number) = token else {
            out.push(token);
            continue;
        };
        number.is_exact = !out.last().is_some_and(is_vague);
        let unit = rest.peek().and_then(Token::word).filter(|_| number.kind() == Kind::Plain);
        let Some(word) = unit.map(str::to_owned) else {
            out.push(Token::Number(number));
            continue;
        };
        if let Some(unit) = Unit::of(&word) {
            rest.next();
            // `4 x 250` is a product, `4 x the workers` a multiple.
            if word == "x" && matches!(rest.peek(), Some(Token::Number(_))) {
                out.extend([Token::Number(number), Token::Sign('*')]);
            } else {
                out.push(Token::Number(number.with(unit)));
            }
            continue;
        }
        out.push(Token::Number(number));
    }
    per_second(&mut out);
    out
}

/// Whether the number that follows is not meant to its last digit.
fn is_vague(token: &Token) -> bool {
    match token {
        Token::Sign(sign) => ['~', '≈', '<', '>', '≤', '≥'].contains(sign),
        Token::Word(word) => VAGUE.contains(&word.as_str()),
        Token::Number(_) => false,
    }
}

/// `202 requests per second` is a rate.
fn per_second(tokens: &mut [Token]) {
    for place in 0..tokens.len() {
        let after = |n: usize| tokens.get(place + n).and_then(Token::word);
        let is_rate = after(2) == Some("per") && matches!(after(3), Some("s" | "sec" | "second"));
        if let Some(number) = tokens[place].number().filter(|n| is_rate && n.kind() == Kind::Plain)
        {
            let rate = Unit { kind: Kind::Rate, scale: 1.0, symbol: " /s" };
            tokens[place] = Token::Number(number.with(rate));
        }
    }
}
