//! How many of the differences between two samples are on one side of the shift by chance: Mann and Whitney's U.

use crate::measure::two_sided;

/// So many steps are taken to count, which is enough for 46 values against 46, and for 3 against 11,000. Of more, the normal
/// distribution is as good; of a few against many it is not: what all three of them are it takes for chance.
const STEPS: usize = 100_000;
/// The probability that belongs to a number of standard errors is this exact, of itself.
const EXACTNESS: f64 = 1e-5;

/// The rank of the lower end of an interval among the differences of samples of these sizes, from 1, if they reach so
/// many standard errors.
pub(super) fn rank(n: usize, m: usize, z: f64) -> Option<u64> {
    let (n, m) = (n.min(m), n.max(m));
    if (n * n).saturating_mul(m) <= STEPS {
        return counted(n, m, two_sided(z) / 2.0 * (1.0 + EXACTNESS));
    }
    let (n, m) = (n as f64, m as f64);
    let rank = n * m / 2.0 - z * (n * m * (n + m + 1.0) / 12.0).sqrt();
    (rank >= 1.0).then_some(rank as u64)
}

/// The most differences that may be left out at one end, so that the shift is beyond them with this probability at most.
fn counted(n: usize, m: usize, tail: f64) -> Option<u64> {
    let ways = ways(n, m);
    let all: f64 = ways.iter().sum();
    let mut so_far = 0.0;
    let is_rare = |ways: &&f64| {
        so_far += **ways / all;
        so_far <= tail
    };
    let rank = ways.iter().take_while(is_rare).count() as u64;
    (rank > 0).then_some(rank)
}

/// In how many orders of both samples 0, 1, 2 and so on of the differences are below 0 (Gauss's binomial coefficients). The
/// first sample is not the larger one.
fn ways(n: usize, m: usize) -> Vec<f64> {
    let mut ways = vec![0.0; n * m + 1];
    ways[0] = 1.0;
    for i in 1..=n {
        for at in (m + i..ways.len()).rev() {
            ways[at] -= ways[at - m - i];
        }
        for at in i..ways.len() {
            ways[at] += ways[at - i];
        }
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Z95;

    #[test]
    fn ranks_are_those_of_the_tables() {
        // One more than the critical values of U at 5 %, two-sided (Mann and Whitney, 1947; scipy.stats.mannwhitneyu).
        for (n, m, rank_of) in
            [(4, 4, 1), (5, 5, 3), (6, 6, 6), (8, 8, 14), (10, 10, 24), (20, 20, 128), (4, 10, 6)]
        {
            assert_eq!(rank(n, m, Z95), Some(rank_of), "{n} {m}");
        }
        assert_eq!(rank(3, 3, Z95), None);
        // 2 of the 924 orders of 6 and 6 are 0.2 %.
        assert_eq!((rank(6, 6, 3.0), rank(6, 6, 3.1)), (Some(1), None));
    }

    #[test]
    fn both_ways_to_ranks_agree_where_they_meet() {
        for (n, m) in [(46, 47), (20, 250)] {
            for z in [1.645, Z95, 3.0] {
                let (counted, normal) = (rank(n, m, z).unwrap(), rank(n, m + 1, z).unwrap());
                assert!(normal.abs_diff(counted) < 60, "{n} {m} {z}: {counted} {normal}");
            }
        }
    }

    #[test]
    fn a_few_may_be_larger_than_very_many() {
        // All three are larger than 189 others in one of 1,161,280 orders.
        assert_eq!((rank(3, 189, 4.7), rank(3, 189, 4.9)), (Some(1), None));
        assert_eq!(rank(189, 3, 3.16), rank(3, 189, 3.16));
        assert!(rank(3, 11_000, Z95).is_some() && rank(11_000, 11_000, Z95).is_some());
    }
}
