//! From calls to numbers: summaries, trends, correlations.

mod metric;
mod relation;
mod stats;
mod summary;

pub use self::{
    metric::Metric,
    relation::{Correlation, Trend},
    stats::{Group, GroupBy, Share, Stats, Window},
    summary::{Interval, Percentile, Summary},
};
pub(crate) use self::{
    relation::{thinned, two_sided},
    stats::UNKNOWN,
    summary::Z95,
};
