//! Which number of a sample.

use serde::Deserialize;

use super::{Amounts, Percentile, Summary};

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
    pub(crate) const fn needs(self) -> usize {
        match self {
            Self::N => 0,
            Self::Min | Self::Mean | Self::Max | Self::P50 | Self::Share => 1,
            Self::Stddev => 2,
            Self::P95 => 20,
            Self::P99 => 100,
        }
    }
}

impl Summary {
    /// The number of this name, durations in milliseconds; `None` without enough values for it. A share is of calls.
    #[must_use]
    pub fn get(&self, statistic: Statistic) -> Option<f64> {
        let time = match statistic {
            Statistic::Min => self.min,
            Statistic::Mean => return Some(self.mean_ms),
            Statistic::Max => self.max,
            Statistic::Stddev => return self.stddev_ms,
            Statistic::P50 | Statistic::P95 | Statistic::P99 => self.percentile(statistic)?.value,
            Statistic::N => return Some(self.n as f64),
            Statistic::Share => return None,
        };
        Some(time.as_millis_f64())
    }

    /// The interval of 95 % of this number in milliseconds, if it has one.
    pub(crate) fn interval(&self, statistic: Statistic) -> Option<(f64, f64)> {
        let ends = self.percentile(statistic)?.interval?;
        Some((ends.low.as_millis_f64(), ends.high.as_millis_f64()))
    }

    const fn percentile(&self, statistic: Statistic) -> Option<Percentile> {
        match statistic {
            Statistic::P50 => Some(self.p50),
            Statistic::P95 => self.p95,
            Statistic::P99 => self.p99,
            _ => None,
        }
    }
}

impl Amounts {
    /// The number of this name; `None` without enough values for it, and of what durations and calls alone have.
    #[must_use]
    pub const fn get(&self, statistic: Statistic) -> Option<f64> {
        match statistic {
            Statistic::Min => Some(self.min),
            Statistic::Mean => Some(self.mean),
            Statistic::Max => Some(self.max),
            Statistic::Stddev => self.stddev,
            Statistic::P50 => Some(self.p50),
            Statistic::P95 => self.p95,
            Statistic::N => Some(self.n as f64),
            Statistic::P99 | Statistic::Share => None,
        }
    }
}
