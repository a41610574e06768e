//! A call that has ended.

use firstbyte_core::{Micros, Timestamp};

use crate::{
    correlate::{Call, ClientHalf},
    measure::Metric,
    waterfall::{Side, largest_part, pieces},
};

/// A call that has ended, as far as its lines were there when it was told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finished {
    /// Its trace id.
    pub id: String,
    /// Its operation.
    pub operation: Option<String>,
    /// Its server.
    pub target: Option<String>,
    /// How it ended, in words.
    pub ending: String,
    /// Whether it ended well; if not, wall is the time until it failed.
    pub is_done: bool,
    /// The whole.
    pub wall: Option<Micros>,
    /// wall - rpc.
    pub queue: Option<Micros>,
    /// The engine's work.
    pub rpc: Option<Micros>,
    /// Its longest part, and how long that took.
    pub largest: Option<(&'static str, Micros)>,
    /// What adds up to wall.
    pub pieces: Vec<(&'static str, Micros, Side)>,
    /// The number of the client's file.
    pub(super) source: usize,
    /// The moment of `client.send` and wall.
    pub(super) ended_at: Option<Timestamp>,
}

/// What tells an attempt from the others of its trace, once it has ended.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    sent_at: Option<Timestamp>,
    wall: Option<Micros>,
    attempt: Option<u16>,
    target: Option<String>,
    operation: Option<String>,
}

impl Key {
    pub(super) fn of(call: &Call<'_>, half: &ClientHalf) -> Self {
        Self {
            sent_at: half.sent_at,
            wall: half.wall(),
            attempt: half.attempt,
            target: call.target().map(str::to_owned),
            operation: half.op.map(|op| call.name(op).to_owned()),
        }
    }
}

impl Finished {
    pub(super) fn of(call: &Call<'_>) -> Self {
        let wall = Metric::Wall.of(call);
        let sent_at = call.client.and_then(|half| half.sent_at);
        Self {
            id: call.id(),
            operation: call.operation().map(str::to_owned),
            target: call.target().map(str::to_owned),
            ending: call.ending(),
            is_done: call.ended_well(),
            wall,
            queue: call.queue(),
            rpc: call.rpc(),
            largest: largest_part(call).map(|(part, time)| (part.as_str(), time)),
            pieces: pieces(call),
            source: call.client.map_or(0, |half| half.source as usize),
            ended_at: sent_at.zip(wall).map(|(at, wall)| at + wall.into()),
        }
    }
}
