//! Summaries of a handful of measurements: what the tables of the demo print.

/// Number, range, mean, spread and percentiles of a sample.
///
/// Percentiles are by nearest rank: each is a value that was measured, none is interpolated. Hence
/// with n < 20 the 95th, and with n < 100 the 99th percentile is the maximum.
///
/// ```
/// use firstbyte_bench::stats::Summary;
///
/// let summary = Summary::of(&[4.0, 1.0, 3.0, 2.0]).expect("four values");
/// assert_eq!((summary.n, summary.mean, summary.p50, summary.p95), (4, 2.5, 2.0, 4.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// How many values.
    pub n: usize,
    /// The smallest value.
    pub min: f64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The largest value.
    pub max: f64,
    /// The standard deviation of the sample (divided by n - 1); `None` for a single value.
    pub stddev: Option<f64>,
    /// The median by nearest rank.
    pub p50: f64,
    /// The 95th percentile by nearest rank.
    pub p95: f64,
    /// The 99th percentile by nearest rank.
    pub p99: f64,
}

impl Summary {
    /// Summarises `values`, in any unit; `None` if there are none. Sorts a copy.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let n = sorted.len();
        let mean = sorted.iter().sum::<f64>() / n as f64;
        let squares: f64 = sorted.iter().map(|value| (value - mean).powi(2)).sum();
        let stddev = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
        let rank = |percent: usize| sorted[(percent * n).div_ceil(100) - 1];
        Some(Self { n, min, mean, max, stddev, p50: rank(50), p95: rank(95), p99: rank(99) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_a_calculation_by_hand() {
        // 2 4 4 4 5 5 7 9: mean 40/8, squared deviations 9+1+1+1+0+0+4+16 = 32, 32/7 = 4.571.
        let summary = Summary::of(&[9.0, 2.0, 4.0, 5.0, 4.0, 7.0, 4.0, 5.0]).unwrap();
        assert_eq!((summary.n, summary.min, summary.mean, summary.max), (8, 2.0, 5.0, 9.0));
        assert!((summary.stddev.unwrap() - 2.138_089_935).abs() < 1e-9);
        assert_eq!((summary.p50, summary.p95, summary.p99), (4.0, 9.0, 9.0));
    }

    #[test]
    fn the_95th_percentile_leaves_the_maximum_at_20_and_the_99th_at_100() {
        let up_to = |n: u32| Summary::of(&(1..=n).map(f64::from).collect::<Vec<_>>()).unwrap();
        assert_eq!((up_to(19).p95, up_to(20).p95), (19.0, 19.0));
        assert_eq!((up_to(99).p99, up_to(100).p99), (99.0, 99.0));
        assert_eq!((up_to(100).p50, up_to(100).p95), (50.0, 95.0));
    }

    #[test]
    fn one_value_has_no_deviation_and_none_has_no_summary() {
        let summary = Summary::of(&[3.5]).unwrap();
        assert_eq!((summary.stddev, summary.p50, summary.p99), (None, 3.5, 3.5));
        assert_eq!(Summary::of(&[]), None);
    }
}
