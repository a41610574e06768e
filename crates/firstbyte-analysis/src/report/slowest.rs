//! The slowest calls, as waterfalls.

use std::cmp::Reverse;

use firstbyte_core::Micros;

use super::cut_name;
use crate::{
    correlate::{Call, ServerHalf},
    measure::Metric,
    waterfall::{Row, largest_part, rows},
};

/// One of the slowest calls.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SlowCall {
    /// Its trace id.
    pub id: String,
    /// Its operation.
    pub operation: Option<String>,
    /// Its server.
    pub target: Option<String>,
    /// How it ended, in words.
    pub ending: String,
    /// The whole; of a failed call the time until it failed.
    pub wall: Micros,
    /// wall - rpc.
    pub queue: Option<Micros>,
    /// The engine's work.
    pub rpc: Option<Micros>,
    /// Its longest part, and how long it took.
    pub largest: Option<(&'static str, Micros)>,
    /// From `client.send` to `server.recv`, if both are on one clock.
    pub until_received: Option<Micros>,
    /// Requests in progress on its server when it arrived.
    pub in_flight: Option<u32>,
    /// Its parts on one axis of time.
    pub rows: Vec<Row>,
}

/// The calls with the longest wall, the longest first.
pub(super) fn of<'a>(calls: &[Call<'a>], most: usize) -> Vec<Call<'a>> {
    let mut slow: Vec<(Micros, Call<'a>)> =
        calls.iter().filter_map(|call| Some((Metric::Wall.of(call)?, *call))).collect();
    slow.sort_by_key(|(wall, _)| Reverse(*wall));
    slow.into_iter().take(most).map(|(_, call)| call).collect()
}

impl SlowCall {
    pub(super) fn of(call: &Call<'_>) -> Self {
        Self {
            id: call.id(),
            operation: call.operation().map(cut_name),
            target: call.target().map(cut_name),
            ending: cut_name(&call.ending()),
            wall: Metric::Wall.of(call).unwrap_or_default(),
            queue: call.queue(),
            rpc: call.rpc(),
            largest: largest_part(call).map(|(part, time)| (part.as_str(), time)),
            until_received: call.until_received(),
            in_flight: call.server.and_then(ServerHalf::in_flight),
            rows: rows(call),
        }
    }
}
