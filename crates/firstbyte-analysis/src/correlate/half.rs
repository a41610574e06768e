//! What one side says of a call.

use firstbyte_core::{
    Micros, Phase, Timestamp, field, record,
    schema::{Field, Millis},
};

use super::{
    generation::Generation,
    names::{Name, Names},
    timers::{Timers, begin, is_near, same_moment},
};
use crate::entry::Entry;

/// A duration that may be unknown, in eight bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known(u64);

impl Known {
    pub(super) const NO: Self = Self(u64::MAX);

    pub(super) const fn get(self) -> Option<Micros> {
        if self.0 == u64::MAX { None } else { Some(Micros(self.0)) }
    }

    const fn or(self, other: Self) -> Self {
        if self.0 == u64::MAX { other } else { self }
    }
}

impl From<Option<Micros>> for Known {
    fn from(duration: Option<Micros>) -> Self {
        duration.map_or(Self::NO, |micros| Self(micros.0))
    }
}

/// The server's half as `client.done` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Server {
    /// In the server's kernel.
    Kernel,
    /// From server.recv to rpc.start.
    Handler,
    /// From rpc.done to the response head.
    Respond,
    /// The rest of the wait, if kernel and total are known: a residual.
    Network,
    /// The rest of the wait without a name: a residual.
    Unattributed,
}

impl Server {
    /// All of them, in the order of the line.
    pub const ALL: [Self; 5] =
        [Self::Kernel, Self::Handler, Self::Respond, Self::Network, Self::Unattributed];

    const fn field(self) -> Field<Millis> {
        match self {
            Self::Kernel => field::KERNEL,
            Self::Handler => field::HANDLER,
            Self::Respond => field::RESPOND,
            Self::Network => field::NETWORK,
            Self::Unattributed => field::UNATTRIBUTED,
        }
    }
}

/// The phases of the client, then the parts of the server.
const PARTS: [Field<Millis>; Phase::ALL.len() + Server::ALL.len()] = {
    let mut parts = [field::WALL; Phase::ALL.len() + Server::ALL.len()];
    let mut n = 0;
    while n < parts.len() {
        let phases = Phase::ALL.len();
        parts[n] = if n < phases { Phase::ALL[n].field() } else { Server::ALL[n - phases].field() };
        n += 1;
    }
    parts
};

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEnd {
    /// Nothing is known of its end: it goes on, or its process was killed.
    Open,
    /// `client.done`.
    Done,
    /// `client.fail`.
    Failed {
        /// Such as `unknown` or `not_sent`.
        outcome: Option<Name>,
        /// The phase that it was in.
        phase: Option<Name>,
        /// The class of the error.
        error: Option<Name>,
    },
}

/// An attempt as its client saw it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientHalf {
    /// The file that it is from.
    pub source: u32,
    /// The moment of `client.send`.
    pub sent_at: Option<Timestamp>,
    /// How it ended.
    pub end: ClientEnd,
    /// The operation.
    pub op: Option<Name>,
    /// Host and port of the server.
    pub target: Option<Name>,
    /// The path of the request's URL.
    pub path: Option<Name>,
    /// HTTP status code.
    pub status: Option<u16>,
    /// Number of the attempt.
    pub attempt: Option<u16>,
    /// Training step.
    pub step: Option<i64>,
    /// What generation did when it was sent.
    pub generation: Generation,
    wall: Known,
    rpc: Known,
    queue: Known,
    resume: Known,
    /// The moment of its end, which only JSON lines tell.
    pub(super) ended_at: Option<Timestamp>,
    /// Of lines that tell phases: those of the client, then those of the server.
    parts: Option<Box<[Known; PARTS.len()]>>,
}

impl ClientHalf {
    pub(super) fn new(source: u32) -> Self {
        Self {
            source,
            sent_at: None,
            end: ClientEnd::Open,
            op: None,
            target: None,
            path: None,
            status: None,
            attempt: None,
            step: None,
            generation: Generation::Unknown,
            wall: Known::NO,
            rpc: Known::NO,
            queue: Known::NO,
            resume: Known::NO,
            ended_at: None,
            parts: None,
        }
    }

    /// From the call to the last byte of the response, or to its failure.
    #[must_use]
    pub const fn wall(&self) -> Option<Micros> {
        self.wall.get()
    }

    /// The engine's work, as the client was told.
    #[must_use]
    pub const fn rpc(&self) -> Option<Micros> {
        self.rpc.get()
    }

    /// wall - rpc. As the line says it, which rounds each of the three alone.
    #[must_use]
    pub const fn queue(&self) -> Option<Micros> {
        self.queue.get()
    }

    /// From the end of the call to the caller's code going on.
    #[must_use]
    pub const fn resume(&self) -> Option<Micros> {
        self.resume.get()
    }

    /// Whether it tells a part that is longer than the whole, rounding aside: then its numbers are somebody's mistake.
    #[must_use]
    pub fn is_impossible(&self) -> bool {
        let Some(wall) = self.wall() else { return false };
        let is_longer =
            |part: Option<Micros>| part.is_some_and(|part| part.0.saturating_sub(wall.0) > 100);
        let parts = self.parts.iter().flat_map(|parts| parts.iter());
        [self.rpc, self.queue].iter().chain(parts).any(|part| is_longer(part.get()))
    }

    /// How long a phase took.
    #[must_use]
    pub fn phase(&self, phase: Phase) -> Option<Micros> {
        self.parts.as_ref()?[phase as usize].get()
    }

    /// How long a part of the server's half took, as the client was told.
    #[must_use]
    pub fn server(&self, part: Server) -> Option<Micros> {
        self.parts.as_ref()?[Phase::ALL.len() + part as usize].get()
    }

    /// Whether nothing is known of it but that it waits: neither its beginning nor its end.
    pub(crate) fn has_only_waited(&self) -> bool {
        !self.has_ended() && self.sent_at.is_none() && self.path.is_none()
    }

    pub(super) const fn has_ended(&self) -> bool {
        !matches!(self.end, ClientEnd::Open)
    }

    /// What every line of a client may say.
    pub(super) fn label(&mut self, entry: &Entry<'_>, names: &mut Names) {
        let mut word = |field| entry.word(field).map(|word| names.take(word));
        self.op = self.op.or_else(|| word(field::OP));
        self.target = self.target.or_else(|| word(field::TARGET));
        let small = |field| entry.count(field).and_then(|count| u16::try_from(count).ok());
        self.attempt = self.attempt.or_else(|| small(field::ATTEMPT));
        self.status = self.status.or_else(|| small(field::STATUS));
        self.step = self.step.or_else(|| entry.count(field::STEP));
    }

    pub(super) fn send(&mut self, entry: &Entry<'_>, names: &mut Names, generation: Generation) {
        self.generation = generation;
        self.sent_at = entry.at;
        self.path = entry.word(field::URL).map(|url| names.path_of(url));
        self.label(entry, names);
    }

    pub(super) fn done(&mut self, entry: &Entry<'_>, names: &mut Names) {
        self.end = ClientEnd::Done;
        self.ended_at = entry.at;
        self.wall = entry.millis(field::WALL).into();
        self.rpc = entry.millis(field::RPC).into();
        self.queue = entry.millis(field::QUEUE).into();
        self.resume = entry.millis(field::RESUME).into();
        let parts = PARTS.map(|part| Known::from(entry.millis(part)));
        if parts.iter().any(|part| *part != Known::NO) {
            self.parts = Some(Box::new(parts));
        }
        self.label(entry, names);
    }

    pub(super) fn fail(&mut self, entry: &Entry<'_>, names: &mut Names) {
        let mut word = |field| entry.word(field).map(|word| names.take(word));
        self.end = ClientEnd::Failed {
            outcome: word(field::OUTCOME),
            phase: word(field::PHASE),
            error: word(field::ERROR),
        };
        self.ended_at = entry.at;
        self.wall = entry.millis(field::WALL).into();
        self.label(entry, names);
    }

    /// Whether a line can be the end of this attempt: where it tells its moment, its wall leads to the beginning. A writer of
    /// its own may be some milliseconds late with the line.
    pub(super) fn may_end_with(&self, entry: &Entry<'_>) -> bool {
        missed(begin(entry.at, entry.millis(field::WALL)), self.sent_at).is_some()
    }

    /// Whether the other is the beginning of this attempt once more.
    pub(super) fn has_begun_as(&self, line: &Self) -> bool {
        same_moment(self.sent_at, line.sent_at)
            && (self.attempt, self.target, self.op, self.path)
                == (line.attempt, line.target, line.op, line.path)
    }

    /// Whether the other is the end of this attempt once more.
    pub(super) fn has_ended_as(&self, line: &Self) -> bool {
        self.end == line.end
            && is_close(self.wall(), line.wall())
            && is_close(self.rpc(), line.rpc())
            && agree(self, line)
            && self.ended_at.zip(line.ended_at).is_none_or(|(a, b)| a == b)
    }

    /// Whether this is the end of an attempt of which the other is the beginning, and nothing else: by how much the one
    /// misses the other, [`UNKNOWN`] where the end has no moment.
    pub(super) fn is_end_of(&self, begun: &Self) -> Option<u64> {
        let is_pair = self.has_ended() && self.sent_at.is_none() && !begun.has_ended();
        if !is_pair || !agree(begun, self) {
            return None;
        }
        missed(begin(self.ended_at, self.wall()), begun.sent_at)
    }

    /// Takes the end of this attempt.
    pub(super) fn complete(&mut self, end: Self) {
        *self = Self {
            source: self.source,
            sent_at: self.sent_at,
            path: self.path,
            generation: self.generation,
            op: self.op.or(end.op),
            target: self.target.or(end.target),
            attempt: self.attempt.or(end.attempt),
            step: self.step.or(end.step),
            ..end
        };
    }
}

/// Nobody knows by how much.
const UNKNOWN: u64 = u64::MAX;

/// By how much one moment misses the other, in nanoseconds; `None` if they cannot mean the same. Writers other than firstbyte
/// may be some milliseconds late with a line.
fn missed(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<u64> {
    let missed = a.zip(b).map_or(UNKNOWN, |(a, b)| a.as_nanos().abs_diff(b.as_nanos()));
    (missed <= 5_000_000 || missed == UNKNOWN).then_some(missed)
}

/// Whether they may be lines of one attempt: what both say is the same.
pub(super) fn agree(half: &ClientHalf, line: &ClientHalf) -> bool {
    fn same<T: Copy + PartialEq>(a: Option<T>, b: Option<T>) -> bool {
        a.is_none() || b.is_none() || a == b
    }
    same(half.op, line.op) && same(half.target, line.target) && same(half.attempt, line.attempt)
}

/// The same of durations, which a text line rounds to a tenth of a millisecond.
pub(super) fn is_close(a: Option<Micros>, b: Option<Micros>) -> bool {
    a == b || a.zip(b).is_some_and(|(a, b)| a.0.abs_diff(b.0) <= 50)
}

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
    /// Requests in progress when it arrived.
    pub in_flight: Option<u32>,
    pub(super) call_id: Option<Box<str>>,
    timers: Timers,
    kernel: Known,
    loop_lag: Known,
    dur: Known,
}

impl ServerHalf {
    pub(super) fn new(source: u32) -> Self {
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
            in_flight: None,
            call_id: None,
            timers: Timers::default(),
            kernel: Known::NO,
            loop_lag: Known::NO,
            dur: Known::NO,
        }
    }

    /// How long the request lay in the kernel.
    #[must_use]
    pub const fn kernel(&self) -> Option<Micros> {
        self.kernel.get()
    }

    /// How late the event loop was at `server.recv`.
    #[must_use]
    pub const fn loop_lag(&self) -> Option<Micros> {
        self.loop_lag.get()
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

    /// Whether it has taken this very line, from another file or another handler of the same logger.
    pub(super) fn has_taken(&self, entry: &Entry<'_>) -> bool {
        let at = entry.at;
        match () {
            () if entry.is(&record::SERVER_RECV) => {
                same_moment(self.recv_at, at)
                    && is_close(self.kernel(), entry.millis(field::KERNEL))
                    && self.in_flight.map(i64::from) == entry.count(field::INFLIGHT)
            }
            () if entry.is(&record::RPC_START) => self.timers.begins(at),
            () if entry.is(&record::RPC_DONE) => self.timers.ends(at, entry.millis(field::RPC)),
            () if entry.is(&record::SERVER_FIRST_BYTE) => same_moment(self.first_byte_at, at),
            () => same_moment(self.done_at, at),
        }
    }

    /// Whether a line can be of this exchange: what it tells is not told yet, and its moment is in order.
    pub(super) fn has_room(&self, entry: &Entry<'_>) -> bool {
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
    pub(super) fn is_named_by(&self, entry: &Entry<'_>) -> bool {
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

    /// Whether no timer has begun yet.
    pub(super) fn is_before_the_engine(&self) -> bool {
        self.timers.is_empty()
    }

    /// Whether the other can be another piece of this exchange: it tells other ends, nothing different, and all of it
    /// together is in order. By how much their beginnings miss each other, [`UNKNOWN`] where only one has one.
    pub(super) fn complements(&self, other: &Self) -> Option<u64> {
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
    pub(super) fn complete(&mut self, rest: Self) {
        self.timers.join(&rest.timers);
        self.recv_at = self.recv_at.or(rest.recv_at);
        self.first_byte_at = self.first_byte_at.or(rest.first_byte_at);
        self.done_at = self.done_at.or(rest.done_at);
        self.path = self.path.or(rest.path);
        self.op = self.op.or(rest.op);
        self.outcome = self.outcome.or(rest.outcome);
        self.error = self.error.or(rest.error);
        self.status = self.status.or(rest.status);
        self.in_flight = self.in_flight.or(rest.in_flight);
        self.call_id = self.call_id.take().or(rest.call_id);
        self.kernel = self.kernel.or(rest.kernel);
        self.loop_lag = self.loop_lag.or(rest.loop_lag);
        self.dur = self.dur.or(rest.dur);
    }

    /// Takes a line of the server.
    pub(super) fn take(&mut self, entry: &Entry<'_>, names: &mut Names) {
        let mut word = |field| entry.word(field).map(|word| names.take(word));
        if entry.is(&record::SERVER_RECV) {
            self.recv_at = entry.at;
            self.path = word(field::PATH);
            self.kernel = entry.millis(field::KERNEL).into();
            self.loop_lag = entry.millis(field::LOOP_LAG).into();
            self.in_flight = entry.count(field::INFLIGHT).and_then(|n| u32::try_from(n).ok());
        } else if entry.is(&record::RPC_START) {
            self.timers.start(entry.at);
            self.op = self.op.or_else(|| word(field::OP));
        } else if entry.is(&record::RPC_DONE) {
            self.timers.done(entry.at, entry.millis(field::RPC));
            self.op = self.op.or_else(|| word(field::OP));
            self.error = self.error.or_else(|| word(field::ERROR));
            if self.call_id.is_none() {
                self.call_id = entry.text(field::CALL_ID).map(|id| id.as_ref().into());
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

/// What the engine's own process says of a call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EngineHalf {
    pub(super) call_id: Box<str>,
    queue: Known,
    exec: Known,
}

impl EngineHalf {
    pub(super) fn of(entry: &Entry<'_>) -> Option<Self> {
        Some(Self {
            call_id: entry.text(field::CALL_ID)?.as_ref().into(),
            queue: entry.millis(field::ENGINE_QUEUE).into(),
            exec: entry.millis(field::ENGINE_EXEC).into(),
        })
    }

    /// Waiting for the engine's running step.
    #[must_use]
    pub const fn queue(&self) -> Option<Micros> {
        self.queue.get()
    }

    /// The engine's work on the call.
    #[must_use]
    pub const fn exec(&self) -> Option<Micros> {
        self.exec.get()
    }
}
