//! The numbers that have limits.

use std::fmt;

use super::{Limit, Reading};
use crate::{
    compare::Proportion,
    correlate::Call,
    measure::{Column, Metric, Share, Statistic, Summary},
    observed::{Numbers, Sample, units},
};

/// A value and the interval of 95 % that it has, if it has one.
type Told = (Option<f64>, Option<(f64, f64)>);

/// A number of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Quantity {
    /// Of a time of calls.
    Call(Metric, Statistic),
    /// Of what happens beside the calls, by the name that it has in a file of baselines.
    Beside(&'static str, Statistic),
    /// Failed calls, of those whose end is known; from 0 to 1.
    FailedShare,
    /// How many calls there are, whatever their end.
    Calls,
}

impl Quantity {
    /// Its unit; empty for counts and shares.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::Call(_, Statistic::N | Statistic::Share)
            | Self::Beside(_, Statistic::N)
            | Self::FailedShare
            | Self::Calls => "",
            Self::Call(..) => "ms",
            Self::Beside(name, _) => {
                units(name).and_then(|units| units.first().copied()).unwrap_or("")
            }
        }
    }

    /// Whether it is from 0 to 1.
    #[must_use]
    pub const fn is_share(self) -> bool {
        matches!(self, Self::FailedShare | Self::Call(_, Statistic::Share))
    }

    const fn needs(self) -> usize {
        match self {
            Self::Call(_, statistic) | Self::Beside(_, statistic) => statistic.needs(),
            Self::FailedShare => 1,
            Self::Calls => 0,
        }
    }

    /// Reads it from calls, or from the numbers beside them.
    pub(super) fn read<'a, I: Iterator<Item = Call<'a>>>(
        self,
        calls: &dyn Fn() -> I,
        beside: Option<&Numbers>,
        limits: &[Limit],
        asked: usize,
    ) -> Reading {
        let (n, (value, interval), note) = match self {
            Self::Call(metric, statistic) => {
                let (n, told) = of_calls(metric, statistic, calls());
                (n, told, None)
            }
            Self::Beside(name, statistic) => {
                let (n, told) = of_sample(beside.and_then(|beside| beside.sample(name)), statistic);
                (n, told, None)
            }
            Self::FailedShare => failed_share(calls()),
            Self::Calls => {
                let n = calls().count();
                (n, (Some(n as f64), None), None)
            }
        };
        Reading {
            what: self.to_string(),
            unit: self.unit(),
            n,
            value,
            interval,
            limits: limits.to_vec(),
            needed: self.needs(),
            asked,
            is_premise: false,
            note,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(metric, Statistic::Share) => write!(f, "{} share of wall", metric.as_str()),
            Self::Call(metric, statistic) => {
                write!(f, "{} {}", metric.as_str(), statistic.as_str())
            }
            Self::Beside(name, statistic) => write!(f, "{name} {}", statistic.as_str()),
            Self::FailedShare => f.write_str("failed_share"),
            Self::Calls => f.write_str("calls"),
        }
    }
}

/// Times of calls are those of calls that ended well, as everywhere.
fn of_calls<'a>(
    metric: Metric,
    statistic: Statistic,
    calls: impl Iterator<Item = Call<'a>>,
) -> (usize, Told) {
    let mut column = Column::new(metric);
    for call in calls.filter(Call::ended_well) {
        if let Some(value) = metric.of(&call) {
            column.push(value, Metric::Wall.of(&call));
        }
    }
    match (column.row(), statistic) {
        (Some((_, _, Some(Share { of_wall, n }))), Statistic::Share) => (n, (Some(of_wall), None)),
        (Some((_, summary, _)), statistic) => (summary.n, of_summary(&summary, statistic)),
        (None, statistic) => of_sample(None, statistic),
    }
}

/// How many values there are, and the number.
fn of_sample(sample: Option<&Sample>, statistic: Statistic) -> (usize, Told) {
    match sample {
        None => (0, ((statistic == Statistic::N).then_some(0.0), None)),
        Some(Sample::Durations(summary)) => (summary.n, of_summary(summary, statistic)),
        Some(Sample::Amounts(amounts)) => (amounts.n, (amounts.get(statistic), None)),
    }
}

fn of_summary(summary: &Summary, statistic: Statistic) -> Told {
    (summary.get(statistic), summary.interval(statistic))
}

fn failed_share<'a>(calls: impl Iterator<Item = Call<'a>>) -> (usize, Told, Option<String>) {
    let (mut ends, mut open) = (Proportion::default(), 0_usize);
    for call in calls {
        ends.take(&call);
        open += usize::from(!call.has_ended());
    }
    let value = (ends.n > 0).then(|| ends.share());
    let note = (open > 0).then(|| format!("calls without an end, which count in neither: {open}"));
    (ends.n, (value, None), note)
}
