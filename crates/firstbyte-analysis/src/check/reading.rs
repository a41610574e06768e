//! A number and its limits.

use std::fmt;

use super::Verdict;

/// A number that was read from a log.
///
/// `Display` tells all but the verdict: `queue p95 312.0 ms (n 40), at most 300 ms`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Reading {
    /// What it is of.
    pub what: String,
    /// Its unit; empty for counts and shares.
    pub unit: &'static str,
    /// How many values it is of.
    pub n: usize,
    /// The number; `None` if the lines do not tell it.
    pub value: Option<f64>,
    /// Where that of the population lies, with a confidence of 95 %: percentiles of enough values.
    pub interval: Option<(f64, f64)>,
    /// What it is held against.
    pub limits: Vec<Limit>,
    /// How many values such a number needs.
    pub needed: usize,
    /// How many values the criterion asks for.
    pub asked: usize,
    /// Without it the criterion means nothing: then nothing can be told, which is not the same as not met.
    pub is_premise: bool,
    /// What else there is to know.
    pub note: Option<String>,
}

/// What a number is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Limit {
    /// On which side of it a number has to be.
    pub bound: Bound,
    /// In the unit of the number.
    pub value: f64,
}

/// On which side of a limit a number has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bound {
    /// `<=`
    AtMost,
    /// `>=`
    AtLeast,
    /// `>`
    Over,
    /// `<`
    Under,
}

impl Bound {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AtMost => "at most",
            Self::AtLeast => "at least",
            Self::Over => "over",
            Self::Under => "under",
        }
    }
}

impl Limit {
    pub(super) const fn new(bound: Bound, value: f64) -> Self {
        Self { bound, value }
    }

    /// Whether a number is where it has to be.
    #[must_use]
    pub fn holds(&self, number: f64) -> bool {
        match self.bound {
            Bound::AtMost => number <= self.value,
            Bound::AtLeast => number >= self.value,
            Bound::Over => number > self.value,
            Bound::Under => number < self.value,
        }
    }

    pub(super) const fn is_lower(&self) -> bool {
        matches!(self.bound, Bound::AtLeast | Bound::Over)
    }
}

impl Reading {
    /// What it says.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self.value {
            Some(value) if self.n >= self.asked => {
                if self.limits.iter().all(|limit| limit.holds(value)) {
                    Verdict::Met
                } else if self.is_premise {
                    Verdict::CannotTell
                } else {
                    Verdict::NotMet
                }
            }
            _ => Verdict::CannotTell,
        }
    }

    /// Whether its interval has numbers on either side of a limit: another sample might decide otherwise.
    pub(crate) fn is_close(&self) -> bool {
        self.interval.is_some_and(|(low, high)| {
            self.limits.iter().any(|limit| limit.holds(low) != limit.holds(high))
        })
    }

    /// With the digits that it takes to see on which side of the limits it is.
    fn digits(&self, value: f64) -> String {
        let fewest = match self.unit {
            "" if value.fract() == 0.0 => 0,
            "" => 3,
            _ => 1,
        };
        let sides = |value: f64| self.limits.iter().all(|limit| limit.holds(value));
        let shown = (fewest..9).map(|digits| format!("{value:.digits$}"));
        let is_clear = |text: &String| text.parse().is_ok_and(|shown| sides(shown) == sides(value));
        shown.into_iter().find(is_clear).unwrap_or_else(|| value.to_string())
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, unit, n, needed, asked, .. } = self;
        let space = if unit.is_empty() { "" } else { " " };
        match self.value {
            Some(value) => write!(f, "{what} {}{space}{unit} (n {n}", self.digits(value))?,
            None => write!(f, "{what} unknown (n {n}")?,
        }
        if n < asked {
            write!(f, ", {asked} are asked for")?;
        } else if self.value.is_none() && n < needed {
            write!(f, ", it is told from {needed} on")?;
        }
        f.write_str(")")?;
        for limit in &self.limits {
            write!(f, ", {} {}{space}{unit}", limit.bound.as_str(), limit.value)?;
        }
        if let Some((low, high)) = self.interval.filter(|_| self.is_close()) {
            write!(f, "; its 95 % interval [{low:.1}, {high:.1}] has the limit in it")?;
        }
        if self.is_premise && self.verdict() == Verdict::CannotTell {
            f.write_str("; without it there is nothing to validate")?;
        }
        match &self.note {
            Some(note) => write!(f, "; {note}"),
            None => Ok(()),
        }
    }
}
