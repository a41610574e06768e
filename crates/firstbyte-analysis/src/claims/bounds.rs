//! What a printed number may have been before it was rounded, and arithmetic with that.

use std::ops::{Add, Div, Mul, Sub};

/// Arithmetic on binary fractions is this exact, relative to the values.
const EXACTNESS: f64 = 1e-9;

/// From the least to the most that a number can be, and what it is as printed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    pub(super) low: f64,
    pub(super) value: f64,
    pub(super) high: f64,
}

impl Bounds {
    pub(super) const fn exact(value: f64) -> Self {
        Self { low: value, value, high: value }
    }

    pub(super) const fn around(value: f64, half: f64) -> Self {
        Self { low: value - half, value, high: value + half }
    }

    fn slack(self) -> f64 {
        self.low.abs().max(self.high.abs()) * EXACTNESS
    }

    /// Whether both may be the same number.
    pub(super) fn meets(self, other: Self) -> bool {
        self.is_at_most(other) && other.is_at_most(self)
    }

    /// Whether this may be less than, or the same as, the other.
    pub(super) fn is_at_most(self, other: Self) -> bool {
        self.low <= other.high + self.slack().max(other.slack())
    }

    /// What both can be; meant for those that meet.
    pub(super) const fn common(self, other: Self) -> Self {
        let (low, high) = (self.low.max(other.low), self.high.min(other.high));
        Self { low, value: self.value.max(low).min(high), high }
    }

    pub(super) fn scaled(self, factor: f64) -> Self {
        self * Self::exact(factor)
    }

    /// The smallest that has all of these in it.
    fn around_all(value: f64, values: [f64; 4]) -> Self {
        let low = values.into_iter().fold(f64::INFINITY, f64::min);
        let high = values.into_iter().fold(f64::NEG_INFINITY, f64::max);
        Self { low, value, high }
    }

    /// The quotient, unless the divisor may be 0.
    pub(super) fn over(self, divisor: Self) -> Option<Self> {
        (divisor.low > 0.0 || divisor.high < 0.0).then(|| self / divisor)
    }
}

impl Add for Bounds {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            low: self.low + other.low,
            value: self.value + other.value,
            high: self.high + other.high,
        }
    }
}

impl Sub for Bounds {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            low: self.low - other.high,
            value: self.value - other.value,
            high: self.high - other.low,
        }
    }
}

impl Mul for Bounds {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let (a, b) = (self, other);
        let all = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high];
        Self::around_all(a.value * b.value, all)
    }
}

impl Div for Bounds {
    type Output = Self;

    /// Only of a divisor that cannot be 0; see [`Self::over`].
    fn div(self, other: Self) -> Self {
        let (a, b) = (self, other);
        let all = [a.low / b.low, a.low / b.high, a.high / b.low, a.high / b.high];
        Self::around_all(a.value / b.value, all)
    }
}
