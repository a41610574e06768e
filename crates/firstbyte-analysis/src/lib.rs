//! Reads logs of firstbyte: from mixed lines to calls, and to where their time went.
//!
//! ```text
//! files ─> ingest ─> Entry ─> correlate ─> Log ─> measure, diagnose, check ─> report
//! ```
//!
//! Everything here knows the wire formats only, through `firstbyte-core`; nothing prints.
//!
//! ```
//! use firstbyte_analysis::{Log, measure::Metric};
//!
//! let lines = "\
//! [weights][00f067aa0ba902b7] client.send url=http://h/pause t=10.000000
//! [weights][00f067aa0ba902b7] client.done wall_ms=3556.1 rpc_ms=233.2 queue_ms=3322.9
//! INFO: a line of somebody else
//! ";
//! let log = Log::from_bytes(lines.as_bytes());
//! assert_eq!((log.tally().parsed, log.tally().skipped()), (2, 1));
//! let call = log.calls().next().expect("one call");
//! assert_eq!(Metric::Wall.of(&call).map(|wall| wall.0), Some(3_556_100));
//! ```
#![forbid(unsafe_code)]

pub mod baselines;
pub mod check;
pub mod claims;
pub mod compare;
pub mod correlate;
pub mod diagnose;
mod entry;
pub mod export;
pub mod field;
pub mod ingest;
pub mod json;
pub mod live;
pub mod measure;
mod notices;
mod observed;
mod parallel;
pub mod report;
mod tally;
pub mod updates;
pub mod waterfall;
mod words;

pub use self::{
    correlate::{Call, Log},
    ingest::{Options, Tally},
    notices::{cut_short, left_out, notices, notices_within, torn},
    words::counted,
};
