//! Whether a number goes along with time, or with another number.

/// How a number changes with time; of more than 1,000 values, 1,000 are looked at that are chosen at random, with a
/// fixed seed: every k-th could be of one server alone, where several are called in turn.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Trend {
    /// How many values were looked at.
    pub n: usize,
    /// The median of the slopes between all pairs (Theil and Sen), per second.
    pub slope_per_s: f64,
    /// How probable so strong an order is without a trend: two-sided, Mann and Kendall, normal approximation
    /// with a correction for ties.
    pub p: f64,
}

/// How two numbers go along: Spearman's rank correlation.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Correlation {
    /// How many pairs.
    pub n: usize,
    /// From -1 to 1.
    pub rho: f64,
    /// How probable so strong a correlation is by chance: two-sided, Fisher's transformation.
    pub p: f64,
}

/// Below it nothing is said.
const FEWEST: usize = 8;
/// All pairs of so many values are looked at; of more, those of so many that are chosen.
const MOST: usize = 1000;

impl Trend {
    /// The trend of (second, value) pairs; `None` with fewer than 8 of them, or if all are at one moment.
    #[must_use]
    pub fn of(points: &[(f64, f64)]) -> Option<Self> {
        if points.len() < FEWEST {
            return None;
        }
        let mut points = chosen(points);
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let n = points.len();
        let mut slopes = Vec::with_capacity(n * (n - 1) / 2);
        let mut s = 0_i64;
        for (i, (t0, y0)) in points.iter().enumerate() {
            for (t1, y1) in &points[i + 1..] {
                if t1 > t0 {
                    slopes.push((y1 - y0) / (t1 - t0));
                    s += i64::from(y1 > y0) - i64::from(y1 < y0);
                }
            }
        }
        if slopes.is_empty() {
            return None;
        }
        let (middle, is_even) = (slopes.len() / 2, slopes.len().is_multiple_of(2));
        let (below, upper, _) = slopes.select_nth_unstable_by(middle, f64::total_cmp);
        let lower = below.iter().copied().max_by(f64::total_cmp).filter(|_| is_even);
        let slope_per_s = f64::midpoint(lower.unwrap_or(*upper), *upper);
        let count = n as f64;
        let ties: f64 = tie_sizes(points.iter().map(|point| point.1))
            .map(|t| t * (t - 1.0) * (2.0 * t + 5.0))
            .sum();
        let variance = (count * (count - 1.0) * (2.0 * count + 5.0) - ties) / 18.0;
        // The correction for continuity.
        let distance = (s.unsigned_abs() as f64 - 1.0).max(0.0);
        let p = if variance > 0.0 { two_sided(distance / variance.sqrt()) } else { 1.0 };
        Some(Self { n: points.len(), slope_per_s, p })
    }
}

impl Correlation {
    /// The correlation of pairs; `None` with fewer than 8 of them, or if either number never changes.
    #[must_use]
    pub fn of(pairs: &[(f64, f64)]) -> Option<Self> {
        let n = pairs.len();
        if n < FEWEST {
            return None;
        }
        let (a, b) =
            (ranks(pairs.iter().map(|pair| pair.0)), ranks(pairs.iter().map(|pair| pair.1)));
        // Ranks have this mean, with or without ties.
        let mean = (n as f64 + 1.0) / 2.0;
        let sum = |x: &[f64], y: &[f64]| -> f64 {
            x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum()
        };
        let spread = (sum(&a, &a) * sum(&b, &b)).sqrt();
        if spread == 0.0 {
            return None;
        }
        let rho = (sum(&a, &b) / spread).clamp(-1.0, 1.0);
        let z = rho.clamp(-0.999_999, 0.999_999).atanh() * ((n as f64 - 3.0) / 1.06).sqrt();
        Some(Self { n, rho, p: two_sided(z.abs()) })
    }
}

/// At most 1,000 of many values, in their order: each with the same probability, and the same ones each time (Knuth,
/// The Art of Computer Programming, volume 2, section 3.4.2, algorithm S).
fn chosen<T: Copy>(values: &[T]) -> Vec<T> {
    let mut random = fastrand::Rng::with_seed(0);
    let mut needed = values.len().min(MOST);
    let mut left = values.len();
    let is_chosen = |_: &&T| {
        let is_chosen = random.usize(..left) < needed;
        left -= 1;
        needed -= usize::from(is_chosen);
        is_chosen
    };
    values.iter().filter(is_chosen).copied().collect()
}

/// The rank of each value, from 1; equal ones share the mean of theirs.
fn ranks(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let values: Vec<f64> = values.collect();
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    for tie in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let first = order.partition_point(|place| values[*place] < values[tie[0]]);
        let rank = first as f64 + (tie.len() as f64 + 1.0) / 2.0;
        for place in tie {
            ranks[*place] = rank;
        }
    }
    ranks
}

fn tie_sizes(values: impl Iterator<Item = f64>) -> impl Iterator<Item = f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let sizes: Vec<f64> = values.chunk_by(|a, b| a == b).map(|tie| tie.len() as f64).collect();
    sizes.into_iter()
}

/// The probability that a standard normal number is at least so far from 0.
///
/// The complementary error function by Abramowitz and Stegun 7.1.26, whose error is below 1.5e-7.
pub(crate) fn two_sided(z: f64) -> f64 {
    let x = z / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let polynomial = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592]
        .into_iter()
        .fold(0.0, |sum, factor| (sum + factor) * t);
    (polynomial * (-x * x).exp()).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_distribution_is_that_of_the_tables() {
        for (z, p) in
            [(0.0, 1.0), (1.0, 0.317_311), (1.959_964, 0.05), (2.575_829, 0.01), (4.0, 6.334e-5)]
        {
            assert!((two_sided(z) - p).abs() < 1e-6, "{z}: {}", two_sided(z));
        }
    }

    #[test]
    fn a_trend_is_found_and_none_is_not() {
        let rising: Vec<_> =
            (0..20).map(|i| (f64::from(i), 3.0 * f64::from(i) + f64::from(i % 3))).collect();
        let trend = Trend::of(&rising).unwrap();
        assert!((trend.slope_per_s - 3.0).abs() < 0.1 && trend.p < 1e-6, "{trend:?}");
        let flat: Vec<_> = (0..20).map(|i| (f64::from(i), f64::from(i % 2))).collect();
        assert!(Trend::of(&flat).unwrap().p > 0.3);
        let still: Vec<_> = (0..20).map(|i| (f64::from(i), 1.0)).collect();
        assert_eq!(Trend::of(&still).map(|trend| (trend.slope_per_s, trend.p)), Some((0.0, 1.0)));
        assert_eq!(Trend::of(&rising[..7]), None);
        assert_eq!(Trend::of(&[(1.0, 2.0); 20]), None);
    }

    #[test]
    fn of_an_even_number_of_slopes_the_median_is_between_both_in_the_middle() {
        // scipy.stats.theilslopes: of 28 slopes, those in the middle are -1/4 and 1/4.
        let values = [5.0, 1.0, 9.0, 4.0, 6.0, 2.0, 8.0, 3.0];
        let points: Vec<_> = values.iter().enumerate().map(|(i, y)| (i as f64, *y)).collect();
        assert_eq!(Trend::of(&points).map(|trend| trend.slope_per_s), Some(0.0));
    }

    #[test]
    fn a_trend_of_one_server_is_not_that_of_all_that_are_called_in_turn() {
        // Of eight, the first gets slower; of 8,000 calls every eighth one is its.
        let points: Vec<_> = (0..8000_u32)
            .map(|i| {
                let slower = if i.is_multiple_of(8) { f64::from(i) } else { 0.0 };
                (f64::from(i), f64::from(i * 7919 % 101) + slower)
            })
            .collect();
        let trend = Trend::of(&points).unwrap();
        assert!(trend.n == 1000 && trend.slope_per_s < 0.1, "{trend:?}");
    }

    #[test]
    fn values_are_chosen_in_their_order_from_all_of_them() {
        let values: Vec<usize> = (0..5000).collect();
        let few = chosen(&values);
        assert_eq!((few.len(), few.is_sorted()), (1000, true));
        assert_eq!(few, chosen(&values));
        // As many of each remainder as of the others, but for chance: 125, with a standard error of 10.
        for rest in 0..8 {
            let n = few.iter().filter(|value| *value % 8 == rest).count();
            assert!((80..170).contains(&n), "{rest}: {n}");
        }
        assert_eq!(chosen(&values[..1000]), values[..1000]);
    }

    #[test]
    fn mann_and_kendall_agree_with_a_calculation_by_hand() {
        // 1..=10 with the last two exchanged: S = 45 - 2, variance = 10 * 9 * 25 / 18 = 125, z = 42 / 11.18.
        let values = [1, 2, 3, 4, 5, 6, 7, 8, 10, 9];
        let points: Vec<_> =
            values.iter().enumerate().map(|(i, y)| (i as f64, f64::from(*y))).collect();
        assert!((Trend::of(&points).unwrap().p - 1.722e-4).abs() < 1e-6);
    }

    #[test]
    fn spearman_agrees_with_the_textbook() {
        // IQ and hours of television: rho = -29/165 (Wikipedia, Spearman's rank correlation coefficient).
        let iq = [106, 100, 86, 101, 99, 103, 97, 113, 112, 110];
        let hours = [7, 27, 2, 50, 28, 29, 20, 12, 6, 17];
        let pairs: Vec<_> =
            iq.iter().zip(hours).map(|(a, b)| (f64::from(*a), f64::from(b))).collect();
        let correlation = Correlation::of(&pairs).unwrap();
        assert!((correlation.rho + 29.0 / 165.0).abs() < 1e-12, "{correlation:?}");
        assert!(correlation.p > 0.5);
        assert_eq!(Correlation::of(&[(1.0, 2.0); 9]), None);
    }

    #[test]
    fn equal_values_share_their_ranks() {
        assert_eq!(ranks([3.0, 1.0, 3.0, 2.0].into_iter()), [3.5, 1.0, 3.5, 2.0]);
    }
}
