//! What of a call can be summarised.

use firstbyte_core::{Micros, Phase};

use crate::correlate::{Call, ClientHalf, EngineHalf, Server, ServerHalf};

/// A duration of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Metric {
    /// From the call of the client to the last byte of the response.
    Wall,
    /// wall - rpc.
    Queue,
    /// The engine's work.
    Rpc,
    /// A phase of the client.
    Phase(Phase),
    /// A part of the wait, as the client was told.
    Server(Server),
    /// From the end of the call to the caller's code going on; no part of wall.
    Resume,
    /// How late the server's event loop was at `server.recv`.
    LoopLag,
    /// Waiting for the engine's running step.
    EngineQueue,
    /// The engine's work on the call itself.
    EngineExec,
}

impl Metric {
    /// All of them, the whole before its parts.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::Wall, Self::Queue, Self::Rpc];
        all.extend(Phase::ALL.map(Self::Phase));
        all.extend(Server::ALL.map(Self::Server));
        all.extend([Self::Resume, Self::LoopLag, Self::EngineQueue, Self::EngineExec]);
        all
    }

    /// Its name, without the unit.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wall => "wall",
            Self::Queue => "queue",
            Self::Rpc => "rpc",
            Self::Phase(phase) => phase.as_str(),
            Self::Server(Server::Kernel) => "kernel",
            Self::Server(Server::Handler) => "handler",
            Self::Server(Server::Respond) => "respond",
            Self::Server(Server::Network) => "network",
            Self::Server(Server::Unattributed) => "unattributed",
            Self::Resume => "resume",
            Self::LoopLag => "loop_lag",
            Self::EngineQueue => "engine_queue",
            Self::EngineExec => "engine_exec",
        }
    }

    /// Whether it is a part of wall, so that a share of wall can be told.
    pub(crate) const fn is_part_of_wall(self) -> bool {
        !matches!(self, Self::Resume | Self::LoopLag)
    }

    /// The duration, if the call's lines tell it.
    #[must_use]
    pub fn of(self, call: &Call<'_>) -> Option<Micros> {
        match self {
            Self::Wall => call.client.and_then(ClientHalf::wall),
            Self::Queue => call.queue(),
            Self::Rpc => call.rpc(),
            Self::Phase(phase) => call.client.and_then(|half| half.phase(phase)),
            Self::Server(part) => call
                .client
                .and_then(|half| half.server(part))
                .or_else(|| of_server(part, call.server?)),
            Self::Resume => call.client.and_then(ClientHalf::resume),
            Self::LoopLag => call.server.and_then(ServerHalf::loop_lag),
            Self::EngineQueue => call.engine().and_then(EngineHalf::queue),
            Self::EngineExec => call.engine().and_then(EngineHalf::exec),
        }
    }
}

/// What the server's own lines say of a part, where the client was not told.
fn of_server(part: Server, half: &ServerHalf) -> Option<Micros> {
    match part {
        Server::Kernel => half.kernel(),
        Server::Handler => half.handler(),
        Server::Respond => half.respond(),
        _ => None,
    }
}
