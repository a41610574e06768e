//! What other tools take: tables as CSV, JSON lines and Parquet, traces for Perfetto and OpenTelemetry.
//!
//! Writers take any [`Write`](std::io::Write) and go through the log once; nothing of it is copied but what an
//! axis of time needs to be sorted.
//!
//! ```
//! use firstbyte_analysis::{Log, export::{self, Table}};
//!
//! let log = Log::from_bytes(b"[weights][00f067aa0ba902b7] client.done wall_ms=3556.1 rpc_ms=233.2 queue_ms=3322.9\n");
//! let mut out = Vec::new();
//! let exported = export::csv(&log, Table::Calls, &mut out)?;
//! assert_eq!(exported.written, 1);
//! assert!(String::from_utf8_lossy(&out).starts_with("trace_id,"));
//! # Ok::<(), std::io::Error>(())
//! ```

#[cfg(feature = "arrow")]
mod arrow;
mod calls;
mod column;
mod csv;
mod events;
mod json;
mod jsonl;
mod otlp;
mod parquet;
mod perfetto;
mod table;

use std::collections::BTreeMap;

#[cfg(feature = "arrow")]
pub use self::arrow::Batches;
pub use self::{
    column::{Column, Kind, Row, Value},
    csv::csv,
    jsonl::jsonl,
    otlp::otlp,
    parquet::parquet,
    perfetto::perfetto,
    table::Table,
};

use crate::correlate::Log;

/// Why something of the log is not in an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LeftOut {
    /// No line tells when it was.
    NoMoment,
    /// It is of a file that processes of several boots have written: its moments compare with no other.
    SeveralClocks,
    /// Of a format that needs the wall clock: no `process.start` of its file tells it.
    NoWallClock,
    /// Of a format that needs an end: none is in these logs.
    NoEnd,
    /// Of a format with ids of its own: this one cannot be one.
    NoTraceId,
    /// The log keeps no more events: see [`Timeline::over_limit`](crate::correlate::Timeline::over_limit).
    OverLimit,
}

impl LeftOut {
    /// The reason, as a sentence ends.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoMoment => "no line tells when they were",
            Self::SeveralClocks => "their file is of several boots; give a file for each",
            Self::NoWallClock => "no 'process.start' line tells their file's wall clock",
            Self::NoEnd => "they have no end in these logs",
            Self::NoTraceId => "their trace id is not of 16 or 32 hexadecimal digits",
            Self::OverLimit => "a log keeps no more events than a million",
        }
    }
}

/// What an export has, and what it has not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// Rows, or halves of calls and events, or spans: whichever the format has.
    pub written: u64,
    /// How many halves of calls, or events, are missing, by why.
    pub left_out: BTreeMap<LeftOut, u64>,
}

impl Exported {
    /// One that has nothing yet, of an export that has the events of a log.
    fn with_events(log: &Log) -> Self {
        let mut exported = Self::default();
        if log.timeline().over_limit() > 0 {
            exported.left_out.insert(LeftOut::OverLimit, log.timeline().over_limit());
        }
        exported
    }
}

#[cfg(test)]
mod tests;
