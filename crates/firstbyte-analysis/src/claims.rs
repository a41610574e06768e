//! Derived numbers of a findings document, computed anew: sums, shares, ratios, statistics, times for a volume.
//!
//! Each number is what it may have been before it was rounded: half a unit of its last digit to either side.
//! That goes through the whole calculation, and a claim is wrong only if it cannot be met. A number whose meaning
//! is not clear is not checked.
//!
//! ```
//! use firstbyte_analysis::claims::{Claims, Format};
//!
//! let text = "The pool took 23.14 s of 27.39 s, 99 % of wall.";
//! let claims = Claims::of(text, Format::Markdown)?;
//! assert_eq!((claims.numbers, claims.checked), (3, 3));
//! assert_eq!(claims.findings[0].message, "99 % should be 84.5 %");
//! assert_eq!(claims.findings[0].formula, "23.14 s / 27.39 s");
//! # Ok::<(), firstbyte_analysis::claims::ClaimsError>(())
//! ```

mod bounds;
mod change;
mod comparison;
mod direction;
mod document;
mod expression;
mod factor;
mod identity;
mod json;
mod label;
mod ledger;
mod markdown;
mod number;
mod order;
mod origin;
mod part;
mod relative;
mod scaling;
mod share;
mod summary;
mod table;
mod token;
mod volume;

use std::{error::Error, fmt};

use self::{
    document::{Block, Document},
    ledger::Ledger,
};

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Paragraphs, lists and tables; code blocks are skipped.
    Markdown,
    /// Objects are rows, those side by side a table; texts are paragraphs.
    Json,
}

/// What was found in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claims {
    /// How many numbers the document has, without those in words, dates, versions and code blocks.
    pub numbers: usize,
    /// Of them: those that took part in a check.
    pub checked: usize,
    /// What is wrong or worth a note, by line.
    pub findings: Vec<Finding>,
}

/// A claim that does not hold, or one to look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Finding {
    /// Where it stands, from 1.
    pub line: usize,
    /// How bad it is.
    pub severity: Severity,
    /// Which check found it.
    pub check: &'static str,
    /// What is said, and what would be right.
    pub message: String,
    /// The calculation.
    pub formula: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// The arithmetic does not hold, beyond rounding.
    Wrong,
    /// Nothing that a calculation refutes.
    Note,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::Note => "note",
        }
    }
}

/// A document that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimsError {
    /// It is no JSON, or nested too deep; the message has the line.
    Json(String),
}

impl fmt::Display for ClaimsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(message) => write!(f, "no JSON that can be read: {message}"),
        }
    }
}

impl Error for ClaimsError {}

impl Claims {
    /// Checks a document.
    ///
    /// # Errors
    ///
    /// [`ClaimsError`] for JSON that is none. Every text is Markdown.
    pub fn of(text: &str, format: Format) -> Result<Self, ClaimsError> {
        let document = match format {
            Format::Markdown => markdown::read(text),
            Format::Json => json::read(text)?,
        };
        let mut ledger = Ledger::new(document.numbering.0);
        check(&document, &mut ledger);
        let checked = ledger.checked();
        let mut findings = ledger.findings;
        findings.sort();
        findings.dedup();
        Ok(Self { numbers: document.numbering.0, checked, findings })
    }

    /// Whether a claim does not hold.
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Wrong)
    }
}

fn check(document: &Document, ledger: &mut Ledger) {
    let mut is_of_percentiles = false;
    for block in &document.blocks {
        match block {
            Block::Heading(_) => is_of_percentiles = false,
            Block::Text(sentences) => {
                for sentence in sentences {
                    expression::check(sentence, ledger);
                    part::check(sentence, ledger);
                    identity::spelled(sentence, ledger);
                }
                is_of_percentiles = identity::is_of_percentiles(sentences);
            }
            Block::Table(table) => {
                let turned = table.turned();
                for table in [Some(table), turned.as_ref()].into_iter().flatten() {
                    order::check(table, ledger);
                    if !is_of_percentiles {
                        identity::check(table, ledger);
                    }
                }
                if let Some(turned) = &turned {
                    summary::total_column(turned, ledger);
                }
                summary::rows(table, ledger);
                share::check(table, ledger);
                change::check(table, ledger);
            }
        }
    }
    comparison::check(document, ledger);
    volume::check(document, ledger);
    scaling::check(document, ledger);
    origin::check(document, ledger);
}

#[cfg(test)]
mod tests;
