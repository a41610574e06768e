//! From calls to numbers: summaries, trends, correlations.

mod amounts;
mod beside;
mod edge;
mod generating;
mod metric;
mod relation;
mod statistic;
mod stats;
mod summary;
mod window;

pub use self::{
    amounts::Amounts,
    beside::Unit,
    edge::Edge,
    generating::ByGeneration,
    metric::Metric,
    relation::{Correlation, Trend},
    statistic::Statistic,
    stats::{Group, GroupBy, Share, Stats},
    summary::{Interval, Percentile, Summary},
    window::Window,
};
pub(crate) use self::{
    relation::two_sided,
    stats::{Column, UNKNOWN},
    summary::Z95,
};
