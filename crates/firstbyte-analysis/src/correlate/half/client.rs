//! A call as its client saw it.

use firstbyte_core::{
    Micros, Phase, Timestamp, field,
    schema::{Field, Millis},
};

use super::{Known, Waiting, is_close, missed};
use crate::{
    correlate::{
        generation::Generation,
        names::{Name, Names},
        timers::{begin, same_moment},
    },
    entry::Entry,
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
    /// Host and port of the server, and the path of the base URL, if it has one.
    pub target: Option<Name>,
    /// The path of the request's URL.
    pub path: Option<Name>,
    /// HTTP status code.
    pub status: Option<u16>,
    /// Number of the attempt.
    pub attempt: Option<u16>,
    /// What generation did when it was sent.
    pub generation: Generation,
    wall: Known,
    rpc: Known,
    queue: Known,
    more: Option<Box<More>>,
}

/// What not every line tells: calls are many, and memory that is not there costs no time.
#[derive(Clone, Debug)]
struct More {
    step: Option<i64>,
    /// Of a call that waits long enough to say so, which few do.
    waiting: Option<Box<Waiting>>,
    resume: Known,
    flags: Option<Name>,
    /// The moment of its end, which only JSON lines tell.
    ended_at: Option<Timestamp>,
    /// The phases of the client, then the parts of the server.
    parts: [Known; PARTS.len()],
}

impl Default for More {
    fn default() -> Self {
        Self {
            step: None,
            waiting: None,
            resume: Known::NO,
            flags: None,
            ended_at: None,
            parts: [Known::NO; PARTS.len()],
        }
    }
}

impl ClientHalf {
    pub(in crate::correlate) fn new(source: u32) -> Self {
        Self {
            source,
            sent_at: None,
            end: ClientEnd::Open,
            op: None,
            target: None,
            path: None,
            status: None,
            attempt: None,
            generation: Generation::Unknown,
            wall: Known::NO,
            rpc: Known::NO,
            queue: Known::NO,
            more: None,
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
    pub fn resume(&self) -> Option<Micros> {
        self.more.as_ref()?.resume.get()
    }

    /// Reservations about its numbers, separated by commas.
    #[must_use]
    pub fn flags(&self) -> Option<Name> {
        self.more.as_ref()?.flags
    }

    /// What it said when it last said that it waits.
    #[must_use]
    pub fn waiting(&self) -> Option<&Waiting> {
        self.more.as_ref()?.waiting.as_deref()
    }

    /// The training step.
    #[must_use]
    pub fn step(&self) -> Option<i64> {
        self.more.as_ref()?.step
    }

    /// The moment of its end, which only JSON lines tell.
    fn ended_at(&self) -> Option<Timestamp> {
        self.more.as_ref()?.ended_at
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// Whether it tells a part that is longer than the whole, or a queue that is not wall - rpc, rounding aside: then its numbers
    /// are somebody's mistake.
    #[must_use]
    pub fn is_impossible(&self) -> bool {
        let Some(wall) = self.wall() else { return false };
        let is_longer =
            |part: Option<Micros>| part.is_some_and(|part| part.0.saturating_sub(wall.0) > 100);
        let parts = self.more.iter().flat_map(|more| &more.parts);
        let is_another = |(rpc, queue): (Micros, Micros)| (rpc + queue).0.abs_diff(wall.0) > 200;
        [self.rpc, self.queue].iter().chain(parts).any(|part| is_longer(part.get()))
            || self.rpc().zip(self.queue()).is_some_and(is_another)
    }

    /// How long a phase took.
    #[must_use]
    pub fn phase(&self, phase: Phase) -> Option<Micros> {
        self.more.as_ref()?.parts[phase as usize].get()
    }

    /// How long a part of the server's half took, as the client was told.
    #[must_use]
    pub fn server(&self, part: Server) -> Option<Micros> {
        self.more.as_ref()?.parts[Phase::ALL.len() + part as usize].get()
    }

    /// Whether nothing is known of it but that it waits: neither its beginning nor its end.
    pub(crate) fn has_only_waited(&self) -> bool {
        !self.has_ended() && self.sent_at.is_none() && self.path.is_none()
    }

    pub(in crate::correlate) const fn has_ended(&self) -> bool {
        !matches!(self.end, ClientEnd::Open)
    }

    /// What every line of a client may say.
    pub(in crate::correlate) fn label(&mut self, entry: &Entry<'_>, names: &mut Names) {
        let mut word = |field| entry.word(field).map(|word| names.take(word));
        self.op = self.op.or_else(|| word(field::OP));
        self.target = self.target.or_else(|| word(field::TARGET));
        let small = |field| entry.count(field).and_then(|count| u16::try_from(count).ok());
        self.attempt = self.attempt.or_else(|| small(field::ATTEMPT));
        self.status = self.status.or_else(|| small(field::STATUS));
        if let Some(step) = entry.count(field::STEP) {
            self.more().step.get_or_insert(step);
        }
    }

    pub(in crate::correlate) fn send(
        &mut self,
        entry: &Entry<'_>,
        names: &mut Names,
        generation: Generation,
    ) {
        self.generation = generation;
        self.sent_at = entry.at;
        self.path = entry.word(field::URL).map(|url| names.path_of(url));
        self.label(entry, names);
    }

    /// A line says that it waits.
    pub(in crate::correlate) fn wait(&mut self, entry: &Entry<'_>, names: &mut Names) {
        self.label(entry, names);
        self.more().waiting = Some(Box::new(Waiting::of(entry, names)));
    }

    pub(in crate::correlate) fn done(&mut self, entry: &Entry<'_>, names: &mut Names) {
        self.end = ClientEnd::Done;
        self.ends(entry.at);
        self.wall = entry.millis(field::WALL).into();
        self.rpc = entry.millis(field::RPC).into();
        self.queue = entry.millis(field::QUEUE).into();
        if let Some(resume) = entry.millis(field::RESUME) {
            self.more().resume = Some(resume).into();
        }
        if let Some(flags) = entry.word(field::FLAGS) {
            self.more().flags = Some(names.take(flags));
        }
        let parts = PARTS.map(|part| Known::from(entry.millis(part)));
        if parts.iter().any(|part| *part != Known::NO) {
            self.more().parts = parts;
        }
        self.label(entry, names);
    }

    pub(in crate::correlate) fn fail(&mut self, entry: &Entry<'_>, names: &mut Names) {
        let mut word = |field| entry.word(field).map(|word| names.take(word));
        self.end = ClientEnd::Failed {
            outcome: word(field::OUTCOME),
            phase: word(field::PHASE),
            error: word(field::ERROR),
        };
        self.ends(entry.at);
        self.wall = entry.millis(field::WALL).into();
        self.label(entry, names);
    }

    fn ends(&mut self, at: Option<Timestamp>) {
        if at.is_some() {
            self.more().ended_at = at;
        }
    }

    /// Whether a line can be the end of this attempt: where it tells its moment, its wall leads to the beginning. A writer of
    /// its own may be some milliseconds late with the line.
    pub(in crate::correlate) fn may_end_with(&self, entry: &Entry<'_>) -> bool {
        missed(begin(entry.at, entry.millis(field::WALL)), self.sent_at).is_some()
    }

    /// Whether the other is the beginning of this attempt once more.
    pub(in crate::correlate) fn has_begun_as(&self, line: &Self) -> bool {
        same_moment(self.sent_at, line.sent_at)
            && (self.attempt, self.target, self.op, self.path)
                == (line.attempt, line.target, line.op, line.path)
    }

    /// Whether the other is the end of this attempt once more.
    pub(in crate::correlate) fn has_ended_as(&self, line: &Self) -> bool {
        self.end == line.end
            && is_close(self.wall(), line.wall())
            && is_close(self.rpc(), line.rpc())
            && agree(self, line)
            && self.ended_at().zip(line.ended_at()).is_none_or(|(a, b)| a == b)
    }

    /// Whether this is the end of an attempt of which the other is the beginning, and nothing else: by how much the one
    /// misses the other, [`UNKNOWN`] where the end has no moment.
    pub(in crate::correlate) fn is_end_of(&self, begun: &Self) -> Option<u64> {
        let is_pair = self.has_ended() && self.sent_at.is_none() && !begun.has_ended();
        if !is_pair || !agree(begun, self) {
            return None;
        }
        missed(begin(self.ended_at(), self.wall()), begun.sent_at)
    }

    /// Takes the end of this attempt.
    pub(in crate::correlate) fn complete(&mut self, end: Self) {
        let step = self.step();
        *self = Self {
            source: self.source,
            sent_at: self.sent_at,
            path: self.path,
            generation: self.generation,
            op: self.op.or(end.op),
            target: self.target.or(end.target),
            attempt: self.attempt.or(end.attempt),
            ..end
        };
        if step.is_some() {
            self.more().step = step;
        }
    }
}

/// Whether they may be lines of one attempt: what both say is the same.
pub(in crate::correlate) fn agree(half: &ClientHalf, line: &ClientHalf) -> bool {
    fn same<T: Copy + PartialEq>(a: Option<T>, b: Option<T>) -> bool {
        a.is_none() || b.is_none() || a == b
    }
    same(half.op, line.op) && same(half.target, line.target) && same(half.attempt, line.attempt)
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
