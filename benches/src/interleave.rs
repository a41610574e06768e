//! Several variants of one operation, measured turn by turn.

use std::time::Duration;

/// One way of doing the operation.
pub struct Variant<'a> {
    /// What it is called.
    pub name: &'static str,
    /// Does the operation this many times and returns how long that took, preparation left out.
    pub run: Box<dyn FnMut(u64) -> Duration + 'a>,
}

impl<'a> Variant<'a> {
    /// A variant.
    pub fn new(name: &'static str, run: impl FnMut(u64) -> Duration + 'a) -> Self {
        Self { name, run: Box::new(run) }
    }
}

/// Nanoseconds per operation: for each variant one figure per round.
///
/// The first round warms up and is left out.
pub fn interleave(variants: &mut [Variant<'_>], rounds: usize, operations: u64) -> Vec<Vec<f64>> {
    let mut figures = vec![Vec::with_capacity(rounds); variants.len()];
    for round in 0..=rounds {
        for (variant, figures) in variants.iter_mut().zip(&mut figures) {
            let took = (variant.run)(operations).as_nanos() as f64 / operations as f64;
            if round > 0 {
                figures.push(took);
            }
        }
    }
    figures
}

/// The median of the differences of two variants, round by round.
pub fn added(variant: &[f64], base: &[f64]) -> f64 {
    median(variant.iter().zip(base).map(|(variant, base)| variant - base).collect())
}

/// The middle value; of an even number of values the mean of the middle two.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    match n {
        0 => f64::NAN,
        _ => (values[n / 2] + values[(n - 1) / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_taken_within_a_round() {
        assert_eq!(added(&[11.0, 101.0, 12.0], &[10.0, 100.0, 10.0]), 1.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
