//! Before and after: what changed, by how much, and whether that can be said at all.

mod differences;
mod failures;
mod operation;
mod ranks;

use firstbyte_core::Micros;

use self::differences::Differences;
pub(crate) use self::operation::by_operation;
pub use self::{
    failures::{Failures, Proportion},
    operation::{Compared, Operation, compare},
};
use crate::measure::{Metric, Summary, Z95, two_sided};

/// With fewer on either side nothing is said.
const FEWEST: usize = 4;
/// The same for 90 %: two one-sided tests at 5 %.
const Z90: f64 = 1.644_853_626_951_472;

/// So many standard errors more, and it is settled in four cases of five.
const POWER: f64 = 0.841_621_233_572_914;
/// The same where it is within a margin that has two sides.
const POWER_WITHIN: f64 = 1.281_551_565_544_6;

/// How much a change may be without mattering: the larger of both.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Margin {
    /// In milliseconds.
    pub ms: f64,
    /// Of the median before, from 0 to 1.
    pub share: f64,
}

impl Default for Margin {
    fn default() -> Self {
        Self { ms: 5.0, share: 0.1 }
    }
}

/// What is said of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// It is smaller: less time, fewer failures.
    Better,
    /// It is larger.
    Worse,
    /// Any change is within the margin.
    Same,
    /// There are not enough values to say; with so many more on either side there probably are.
    Undecided {
        /// How many more: an estimate, rounded up to two digits.
        more: usize,
    },
}

/// One metric before and after.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Comparison {
    /// Which.
    pub metric: Metric,
    /// The sample before.
    pub before: Summary,
    /// The sample after.
    pub after: Summary,
    /// After minus before in milliseconds: the median of all differences (Hodges and Lehmann).
    pub shift_ms: f64,
    /// Its interval of 95 %, if there are enough values.
    pub interval_ms: Option<(f64, f64)>,
    /// How probable so large a difference in ranks is by chance: two-sided, Mann and Whitney, normal
    /// approximation with corrections for ties and continuity.
    pub p: f64,
    /// The probability that a value after is larger than one before, ties by half (Vargha and Delaney's A): 0.5
    /// is no effect.
    pub effect: f64,
    /// What may be without mattering, in milliseconds.
    pub margin_ms: f64,
    /// What is said.
    pub change: Change,
}

impl Comparison {
    /// Whether it decides about the whole: the other times only explain.
    #[must_use]
    pub const fn decides(&self) -> bool {
        is_decisive(self.metric)
    }
}

const fn is_decisive(metric: Metric) -> bool {
    matches!(metric, Metric::Wall | Metric::Queue | Metric::Rpc)
}

/// Compares two samples of durations; `None` if one is empty. Better and worse are said where the interval that
/// reaches `z` standard errors to either side does not have 0 in it.
pub(crate) fn of_values(
    metric: Metric,
    before: &[Micros],
    after: &[Micros],
    margin: Margin,
    z: f64,
) -> Option<Comparison> {
    let (old, new) = (Summary::of(before.to_vec())?, Summary::of(after.to_vec())?);
    let millis = |values: &[Micros]| values.iter().map(|value| value.as_millis_f64()).collect();
    let differences = Differences::of(millis(before), millis(after));
    let u = differences.above_zero() as f64 + differences.zero() as f64 / 2.0;
    let margin_ms = margin.ms.max(margin.share * old.p50.value.as_millis_f64());
    Some(Comparison {
        metric,
        before: old,
        after: new,
        shift_ms: differences.median(),
        interval_ms: differences.interval(Z95),
        p: p_value(u, &differences),
        effect: u / differences.count() as f64,
        margin_ms,
        change: change(&differences, margin_ms, z),
    })
}

/// The shift of any numbers that are better if they are smaller, its interval of 95 %, and what is said of it; both
/// samples have values.
pub(crate) fn shift(
    before: &[f64],
    after: &[f64],
    margin: f64,
) -> (f64, Option<(f64, f64)>, Change) {
    let differences = Differences::of(before.to_vec(), after.to_vec());
    (differences.median(), differences.interval(Z95), change(&differences, margin, Z95))
}

/// Whether `n` values are larger than `m` others beyond chance, as sure as so many standard errors: of the pairs of both, so
/// many are `against` it.
pub(crate) fn are_larger(n: usize, m: usize, against: u64, z: f64) -> bool {
    ranks::rank(n, m, z).is_some_and(|rank| against < rank)
}

fn change(differences: &Differences, margin: f64, z: f64) -> Change {
    let fewest = differences.fewest();
    let intervals = differences.interval(Z95).zip(differences.interval(Z90));
    let Some(((low, high), (low90, high90))) = intervals.filter(|_| fewest >= FEWEST) else {
        return Change::Undecided { more: FEWEST.saturating_sub(fewest).max(1) };
    };
    if low90 >= -margin && high90 <= margin {
        return Change::Same;
    }
    match differences.interval(z) {
        Some((_, high)) if high < 0.0 => return Change::Better,
        Some((low, _)) if low > 0.0 => return Change::Worse,
        _ => {}
    }
    let shift = differences.median();
    let reach = (high - shift).max(shift - low);
    let possible = (fewest..).find(|n| ranks::rank(*n, *n, z).is_some()).unwrap_or(fewest);
    let more = more(fewest, shift, reach, margin, z).max(possible - fewest);
    Change::Undecided { more: estimated(more) }
}

/// An estimate of how many, with the two digits that it is good for: rounded up, so that it is no smaller one.
fn estimated(more: usize) -> usize {
    let place = 10_usize.pow(more.max(10).ilog10() - 1);
    more.div_ceil(place).saturating_mul(place)
}

/// How many more values on either side would settle it in four cases of five at least, of which there are `n`: that is so once
/// the interval ends before 0, or its narrower one before the margin, if the shift that was measured is the real one; the width
/// of an interval goes with the root of the number of values, and where it lies has chance in it. `reach` is how far the
/// interval of 95 % goes from the shift.
fn more(n: usize, shift: f64, reach: f64, margin: f64, z: f64) -> usize {
    let apart = shift.abs() * Z95 / (z + POWER);
    let enough = apart.max((margin - shift.abs()) * Z95 / (Z90 + POWER_WITHIN));
    let needed = n as f64 * (reach / enough).powi(2);
    ((needed - n as f64).ceil().max(1.0) as usize).min(failures::MOST)
}

/// How many standard errors an interval has to reach so that all of so many have what they are of in them, with 95 %
/// (Bonferroni).
pub(crate) fn reach_of(tests: usize) -> f64 {
    if tests < 2 {
        return Z95;
    }
    let (mut low, mut high) = (Z95, 10.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if two_sided(middle) > 0.05 / tests as f64 {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

fn p_value(u: f64, differences: &Differences) -> f64 {
    let (n, m) = (differences.before.len() as f64, differences.after.len() as f64);
    let total = n + m;
    let mut all = [differences.before.as_slice(), &differences.after].concat();
    all.sort_by(f64::total_cmp);
    let ties: f64 =
        all.chunk_by(|x, y| x == y).map(|tie| (tie.len() as f64).powi(3) - tie.len() as f64).sum();
    let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    let distance = ((u - n * m / 2.0).abs() - 0.5).max(0.0);
    if variance > 0.0 { two_sided(distance / variance.sqrt()) } else { 1.0 }
}

#[cfg(test)]
mod tests;
