//! Threads: slices of one never overlap.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use super::items::Item;
use crate::correlate::{Log, Name};

/// What a thread is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Track {
    /// Calls to a server.
    Target(Option<Name>),
    /// Requests that the server of this file got.
    Server,
    /// Events of this name.
    Event(&'static str),
}

impl Track {
    /// The name of its `number`th thread.
    pub(super) fn name(self, log: &Log, number: usize) -> String {
        let name = match self {
            Self::Target(Some(target)) => format!("to {}", log.name(target)),
            Self::Target(None) => "calls".to_owned(),
            Self::Server => "server".to_owned(),
            Self::Event(name) => name.to_owned(),
        };
        if number == 1 { name } else { format!("{name} #{number}") }
    }
}

/// Until when each thread of a track is busy, the first to be free on top.
type Threads = BinaryHeap<Reverse<(i64, u32)>>;

/// The threads of all files.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    threads: BTreeMap<(u32, Track), Threads>,
    count: u32,
}

impl Tracks {
    /// The thread of the next item; items come by their starts. For a new thread also which of its track it is.
    pub(super) fn place(&mut self, item: &Item<'_>) -> (u32, Option<usize>) {
        let threads = self.threads.entry((item.source, item.track)).or_default();
        let is_free = threads.peek().is_some_and(|Reverse((until, _))| *until <= item.start);
        let tid = match threads.pop() {
            Some(Reverse((_, tid))) if is_free => tid,
            busy => {
                threads.extend(busy);
                self.count += 1;
                self.count
            }
        };
        threads.push(Reverse((item.busy_until, tid)));
        (tid, (!is_free).then_some(threads.len()))
    }
}
