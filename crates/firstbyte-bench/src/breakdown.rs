//! The mean call of an arm: which part of its time went where.

use std::fmt;

use firstbyte_core::{Micros, Phase, Split};

/// A part of a call's wall time: the client's phases, with `wait` cut up by what the server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Part {
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
    /// Handing the request to the kernel.
    Send,
    /// What remains of the wait when everything else of it is known.
    Network,
    /// The request lay in the server's kernel.
    Kernel,
    /// The server's handler waited for the engine.
    Handler,
    /// The engine worked.
    Rpc,
    /// From the engine's answer to the response head.
    Respond,
    /// The wait that nobody accounts for.
    Unattributed,
    /// From the first to the last byte of the response.
    Receive,
}

impl Part {
    /// All parts in the order of a call.
    pub const ALL: [Self; 13] = [
        Self::Setup,
        Self::Pool,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Send,
        Self::Network,
        Self::Kernel,
        Self::Handler,
        Self::Rpc,
        Self::Respond,
        Self::Unattributed,
        Self::Receive,
    ];

    /// The part in one word, as in the keys of `client.done` but for `_ms`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Pool => "pool",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Send => "send",
            Self::Network => "network",
            Self::Kernel => "kernel",
            Self::Handler => "handler",
            Self::Rpc => "rpc",
            Self::Respond => "respond",
            Self::Unattributed => "unattributed",
            Self::Receive => "receive",
        }
    }

    /// What to look at when this part takes long.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Setup => "the client builds itself anew for every call",
            Self::Pool => "the call waited for a connection of the client's own pool",
            Self::Dns => "the host name was slow to resolve",
            Self::Connect => "the TCP handshake: a full listen backlog, or the network",
            Self::Tls => "the TLS handshake",
            Self::Send => "the request was slow to leave: its size, or the server doesn't read",
            Self::Network => "the way there and back",
            Self::Kernel => "the server's process took the request late: accept, or its event loop",
            Self::Handler => "the server's handler waited for the engine",
            Self::Rpc => "the engine itself",
            Self::Respond => "the server was slow to answer after the engine had",
            Self::Unattributed => "server or network: the server didn't say enough to tell",
            Self::Receive => "the response was slow to arrive",
        }
    }

    fn of(self, split: &Split) -> Option<Micros> {
        match self {
            Self::Setup => split.phases.get(Phase::Setup),
            Self::Pool => split.phases.get(Phase::Pool),
            Self::Dns => split.phases.get(Phase::Dns),
            Self::Connect => split.phases.get(Phase::Connect),
            Self::Tls => split.phases.get(Phase::Tls),
            Self::Send => split.phases.get(Phase::Send),
            Self::Receive => split.phases.get(Phase::Receive),
            Self::Network => split.network,
            Self::Kernel => split.kernel,
            Self::Handler => split.handler,
            Self::Rpc => split.rpc,
            Self::Respond => split.respond,
            Self::Unattributed => split.unattributed,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Mean milliseconds per part over the calls of an arm.
///
/// A part that a call doesn't have (a reused connection has no handshake) counts as no time, so
/// that the means of the parts add up to the mean wall time. A part that no call had is absent.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Breakdown {
    /// How many calls.
    pub n: usize,
    /// Mean wall time, in milliseconds.
    pub wall_ms: f64,
    /// Calls whose engine time is unknown: theirs is in `unattributed`.
    pub rpc_unknown: usize,
    parts: Vec<(Part, f64)>,
}

impl Breakdown {
    /// The mean of these calls.
    #[must_use]
    pub fn of(splits: &[Split]) -> Self {
        let n = splits.len();
        let mean = |total: Micros| total.as_millis_f64() / n.max(1) as f64;
        let parts = Part::ALL.into_iter().filter_map(|part| {
            let known: Vec<_> = splits.iter().filter_map(|split| part.of(split)).collect();
            (!known.is_empty()).then(|| (part, mean(known.into_iter().sum())))
        });
        Self {
            n,
            wall_ms: mean(splits.iter().map(Split::wall).sum()),
            rpc_unknown: splits.iter().filter(|split| split.rpc.is_none()).count(),
            parts: parts.collect(),
        }
    }

    /// Mean milliseconds of a part, if any call had it.
    #[must_use]
    pub fn get(&self, part: Part) -> Option<f64> {
        self.parts.iter().find(|(p, _)| *p == part).map(|(_, ms)| *ms)
    }

    /// The parts of queue: everything but the engine.
    pub fn queue_parts(&self) -> impl Iterator<Item = (Part, f64)> {
        self.parts.iter().copied().filter(|(part, _)| *part != Part::Rpc)
    }

    /// Mean wall time less the engine's, in milliseconds.
    #[must_use]
    pub fn queue_ms(&self) -> f64 {
        self.wall_ms - self.get(Part::Rpc).unwrap_or_default()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use firstbyte_core::{PhaseTimer, ReportedRpc, Timestamp, header::ServerTiming};

    use super::*;

    /// A call on a clock of milliseconds: pool, connect, then wait until 30 ms before the end.
    pub(crate) fn call(pool: u64, connect: Option<u64>, wait: u64, server: ServerTiming) -> Split {
        let mut now = 1;
        let mut after = |ms: u64| {
            now += ms;
            Timestamp::from_nanos(now * 1_000_000)
        };
        let mut timer = PhaseTimer::start(after(0));
        timer.enter(Phase::Pool, after(0));
        let mut free = after(pool);
        if let Some(connect) = connect {
            timer.enter(Phase::Connect, free);
            free = after(connect);
        }
        timer.enter(Phase::Wait, free);
        timer.enter(Phase::Receive, after(wait));
        let rpc = server.rpc.map_or(ReportedRpc::Missing, ReportedRpc::Known);
        Split::new(timer.finish(after(30)), server, rpc)
    }

    pub(crate) fn server(kernel: u64, handler: u64, rpc: u64) -> ServerTiming {
        let ms = |ms: u64| Some(Micros(ms * 1000));
        ServerTiming::new(ms(kernel), ms(handler), ms(rpc), ms(handler + rpc + 1))
    }

    #[test]
    fn the_parts_add_up_to_the_wall_time() {
        let calls = [
            call(100, Some(10), 250, server(3, 40, 200)),
            call(300, None, 210, server(1, 2, 200)),
            call(0, None, 20, ServerTiming::default()),
        ];
        let mean = Breakdown::of(&calls);
        assert_eq!((mean.n, mean.rpc_unknown), (3, 1));
        let sum: f64 = Part::ALL.iter().filter_map(|part| mean.get(*part)).sum();
        assert!((sum - mean.wall_ms).abs() < 1e-9, "{sum} {mean:?}");
        assert!((mean.queue_ms() - mean.queue_parts().map(|(_, ms)| ms).sum::<f64>()).abs() < 1e-9);
        // Only the first of three calls shook hands; nobody resolved a name.
        assert!((mean.get(Part::Connect).unwrap() - 10.0 / 3.0).abs() < 1e-9);
        assert_eq!((mean.get(Part::Dns), mean.get(Part::Unattributed)), (None, Some(20.0 / 3.0)));
    }

    #[test]
    fn no_calls_have_no_parts() {
        assert_eq!(Breakdown::of(&[]), Breakdown::default());
    }
}
