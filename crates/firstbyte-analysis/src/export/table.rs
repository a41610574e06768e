//! The tables: what each has its rows of.

use super::{
    Exported,
    calls::CALLS,
    column::{Column, Row},
    events::EVENTS,
};
use crate::correlate::Log;

/// What a table has its rows of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Table {
    /// A row for each call.
    #[default]
    Calls,
    /// A row for each line beside the calls: checkpoints, batches, steps.
    Events,
}

impl Table {
    /// Its columns, in order.
    #[must_use]
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Self::Calls => CALLS,
            Self::Events => EVENTS,
        }
    }

    /// What is to be said of it before it has a row.
    pub(super) fn exported(self, log: &Log) -> Exported {
        match self {
            Self::Calls => Exported::default(),
            Self::Events => Exported::with_events(log),
        }
    }

    /// Its rows, in the order of the log.
    pub fn rows<'a>(self, log: &'a Log) -> Box<dyn Iterator<Item = Row<'a>> + 'a> {
        match self {
            Self::Calls => Box::new(log.calls().map(move |call| Row::Call(log, call))),
            Self::Events => {
                Box::new(log.timeline().moments().iter().map(move |moment| Row::Event(log, moment)))
            }
        }
    }
}
