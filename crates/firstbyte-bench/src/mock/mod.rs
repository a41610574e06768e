//! A mock inference server: real sockets, real queues, and faults on demand.
//!
//! It answers OpenAI-style completions, streamed or whole, and the control routes of every
//! [`Dialect`](firstbyte_core::Dialect), with the layers of `firstbyte-tower` around them. Behind it
//! is an engine that takes one control call at a time. Like a Python server it is meant to run on a
//! `current_thread` runtime: what blocks the event loop blocks everything.
//!
//! | route | answer |
//! | --- | --- |
//! | `POST /v1/completions`, `/v1/chat/completions` | tokens at a steady rate; `stream`, `max_tokens` |
//! | control routes | `{"status", "op", "rpc_ms"}`; weights take `reload_ms`, others 2 ms |
//! | `GET /health`, `/v1/models` | as usual |
//! | `GET /mock/faults` | the [`Faults`] in force |
//! | `POST /mock/faults` | changes the keys that are in the body, from the next call on |
//!
//! `pause` stops the generation of tokens and `resume` lets it go on; weights are swapped in flight.
//!
//! ```
//! use firstbyte_bench::mock::{Config, MockServer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let server = MockServer::bind(Config::default()).await?;
//! println!("http://{}", server.addr());
//! server.serve(async { /* until this ends */ }).await
//! # }
//! ```

mod completions;
mod engine;
mod faults;
mod listener;
mod routes;

use std::{
    future::IntoFuture,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use firstbyte_core::Recorder;
use firstbyte_net::trace_connections;
use tokio::net::TcpListener;

pub use self::faults::{Faults, MAX_DELAY_MS, RpcReport};
use self::{
    engine::Engine,
    faults::{Switchboard, block_loop},
    listener::MockListener,
};

/// How long open exchanges may go on once the server was told to stop.
const GRACE: Duration = Duration::from_millis(500);

/// Where the mock listens, and how it behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address to bind; port 0 lets the kernel choose. Loopback by default.
    pub addr: SocketAddr,
    /// How it behaves at first.
    pub faults: Faults,
    /// Who gets the server's events.
    pub recorder: Recorder,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            addr: (Ipv4Addr::LOCALHOST, 0).into(),
            faults: Faults::default(),
            recorder: Recorder::disabled(),
        }
    }
}

/// A mock that is bound, but doesn't answer yet.
pub struct MockServer {
    addr: SocketAddr,
    listener: MockListener,
    mock: Arc<Mock>,
}

/// What the handlers share.
struct Mock {
    engine: Engine,
    switchboard: Switchboard,
    recorder: Recorder,
}

impl Mock {
    fn token_interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.switchboard.get().tokens_per_second)
    }
}

/// Waits as long as a fault wants it. No fault costs nothing, where a sleep of zero costs a tick.
async fn pause(millis: u64) {
    if millis > 0 {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

impl MockServer {
    /// Binds the address.
    ///
    /// # Errors
    ///
    /// If the address can't be bound, or the faults make no sense.
    pub async fn bind(config: Config) -> io::Result<Self> {
        let invalid = |message| io::Error::new(io::ErrorKind::InvalidInput, message);
        let switchboard = Switchboard::new(config.faults.validate().map_err(invalid)?);
        let listener = TcpListener::bind(config.addr).await?;
        let addr = listener.local_addr()?;
        let clock = config.recorder.clock().clone();
        let listener = MockListener::new(listener, clock, switchboard.clone())?;
        let mock = Mock { engine: Engine::new(), switchboard, recorder: config.recorder };
        Ok(Self { addr, listener, mock: Arc::new(mock) })
    }

    /// The address that it listens on.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Answers until `stop` ends, then for at most half a second more, and shuts the recorder down.
    ///
    /// # Errors
    ///
    /// None so far: errors of single connections end those connections.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let (stopped, mut stopping) = tokio::sync::watch::channel(false);
        let blocking = tokio::spawn(block_loop(self.mock.switchboard.clone()));
        let router = routes::router(&self.mock);
        let serving = axum::serve(self.listener, trace_connections(router))
            .with_graceful_shutdown(async move {
                stop.await;
                stopped.send_replace(true);
            })
            .into_future();
        let result = tokio::select! {
            result = serving => result,
            () = async {
                // A sender that is gone means that `serving` has ended, which is seen first.
                _ = stopping.wait_for(|stopped| *stopped).await;
                tokio::time::sleep(GRACE).await;
            } => Ok(()),
        };
        blocking.abort();
        self.mock.recorder.shutdown(Duration::from_secs(1));
        result
    }
}

impl std::fmt::Debug for MockServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MockServer").field("addr", &self.addr).finish_non_exhaustive()
    }
}
