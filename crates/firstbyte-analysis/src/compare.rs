//! Before and after: what changed, by how much, and whether that can be said at all.

use firstbyte_core::Micros;

use crate::{
    correlate::Log,
    measure::{Metric, Summary, Z95, thinned, two_sided},
};

/// With fewer on either side nothing is said.
const FEWEST: usize = 4;
/// The same for 90 %: two one-sided tests at 5 %.
const Z90: f64 = 1.644_853_626_951_472;

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

/// What is said of one metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// It takes less time.
    Better,
    /// It takes more time.
    Worse,
    /// Any change is within the margin.
    Same,
    /// There are not enough values to say; with so many more on either side there probably are.
    Undecided {
        /// How many more.
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

/// Compares every metric that both logs tell, over calls that ended well.
#[must_use]
pub fn compare(before: &Log, after: &Log, margin: Margin) -> Vec<Comparison> {
    let metrics = Metric::all().into_iter();
    metrics
        .filter_map(|metric| {
            of_values(metric, &values(before, metric), &values(after, metric), margin)
        })
        .collect()
}

fn values(log: &Log, metric: Metric) -> Vec<Micros> {
    let done = log.calls().filter(|call| call.ended_well());
    done.filter_map(|call| metric.of(&call)).collect()
}

/// Compares two samples of durations; `None` if one is empty.
pub(crate) fn of_values(
    metric: Metric,
    before: &[Micros],
    after: &[Micros],
    margin: Margin,
) -> Option<Comparison> {
    let (old, new) = (Summary::of(before.to_vec())?, Summary::of(after.to_vec())?);
    let (a, b) = (millis(before), millis(after));
    let differences = differences(&a, &b);
    let more = differences.iter().filter(|difference| **difference > 0.0).count() as f64;
    let ties = differences.iter().filter(|difference| **difference == 0.0).count() as f64;
    let u = more + ties / 2.0;
    let margin_ms = margin.ms.max(margin.share * old.p50.value.as_millis_f64());
    let interval_ms = interval(&differences, a.len(), b.len(), Z95);
    Some(Comparison {
        metric,
        before: old,
        after: new,
        shift_ms: middle(&differences),
        interval_ms,
        p: p_value(u, &a, &b),
        effect: u / differences.len() as f64,
        margin_ms,
        change: change(&differences, a.len(), b.len(), margin_ms),
    })
}

/// The shift of any numbers that are better if they are smaller, its interval of 95 %, and what is said of it; both
/// samples have values.
pub(crate) fn shift(
    before: &[f64],
    after: &[f64],
    margin: f64,
) -> (f64, Option<(f64, f64)>, Change) {
    let (a, b) = (thinned(before), thinned(after));
    let differences = differences(&a, &b);
    let interval = interval(&differences, a.len(), b.len(), Z95);
    (middle(&differences), interval, change(&differences, a.len(), b.len(), margin))
}

/// After minus before of every pair, sorted.
fn differences(before: &[f64], after: &[f64]) -> Vec<f64> {
    let mut differences: Vec<f64> =
        after.iter().flat_map(|after| before.iter().map(move |before| after - before)).collect();
    differences.sort_by(f64::total_cmp);
    differences
}

fn middle(sorted: &[f64]) -> f64 {
    (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0
}

/// Evenly chosen values, in milliseconds: every pair of both samples is looked at.
fn millis(values: &[Micros]) -> Vec<f64> {
    thinned(values).into_iter().map(Micros::as_millis_f64).collect()
}

/// The interval of the shift: two of the sorted differences (Moses; Hollander, Wolfe and Chicken,
/// Nonparametric Statistical Methods, 3rd edition, section 4.3).
fn interval(sorted: &[f64], n: usize, m: usize, z: f64) -> Option<(f64, f64)> {
    let (n, m) = (n as f64, m as f64);
    let rank = n * m / 2.0 - z * (n * m * (n + m + 1.0) / 12.0).sqrt();
    let rank = rank.floor();
    (rank >= 1.0).then(|| (sorted[rank as usize - 1], sorted[sorted.len() - rank as usize]))
}

fn change(sorted: &[f64], n: usize, m: usize, margin: f64) -> Change {
    let fewest = n.min(m);
    let intervals = interval(sorted, n, m, Z95).zip(interval(sorted, n, m, Z90));
    let Some(((low, high), (low90, high90))) = intervals.filter(|_| fewest >= FEWEST) else {
        return Change::Undecided { more: FEWEST.saturating_sub(fewest).max(1) };
    };
    if low90 >= -margin && high90 <= margin {
        return Change::Same;
    }
    if high < 0.0 {
        return Change::Better;
    }
    if low > 0.0 {
        return Change::Worse;
    }
    // It is settled once the interval ends before 0, or its narrower one before the margin, if the shift stays where it
    // is; the width of an interval goes with the root of the number of values.
    let n = fewest as f64;
    let shift = middle(sorted);
    let reach = (high - shift).max(shift - low);
    let enough = shift.abs().max((margin - shift.abs()) * Z95 / Z90);
    let needed = n * (reach / enough).powi(2);
    Change::Undecided { more: (needed - n).ceil().max(1.0) as usize }
}

fn p_value(u: f64, a: &[f64], b: &[f64]) -> f64 {
    let (n, m) = (a.len() as f64, b.len() as f64);
    let total = n + m;
    let mut all = [a, b].concat();
    all.sort_by(f64::total_cmp);
    let ties: f64 =
        all.chunk_by(|x, y| x == y).map(|tie| (tie.len() as f64).powi(3) - tie.len() as f64).sum();
    let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    let distance = ((u - n * m / 2.0).abs() - 0.5).max(0.0);
    if variance > 0.0 { two_sided(distance / variance.sqrt()) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn log(walls: impl IntoIterator<Item = f64>) -> Log {
        let mut lines = String::new();
        for (n, wall) in walls.into_iter().enumerate() {
            writeln!(
                lines,
                "[weights][{n:016x}] client.done wall_ms={wall:.1} rpc_ms=1.0 queue_ms={:.1}",
                wall - 1.0
            )
            .unwrap();
        }
        Log::from_bytes(lines.as_bytes())
    }

    fn wall(
        before: impl IntoIterator<Item = f64>,
        after: impl IntoIterator<Item = f64>,
    ) -> Comparison {
        let all = compare(&log(before), &log(after), Margin::default());
        all.into_iter().find(|comparison| comparison.metric == Metric::Wall).unwrap()
    }

    #[test]
    fn it_agrees_with_a_calculation_by_hand() {
        // Every difference: 9 10 11 12 | 8 9 10 11 | 7 8 9 10, sorted 7 8 8 9 9 9 10 10 10 11 11 12: median 9.5.
        let found = wall([1.0, 2.0, 3.0], [10.0, 11.0, 12.0, 13.0]);
        assert!((found.shift_ms - 9.5).abs() < 1e-9, "{found:?}");
        assert!((found.effect - 1.0).abs() < 1e-9);
        // U = 12, mean 6, variance 12 / 12 * 8 = 8: z = 5.5 / 2.828 = 1.945.
        assert!((found.p - 0.0518).abs() < 1e-3, "{found:?}");
    }

    #[test]
    fn a_fix_is_better_and_its_reverse_is_worse() {
        let slow = || (0..10).map(|n| 3000.0 + f64::from(n * 37 % 11));
        let fast = || (0..10).map(|n| 50.0 + f64::from(n * 37 % 11));
        let fixed = wall(slow(), fast());
        assert_eq!(fixed.change, Change::Better);
        assert!(fixed.p < 0.001 && fixed.effect < 0.01, "{fixed:?}");
        let (low, high) = fixed.interval_ms.unwrap();
        assert!(low <= fixed.shift_ms && fixed.shift_ms <= high && high < -2900.0);
        assert_eq!(wall(fast(), slow()).change, Change::Worse);
    }

    #[test]
    fn a_change_within_the_margin_is_none() {
        let before = (0..30).map(|n| 100.0 + f64::from(n * 7 % 10));
        let after = (0..30).map(|n| 102.0 + f64::from(n * 7 % 10));
        let found = wall(before, after);
        assert_eq!(found.change, Change::Same);
        assert!((found.margin_ms - 10.4).abs() < 0.2);
    }

    #[test]
    fn too_few_or_too_wide_samples_say_how_many_more() {
        assert_eq!(wall([1.0, 2.0], [100.0, 200.0]).change, Change::Undecided { more: 2 });
        let wide = |shift: f64| (0..8).map(move |n| shift + 100.0 * f64::from(n * 5 % 8));
        let Change::Undecided { more } = wall(wide(100.0), wide(120.0)).change else { panic!() };
        assert!((20..2000).contains(&more), "{more}");
    }

    #[test]
    fn equal_values_are_no_difference() {
        let found = wall([5.0; 20], [5.0; 20]);
        assert_eq!((found.change, found.p, found.shift_ms), (Change::Same, 1.0, 0.0));
        assert!((found.effect - 0.5).abs() < 1e-9);
    }

    #[test]
    fn many_values_are_thinned_evenly() {
        let many: Vec<Micros> = (0..5000).map(Micros).collect();
        let few = millis(&many);
        assert_eq!((few.len(), few[0], few[999]), (1000, 0.0, 4.995));
    }
}
