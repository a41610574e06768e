//! Words of sentences that are made of numbers.

use std::fmt::Display;

/// A number of things, of which one has no `s`.
#[must_use]
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(n: N, thing: &str) -> String {
    let end = if n == N::from(1) { "" } else { "s" };
    format!("{n} {thing}{end}")
}
