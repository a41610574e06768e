//! From entries to calls: what the client saw, what the server saw, and the engine's half, by trace id.

mod call;
mod chain;
mod clocks;
mod generation;
mod half;
mod join;
mod mend;
mod names;
mod pairing;
mod rotated;
mod runs;
mod timeline;
mod timers;

use std::ops::Range;

use firstbyte_core::Timestamp;

pub use self::{
    call::Call,
    clocks::{Offset, offsets},
    generation::Generation,
    half::{ClientEnd, ClientHalf, EngineHalf, Server, ServerHalf, Waiting},
    names::{Name, Names},
    runs::Run,
    timeline::{Moment, Timeline, What},
};
pub(crate) use self::{clocks::Offsets, join::Builder};
use self::{
    join::{Halves, Pair, Trace},
    pairing::Pairs,
};
use crate::{
    parallel,
    tally::{Reason, Tally, Unreadable},
};

/// Everything that the lines say, joined.
#[derive(Debug)]
pub struct Log {
    tally: Tally,
    unreadable: Unreadable,
    names: Names,
    sources: Vec<Source>,
    traces: Vec<Trace>,
    halves: Halves,
    /// What belongs together in traces of several calls, by the place of the trace.
    several: Pairs,
    engine: Vec<EngineHalf>,
    timeline: Timeline,
}

/// Where a call is in its [`Log`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    trace: u32,
    halves: Pair,
}

/// A file that lines came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Source {
    /// Its path.
    pub name: String,
    /// The boot of the host whose processes wrote it, if exactly one is known: monotonic moments compare
    /// within it. A file that does not tell it has that of the file before it of the same rotated log.
    pub boot: Option<Name>,
    /// Processes of several boots have written it.
    pub is_mixed: bool,
    /// The wall clock minus the monotonic one in nanoseconds, of the last process that said so, here or in a file
    /// before it of the same rotated log.
    pub unix_offset: Option<i128>,
    /// The first and the last moment that its lines tell of what they are about.
    span: Option<(Timestamp, Timestamp)>,
    /// When the last process began that said so.
    began: Option<Timestamp>,
    /// The number of the file of the same log and boot that rotation put behind this one.
    older: Option<u32>,
}

impl Log {
    /// What became of each line.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Every call, in the order in which their ids were first seen: a client's half, a server's, or both.
    pub fn calls(&self) -> impl Iterator<Item = Call<'_>> {
        self.places().map(|place| self.call(place))
    }

    /// The places of [`calls`](Self::calls), for those who cannot keep a [`Call`] beside the log itself.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        self.places_of(0..self.traces.len())
    }

    fn places_of(&self, traces: Range<usize>) -> impl Iterator<Item = Place> {
        let numbers = traces.start as u32..;
        numbers.zip(&self.traces[traces]).flat_map(|(place, trace)| {
            let one = trace.pair();
            let more = if one.is_none() { self.several.get(&place) } else { None };
            let pairs = one.into_iter().chain(more.into_iter().flatten().copied());
            pairs.map(move |halves| Place { trace: place, halves })
        })
    }

    /// Goes through all calls on every core: makes something of stretches of them, the results of which are in the order of
    /// the calls. There is at least one.
    pub(crate) fn stretches<'a, T: Send>(
        &'a self,
        make: impl Fn(&mut dyn Iterator<Item = Call<'a>>) -> T + Sync,
    ) -> Vec<T> {
        let traces = self.traces.len();
        let length = traces.div_ceil(parallel::cores()).max(parallel::WORTH_A_THREAD);
        let starts = (0..traces.max(1)).step_by(length);
        let stretches = starts.map(|start| start..traces.min(start + length)).collect();
        parallel::map(stretches, |stretch| {
            make(&mut self.places_of(stretch).map(|place| self.call(place)))
        })
    }

    /// The call at a place of this log.
    ///
    /// # Panics
    ///
    /// If the place is of another log, unless that one happens to have a call there too.
    #[must_use]
    pub fn call(&self, place: Place) -> Call<'_> {
        let (client, server) = place.halves;
        Call {
            log: self,
            trace: &self.traces[place.trace as usize],
            client: client.map(|place| self.halves.clients.get(place)),
            server: server.map(|place| self.halves.servers.get(place)),
        }
    }

    /// Everything that is no call, in the order of the lines.
    #[must_use]
    pub const fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The text of a name.
    #[must_use]
    pub fn name(&self, name: Name) -> &str {
        self.names.get(name)
    }

    /// The files.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Whether there are more different words than are kept.
    pub(crate) fn has_other_words(&self) -> bool {
        self.names.is_full()
    }

    /// Lines that were left out because there were more traces than are kept.
    #[must_use]
    pub const fn over_limit(&self) -> u64 {
        self.tally.skipped_by(Reason::OverLimit)
    }

    /// Files that could not be read to their ends, and why.
    #[must_use]
    pub fn broken(&self) -> &[String] {
        &self.unreadable.broken
    }

    /// Files of which nothing could be read, and why; never all of them.
    #[must_use]
    pub fn unread(&self) -> &[String] {
        &self.unreadable.unread
    }

    /// The first one of the files that are one log, cut by rotation, as far as that is known of this one.
    pub(crate) fn oldest(&self, mut source: u32) -> u32 {
        while let Some(older) = self.sources[source as usize].older {
            source = older;
        }
        source
    }

    /// The wall clock's time of a moment of this file in nanoseconds since 1970, if its process told the difference of its
    /// clocks. Of a file of several boots nobody knows which process a moment is of.
    pub(crate) fn unix_nanos(&self, source: u32, at: Timestamp) -> Option<i128> {
        let source = &self.sources[source as usize];
        let offset = source.unix_offset.filter(|_| !source.is_mixed)?;
        Some(i128::from(at.as_nanos()) + offset)
    }

    /// Whether moments of two files are on one clock.
    pub(crate) fn share_a_clock(&self, one: u32, other: u32) -> bool {
        let (a, b) = (&self.sources[one as usize], &self.sources[other as usize]);
        (one == other && !a.is_mixed) || (a.boot.is_some() && a.boot == b.boot)
    }
}

#[cfg(test)]
mod tests;
