//! Which calls a criterion is of, and which of them show it best.

use firstbyte_core::Micros;
use serde::Deserialize;

use crate::{
    correlate::{Call, Log},
    measure::Metric,
};

/// The most calls that are shown.
const SHOWN: usize = 3;

/// Calls for which all of it is so; by default every call.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Selection {
    /// Their operation.
    pub op: Option<String>,
    /// Their server as the client says: host and port, and the path of the base URL, if it has one.
    pub target: Option<String>,
    /// Which of their halves must be there.
    pub side: Option<Side>,
}

/// A half of a call, or both.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Side {
    /// The client's.
    Client,
    /// The server's.
    Server,
    /// Both.
    Both,
}

/// A call that shows something.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shown {
    /// Its id.
    pub id: String,
    /// What it shows: its time with the unit, or how it ended.
    pub what: String,
}

impl Selection {
    /// Whether it names anything.
    pub(crate) fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    fn has(&self, call: &Call<'_>) -> bool {
        let is_there = match self.side {
            None => true,
            Some(Side::Client) => call.client.is_some(),
            Some(Side::Server) => call.server.is_some(),
            Some(Side::Both) => call.client.is_some() && call.server.is_some(),
        };
        let is = |wanted: &Option<String>, told: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == told
        };
        is_there && is(&self.op, call.operation()) && is(&self.target, call.target())
    }

    pub(super) fn calls<'a>(&'a self, log: &'a Log) -> impl Iterator<Item = Call<'a>> {
        log.calls().filter(|call| self.has(call))
    }
}

/// The calls with the longest time, or with the shortest.
pub(super) fn extreme<'a>(
    calls: impl Iterator<Item = Call<'a>>,
    metric: Metric,
    shortest: bool,
) -> Vec<Shown> {
    let mut found: Vec<(Micros, Call<'_>)> = Vec::new();
    for call in calls.filter(Call::ended_well) {
        let Some(time) = metric.of(&call) else { continue };
        let is_before = |other: Micros| if shortest { time < other } else { time > other };
        let place = found.iter().position(|(other, _)| is_before(*other)).unwrap_or(found.len());
        if place < SHOWN {
            found.insert(place, (time, call));
            found.truncate(SHOWN);
        }
    }
    let shown = found.into_iter();
    shown.map(|(time, call)| Shown { id: call.id(), what: format!("{time} ms") }).collect()
}

/// The first calls that failed.
pub(super) fn failed<'a>(calls: impl Iterator<Item = Call<'a>>) -> Vec<Shown> {
    calls
        .filter(Call::failed)
        .take(SHOWN)
        .map(|call| Shown { id: call.id(), what: call.ending() })
        .collect()
}
