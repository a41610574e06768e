//! The differences between the values of two samples, in their order, without making each of them: a million calls
//! on either side have 10^12.

use super::ranks::rank;

/// After minus before of every pair. Both samples have values, in order.
#[derive(Debug)]
pub(super) struct Differences {
    pub(super) before: Vec<f64>,
    pub(super) after: Vec<f64>,
}

/// The differences on either side of a value.
struct Split {
    /// How many are not above it.
    count: u64,
    /// The largest of these; without one, below all numbers.
    last: f64,
    /// The smallest of the others; without one, above all numbers.
    next: f64,
}

impl Differences {
    pub(super) fn of(mut before: Vec<f64>, mut after: Vec<f64>) -> Self {
        before.sort_by(f64::total_cmp);
        after.sort_by(f64::total_cmp);
        Self { before, after }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.before.len() as u64 * self.after.len() as u64
    }

    /// The size of the smaller sample.
    pub(super) fn fewest(&self) -> usize {
        self.before.len().min(self.after.len())
    }

    pub(super) fn above_zero(&self) -> u64 {
        self.count() - self.split(0.0).count
    }

    pub(super) fn zero(&self) -> u64 {
        self.split(0.0).count - self.split(0.0_f64.next_down()).count
    }

    pub(super) fn median(&self) -> f64 {
        let count = self.count();
        let low = self.ranked(count.div_ceil(2));
        if count % 2 == 1 { low } else { f64::midpoint(low, self.ranked(count / 2 + 1)) }
    }

    /// The interval of the shift that reaches so many standard errors to either side: two of the differences (Moses;
    /// Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3rd edition, section 4.3). `None` if there are
    /// not enough values.
    pub(super) fn interval(&self, z: f64) -> Option<(f64, f64)> {
        let rank = rank(self.before.len(), self.after.len(), z)?;
        Some((self.ranked(rank), self.ranked(self.count() + 1 - rank)))
    }

    /// The difference of a rank, from 1 to their number: exact, whatever their number.
    fn ranked(&self, rank: u64) -> f64 {
        let ends = |values: &[f64]| (values[0], values[values.len() - 1]);
        let ((least, most), (first, last)) = (ends(&self.before), ends(&self.after));
        let (mut low, mut high) = (first - most, last - least);
        while low < high {
            // Between neighbours there is nothing, and it may be rounded to either.
            let middle = Some(low / 2.0 + high / 2.0).filter(|middle| *middle < high);
            let split = self.split(middle.unwrap_or(low).max(low));
            if split.count >= rank {
                high = split.last;
            } else {
                low = split.next;
            }
        }
        low
    }

    /// Goes through both samples once: the larger a value before, the more values after are within.
    fn split(&self, at: f64) -> Split {
        let mut found = Split { count: 0, last: f64::NEG_INFINITY, next: f64::INFINITY };
        let mut within = 0;
        for before in &self.before {
            while within < self.after.len() && self.after[within] - before <= at {
                within += 1;
            }
            found.count += within as u64;
            if within > 0 {
                found.last = found.last.max(self.after[within - 1] - before);
            }
            if within < self.after.len() {
                found.next = found.next.min(self.after[within] - before);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_rank_is_that_of_the_sorted_differences(
            before in prop::collection::vec(-50_i32..50, 1..12),
            after in prop::collection::vec(-50_i32..50, 1..12),
            scale in prop::sample::select(vec![0.1, 1.0, 1e-300, 1e306]),
        ) {
            let scaled = |values: &[i32]| values.iter().map(|n| f64::from(*n) * scale).collect::<Vec<_>>();
            let differences = Differences::of(scaled(&before), scaled(&after));
            let mut all: Vec<f64> = differences
                .after
                .iter()
                .flat_map(|after| differences.before.iter().map(move |before| after - before))
                .collect();
            all.sort_by(f64::total_cmp);
            for (rank, expected) in (1..).zip(&all) {
                prop_assert_eq!(differences.ranked(rank), *expected);
            }
            let count = |is: fn(&f64) -> bool| all.iter().filter(|value| is(value)).count() as u64;
            prop_assert_eq!(differences.above_zero(), count(|value| *value > 0.0));
            prop_assert_eq!(differences.zero(), count(|value| *value == 0.0));
            let middle = (all[(all.len() - 1) / 2], all[all.len() / 2]);
            prop_assert_eq!(differences.median(), f64::midpoint(middle.0, middle.1));
        }
    }
}
