//! What one side says of a call.

mod client;
mod engine;
mod server;
mod waiting;

use firstbyte_core::{Micros, Timestamp};

pub(super) use self::client::agree;
pub use self::{
    client::{ClientEnd, ClientHalf, Server},
    engine::EngineHalf,
    server::ServerHalf,
    waiting::Waiting,
};

/// A duration that may be unknown, in eight bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known(u64);

impl Known {
    pub(super) const NO: Self = Self(u64::MAX);

    pub(super) const fn get(self) -> Option<Micros> {
        if self.0 == u64::MAX { None } else { Some(Micros(self.0)) }
    }

    pub(super) const fn or(self, other: Self) -> Self {
        if self.0 == u64::MAX { other } else { self }
    }
}

impl From<Option<Micros>> for Known {
    fn from(duration: Option<Micros>) -> Self {
        duration.map_or(Self::NO, |micros| Self(micros.0))
    }
}

/// Nobody knows by how much.
pub(super) const UNKNOWN: u64 = u64::MAX;

/// By how much one moment misses the other, in nanoseconds; `None` if they cannot mean the same. Writers other than firstbyte
/// may be some milliseconds late with a line.
pub(super) fn missed(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<u64> {
    let missed = a.zip(b).map_or(UNKNOWN, |(a, b)| a.as_nanos().abs_diff(b.as_nanos()));
    (missed <= 5_000_000 || missed == UNKNOWN).then_some(missed)
}

/// The same of durations, which a text line rounds to a tenth of a millisecond.
pub(super) fn is_close(a: Option<Micros>, b: Option<Micros>) -> bool {
    a == b || a.zip(b).is_some_and(|(a, b)| a.0.abs_diff(b.0) <= 50)
}
