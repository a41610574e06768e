//! The ledger of weight updates: which calls were one update, how long it took, and who waited for whom.
//!
//! ```
//! use firstbyte_analysis::{Log, updates::Ledger};
//!
//! let lines = "\
//! [weights][00000000000000a1] client.send url=http://h/pause t=1.000000 op=pause target=h:80
//! [weights][00000000000000a1] client.done wall_ms=2.0 rpc_ms=1.0 queue_ms=1.0
//! [weights][00000000000000a2] client.send url=http://h/update_weights t=1.005000 op=update_weights target=h:80 step=7
//! [weights][00000000000000a2] client.done wall_ms=400.0 rpc_ms=399.0 queue_ms=1.0
//! [weights][00000000000000a3] client.send url=http://h/resume t=1.406000 op=resume target=h:80
//! [weights][00000000000000a3] client.done wall_ms=4.0 rpc_ms=1.0 queue_ms=3.0
//! ";
//! let log = Log::from_bytes(lines.as_bytes());
//! let ledger = Ledger::of(&log);
//! let update = &ledger.updates[0];
//! assert_eq!(update.step, Some(7));
//! assert_eq!(update.duration().map(|time| time.0), Some(410_000));
//! // From the end of the pause to the end of the resume.
//! assert_eq!(update.servers[0].paused().and_then(|time| time.exact()).map(|time| time.0), Some(408_000));
//! ```

mod barrier;
mod group;
mod join;
mod path;
mod server;
mod stage;
mod told;

use std::collections::HashMap;

use firstbyte_core::{Micros, Timestamp};

pub use self::{
    barrier::{Barrier, Straggler},
    path::{CriticalPath, Link, PathStage, Split},
    server::{Bounds, ServerUpdate, Stage, State},
    stage::{Kind, UpdateCall},
};
use crate::correlate::{Log, What};

/// All updates of a log.
#[derive(Debug)]
#[non_exhaustive]
pub struct Ledger<'a> {
    /// The updates; those of one clock by their begin.
    pub updates: Vec<Update<'a>>,
    /// Calls of the weight-update family that are in none.
    pub left_out: LeftOut,
}

/// How many calls of the weight-update family are in no update, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// The client's half is missing: an update is what its orchestrator did.
    pub server_only: u64,
    /// `client.send` is missing: without its moment it has no place.
    pub without_moment: u64,
    /// The file has moments of several boots, which do not compare.
    pub mixed_clocks: u64,
    /// Nothing that begins an update is in front: a resume alone, or a cache that is reset between updates.
    pub stray: u64,
}

/// One logical update: what an orchestrator did so that servers have new weights.
///
/// # Which calls are one
///
/// Per server, calls follow each other from the first pause, start or load after the previous resume. An id that
/// the application gave to calls of several kinds, and the step, separate what the order alone would join.
/// Servers belong together if they have an id in common, or else the step, or else if they overlap in time
/// in one file. Moments of two clocks are never compared: across clocks only an id joins.
#[derive(Debug)]
#[non_exhaustive]
pub struct Update<'a> {
    /// The training step, as a call of it says.
    pub step: Option<i64>,
    /// The trace id of its first call.
    pub id: String,
    /// Its servers, by their begin.
    pub servers: Vec<ServerUpdate<'a>>,
    /// The checkpoint that it brings, if the lines tell exactly one of this step.
    pub checkpoint: Checkpoint,
    has_one_clock: bool,
}

/// A checkpoint in front of an update: the lines with the same step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// How long the orchestrator waited for it.
    pub wait: Option<Micros>,
    /// How long it took to write it.
    pub write: Option<Micros>,
    /// Its size.
    pub bytes: Option<i64>,
}

impl<'a> Ledger<'a> {
    /// Builds the ledger from the calls of a log. Takes time in proportion to them, apart from sorting.
    #[must_use]
    pub fn of(log: &'a Log) -> Self {
        let (calls, mut left_out) = stage::calls(log);
        let (parts, stray) = group::by_server(calls);
        left_out.stray = stray;
        let mut updates = join::joined(parts);
        let checkpoints = checkpoints(log);
        for update in &mut updates {
            let known = update.step.and_then(|step| checkpoints.get(&step));
            update.checkpoint = known.map_or_else(Checkpoint::default, Known::unique);
        }
        Self { updates, left_out }
    }
}

impl<'a> Update<'a> {
    /// All calls, server by server.
    pub fn calls(&self) -> impl Iterator<Item = &UpdateCall<'a>> {
        self.servers.iter().flat_map(|server| &server.calls)
    }

    /// The moment of the first `client.send`; `None` if its calls are of several clocks.
    #[must_use]
    pub fn begin(&self) -> Option<Timestamp> {
        self.calls().map(|call| call.sent_at).min().filter(|_| self.has_one_clock)
    }

    /// The moment when the last call ended; `None` if the end of any is unknown, or with several clocks.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        let ends: Option<Vec<_>> = self.calls().map(|call| call.ended_at).collect();
        ends?.into_iter().max().filter(|_| self.has_one_clock)
    }

    /// From the begin to the end.
    #[must_use]
    pub fn duration(&self) -> Option<Micros> {
        Some(between(self.begin()?, self.end()?))
    }

    /// From the begin to the last moment that is known of it: what the duration is at least.
    #[must_use]
    pub fn at_least(&self) -> Option<Micros> {
        let last = self.calls().map(UpdateCall::last_moment).max()?;
        Some(between(self.begin()?, last))
    }

    /// How it ended: the worst of its servers.
    #[must_use]
    pub fn state(&self) -> State {
        self.servers.iter().map(ServerUpdate::state).max().unwrap_or(State::Complete)
    }

    /// The server whose own work ended last; `None` with fewer than two, or if that is not known.
    #[must_use]
    pub fn straggler(&self) -> Option<Straggler<'_>> {
        barrier::straggler(self)
    }

    /// What the servers that were done waited for the slowest; `None` if that is not known.
    #[must_use]
    pub fn barrier(&self) -> Option<Barrier> {
        barrier::barrier(self)
    }

    /// The chain of calls that determined the end; `None` if the end is not known.
    #[must_use]
    pub fn critical_path(&self) -> Option<CriticalPath<'a>> {
        path::critical(self)
    }
}

/// From one moment to another on the same clock; 0 if they are the other way round.
fn between(from: Timestamp, to: Timestamp) -> Micros {
    Micros(to.as_nanos().saturating_sub(from.as_nanos()) / 1000)
}

/// What the lines of one step say, as far as they agree that there is one checkpoint.
#[derive(Default)]
struct Known {
    waits: Vec<Option<Micros>>,
    writes: Vec<(Option<Micros>, Option<i64>)>,
}

impl Known {
    fn unique(&self) -> Checkpoint {
        let wait = if let [wait] = self.waits[..] { wait } else { None };
        let (write, bytes) = if let [write] = self.writes[..] { write } else { (None, None) };
        Checkpoint { wait, write, bytes }
    }
}

fn checkpoints(log: &Log) -> HashMap<i64, Known> {
    let mut steps: HashMap<i64, Known> = HashMap::new();
    for moment in log.timeline().moments() {
        match moment.what {
            What::CkptWaited { step: Some(step), wait } => {
                steps.entry(step).or_default().waits.push(wait);
            }
            What::CkptWritten { step: Some(step), write, bytes, .. } => {
                steps.entry(step).or_default().writes.push((write, bytes));
            }
            _ => {}
        }
    }
    steps
}

#[cfg(test)]
mod tests;
