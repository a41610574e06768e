//! Mock inference server, two-plane load generator and the demo that runs one against the other.
//!
//! | module | what |
//! | --- | --- |
//! | [`mock`] | a server with an engine, streams, control routes and faults on demand |
//! | [`load`] | streamed completions in a closed loop, and a watch on the generator itself |
//! | [`demo`] | the arms, the faults and the report of `firstbyte demo` |
//! | [`stats`] | summaries with percentiles by nearest rank |
//!
//! [`Breakdown`] is the mean call of an arm, part by part; [`Verdict`] names the part at fault.
#![forbid(unsafe_code)]

mod breakdown;
pub mod demo;
pub mod load;
pub mod mock;
mod relay;
pub mod stats;
mod verdict;

pub use self::{
    breakdown::{Breakdown, Part},
    verdict::{Thresholds, Verdict},
};
