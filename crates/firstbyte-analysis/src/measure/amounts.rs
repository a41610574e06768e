//! The same for what is no duration: tokens per second, sizes, shares.

/// A sample of numbers of one unit.
///
/// Percentiles are by nearest rank, as those of [`Summary`](super::Summary).
///
/// ```
/// use firstbyte_analysis::measure::Amounts;
///
/// let amounts = Amounts::of(vec![4.0, 1.0, 3.0, 2.0]).expect("four values");
/// assert_eq!((amounts.n, amounts.mean, amounts.p50), (4, 2.5, 2.0));
/// assert_eq!(amounts.p95, None); // of four values it would be the maximum
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Amounts {
    /// How many values.
    pub n: usize,
    /// The smallest.
    pub min: f64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The largest.
    pub max: f64,
    /// The sample's standard deviation (divided by n - 1); `None` for one value.
    pub stddev: Option<f64>,
    /// The median.
    pub p50: f64,
    /// `None` with fewer than 20 values.
    pub p95: Option<f64>,
}

impl Amounts {
    /// Summarises values; `None` if there are none. A value that is no number does not count.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.retain(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let percentile = |percent: usize| values[(percent * n).div_ceil(100) - 1];
        Some(Self {
            n,
            min,
            mean,
            max,
            stddev: (n > 1).then(|| (squares / (n - 1) as f64).sqrt()),
            p50: percentile(50),
            p95: (n >= 20).then(|| percentile(95)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_a_calculation_by_hand() {
        let amounts = Amounts::of(vec![9.0, 2.0, 4.0, 5.0, 4.0, 7.0, 4.0, 5.0]).unwrap();
        assert_eq!((amounts.n, amounts.min, amounts.mean, amounts.max), (8, 2.0, 5.0, 9.0));
        assert!((amounts.stddev.unwrap() - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
        assert_eq!((amounts.p50, amounts.p95), (4.0, None));
        let many = Amounts::of((1..=40).map(f64::from).collect()).unwrap();
        assert_eq!((many.p50, many.p95), (20.0, Some(38.0)));
    }

    #[test]
    fn what_is_no_number_does_not_count() {
        assert_eq!(Amounts::of(vec![f64::NAN, f64::INFINITY]), None);
        assert_eq!(
            Amounts::of(vec![f64::NAN, 3.0]).map(|amounts| (amounts.n, amounts.p50)),
            Some((1, 3.0))
        );
    }
}
