//! Which share of calls took at most so long: the empirical distribution function.

use firstbyte_core::Micros;

use crate::measure::Metric;

/// Steps that are kept of each arm.
const MOST: usize = 200;

/// How one time is distributed in each arm.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Distribution {
    /// Which time.
    pub metric: Metric,
    /// In the order of the arms; empty for an arm that does not tell it.
    pub arms: Vec<Steps>,
}

/// A distribution function: of 200 values at most all, of more every so manieth.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Steps {
    /// How many calls it is of.
    pub n: usize,
    /// A time, and the share of calls that took at most so long, from 0 to 1; rising.
    pub steps: Vec<(Micros, f64)>,
}

/// `None` if no arm has a value.
pub(super) fn of(metric: Metric, arms: Vec<Vec<Micros>>) -> Option<Distribution> {
    let arms: Vec<Steps> = arms.into_iter().map(steps).collect();
    arms.iter().any(|arm| arm.n > 0).then_some(Distribution { metric, arms })
}

fn steps(mut values: Vec<Micros>) -> Steps {
    values.sort_unstable();
    let (n, kept) = (values.len(), values.len().min(MOST));
    // Ranks from 1; the last one is the maximum.
    let ranks = (1..=kept).map(|i| i * n / kept);
    Steps { n, steps: ranks.map(|rank| (values[rank - 1], rank as f64 / n as f64)).collect() }
}
