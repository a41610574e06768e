//! Number, range, mean, spread and percentiles of a sample, exactly.

use firstbyte_core::Micros;

/// Of the standard normal distribution, 95 % is within it: the confidence of every interval.
pub(crate) const Z95: f64 = 1.959_963_984_540_054;

/// Below it, ranks come from the binomial distribution itself; above, from the normal one that it tends to.
const EXACT: usize = 1000;

/// A sample of durations.
///
/// Percentiles are by nearest rank: each is a value that was measured, none is interpolated.
///
/// ```
/// use firstbyte_analysis::measure::Summary;
/// use firstbyte_core::Micros;
///
/// let summary = Summary::of([4000, 1000, 3000, 2000].map(Micros).to_vec()).expect("four values");
/// assert_eq!((summary.n, summary.mean_ms), (4, 2.5));
/// assert_eq!(summary.p50.value, Micros(2000));
/// assert_eq!(summary.p95, None); // of four values it would be the maximum
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// How many values.
    pub n: usize,
    /// The smallest.
    pub min: Micros,
    /// The largest.
    pub max: Micros,
    /// The arithmetic mean in milliseconds.
    pub mean_ms: f64,
    /// The sample's standard deviation in milliseconds (divided by n - 1); `None` for one value.
    pub stddev_ms: Option<f64>,
    /// The median.
    pub p50: Percentile,
    /// `None` with fewer than 20 values: it would be the maximum.
    pub p95: Option<Percentile>,
    /// `None` with fewer than 100 values.
    pub p99: Option<Percentile>,
    /// The sum of all values.
    pub sum: Micros,
}

/// A percentile of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Percentile {
    /// By nearest rank.
    pub value: Micros,
    /// Where that of the population lies, if there are enough values to say so.
    pub interval: Option<Interval>,
}

/// A confidence interval of 95 % for a percentile: two values of the sample.
///
/// Without an assumption on the distribution: the number of values below the population's percentile is
/// binomial. (Conover, Practical Nonparametric Statistics, 3rd edition, section 3.2.) Calls that follow each
/// other closely are not independent, which makes it too narrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interval {
    /// The lower end.
    pub low: Micros,
    /// The upper end.
    pub high: Micros,
}

impl Summary {
    /// Summarises values; `None` if there are none.
    #[must_use]
    pub fn of(mut values: Vec<Micros>) -> Option<Self> {
        values.sort_unstable();
        let (min, max) = (*values.first()?, *values.last()?);
        let n = values.len();
        let sum: u128 = values.iter().map(|value| u128::from(value.0)).sum();
        let mean = sum as f64 / n as f64;
        let squares: f64 = values.iter().map(|value| (value.0 as f64 - mean).powi(2)).sum();
        let percentile = |percent| Percentile::of(&values, percent);
        Some(Self {
            n,
            min,
            max,
            mean_ms: mean / 1e3,
            stddev_ms: (n > 1).then(|| (squares / (n - 1) as f64).sqrt() / 1e3),
            p50: percentile(50),
            p95: (n >= 20).then(|| percentile(95)),
            p99: (n >= 100).then(|| percentile(99)),
            sum: Micros(u64::try_from(sum).unwrap_or(u64::MAX)),
        })
    }
}

impl Percentile {
    fn of(sorted: &[Micros], percent: usize) -> Self {
        let n = sorted.len();
        let value = sorted[(percent * n).div_ceil(100) - 1];
        let interval = ranks(n, percent as f64 / 100.0)
            .map(|(low, high)| Interval { low: sorted[low - 1], high: sorted[high - 1] });
        Self { value, interval }
    }
}

/// The ranks, from 1, between which the `p`-quantile lies with a probability of at least 95 %, 2.5 % on
/// either side; `None` if the sample does not reach that far. `p` is at least one half.
fn ranks(n: usize, p: f64) -> Option<(usize, usize)> {
    let (low, high) = if n <= EXACT {
        // How many values are above the quantile: P(above > most) and P(above <= least) are 2.5 % at most.
        let (mut most, mut least) = (n, None);
        let (mut probability, mut so_far) = (p.powi(n as i32), 0.0);
        for above in 0..=n {
            so_far += probability;
            if so_far <= 0.025 {
                least = Some(above);
            }
            if so_far >= 0.975 {
                most = above;
                break;
            }
            probability *= (n - above) as f64 / (above + 1) as f64 * (1.0 - p) / p;
        }
        (n - most, n - least?)
    } else {
        let (middle, spread) = (n as f64 * p, Z95 * (n as f64 * p * (1.0 - p)).sqrt());
        ((middle - spread).floor() as usize, (middle + spread).ceil() as usize + 1)
    };
    (low >= 1 && high <= n).then_some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(millis: impl IntoIterator<Item = u64>) -> Summary {
        Summary::of(millis.into_iter().map(|ms| Micros(ms * 1000)).collect()).unwrap()
    }

    #[test]
    fn it_agrees_with_a_calculation_by_hand() {
        // 2 4 4 4 5 5 7 9: mean 40/8, squared deviations 9+1+1+1+0+0+4+16 = 32, 32/7 = 4.571.
        let summary = summary([9, 2, 4, 5, 4, 7, 4, 5]);
        assert_eq!((summary.n, summary.mean_ms), (8, 5.0));
        assert_eq!((summary.min, summary.max), (Micros(2000), Micros(9000)));
        assert!((summary.stddev_ms.unwrap() - 2.138_089_935).abs() < 1e-9);
        assert_eq!(summary.p50.value, Micros(4000));
        assert_eq!(summary.sum, Micros(40_000));
    }

    #[test]
    fn percentiles_need_enough_values() {
        assert_eq!((summary(1..=19).p95, summary(1..=99).p99), (None, None));
        assert_eq!(summary(1..=20).p95.unwrap().value, Micros(19_000));
        assert_eq!(summary(1..=100).p99.unwrap().value, Micros(99_000));
        assert_eq!(summary([3]).stddev_ms, None);
        assert_eq!(Summary::of(Vec::new()), None);
    }

    #[test]
    fn ranks_of_the_median_are_those_of_the_tables() {
        // Conover, table A3; the same as R's qbinom(c(.025, .975), n, .5).
        for (n, low, high) in
            [(6, 1, 6), (8, 1, 8), (9, 2, 8), (10, 2, 9), (20, 6, 15), (50, 18, 33)]
        {
            assert_eq!(ranks(n, 0.5), Some((low, high)), "{n}");
        }
        assert_eq!(ranks(5, 0.5), None);
    }

    #[test]
    fn high_percentiles_need_many_values() {
        assert_eq!(ranks(50, 0.95), None);
        assert!(ranks(100, 0.95).is_some());
        assert_eq!(ranks(300, 0.99), None);
        assert!(ranks(500, 0.99).is_some());
    }

    #[test]
    fn both_ways_to_ranks_agree_where_they_meet() {
        for p in [0.5, 0.95, 0.99] {
            let (exact, normal) = (ranks(EXACT, p).unwrap(), ranks(EXACT + 1, p).unwrap());
            assert!(exact.0.abs_diff(normal.0) <= 2 && exact.1.abs_diff(normal.1) <= 3, "{p}");
        }
    }
}
