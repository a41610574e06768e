//! Tables, as rows of numbers with labels on both sides.

use super::{
    document::Source,
    label::Label,
    number::{Kind, Number},
    token::{Numbering, Token},
};

/// A table of more columns is left alone: nobody reads it, and every column is looked at with every other.
const WIDEST: usize = 64;
/// The most cells of a table that is also looked at the other way round.
const MOST_TURNED: usize = 100_000;

/// A table, with one label for each column and each row.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) head: Vec<Label>,
    pub(super) rows: Vec<Row>,
}

/// A row; the first cell is its label too.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) label: Label,
    /// As many as the table has columns.
    pub(super) cells: Vec<Cell>,
}

/// A cell.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) tokens: Vec<Token>,
}

impl Cell {
    pub(super) fn of(source: &Source, numbering: &mut Numbering) -> Self {
        let tokens = source.tokens(numbering);
        Self { text: source.text().to_owned(), tokens }
    }

    /// A cell of words: digits in it are no numbers of the document.
    pub(super) fn labelled(text: &str) -> Self {
        Self { text: text.to_owned(), tokens: Vec::new() }
    }

    /// The number that it is, if it is one and says no more than a word or two about it.
    pub(super) fn number(&self) -> Option<Number> {
        let mut numbers = self.tokens.iter().filter_map(Token::number);
        let number = numbers.next().filter(|number| number.is_exact && numbers.next().is_none())?;
        let first = self.tokens.iter().position(|token| token.number().is_some())?;
        let is_plain = self.tokens[..first].iter().all(|token| token.is('*') || token.is('`'));
        (is_plain && self.tokens.len() <= first + 4).then_some(number)
    }
}

impl Table {
    /// Numbers without a unit take that of their column, or else that of their row.
    pub(super) fn new(head: &[Cell], rows: Vec<Vec<Cell>>) -> Self {
        if head.len() > WIDEST {
            return Self::default();
        }
        let head: Vec<Label> = head.iter().map(|cell| Label::of(&cell.text)).collect();
        let rows = rows.into_iter().map(|mut cells| {
            cells.resize(head.len(), Cell::default());
            let label = Label::of(cells.first().map_or("", |cell| &cell.text));
            for (cell, column) in cells.iter_mut().zip(&head) {
                let Some(unit) = column.unit.or(label.unit) else { continue };
                for token in &mut cell.tokens {
                    if let Token::Number(number) = token
                        && number.kind() == Kind::Plain
                    {
                        *number = number.with(unit);
                    }
                }
            }
            Row { label, cells }
        });
        Self { rows: rows.collect(), head }
    }

    /// Columns as rows. A very large table is looked at as it is only.
    pub(super) fn turned(&self) -> Option<Self> {
        if self.head.len() * self.rows.len() > MOST_TURNED || self.head.len() < 2 {
            return None;
        }
        let head = std::iter::once(Label::default());
        let head = head.chain(self.rows.iter().map(|row| row.label.clone())).collect();
        let rows = (1..self.head.len()).map(|column| {
            let cells = self.rows.iter().map(|row| row.cells[column].clone());
            let cells = std::iter::once(Cell::default()).chain(cells).collect();
            Row { label: self.head[column].clone(), cells }
        });
        Some(Self { head, rows: rows.collect() })
    }

    /// The place of the only column whose label has one of these words.
    pub(super) fn column(&self, words: &[&str]) -> Option<usize> {
        let mut found = (0..).zip(&self.head).filter(|(_, label)| label.has(words));
        let place = found.next()?.0;
        found.next().is_none().then_some(place)
    }
}

impl Row {
    pub(super) fn number(&self, column: usize) -> Option<Number> {
        self.cells.get(column)?.number()
    }
}
