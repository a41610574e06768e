//! Where a stretch of time begins or ends.

use std::{fmt, str::FromStr};

use chrono::{DateTime, FixedOffset};
use firstbyte_core::Timestamp;

use super::window::seconds;
use crate::correlate::Log;

/// Where a stretch of time begins or ends: a second of the monotonic clock, or a time of the wall clock.
///
/// ```
/// use firstbyte_analysis::measure::Edge;
///
/// assert_eq!("12.5".parse(), Ok(Edge::Monotonic(12.5)));
/// assert_eq!("2026-11-28T10:00:00+01:00".parse(), "2026-11-28 09:00:00Z".parse::<Edge>());
/// assert!("2026-11-28T10:00:00".parse::<Edge>().unwrap_err().contains("zone"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Edge {
    /// A second of each file's own monotonic clock, as `t=` has it.
    Monotonic(f64),
    /// Nanoseconds since 1970.
    Unix(i64),
}

impl Edge {
    /// Whether a moment of a file is not before it; `None` if the file does not tell its wall clock.
    pub(super) fn is_reached(self, log: &Log, source: u32, at: Timestamp) -> Option<bool> {
        match self {
            Self::Monotonic(second) => Some(seconds(at) >= second),
            Self::Unix(nanos) => Some(log.unix_nanos(source, at)? >= i128::from(nanos)),
        }
    }
}

impl FromStr for Edge {
    type Err = String;

    /// Reads a second, such as `12.5`, or a time as ISO 8601 has it, with its zone.
    ///
    /// # Errors
    ///
    /// A sentence on what is no such time: one without its zone is another moment everywhere.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(second) = text.parse().ok().filter(|second: &f64| second.is_finite()) {
            return Ok(Self::Monotonic(second));
        }
        let time = text.parse::<DateTime<FixedOffset>>().ok();
        time.and_then(|time| time.timestamp_nanos_opt()).map(Self::Unix).ok_or_else(|| {
            "neither a second of the monotonic clock, as t= has it, nor a time with day, seconds and zone, such as \
             2026-11-28T10:00:00Z or 2026-11-28T10:00:00+01:00"
                .to_owned()
        })
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Monotonic(second) => write!(f, "second {second} of the monotonic clock"),
            Self::Unix(nanos) => write!(f, "{:?}", DateTime::from_timestamp_nanos(*nanos)),
        }
    }
}
