//! The split of a call's wall time into contiguous phases.

use std::fmt;

use crate::{
    clock::{Micros, Timestamp},
    event::Event,
    header::ServerTiming,
    schema::{Field, Millis, field},
};

/// A part of a call's wall time on the client, named by what the call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Building the client and the request.
    Setup,
    /// Waiting for a connection slot of the client.
    Pool,
    /// Resolving the host name.
    Dns,
    /// TCP handshake.
    Connect,
    /// TLS handshake.
    Tls,
    /// From the connection being ready to the last request byte handed to the kernel, which accepted it.
    Send,
    /// From the last request byte to the first response byte.
    Wait,
    /// From the first to the last response byte.
    Receive,
}

impl Phase {
    /// All phases in their order.
    pub const ALL: [Self; 8] = [
        Self::Setup,
        Self::Pool,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Send,
        Self::Wait,
        Self::Receive,
    ];

    /// The phase as written in `phase=`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Pool => "pool",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Send => "send",
            Self::Wait => "wait",
            Self::Receive => "receive",
        }
    }

    /// The field that holds its duration.
    #[must_use]
    pub const fn field(self) -> Field<Millis> {
        match self {
            Self::Setup => field::SETUP,
            Self::Pool => field::POOL,
            Self::Dns => field::DNS,
            Self::Connect => field::CONNECT,
            Self::Tls => field::TLS,
            Self::Send => field::SEND,
            Self::Wait => field::WAIT,
            Self::Receive => field::RECEIVE,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Times one attempt of a call, phase by phase.
///
/// ```
/// use firstbyte_core::{Micros, Phase, PhaseTimer, Timestamp};
///
/// let at = |micros: u64| Timestamp::from_nanos(micros * 1_000);
/// let mut timer = PhaseTimer::start(at(0));
/// timer.enter(Phase::Connect, at(20));
/// timer.enter(Phase::Wait, at(120));
/// let phases = timer.finish(at(500));
/// assert_eq!(phases.get(Phase::Connect), Some(Micros(100)));
/// assert_eq!(phases.get(Phase::Dns), None); // never entered: absent, not 0
/// assert_eq!(phases.wall(), Micros(500));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PhaseTimer {
    start: Timestamp,
    entered: Micros,
    current: Phase,
    phases: Phases,
}

/// The phases of one attempt; those that never began are absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases([Option<Micros>; Phase::ALL.len()]);

impl PhaseTimer {
    /// Begins at `start`, in [`Phase::Setup`].
    #[must_use]
    pub fn start(start: Timestamp) -> Self {
        Self { start, entered: Micros(0), current: Phase::Setup, phases: Phases::default() }
    }

    /// Begins at `start`, in `phase`: the phases before it happen where they cannot be seen.
    #[must_use]
    pub fn start_in(phase: Phase, start: Timestamp) -> Self {
        Self { current: phase, ..Self::start(start) }
    }

    /// When the attempt began.
    #[must_use]
    pub const fn started(&self) -> Timestamp {
        self.start
    }

    /// The phase that the attempt is in.
    #[must_use]
    pub const fn current(&self) -> Phase {
        self.current
    }

    /// Ends the current phase at `at` and begins `phase`.
    ///
    /// Boundaries never go back: a moment before the last boundary counts as that boundary.
    /// Entering a phase again, or an earlier one, is ignored: phases follow their order.
    pub fn enter(&mut self, phase: Phase, at: Timestamp) {
        if phase > self.current {
            self.close(at);
            self.current = phase;
        }
    }

    /// Takes the last boundary back: the phase before it goes on as if it had never ended. For an answer
    /// that turned out to be none yet, such as HTTP's 1xx.
    pub fn take_back(&mut self) {
        let before = Phase::ALL[..self.current as usize].iter().rev();
        let before = before.copied().find_map(|phase| Some((phase, self.phases.get(phase)?)));
        if let Some((phase, took)) = before {
            self.entered = self.entered - took;
            self.phases.0[phase as usize] = None;
            self.current = phase;
        }
    }

    /// Ends the attempt.
    #[must_use]
    pub fn finish(mut self, at: Timestamp) -> Phases {
        self.close(at);
        self.phases
    }

    fn close(&mut self, at: Timestamp) {
        let boundary = Micros::from(at.since(self.start)).max(self.entered);
        self.phases.0[self.current as usize] = Some(boundary - self.entered);
        self.entered = boundary;
    }
}

impl Phases {
    /// How long the phase took, if it began.
    #[must_use]
    pub const fn get(&self, phase: Phase) -> Option<Micros> {
        self.0[phase as usize]
    }

    /// From the start of the attempt to its end: exactly the sum of the phases.
    #[must_use]
    pub fn wall(&self) -> Micros {
        self.0.iter().flatten().copied().sum()
    }
}

/// A whole call: the client's phases, and what the server said of its half.
///
/// ```text
/// wall  = setup + pool + dns + connect + tls + send + wait + receive      (sums exactly)
/// wait  = network + kernel + handler + rpc + respond                      (by Server-Timing)
/// queue = wall - rpc
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Split {
    /// The client's phases.
    pub phases: Phases,
    /// How long the request lay in the server's kernel.
    pub kernel: Option<Micros>,
    /// From server.recv to rpc.start.
    pub handler: Option<Micros>,
    /// The engine's work.
    pub rpc: Option<Micros>,
    /// From rpc.done to the response head.
    pub respond: Option<Micros>,
    /// What remains of wait when the server's kernel and total time are known: a residual.
    pub network: Option<Micros>,
    /// What remains of wait without a name: a residual.
    pub unattributed: Option<Micros>,
    /// What is wrong with the server's half.
    pub flags: Flags,
}

/// Reservations about a `client.done` line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flags {
    /// No rpc_ms was reported.
    pub rpc_missing: bool,
    /// The rpc_ms that was reported is longer than the wall time.
    pub rpc_exceeds_wall: bool,
    /// The rpc_ms that was reported is no duration.
    pub rpc_invalid: bool,
    /// The parts that the server reported are longer than the wait, or contradict each other.
    pub server_exceeds_wait: bool,
    /// The caller did not read the response to its end.
    pub body_unread: bool,
}

impl Flags {
    /// The flags that are up, separated by commas; empty if none is.
    #[must_use]
    pub fn to_text(self) -> String {
        let names = [
            (self.rpc_missing, "rpc_missing"),
            (self.rpc_exceeds_wall, "rpc_exceeds_wall"),
            (self.rpc_invalid, "rpc_invalid"),
            (self.server_exceeds_wait, "server_exceeds_wait"),
            (self.body_unread, "body_unread"),
        ];
        names.iter().filter(|(up, _)| *up).map(|(_, name)| *name).collect::<Vec<_>>().join(",")
    }
}

/// What was reported of the engine's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReportedRpc {
    /// Nothing.
    #[default]
    Missing,
    /// Something that is no duration.
    Invalid,
    /// A duration.
    Known(Micros),
}

impl Split {
    /// Joins the two halves. What contradicts the client's own clock is left out and flagged,
    /// never clamped.
    ///
    /// A server begins when it has the head of a request, while the body may still be on its way. So if its
    /// half is longer than the wait, but not longer than `send` and the wait together, then the handler
    /// spent the excess in `send`, waiting for the body; what `handler` keeps was spent in the wait.
    ///
    /// The parts of the wait add up to it exactly, unless `server_exceeds_wait` says that they cannot.
    /// What has no name of its own is `unattributed`: the server's kernel may hide in it if its time is
    /// unknown, and the engine if rpc is.
    #[must_use]
    pub fn new(phases: Phases, server: ServerTiming, rpc: ReportedRpc) -> Self {
        let wall = phases.wall();
        let mut split = Self { phases, ..Self::default() };
        match rpc {
            ReportedRpc::Missing => split.flags.rpc_missing = true,
            ReportedRpc::Invalid => split.flags.rpc_invalid = true,
            ReportedRpc::Known(rpc) if rpc > wall => split.flags.rpc_exceeds_wall = true,
            ReportedRpc::Known(rpc) => split.rpc = Some(rpc),
        }
        let Some(wait) = phases.get(Phase::Wait) else { return split };
        split.kernel = server.kernel;
        split.handler = server.handler;
        let rpc = split.rpc.unwrap_or_default();
        let told = server.total.unwrap_or(split.handler.unwrap_or_default() + rpc);
        let half = split.kernel.unwrap_or_default() + told;
        // What was too much of the half, as far as it can have been spent in `send`.
        let early = half.checked_sub(wait).unwrap_or_default();
        let spare = split.handler.or_else(|| told.checked_sub(rpc)).unwrap_or_default();
        // A handler may be told that is longer than the total it is in.
        let spare = spare.min(told);
        let fits = early <= spare && phases.get(Phase::Send).is_some_and(|send| early <= send);
        let early = if fits { early } else { Micros(0) };
        split.handler = split.handler.map(|handler| handler - early);
        let (told, half) = (told - early, half - early);
        let inside = split.handler.unwrap_or_default() + rpc;
        let outside = wait.checked_sub(half);
        let (Some(outside), Some(after)) = (outside, told.checked_sub(inside)) else {
            split.flags.server_exceeds_wait = true;
            (split.kernel, split.handler) = (None, None);
            split.unattributed = split.rpc.map_or(Some(wait), |rpc| wait.checked_sub(rpc));
            return split;
        };
        let mut unnamed = Micros(0);
        let mut name = |part: Micros, is_known: bool| {
            if !is_known {
                unnamed = unnamed + part;
            }
            is_known.then_some(part)
        };
        let total_is_known = server.total.is_some();
        // Without handler or rpc it may as well have passed before or in the engine.
        split.respond =
            name(after, total_is_known && split.handler.is_some() && split.rpc.is_some());
        split.network = name(outside, total_is_known && split.kernel.is_some());
        let whole = split.respond.is_some() && split.network.is_some();
        split.unattributed = (!whole).then_some(unnamed);
        split
    }

    /// From the call of the client to the last byte of the response.
    #[must_use]
    pub fn wall(&self) -> Micros {
        self.phases.wall()
    }

    /// wall - rpc, if rpc is known.
    #[must_use]
    pub fn queue(&self) -> Option<Micros> {
        self.wall().checked_sub(self.rpc?)
    }

    /// Fills in a `client.done` event.
    pub fn set_on(&self, event: &mut Event) {
        event.set(field::WALL, self.wall());
        for phase in Phase::ALL {
            if let Some(duration) = self.phases.get(phase) {
                event.set(phase.field(), duration);
            }
        }
        for (field, part) in [
            (field::RPC, self.rpc),
            (field::QUEUE, self.queue()),
            (field::KERNEL, self.kernel),
            (field::HANDLER, self.handler),
            (field::RESPOND, self.respond),
            (field::NETWORK, self.network),
            (field::UNATTRIBUTED, self.unattributed),
        ] {
            if let Some(part) = part {
                event.set(field, part);
            }
        }
        let flags = self.flags.to_text();
        if !flags.is_empty() {
            event.set(field::FLAGS, &flags);
        }
    }
}

#[cfg(test)]
mod tests;
