//! The calls of the weight-update family, and what each does for an update.

use std::collections::HashMap;

use firstbyte_core::{RouteTable, Timestamp};

use super::LeftOut;
use crate::correlate::{Call, ClientEnd, ClientHalf, Log};

/// What a call does for an update, by its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Generation stands still from here on: `pause`.
    Pause,
    /// `start_weight_update`, `start_draft_weight_update`, `set_update_weight_meta`.
    Start,
    /// New weights: `update_weights`, `reload_weights`, `load_lora_adapter`, `fetch_weights`.
    Load,
    /// `finish_weight_update`, `update_weight_version`.
    Finish,
    /// Generation goes on: `resume`.
    Resume,
    /// What is done between these, such as `reset_prefix_cache` or `abort_requests`.
    Other,
}

/// One attempt of a call of an update.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct UpdateCall<'a> {
    /// The call.
    pub call: Call<'a>,
    /// What it does.
    pub kind: Kind,
    /// Its operation.
    pub op: &'a str,
    /// The moment of `client.send`.
    pub sent_at: Timestamp,
    /// That moment and its wall time; `None` if its end is not in the lines.
    pub ended_at: Option<Timestamp>,
    /// It tries once more what the call before it did not achieve.
    pub is_retry: bool,
    pub(super) client: &'a ClientHalf,
    /// The first file that has the clock of its moments.
    pub(super) clock: u32,
    /// The first file of the log that its line is in: rotation makes several of one.
    pub(super) file: u32,
    /// The number of its trace id.
    pub(super) id: u32,
    /// The application gave this id to calls of several kinds or servers.
    pub(super) is_id_shared: bool,
    /// To calls of several kinds: it is that of an update, and not of one fan-out.
    pub(super) is_id_of_update: bool,
}

impl Kind {
    /// The kind of an operation; `None` if it is none of an update.
    #[must_use]
    pub fn of(operation: &str) -> Option<Self> {
        Some(match operation {
            "pause" => Self::Pause,
            "start_weight_update" | "start_draft_weight_update" | "set_update_weight_meta" => {
                Self::Start
            }
            "update_weights" | "reload_weights" | "load_lora_adapter" | "fetch_weights" => {
                Self::Load
            }
            "finish_weight_update" | "update_weight_version" => Self::Finish,
            "resume" => Self::Resume,
            "abort_requests"
            | "collective_rpc"
            | "init_weight_transfer_engine"
            | "release_kv_cache_memory"
            | "reset_encoder_cache"
            | "reset_mm_cache"
            | "reset_prefix_cache"
            | "shutdown_weight_transfer_engine"
            | "sleep"
            | "unload_lora_adapter"
            | "wake_up" => Self::Other,
            _ => return None,
        })
    }
}

impl UpdateCall<'_> {
    /// Whether it was answered, and not with an error.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.call.ended_well()
            && self.client.status.is_none_or(|status| (200..300).contains(&status))
    }

    /// Whether the server may have done it: only a request that was never sent rules that out.
    pub(crate) fn may_have_happened(&self) -> bool {
        match self.client.end {
            ClientEnd::Failed { outcome: Some(outcome), .. } => {
                self.call.name(outcome) != "not_sent"
            }
            _ => true,
        }
    }

    /// Its end, or else its begin.
    pub(super) fn last_moment(&self) -> Timestamp {
        self.ended_at.unwrap_or(self.sent_at)
    }

    pub(super) fn target(&self) -> &str {
        self.call.target().unwrap_or("(unknown)")
    }
}

/// The calls that updates are made of, in order: those of one clock by their moments.
pub(super) fn calls(log: &Log) -> (Vec<UpdateCall<'_>>, LeftOut) {
    let routes = RouteTable::builtin();
    let (mut calls, mut left_out) = (Vec::new(), LeftOut::default());
    let mut ids = Ids::default();
    let clocks = clocks(log);
    for call in log.calls() {
        let Some((op, kind)) = operation(&call, &routes) else { continue };
        let Some(client) = call.client else {
            left_out.server_only += 1;
            continue;
        };
        let Some(sent_at) = client.sent_at else {
            left_out.without_moment += 1;
            continue;
        };
        if log.sources()[client.source as usize].is_mixed {
            left_out.mixed_clocks += 1;
            continue;
        }
        let ended = matches!(client.end, ClientEnd::Done | ClientEnd::Failed { .. });
        let ended_at = client.wall().filter(|_| ended).map(|wall| sent_at + wall.into());
        calls.push(UpdateCall {
            call,
            kind,
            op,
            sent_at,
            ended_at,
            is_retry: false,
            client,
            clock: clocks[client.source as usize],
            file: log.oldest(client.source),
            id: ids.take(call.id(), call.target(), kind),
            is_id_shared: false,
            is_id_of_update: false,
        });
    }
    for call in &mut calls {
        let known = &ids.known[call.id as usize];
        (call.is_id_shared, call.is_id_of_update) = (known.is_shared, known.has_kinds);
    }
    calls.sort_by_key(|call| (call.clock, call.sent_at));
    (calls, left_out)
}

/// The operation of a call and its kind. A line without one has a path, which the route tables know.
fn operation<'a>(call: &Call<'a>, routes: &RouteTable) -> Option<(&'a str, Kind)> {
    let op = call.operation()?;
    let by_path = || {
        let path = call.name(call.client?.path?);
        Kind::of(&routes.find("POST", path)?.operation)
    };
    Some((op, Kind::of(op).or_else(by_path)?))
}

/// For each file the first one that is on the same clock.
fn clocks(log: &Log) -> Vec<u32> {
    let mut boots = HashMap::new();
    (0..)
        .zip(log.sources())
        .map(|(place, source)| {
            source.boot.map_or(place, |boot| *boots.entry(boot).or_insert(place))
        })
        .collect()
}

/// Trace ids, and whether each has calls of several kinds or servers.
#[derive(Default)]
struct Ids<'a> {
    places: HashMap<String, u32>,
    known: Vec<Id<'a>>,
}

struct Id<'a> {
    target: Option<&'a str>,
    kind: Kind,
    is_shared: bool,
    has_kinds: bool,
}

impl<'a> Ids<'a> {
    fn take(&mut self, id: String, target: Option<&'a str>, kind: Kind) -> u32 {
        let place = *self.places.entry(id).or_insert(self.known.len() as u32);
        match self.known.get_mut(place as usize) {
            Some(known) => {
                known.has_kinds |= known.kind != kind;
                known.is_shared |= known.has_kinds || known.target != target;
            }
            None => self.known.push(Id { target, kind, is_shared: false, has_kinds: false }),
        }
        place
    }
}
