//! What the benchmarks share: interleaved measuring, and the table of results.
//!
//! Criterion times single operations. What we *add* to a request is a difference of two times
//! that are close to each other, on machines whose speed wanders: there [`interleave`] measures
//! all variants turn by turn in one run, so that a slow minute hits them alike.

mod interleave;
mod rows;

pub use self::{
    interleave::{Variant, added, interleave, median},
    rows::{Row, Table},
};
