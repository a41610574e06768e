//! From calls to numbers: summaries, trends, correlations.

mod metric;
mod relation;
mod stats;
mod summary;

pub(crate) use self::relation::two_sided;
pub use self::{
    metric::Metric,
    relation::{Correlation, Trend},
    stats::{Group, GroupBy, Share, Stats, Window},
    summary::{Interval, Percentile, Summary},
};
