//! The ledger of weight updates, bounded.

use std::cmp::Reverse;

use firstbyte_core::Micros;

use super::{MOST_SENTENCES, Shown, cut_name, cut_sentence};
use crate::{
    correlate::Log,
    measure::{Summary, Window},
    updates::{Ledger, PathStage, Split, State, Update},
};

/// More updates are not listed: first those that are not complete, then the longest.
const MOST: usize = 200;
/// More stages of a path are not shown.
const MOST_STAGES: usize = 40;

/// The weight updates of a report.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Updates {
    /// How many updates.
    pub n: usize,
    /// How many ended in each state that there is.
    pub states: Vec<(State, usize)>,
    /// Servers that may still be paused.
    pub warnings: Shown<String>,
    /// Calls that are in no update, and why.
    pub notes: Vec<String>,
    /// The updates by their begin: of more than 200 those that are not complete and the longest.
    pub rows: Shown<UpdateRow>,
    /// Durations over all updates, by name.
    pub summaries: Vec<(&'static str, Summary)>,
    /// What the longest update of those whose end is known waited for.
    pub slowest: Option<SlowUpdate>,
}

/// An update in a list.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UpdateRow {
    /// Its place in the ledger, from 1.
    pub number: usize,
    /// The training step.
    pub step: Option<i64>,
    /// The trace id of its first call.
    pub id: String,
    /// The moment of the first `client.send`, in seconds; `None` with calls of several clocks.
    pub begin_s: Option<f64>,
    /// From the begin to the last end; `None` if an end is unknown.
    pub duration: Option<Micros>,
    /// From the begin to the last moment that is known.
    pub at_least: Option<Micros>,
    /// How many servers.
    pub servers: usize,
    /// The server that was last, and by how much later than the median of the others.
    pub straggler: Option<(String, Micros)>,
    /// What paused servers waited for the slowest, in server-milliseconds; of updates of several servers.
    pub barrier: Option<Micros>,
    /// The longest piece of the critical path, and its share of the duration, from 0 to 1.
    pub largest: Option<(String, f64)>,
    /// How it ended.
    pub state: State,
}

/// The critical path of an update.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SlowUpdate {
    /// Its place in the ledger, from 1.
    pub number: usize,
    /// From its begin to its end.
    pub duration: Micros,
    /// The pieces of its path, in order; together they are the duration, if none is left out.
    pub pieces: Shown<Piece>,
}

/// A piece of a critical path: calls of one operation to one server, or the orchestrator's time before them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Piece {
    /// What it is.
    pub name: String,
    /// Since the update began.
    pub start: Micros,
    /// What it is made of.
    pub split: Split,
}

impl Updates {
    /// The updates whose first call is in a window; `None` if there is none, and nothing to say why.
    pub(super) fn of(ledger: &Ledger<'_>) -> Option<Self> {
        let notes = ledger.left_out.sentences();
        if ledger.updates.is_empty() && notes.is_empty() {
            return None;
        }
        let warnings = ledger.warnings().map(|warning| cut_sentence(&warning)).collect();
        let mut rows: Vec<(usize, &Update<'_>)> = (1..).zip(&ledger.updates).collect();
        let slowest = rows.iter().filter_map(|(n, update)| Some((update.duration()?, *n, *update)));
        let slowest = slowest.max_by_key(|(duration, n, _)| (*duration, Reverse(*n)));
        rows.sort_by_cached_key(|(_, update)| Reverse((update.state(), update.at_least())));
        let mut rows = Shown::first(MOST, rows);
        rows.list.sort_by_key(|(number, _)| *number);
        Some(Self {
            n: ledger.updates.len(),
            states: ledger.states(),
            warnings: Shown::first(MOST_SENTENCES, warnings),
            notes,
            rows: Shown {
                list: rows.list.iter().map(|(n, update)| UpdateRow::of(*n, update)).collect(),
                left_out: rows.left_out,
            },
            summaries: ledger.summaries(),
            slowest: slowest.and_then(|(duration, n, update)| SlowUpdate::of(n, duration, update)),
        })
    }
}

/// The ledger of a log, of the updates whose first call is in the window.
pub(super) fn ledger(log: &Log, window: Window) -> Ledger<'_> {
    let mut ledger = Ledger::of(log);
    ledger
        .updates
        .retain(|update| update.calls().next().is_some_and(|first| window.has(&first.call)));
    ledger
}

impl UpdateRow {
    fn of(number: usize, update: &Update<'_>) -> Self {
        let pieces = update.critical_path().map(|path| pieces(&path.stages()));
        let total = update.duration().map_or(1.0, |duration| duration.0.max(1) as f64);
        let largest = pieces.and_then(|pieces| pieces.into_iter().max_by_key(Piece::length));
        let several = update.servers.len() > 1;
        Self {
            number,
            step: update.step,
            id: update.id.clone(),
            begin_s: update.begin().map(|at| at.as_nanos() as f64 / 1e9),
            duration: update.duration(),
            at_least: update.at_least(),
            servers: update.servers.len(),
            straggler: update.straggler().map(|last| (cut_name(last.target), last.behind)),
            barrier: update.barrier().filter(|_| several).map(|barrier| barrier.cost),
            largest: largest.map(|piece| {
                let share = piece.length().0 as f64 / total;
                (piece.name, share)
            }),
            state: update.state(),
        }
    }

    /// Whether somebody has to look at it.
    pub(super) const fn is_bad(&self) -> bool {
        matches!(self.state, State::NotResumed | State::Failed)
    }
}

impl SlowUpdate {
    fn of(number: usize, duration: Micros, update: &Update<'_>) -> Option<Self> {
        let pieces = pieces(&update.critical_path()?.stages());
        Some(Self { number, duration, pieces: Shown::first(MOST_STAGES, pieces) })
    }
}

impl Piece {
    /// How long it took.
    #[must_use]
    pub fn length(&self) -> Micros {
        let split = self.split;
        split.gap + split.queue + split.rpc + split.unsplit
    }
}

/// A path as pieces: what is the orchestrator's has one of its own in front of the calls.
fn pieces(stages: &[PathStage<'_>]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut start = Micros(0);
    for stage in stages {
        let mut gap = Split::default();
        gap.gap = stage.split.gap;
        let mut calls = stage.split;
        calls.gap = Micros(0);
        let times = if stage.calls > 1 { format!(" x{}", stage.calls) } else { String::new() };
        let target = cut_name(stage.target.unwrap_or("(unknown)"));
        let name = format!("{} on {target}{times}", cut_name(stage.op));
        for (name, split) in [("orchestrator".to_owned(), gap), (name, calls)] {
            let piece = Piece { name, start, split };
            start = start + piece.length();
            if piece.length().0 > 0 {
                pieces.push(piece);
            }
        }
    }
    pieces
}
