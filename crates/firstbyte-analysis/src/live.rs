//! Logs that are still being written: lines as they come, in memory that does not grow with them.
//!
//! ```text
//! files ─> Follow ─> lines ─> Live ─> Finished, View
//! ```
//!
//! [`Live`] keeps the lines of the last traces and builds a small [`Log`] of them whenever somebody looks, so that
//! what is shown is what the commands for finished logs would show of the same lines.
//!
//! ```
//! use firstbyte_analysis::live::Live;
//!
//! let mut live = Live::new(vec!["client.log".to_owned()], 1000);
//! live.take(0, Some(b"[weights][00f067aa0ba902b7] client.send url=http://h/pause t=1.000000"));
//! live.take(0, Some(b"[weights][00f067aa0ba902b7] client.done wall_ms=30.0 rpc_ms=10.0 queue_ms=20.0"));
//! assert!(live.finished().is_empty()); // The server's lines may still come.
//! assert_eq!(live.finished()[0].wall.map(|wall| wall.0), Some(30_000));
//! ```

mod finished;
mod follow;
mod kept;
mod split;
mod view;

use std::{
    borrow::Cow,
    collections::{BTreeSet, VecDeque},
};

use firstbyte_core::{field, record};

pub use self::{
    finished::Finished,
    follow::{Follow, FollowError},
    view::{InProgress, RECENT_S, ServerNow, View},
};
use self::{finished::Key, kept::Kept};
use crate::{
    correlate::{ClientEnd, Log},
    entry::{Entry, Kind, parse},
    ingest::{Reason, Tally},
};

/// The last calls of logs that are being written.
#[derive(Debug)]
pub struct Live {
    kept: Kept,
    /// A line that repeats another counts as parsed.
    tally: Tally,
    /// Lines that repeat others, of traces that are no longer kept.
    repeated: u64,
    /// Traces with an end that was not there when [`Live::finished`] was called last.
    fresh: BTreeSet<String>,
    /// Those that had one then.
    due: BTreeSet<String>,
    /// Calls of traces that were forgotten before they were told.
    ready: Vec<Finished>,
    recent: VecDeque<Finished>,
    most: usize,
}

impl Live {
    /// Of files with these names, which lines are given with the numbers of; keeps the last `most` trace ids, at
    /// least one.
    #[must_use]
    pub fn new(sources: Vec<String>, most: usize) -> Self {
        let most = most.max(1);
        Self {
            kept: Kept::new(sources, most),
            tally: Tally::default(),
            repeated: 0,
            fresh: BTreeSet::new(),
            due: BTreeSet::new(),
            ready: Vec::new(),
            recent: VecDeque::new(),
            most,
        }
    }

    /// Takes a whole line, without its line feed, of the file with this number; `None` for one that was too long.
    ///
    /// # Panics
    ///
    /// If there is no file with this number.
    pub fn take(&mut self, source: usize, line: Option<&[u8]>) {
        let Some(line) = line else { return self.tally.skip(Reason::TooLong, 1) };
        let parsed = match parse(line) {
            Ok(parsed) => parsed,
            Err(why) => return self.tally.skip(why.into(), 1),
        };
        let Some(entry) = Entry::of(&parsed) else { return self.tally.unknown() };
        self.tally.take(&entry);
        match (entry.kind, entry.id) {
            (Kind::Client | Kind::Server, Some(id)) => {
                self.call(id.to_string(), source, line, &entry);
            }
            _ => self.beside(source, line, &entry),
        }
    }

    fn call(&mut self, id: String, source: usize, line: &[u8], entry: &Entry<'_>) {
        self.kept.call(&id, source, line);
        if entry.is(&record::CLIENT_DONE) || entry.is(&record::CLIENT_FAIL) {
            self.fresh.insert(id);
        }
        // Several at once take less time.
        self.forget(self.most / 8);
    }

    fn beside(&mut self, source: usize, line: &[u8], entry: &Entry<'_>) {
        let is_start = entry.kind == Kind::Process;
        // Every JSON line has a boot; of text only a start has one.
        let boot = entry.boot.map(Cow::Borrowed);
        let boot = boot.or_else(|| entry.text(field::BOOT).filter(|_| is_start));
        let is_start = boot.is_some_and(|boot| self.kept.is_new(source, &boot) || is_start);
        self.kept.beside(source, line, is_start);
    }

    /// Forgets the oldest traces, if there are more than are kept and so many more; their calls that have ended and were
    /// not told are ready.
    fn forget(&mut self, more: usize) {
        let ids = self.kept.over_limit(more);
        if ids.is_empty() {
            return;
        }
        let log = self.kept.log_of(&ids);
        let told = self.tell(&log);
        self.ready.extend(told);
        self.repeated += log.tally().skipped_by(Reason::Duplicate);
        for id in &ids {
            self.fresh.remove(id);
            self.due.remove(id);
            self.kept.forget(id);
        }
    }

    /// The calls that ended before this was called the last time: meanwhile their server's lines could come.
    pub fn finished(&mut self) -> Vec<Finished> {
        self.forget(0);
        let due = std::mem::replace(&mut self.due, std::mem::take(&mut self.fresh));
        let told = match due.is_empty() {
            true => Vec::new(),
            false => self.tell(&self.kept.log_of(&due)),
        };
        let mut finished = std::mem::take(&mut self.ready);
        finished.extend(told);
        self.recent.extend(finished.iter().cloned());
        self.recent.drain(..self.recent.len().saturating_sub(self.most));
        finished
    }

    /// How many lines were taken.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.tally.total()
    }

    /// The lines that are kept, joined.
    #[must_use]
    pub fn log(&self) -> Log {
        self.kept.log()
    }

    /// The calls of some traces' lines that have ended and were not told before.
    fn tell(&mut self, log: &Log) -> Vec<Finished> {
        let mut told = Vec::new();
        for call in log.calls() {
            let ended = call.client.filter(|half| half.end != ClientEnd::Open);
            if ended.is_some_and(|half| self.kept.is_news(&call.id(), Key::of(&call, half))) {
                told.push(Finished::of(&call));
            }
        }
        told
    }
}

#[cfg(test)]
mod tests;
