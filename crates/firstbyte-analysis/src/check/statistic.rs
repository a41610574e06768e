//! Which number of a sample.

use serde::Deserialize;

use crate::{
    baselines::observed::Sample,
    measure::{Amounts, Percentile, Summary},
};

/// A number of a sample.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Statistic {
    /// The smallest.
    Min,
    /// The arithmetic mean.
    Mean,
    /// The largest.
    Max,
    /// The sample's standard deviation (divided by n - 1).
    Stddev,
    /// The median.
    P50,
    /// From 20 values on.
    P95,
    /// From 100 values on; of durations only.
    P99,
    /// How many values there are.
    N,
    /// The share of wall, from 0 to 1; of a part of it only.
    Share,
}

impl Statistic {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::Mean => "mean",
            Self::Max => "max",
            Self::Stddev => "stddev",
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::N => "n",
            Self::Share => "share",
        }
    }

    /// How many values it needs.
    pub(super) const fn needs(self) -> usize {
        match self {
            Self::N => 0,
            Self::Min | Self::Mean | Self::Max | Self::P50 | Self::Share => 1,
            Self::Stddev => 2,
            Self::P95 => 20,
            Self::P99 => 100,
        }
    }
}

/// A value and the interval of 95 % that it has, if it has one.
pub(super) type Told = (Option<f64>, Option<(f64, f64)>);

/// How many values there are, and the number.
pub(super) fn of_sample(sample: Option<&Sample>, statistic: Statistic) -> (usize, Told) {
    match sample {
        None => (0, ((statistic == Statistic::N).then_some(0.0), None)),
        Some(Sample::Durations(summary)) => (summary.n, of_summary(summary, statistic)),
        Some(Sample::Amounts(amounts)) => (amounts.n, (of_amounts(amounts, statistic), None)),
    }
}

pub(super) fn of_summary(summary: &Summary, statistic: Statistic) -> Told {
    let percentile = |percentile: Option<Percentile>| {
        let ends = percentile.and_then(|percentile| percentile.interval);
        (
            percentile.map(|percentile| percentile.value.as_millis_f64()),
            ends.map(|ends| (ends.low.as_millis_f64(), ends.high.as_millis_f64())),
        )
    };
    match statistic {
        Statistic::Min => (Some(summary.min.as_millis_f64()), None),
        Statistic::Mean => (Some(summary.mean_ms), None),
        Statistic::Max => (Some(summary.max.as_millis_f64()), None),
        Statistic::Stddev => (summary.stddev_ms, None),
        Statistic::P50 => percentile(Some(summary.p50)),
        Statistic::P95 => percentile(summary.p95),
        Statistic::P99 => percentile(summary.p99),
        Statistic::N => (Some(summary.n as f64), None),
        Statistic::Share => (None, None),
    }
}

fn of_amounts(amounts: &Amounts, statistic: Statistic) -> Option<f64> {
    match statistic {
        Statistic::Min => Some(amounts.min),
        Statistic::Mean => Some(amounts.mean),
        Statistic::Max => Some(amounts.max),
        Statistic::Stddev => amounts.stddev,
        Statistic::P50 => Some(amounts.p50),
        Statistic::P95 => amounts.p95,
        Statistic::N => Some(amounts.n as f64),
        Statistic::P99 | Statistic::Share => None,
    }
}
