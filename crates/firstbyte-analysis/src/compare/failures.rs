//! The share of calls that failed, before and after.

use super::{Change, Z90, estimated};
use crate::{
    correlate::Call,
    measure::{Z95, two_sided},
};

/// So many numbers of calls are tried, each 5 % above the one before: up to 10^9.
const MOST_STEPS: usize = 400;
/// What is said where none of them does.
pub(super) const MOST: usize = 1_000_000_000;
/// A change of so much of the share does not matter: one call of a hundred.
pub(super) const MARGIN: f64 = 0.01;

/// Calls that failed, of those whose end is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proportion {
    /// How many have an end.
    pub n: usize,
    /// How many of them failed.
    pub failed: usize,
}

impl Proportion {
    pub(crate) fn take(&mut self, call: &Call<'_>) {
        if call.has_ended() {
            self.n += 1;
            self.failed += usize::from(call.failed());
        }
    }

    /// From 0 to 1; 0 where there is no call.
    #[must_use]
    pub fn share(self) -> f64 {
        self.failed as f64 / self.n.max(1) as f64
    }

    /// Where the share of the population lies, so many standard errors to either side (Wilson's score interval).
    fn interval(self, z: f64) -> (f64, f64) {
        let (n, p) = (self.n as f64, self.share());
        let (middle, scale) = (p + z * z / (2.0 * n), 1.0 + z * z / n);
        let reach = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        (((middle - reach) / scale).max(0.0), ((middle + reach) / scale).min(1.0))
    }
}

/// The share of failed calls before and after.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Failures {
    /// Before.
    pub before: Proportion,
    /// After.
    pub after: Proportion,
    /// After minus before.
    pub shift: f64,
    /// Its interval of 95 % (Newcombe's tenth method: from the score intervals of both).
    pub interval: (f64, f64),
    /// How probable so uneven a distribution of the failures is by chance: two-sided, Fisher's exact test.
    pub p: f64,
    /// What may be without mattering, of the share.
    pub margin: f64,
    /// What is said.
    pub change: Change,
}

impl Failures {
    /// Compares two shares; `None` if there is no call with an end on one side. Better and worse are said if p is at
    /// most what `z` standard errors stand for.
    pub(super) fn of(before: Proportion, after: Proportion, z: f64) -> Option<Self> {
        if before.n == 0 || after.n == 0 {
            return None;
        }
        let shift = after.share() - before.share();
        let (low, high) = interval(before, after, Z95);
        let (low90, high90) = interval(before, after, Z90);
        let p = fisher(before, after);
        let change = if low90 >= -MARGIN && high90 <= MARGIN {
            Change::Same
        } else if p <= two_sided(z) && shift != 0.0 {
            if shift > 0.0 { Change::Worse } else { Change::Better }
        } else {
            Change::Undecided { more: estimated(more(before, after, z)) }
        };
        Some(Self { before, after, shift, interval: (low, high), p, margin: MARGIN, change })
    }

    /// Whether there is something to test: without a failure on either side there is no order that could be rare.
    pub(super) const fn is_test(before: Proportion, after: Proportion) -> bool {
        before.n > 0 && after.n > 0 && before.failed + after.failed > 0
    }
}

/// How many more calls on either side would settle it, if both shares stay where they are.
fn more(before: Proportion, after: Proportion, z: f64) -> usize {
    let fewest = before.n.min(after.n);
    let scaled = |side: Proportion, n: usize| Proportion {
        n,
        failed: (side.share() * n as f64).round() as usize,
    };
    let is_settled = |n: &usize| {
        let (before, after) = (scaled(before, *n), scaled(after, *n));
        let ((low90, high90), (low, high)) =
            (interval(before, after, Z90), interval(before, after, z));
        low90 >= -MARGIN && high90 <= MARGIN || low > 0.0 || high < 0.0
    };
    let larger = std::iter::successors(Some(fewest + 1), |n| Some(n + n.div_ceil(20)));
    larger.take(MOST_STEPS).find(is_settled).map_or(MOST, |n| n - fewest)
}

fn interval(before: Proportion, after: Proportion, z: f64) -> (f64, f64) {
    let shift = after.share() - before.share();
    let ((low, high), (low_after, high_after)) = (before.interval(z), after.interval(z));
    let reach = |a: f64, b: f64| a.hypot(b);
    (
        shift - reach(after.share() - low_after, high - before.share()),
        shift + reach(high_after - after.share(), before.share() - low),
    )
}

/// The sum of the probabilities of all tables with these sums at its edges that are not more probable than this one.
fn fisher(before: Proportion, after: Proportion) -> f64 {
    let failed = before.failed + after.failed;
    let (n, m) = (before.n as f64, after.n as f64);
    // Failures before, from the fewest that there can be to the most.
    let (least, most) = (failed.saturating_sub(after.n), failed.min(before.n));
    // Of a table with one failure more before, by that of this one.
    let up = |here: usize| {
        let (here, rest) = (here as f64, (failed - here) as f64);
        (n - here) * rest / ((here + 1.0) * (m - rest + 1.0))
    };
    let (mut within, mut all) = (1.0, 1.0);
    let mut add = |probability: f64| {
        all += probability;
        // The same number on another way may differ in its last digits.
        if probability <= 1.0 + 1e-9 {
            within += probability;
        }
    };
    let mut probability = 1.0;
    for here in before.failed..most {
        probability *= up(here);
        add(probability);
    }
    probability = 1.0;
    for here in (least..before.failed).rev() {
        probability /= up(here);
        add(probability);
    }
    (within / all).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(failed: usize, n: usize) -> Proportion {
        Proportion { n, failed }
    }

    #[test]
    fn fishers_test_is_that_of_the_textbook() {
        // The lady tasting tea, 3 of 4: 34 of 70 two-sided.
        assert!((fisher(of(3, 4), of(1, 4)) - 34.0 / 70.0).abs() < 1e-12);
        // scipy.stats.fisher_exact([[8, 2], [1, 5]]).
        assert!((fisher(of(8, 10), of(1, 6)) - 0.034_965_034_965).abs() < 1e-9);
        assert_eq!(fisher(of(0, 20), of(0, 20)), 1.0);
        assert!(fisher(of(0, 600_000), of(300_000, 600_000)) < 1e-12);
    }

    #[test]
    fn newcombes_interval_is_that_of_his_paper() {
        // Newcombe 1998, table II, method 10: 56/70 - 48/80, and 0/10 - 0/10.
        let (low, high) = interval(of(48, 80), of(56, 70), Z95);
        assert!((low - 0.0524).abs() < 5e-5 && (high - 0.3339).abs() < 5e-5, "{low} {high}");
        let (low, high) = interval(of(0, 10), of(0, 10), Z95);
        assert!((low + 0.2775).abs() < 5e-5 && (high - 0.2775).abs() < 5e-5, "{low} {high}");
    }

    #[test]
    fn a_share_gets_worse_better_stays_or_is_not_told() {
        let change = |before, after| Failures::of(before, after, Z95).unwrap().change;
        assert_eq!(change(of(0, 20), of(20, 20)), Change::Worse);
        assert_eq!(change(of(20, 20), of(0, 20)), Change::Better);
        assert_eq!(change(of(1, 2000), of(1, 2000)), Change::Same);
        let Change::Undecided { more } = change(of(0, 20), of(0, 20)) else { panic!() };
        assert!((200..400).contains(&more), "{more}");
        assert!(Failures::of(of(0, 0), of(1, 1), Z95).is_none());
    }
}
