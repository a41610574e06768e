//! One criterion of a file.

use super::{Fix, Limit, Quantity, Selection};
use crate::measure::Metric;

/// What has to hold.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Criterion {
    /// What it is called.
    pub name: String,
    /// Where it begins in its file, from 1.
    pub line: usize,
    /// Which calls it is of.
    pub selection: Selection,
    /// With fewer values nothing is said, in a comparison with fewer on either side.
    pub at_least_calls: usize,
    /// How it is tested.
    pub test: Test,
}

/// How a criterion is tested.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Test {
    /// A number is within limits.
    Number {
        /// Which number.
        quantity: Quantity,
        /// One, or an upper and a lower one.
        limits: Vec<Limit>,
    },
    /// A time of calls did not get worse.
    NotWorse(Metric),
    /// A long queue became short, and nothing was paid for it.
    Fix(Fix),
}

impl Criterion {
    /// Whether it compares with a log from before.
    #[must_use]
    pub const fn needs_before(&self) -> bool {
        !matches!(self.test, Test::Number { .. })
    }
}
