//! Whether logs meet criteria that were written down before: for CI, and to validate a fix.
//!
//! ```
//! use firstbyte_analysis::{Log, check::{Criteria, Verdict}};
//!
//! let criteria = Criteria::parse(r#"
//!     [[criterion]]
//!     name = "queue stays short"
//!     metric = "queue"
//!     statistic = "max"
//!     at_most = 300
//! "#)?;
//! let line = "[weights][00f067aa0ba902b7] client.done wall_ms=3556.1 rpc_ms=233.2 queue_ms=3322.9";
//! let outcomes = criteria.check(&Log::from_bytes(line.as_bytes()), None);
//! assert_eq!(outcomes[0].verdict(), Verdict::NotMet);
//! assert_eq!(outcomes[0].evidence[0].to_string(), "queue max 3322.9 ms (n 1), at most 300 ms");
//! # Ok::<(), firstbyte_analysis::check::CriteriaError>(())
//! ```

mod criterion;
mod entry;
mod fix;
mod quantity;
mod reading;
mod selection;
mod shift;

use std::{error::Error, fmt};

use self::selection::{extreme, failed};
pub use self::{
    criterion::{Criterion, Test},
    fix::{Fix, fix_validation},
    quantity::Quantity,
    reading::{Bound, Limit, Reading},
    selection::{Selection, Shown, Side},
    shift::{Judged, Median, Shift},
};
use crate::{
    compare::Margin,
    correlate::Log,
    measure::{Metric, Window},
    observed::Numbers,
};

/// The criteria of a file.
#[derive(Clone, Debug)]
pub struct Criteria(Vec<Criterion>);

/// A file of criteria that cannot be used; the message has the line.
#[derive(Debug)]
pub struct CriteriaError(String);

impl fmt::Display for CriteriaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for CriteriaError {}

/// What is said of a criterion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It holds.
    Met,
    /// It does not.
    NotMet,
    /// These lines do not tell.
    CannotTell,
}

impl Verdict {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::NotMet => "not met",
            Self::CannotTell => "cannot tell",
        }
    }

    /// Of several, all of which have to be met: one that is not decides, then one that cannot be told.
    #[must_use]
    pub fn of_all(verdicts: impl IntoIterator<Item = Self>) -> Self {
        let worse = |so_far, next| match (so_far, next) {
            (Self::NotMet, _) | (_, Self::NotMet) => Self::NotMet,
            (Self::CannotTell, _) | (_, Self::CannotTell) => Self::CannotTell,
            _ => Self::Met,
        };
        verdicts.into_iter().fold(Self::Met, worse)
    }
}

/// One thing that was looked at; its `Display` is a sentence without the verdict.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Evidence {
    /// A number and its limits.
    Number(Reading),
    /// A sample before and after.
    Change(Shift),
}

impl Evidence {
    /// What it says.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Number(reading) => reading.verdict(),
            Self::Change(shift) => shift.verdict(),
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(reading) => reading.fmt(f),
            Self::Change(shift) => shift.fmt(f),
        }
    }
}

/// What logs say to a criterion.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome<'c> {
    /// The criterion.
    pub criterion: &'c Criterion,
    /// What was looked at: one thing, or each operation, or what a fix is judged by.
    pub evidence: Vec<Evidence>,
    /// At most three calls that show it best, the furthest from the limit first; texts of the log as they are.
    pub worst: Vec<Shown>,
}

impl Outcome<'_> {
    /// Whether all of the evidence is as it should be.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        Verdict::of_all(self.evidence.iter().map(Evidence::verdict))
    }
}

impl Criteria {
    /// Reads a TOML text.
    ///
    /// # Errors
    ///
    /// [`CriteriaError`] with the line, for what is no TOML, a text without a criterion, a criterion without a
    /// limit, and for keys and names that nothing is known by.
    pub fn parse(text: &str) -> Result<Self, CriteriaError> {
        entry::parse(text).map(Self)
    }

    /// The criteria, in the order of the file.
    #[must_use]
    pub fn entries(&self) -> &[Criterion] {
        &self.0
    }

    /// What a log says to each. Without a log from before, what compares with it cannot be told.
    #[must_use]
    pub fn check(&self, log: &Log, before: Option<&Log>) -> Vec<Outcome<'_>> {
        let nothing = Log::from_bytes(b"");
        let before = before.unwrap_or(&nothing);
        let is_beside = |criterion: &Criterion| {
            matches!(criterion.test, Test::Number { quantity: Quantity::Beside(..), .. })
        };
        let beside = self.0.iter().any(is_beside).then(|| Numbers::of(log, Window::default()));
        self.0.iter().map(|criterion| outcome(criterion, log, before, beside.as_ref())).collect()
    }
}

fn outcome<'c>(
    criterion: &'c Criterion,
    log: &Log,
    before: &Log,
    beside: Option<&Numbers>,
) -> Outcome<'c> {
    let Criterion { selection, at_least_calls: asked, .. } = criterion;
    let calls = || selection.calls(log);
    let (evidence, worst) = match &criterion.test {
        Test::Number { quantity, limits } => {
            let reading = quantity.read(&calls, beside, limits, *asked);
            let worst = match quantity {
                // With a lower limit alone the smallest are the worst.
                Quantity::Call(metric, _) => {
                    extreme(calls(), *metric, limits.iter().all(Limit::is_lower))
                }
                Quantity::FailedShare => failed(calls()),
                Quantity::Calls | Quantity::Beside(..) => Vec::new(),
            };
            (vec![Evidence::Number(reading)], worst)
        }
        Test::NotWorse(metric) => {
            let before = selection.calls(before);
            let shifts = Shift::of_operations(*metric, before, calls(), Margin::default(), *asked);
            (shifts.into_iter().map(Evidence::Change).collect(), extreme(calls(), *metric, false))
        }
        Test::Fix(fix) => (
            fix.validate(before, log, selection, Margin::default(), *asked),
            extreme(calls(), Metric::Queue, false),
        ),
    };
    Outcome { criterion, evidence, worst }
}

#[cfg(test)]
mod tests;
