//! A call as its server saw it.

use firstbyte_core::{Micros, Timestamp, field, record};

use super::{Known, UNKNOWN, is_close, missed};
use crate::{
    correlate::{
        names::{Name, Names},
        timers::{Timers, begin, is_near, same_moment},
    },
    entry::Entry,
};

/// A call as its server saw it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerHalf {
    /// The file that it is from.
    pub source: u32,
    /// The moment of `server.recv`.
    pub recv_at: Option<Timestamp>,
    /// The moment of `server.first_byte`.
    pub first_byte_at: Option<Timestamp>,
    /// The moment of `server.done`.
    pub done_at: Option<Timestamp>,
    /// The path of the request.
    pub path: Option<Name>,
    /// The operation of its engine call.
    pub op: Option<Name>,
    /// How the exchange ended.
    pub outcome: Option<Name>,
    /// The error of the engine call.
    pub error: Option<Name>,
    /// HTTP status code.
    pub status: Option<u16>,
    /// Requests in progress when it arrived, or [`NOT_TOLD`].
    in_flight: u32,
    timers: Timers,
    kernel: Known,
    dur: Known,
    more: Option<Box<More>>,
}

/// More requests than a server has.
const NOT_TOLD: u32 = u32::MAX;

fn in_flight_of(entry: &Entry<'_>) -> u32 {
    entry.count(field::INFLIGHT).and_then(|n| u32::try_from(n).ok()).unwrap_or(NOT_TOLD)
}

/// What not every server tells: calls are many, and memory that is not there costs no time.
#[derive(Clone, Debug)]
struct More {
    loop_lag: Known,
    proxy: Known,
    call_id: Option<Box<str>>,
}

impl Default for More {
    fn default() -> Self {
        Self { loop_lag: Known::NO, proxy: Known::NO, call_id: None }
    }
}

impl ServerHalf {
    pub(in crate::correlate) fn new(source: u32) -> Self {
        Self {
            source,
            recv_at: None,
            first_byte_at: None,
            done_at: None,
            path: None,
            op: None,
            outcome: None,
            error: None,
            status: None,
            in_flight: NOT_TOLD,
            timers: Timers::default(),
            kernel: Known::NO,
            dur: Known::NO,
            more: None,
        }
    }

    /// How long the request lay in the kernel.
    #[must_use]
    pub const fn kernel(&self) -> Option<Micros> {
        self.kernel.get()
    }

    /// How late the event loop was at `server.recv`.
    #[must_use]
    pub fn loop_lag(&self) -> Option<Micros> {
        self.more.as_ref()?.loop_lag.get()
    }

    /// From a proxy to `server.recv`, on the wall clocks of both, which may differ.
    #[must_use]
    pub fn proxy(&self) -> Option<Micros> {
        self.more.as_ref()?.proxy.get()
    }

    /// Requests in progress when it arrived.
    #[must_use]
    pub fn in_flight(&self) -> Option<u32> {
        (self.in_flight != NOT_TOLD).then_some(self.in_flight)
    }

    /// The engine's id of its call.
    pub(in crate::correlate) fn call_id(&self) -> Option<&str> {
        self.more.as_ref()?.call_id.as_deref()
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// The engine's work: the sum of `rpc_ms`.
    #[must_use]
    pub fn rpc(&self) -> Option<Micros> {
        self.timers.rpc()
    }

    /// The moment of the first `rpc.start`.
    #[must_use]
    pub fn rpc_started_at(&self) -> Option<Timestamp> {
        self.timers.started_at()
    }

    /// The moment of the last `rpc.done`.
    #[must_use]
    pub fn rpc_done_at(&self) -> Option<Timestamp> {
        self.timers.done_at()
    }

    /// From `server.recv` to `server.done`.
    #[must_use]
    pub const fn duration(&self) -> Option<Micros> {
        self.dur.get()
    }

    /// From `server.recv` to `rpc.start`, on the server's own clock.
    #[must_use]
    pub fn handler(&self) -> Option<Micros> {
        let (recv, start) = (self.recv_at?, self.rpc_started_at()?);
        (recv <= start).then(|| start.since(recv).into())
    }

    /// From the last `rpc.done` to the first body byte, or to `server.done`, on the server's own clock.
    #[must_use]
    pub fn respond(&self) -> Option<Micros> {
        let (done, answered) = (self.rpc_done_at()?, self.first_byte_at.or(self.done_at)?);
        (done <= answered).then(|| answered.since(done).into())
    }

    /// Whether its end is known: `server.done`, or where only the engine tells of it, the end of the engine's work.
    pub(crate) fn has_ended(&self) -> bool {
        let is_of_engine = self.recv_at.is_none() && self.first_byte_at.is_none();
        let has_worked = is_of_engine && self.rpc_done_at().is_some();
        self.done_at.is_some() || self.outcome.is_some() || has_worked
    }

    /// Whether it has taken this very line, from another file or another handler of the same logger.
    pub(in crate::correlate) fn has_taken(&self, entry: &Entry<'_>) -> bool {
        let at = entry.at;
        match () {
            () if entry.is(&record::SERVER_RECV) => {
                same_moment(self.recv_at, at)
                    && is_close(self.kernel(), entry.millis(field::KERNEL))
                    && self.in_flight == in_flight_of(entry)
            }
            () if entry.is(&record::RPC_START) => self.timers.begins(at),
            () if entry.is(&record::RPC_DONE) => self.timers.ends(at, entry.millis(field::RPC)),
            () if entry.is(&record::SERVER_FIRST_BYTE) => same_moment(self.first_byte_at, at),
            () => same_moment(self.done_at, at),
        }
    }

    /// Whether a line can be of this exchange: what it tells is not told yet, and its moment is in order.
    pub(in crate::correlate) fn has_room(&self, entry: &Entry<'_>) -> bool {
        let is = |record| entry.is(record);
        let Some(at) = entry.at else {
            // Nothing tells it from a line of the next exchange.
            return self.done_at.is_none() && !is(&record::SERVER_RECV);
        };
        let is_after = |known: Option<Timestamp>| known.is_none_or(|known| known <= at);
        let is_before = |known: Option<Timestamp>| known.is_none_or(|known| at <= known);
        let within = || [self.rpc_started_at(), self.rpc_done_at(), self.first_byte_at];
        if is(&record::SERVER_RECV) {
            self.recv_at.is_none() && within().into_iter().all(is_before) && is_before(self.done_at)
        } else if is(&record::SERVER_DONE) {
            self.done_at.is_none() && within().into_iter().all(is_after) && is_after(self.recv_at)
        } else {
            let is_told = is(&record::SERVER_FIRST_BYTE) && self.first_byte_at.is_some();
            !is_told && is_after(self.recv_at) && is_before(self.done_at)
        }
    }

    /// Whether a line says by its own time that it ends what has begun here.
    pub(in crate::correlate) fn is_named_by(&self, entry: &Entry<'_>) -> bool {
        let duration = match () {
            () if entry.is(&record::RPC_DONE) => {
                return self.timers.awaits(entry.at, entry.millis(field::RPC));
            }
            () if entry.is(&record::SERVER_FIRST_BYTE) => entry.millis(field::TTFB),
            () if entry.is(&record::SERVER_DONE) => entry.millis(field::DUR),
            () => None,
        };
        begin(entry.at, duration).is_some_and(|begin| is_near(self.recv_at, begin))
    }

    /// Whether no line of the engine's work has come yet, with a moment or without.
    pub(in crate::correlate) fn is_before_the_engine(&self) -> bool {
        self.timers.is_empty() && self.op.is_none()
    }

    /// Whether the other can be another piece of this exchange: it tells other ends, nothing different, and all of it
    /// together is in order. By how much their beginnings miss each other, [`UNKNOWN`] where only one has one.
    pub(in crate::correlate) fn complements(&self, other: &Self) -> Option<u64> {
        let ends = |half: &Self| [half.recv_at, half.first_byte_at, half.done_at];
        let is_twice = |(a, b): (Option<Timestamp>, Option<Timestamp>)| a.is_some() && b.is_some();
        if ends(self).into_iter().zip(ends(other)).any(is_twice)
            || self.op.zip(other.op).is_some_and(|(a, b)| a != b)
        {
            return None;
        }
        let all = [self, other].map(|half| {
            [
                half.recv_at,
                half.rpc_started_at(),
                half.rpc_done_at(),
                half.first_byte_at,
                half.done_at,
            ]
        });
        let mut told = all.iter().flatten().flatten();
        let received = self.recv_at.or(other.recv_at);
        let done = self.done_at.or(other.done_at);
        if !told
            .all(|at| received.is_none_or(|recv| recv <= *at) && done.is_none_or(|end| *at <= end))
        {
            return None;
        }
        let began = |half: &Self| half.recv_at.or_else(|| begin(half.done_at, half.duration()));
        let missed = missed(began(self), began(other))?;
        let have_both = !self.timers.is_empty() && !other.timers.is_empty();
        match missed {
            UNKNOWN if self.timers.go_on_in(&other.timers) => Some(0),
            // Nothing says that two engines' work is of one exchange.
            UNKNOWN if have_both => None,
            missed => Some(missed),
        }
    }

    /// Takes what another piece of the same exchange tells.
    pub(in crate::correlate) fn complete(&mut self, rest: Self) {
        self.timers.join(&rest.timers);
        self.recv_at = self.recv_at.or(rest.recv_at);
        self.first_byte_at = self.first_byte_at.or(rest.first_byte_at);
        self.done_at = self.done_at.or(rest.done_at);
        self.path = self.path.or(rest.path);
        self.op = self.op.or(rest.op);
        self.outcome = self.outcome.or(rest.outcome);
        self.error = self.error.or(rest.error);
        self.status = self.status.or(rest.status);
        if self.in_flight == NOT_TOLD {
            self.in_flight = rest.in_flight;
        }
        self.kernel = self.kernel.or(rest.kernel);
        self.dur = self.dur.or(rest.dur);
        if let Some(rest) = rest.more {
            let more = self.more();
            more.loop_lag = more.loop_lag.or(rest.loop_lag);
            more.proxy = more.proxy.or(rest.proxy);
            more.call_id = more.call_id.take().or(rest.call_id);
        }
    }

    /// Takes a line of the server.
    pub(in crate::correlate) fn take(&mut self, entry: &Entry<'_>, names: &mut Names) {
        let mut word = |field| entry.word(field).map(|word| names.take(word));
        if entry.is(&record::SERVER_RECV) {
            self.recv_at = entry.at;
            self.path = word(field::PATH);
            self.kernel = entry.millis(field::KERNEL).into();
            let (lag, proxy) = (entry.millis(field::LOOP_LAG), entry.millis(field::PROXY));
            if lag.is_some() || proxy.is_some() || self.more.is_some() {
                let more = self.more();
                (more.loop_lag, more.proxy) = (lag.into(), proxy.into());
            }
            self.in_flight = in_flight_of(entry);
        } else if entry.is(&record::RPC_START) {
            self.timers.start(entry.at);
            self.op = self.op.or_else(|| word(field::OP));
        } else if entry.is(&record::RPC_DONE) {
            self.timers.done(entry.at, entry.millis(field::RPC));
            self.op = self.op.or_else(|| word(field::OP));
            self.error = self.error.or_else(|| word(field::ERROR));
            if let Some(id) = entry.text(field::CALL_ID) {
                self.more().call_id.get_or_insert_with(|| id.as_ref().into());
            }
        } else if entry.is(&record::SERVER_FIRST_BYTE) {
            self.first_byte_at = entry.at;
        } else if entry.is(&record::SERVER_DONE) {
            self.done_at = entry.at;
            self.dur = entry.millis(field::DUR).into();
            self.outcome = word(field::OUTCOME);
            self.status = entry.count(field::STATUS).and_then(|n| u16::try_from(n).ok());
        }
    }
}
