//! A sample before and after.

use std::fmt;

use firstbyte_core::Micros;

use super::Verdict;
use crate::{
    compare::{Change, Comparison, Margin, by_operation, of_values, reach_of, shift},
    correlate::Call,
    measure::{Amounts, Metric, Z95},
};

/// A sample before and after; what is judged is whether it got worse.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Shift {
    /// What it is of.
    pub what: String,
    /// Its unit.
    pub unit: &'static str,
    /// The sample before.
    pub before: Median,
    /// The sample after.
    pub after: Median,
    /// `None` if one of them is empty, or a rate was 0 before, of which there is no share.
    pub judged: Option<Judged>,
    /// How many values the criterion asks for on either side.
    pub asked: usize,
}

/// The middle of a sample.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Median {
    /// How many values.
    pub n: usize,
    /// By nearest rank; `None` if there are none.
    pub value: Option<f64>,
}

/// What [`compare`](crate::compare) says of both samples.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Judged {
    /// After minus before: the median of all differences.
    pub shift: f64,
    /// Its interval of 95 %, if there are enough values.
    pub interval: Option<(f64, f64)>,
    /// What may be without mattering.
    pub margin: f64,
    /// What is said.
    pub change: Change,
}

impl Shift {
    /// A time of calls that ended well, of each operation that both sides have: a slow one among many quick ones would
    /// not be seen. They are judged as so many tests. Without such an operation nothing is judged.
    pub(super) fn of_operations<'a>(
        metric: Metric,
        before: impl Iterator<Item = Call<'a>>,
        after: impl Iterator<Item = Call<'a>>,
        margin: Margin,
        asked: usize,
    ) -> Vec<Self> {
        let times = |calls: &[Call<'a>]| -> Vec<Micros> {
            let ended_well = calls.iter().filter(|call| call.ended_well());
            ended_well.filter_map(|call| metric.of(call)).collect()
        };
        let all: Vec<_> = by_operation(before, after)
            .into_iter()
            .map(|(name, (old, new))| (name, times(&old), times(&new)))
            .collect();
        let both: Vec<_> =
            all.iter().filter(|(_, old, new)| !old.is_empty() && !new.is_empty()).collect();
        if both.is_empty() {
            let old: Vec<_> = all.iter().flat_map(|(_, old, _)| old).copied().collect();
            let new: Vec<_> = all.iter().flat_map(|(_, _, new)| new).copied().collect();
            let shift = Self::of_times(metric, &old, &new, margin, Z95, asked);
            return vec![Self { judged: None, ..shift }];
        }
        let (z, is_one) = (reach_of(both.len()), both.len() == 1);
        let one = |(name, old, new): &(&str, Vec<Micros>, Vec<Micros>)| {
            let shift = Self::of_times(metric, old, new, margin, z, asked);
            let what = if is_one { shift.what } else { format!("{} of {name}", shift.what) };
            Self { what, ..shift }
        };
        both.into_iter().map(one).collect()
    }

    fn of_times(
        metric: Metric,
        before: &[Micros],
        after: &[Micros],
        margin: Margin,
        z: f64,
        asked: usize,
    ) -> Self {
        let found = of_values(metric, before, after, margin, z);
        let judge = |found: Comparison| Judged {
            shift: found.shift_ms,
            interval: found.interval_ms,
            margin: found.margin_ms,
            change: found.change,
        };
        Self {
            what: metric.as_str().to_owned(),
            unit: "ms",
            before: median(before.iter().copied().map(Micros::as_millis_f64)),
            after: median(after.iter().copied().map(Micros::as_millis_f64)),
            judged: found.map(judge),
            asked,
        }
    }

    /// Rates, which are better if they are higher.
    pub(super) fn of_rates(
        what: &str,
        unit: &'static str,
        before: &[f64],
        after: &[f64],
        asked: usize,
    ) -> Self {
        let old = median(before.iter().copied());
        let judge = |median: f64| {
            let margin = Margin::default().share * median;
            // What is shorter is better: so the signs are changed, and then the ends of the interval.
            let turned = |values: &[f64]| values.iter().map(|value| -value).collect::<Vec<_>>();
            let (by, interval, change) = shift(&turned(before), &turned(after), margin);
            Judged {
                shift: 0.0 - by,
                interval: interval.map(|(low, high)| (0.0 - high, 0.0 - low)),
                margin,
                change,
            }
        };
        Self {
            what: what.to_owned(),
            unit,
            before: old,
            after: median(after.iter().copied()),
            judged: old.value.filter(|median| *median > 0.0 && !after.is_empty()).map(judge),
            asked,
        }
    }

    /// What it says: met if it is the same or better.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.before.n.min(self.after.n) < self.asked {
            return Verdict::CannotTell;
        }
        match self.judged.map(|judged| judged.change) {
            Some(Change::Same | Change::Better) => Verdict::Met,
            Some(Change::Worse) => Verdict::NotMet,
            Some(Change::Undecided { .. }) | None => Verdict::CannotTell,
        }
    }
}

fn median(values: impl Iterator<Item = f64>) -> Median {
    let amounts = Amounts::of(values.collect());
    amounts.map_or_else(Median::default, |sample| Median { n: sample.n, value: Some(sample.p50) })
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, unit, before, after, asked, .. } = self;
        let of = |median: &Median| match median.value {
            Some(value) => format!("{value:.1} {unit} (n {})", median.n),
            None => format!("unknown (n {})", median.n),
        };
        write!(f, "{what} median {} before, {} after", of(before), of(after))?;
        let Some(judged) = &self.judged else { return Ok(()) };
        write!(f, ", shift {:+.1} {unit}", judged.shift)?;
        if let Some((low, high)) = judged.interval {
            write!(f, " [{low:+.1}, {high:+.1}]")?;
        }
        if before.n.min(after.n) < *asked {
            return write!(f, ": {asked} are asked for on either side");
        }
        match judged.change {
            Change::Better => f.write_str(": better"),
            Change::Worse => f.write_str(": worse"),
            Change::Same => write!(f, ": same, within {:.1} {unit}", judged.margin),
            Change::Undecided { more } => {
                write!(f, ": not enough, about {more} more on either side")
            }
        }
    }
}
