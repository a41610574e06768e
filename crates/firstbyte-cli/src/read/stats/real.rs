//! Real numbers of a log, which may be of any size.

/// From here on a double has no digits behind its point, and fewer than it would be printed with in front.
const HUGE: f64 = 1e15;

/// A number with so many digits behind its point; a huge one by its power of ten, instead of 300 digits.
pub(super) fn real(value: f64, digits: usize) -> String {
    if value.abs() < HUGE { format!("{value:.digits$}") } else { format!("{value:.3e}") }
}
