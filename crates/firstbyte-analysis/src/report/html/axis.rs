//! Axes: where a value lies, and which numbers stand beside them.

/// An axis from 0 to a value, or over decades.
#[derive(Clone, Copy, Debug)]
pub(super) enum Axis {
    /// From 0 to this.
    Linear(f64),
    /// From and to these powers of ten.
    Decades(i32, i32),
}

impl Axis {
    /// From 0 to at least this.
    pub(super) fn linear(most: f64) -> Self {
        Self::Linear(if most > 0.0 && most.is_finite() { most } else { 1.0 })
    }

    /// Whole decades that hold both ends; what lies below a tenth of a millisecond, the resolution of a line, lies at
    /// the lower end.
    pub(super) fn decades(least: f64, most: f64) -> Self {
        let from = least.max(0.1).log10().floor() as i32;
        let to = most.max(0.1).log10().ceil() as i32;
        Self::Decades(from, to.max(from + 1))
    }

    /// The place of a value, from 0 to 1.
    pub(super) fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear(most) => value / most,
            Self::Decades(from, to) => {
                (value.max(0.1).log10() - f64::from(from)) / f64::from(to - from)
            }
        }
        .clamp(0.0, 1.0)
    }

    /// At most so many round values on it, and how they are written.
    pub(super) fn ticks(self, count: usize) -> Vec<(f64, String)> {
        match self {
            Self::Linear(most) => {
                let step = step(most / (count - 1) as f64);
                let decimals = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
                let values = (0..).map(|n| f64::from(n) * step).take_while(|value| *value <= most);
                values.map(|value| (value, format!("{value:.decimals$}"))).collect()
            }
            Self::Decades(from, to) => {
                let every = ((to - from) as usize).div_ceil(count - 1);
                let written = |power: i32| match power {
                    ..0 => format!("{:.*}", power.unsigned_abs() as usize, 10_f64.powi(power)),
                    0..6 => format!("{:.0}", 10_f64.powi(power)),
                    _ => format!("1e{power}"),
                };
                (from..=to).step_by(every).map(|n| (10_f64.powi(n), written(n))).collect()
            }
        }
    }
}

/// The next of 1, 2, 5 times a power of ten.
fn step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= least);
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(axis: Axis) -> Vec<String> {
        axis.ticks(6).into_iter().map(|(_, written)| written).collect()
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(written(Axis::linear(1146.5)), ["0", "500", "1000"]);
        assert_eq!(written(Axis::linear(0.9)), ["0.0", "0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(written(Axis::linear(5.0)), ["0", "1", "2", "3", "4", "5"]);
        assert_eq!(written(Axis::decades(0.0, 3.0)), ["0.1", "1", "10"]);
        assert_eq!(written(Axis::decades(0.1, 1e9)), ["0.1", "10", "1000", "100000", "1e7", "1e9"]);
        for most in [1e-9, 0.0, 7.3, 123_456.0, 1.8e16, f64::INFINITY, f64::NAN] {
            let ticks = Axis::linear(most).ticks(6);
            assert!((2..=6).contains(&ticks.len()), "{most}: {ticks:?}");
        }
    }

    #[test]
    fn places_are_within_the_axis() {
        assert_eq!(Axis::linear(10.0).place(2.5), 0.25);
        assert_eq!(Axis::decades(1.0, 100.0).place(10.0), 0.5);
        assert_eq!(Axis::decades(1.0, 100.0).place(0.0), 0.0);
        assert_eq!(Axis::linear(10.0).place(f64::INFINITY), 1.0);
    }
}
