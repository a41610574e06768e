//! Carries requests on connections of our own, so that every phase is known.

mod body;
mod busy;
mod connect;
mod connection;
mod io;
mod pool;
mod request;
mod tls;

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use firstbyte_core::Clock;
use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{ClientWithMiddleware, Middleware, Next};
use tokio::time::{Instant, timeout_at};

pub use self::pool::ConnectionMode;
use self::{body::ResponseBody, connection::Clocks, pool::Pool, request::Outgoing, tls::Tls};
use crate::{
    error::{ClientError, Failure, Reason},
    label::Label,
    middleware::with_url,
    policy::{LONGEST, PEER_DEAD, Timeouts},
    progress::Progress,
};

/// A terminal [`Middleware`]: what comes after it in the stack is never called.
///
/// reqwest hides its socket: no phase before the response, no count of accepted bytes, no way to
/// ask the kernel about a stuck call. [`HyperTransport`] is the last middleware of a
/// [`ClientWithMiddleware`]; it carries the request on a hyper connection and hands a
/// [`reqwest::Response`] back, so users keep reqwest's types.
///
/// The connection is polled by the caller's own task: no task is spawned, and dropping the call
/// closes its connection.
///
/// HTTP/1.1 only. No redirect is followed, no proxy is used, nothing is decompressed, nothing is
/// sent twice. Clones share connections. Needs a tokio runtime with IO and time.
///
/// A look-up of a host name is the system's and cannot be given up: the call ends in time, but a
/// blocking thread of the runtime stays with the look-up, and dropping the runtime waits for it.
/// A program that must end in time ends its runtime by
/// [`shutdown_background`](tokio::runtime::Runtime::shutdown_background) or `shutdown_timeout`.
///
/// Its errors are [`ClientError`]s inside [`reqwest_middleware::Error`] and, for bodies,
/// [`reqwest::Error`]: see [`ClientError::find`]. [`Request::timeout`] is honoured up to the end
/// of the body.
///
/// ```
/// use firstbyte_client::{ConnectionMode, HyperTransport};
/// # use firstbyte_testkit::{Script, ScriptedServer, response};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = ScriptedServer::start(
/// #     Script::new().read_request().write(response(200, &[], "data: hello\n\n")),
/// # ).await;
/// let transport = HyperTransport::builder()
///     .connection_mode(ConnectionMode::KeepAlive { max_connections: 100 })
///     .build()?;
/// let mut response = transport.client().post(server.url("/v1/completions")).send().await?;
/// while let Some(chunk) = response.chunk().await? {
///     println!("{} bytes", chunk.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct HyperTransport(Arc<Shared>);

struct Shared {
    pool: Pool,
    tls: Tls,
    timeouts: Timeouts,
}

/// Configures a [`HyperTransport`].
#[derive(Clone, Default)]
#[must_use]
pub struct TransportBuilder {
    mode: ConnectionMode,
    timeouts: Timeouts,
    roots: Vec<Vec<u8>>,
    identity: Option<Vec<u8>>,
}

impl HyperTransport {
    /// Configures a transport.
    pub fn builder() -> TransportBuilder {
        TransportBuilder::default()
    }

    /// A client with nothing but this transport, for requests that are not traced, such as streams
    /// that share connections with traced ones.
    ///
    /// # Panics
    ///
    /// If reqwest, which carries nothing here, cannot be initialised: without a TLS library of its
    /// own compiled in, it always can.
    #[must_use]
    pub fn client(&self) -> ClientWithMiddleware {
        let client = unused_client().unwrap_or_default();
        reqwest_middleware::ClientBuilder::new(client).with(self.clone()).build()
    }

    /// The clocks that it was built with.
    #[must_use]
    pub fn timeouts(&self) -> Timeouts {
        self.0.timeouts
    }

    async fn call(&self, request: Request, progress: &Arc<Progress>) -> Result<Response, Failure> {
        let Shared { pool, tls, timeouts } = &*self.0;
        progress.adopt();
        let total = request.timeout().copied().or(timeouts.total);
        let total = total.map(|total| Instant::now() + total.min(LONGEST));
        let Outgoing { request, url, origin } =
            Outgoing::new(request, pool.is_one_shot(), progress)?;
        // Before the slot: making it ready takes tens of milliseconds the first time, which are no wait
        // for a connection.
        let tls = if origin.is_https() {
            Some(within(total, Reason::TotalTimeout, tls.connector()).await?)
        } else {
            None
        };
        let slot = within(total, Reason::TotalTimeout, pool.slot(progress)).await?;
        let connection = match slot.idle(&origin) {
            Some(connection) => connection,
            None => {
                let clock = Instant::now() + timeouts.connect;
                let (deadline, reason) = match total {
                    Some(total) if total < clock => (total, Reason::TotalTimeout),
                    _ => (clock, Reason::ConnectTimeout),
                };
                let connecting = connect::connect(origin, tls, timeouts.peer_dead, progress);
                within(Some(deadline), reason, connecting).await?
            }
        };
        if total.is_some_and(|total| total <= Instant::now()) {
            return Err(Reason::TotalTimeout.into());
        }
        let clocks = Clocks { send: timeouts.send, peer_dead: timeouts.peer_dead, total };
        let (head, connection) = connection.send(request, progress, &clocks).await?;
        let (parts, incoming) = head.into_parts();
        let body = ResponseBody::new(incoming, connection, slot, Arc::clone(progress), total);
        let body = reqwest::Body::wrap(body);
        Ok(with_url(http::Response::from_parts(parts, body), url))
    }
}

#[async_trait::async_trait]
impl Middleware for HyperTransport {
    async fn handle(
        &self,
        request: Request,
        _: &mut Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let progress = Progress::current(request.headers()).unwrap_or_else(|| {
            let clock = Clock::system();
            let now = clock.now();
            Progress::start(Label::new(request.method(), request.url()), clock, now)
        });
        self.call(request, &progress)
            .await
            .map_err(|failure| reqwest_middleware::Error::middleware(progress.error(failure)))
    }
}

impl TransportBuilder {
    /// One connection per request, or connections that are kept. One-shot.
    pub fn connection_mode(mut self, mode: ConnectionMode) -> Self {
        self.mode = mode;
        self
    }

    /// The clocks of every request; `still_waiting` is not the transport's business.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Trusts the certificates in this PEM text, next to those that the system trusts.
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(pem.into());
        self
    }

    /// Identifies itself with the certificate chain and the private key in this PEM text.
    pub fn identity(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.identity = Some(pem.into());
        self
    }

    /// Checks the settings. The system's certificates are not read before the first `https` request.
    ///
    /// # Errors
    ///
    /// A [config error](ClientError::is_config) for PEM text without a usable certificate or key,
    /// for zero connections, for a clock of zero, and for lines about a call that waits more often than every 10 ms.
    pub fn build(self) -> Result<HyperTransport, ClientError> {
        let Timeouts { connect, send, peer_dead, .. } = self.timeouts;
        for (name, timeout) in [("connect", connect), ("send", send)] {
            if timeout == Duration::ZERO || timeout > LONGEST {
                let range = "must be more than zero and at most a year";
                return Err(ClientError::config(format!("the {name} time-out {range}")));
            }
        }
        if !PEER_DEAD.contains(&peer_dead) {
            let range = "must be within 1 s and 36 h, which the kernel can watch";
            return Err(ClientError::config(format!("the peer_dead time-out {range}")));
        }
        let still_waiting = self.timeouts.still_waiting;
        if !still_waiting.is_zero() && still_waiting < SHORTEST_WAIT {
            let range = "must be 10 ms at least, or 0 for none";
            return Err(ClientError::config(format!("the still_waiting interval {range}")));
        }
        if self.timeouts.total.is_some_and(|total| total.is_zero()) {
            return Err(ClientError::config("the total time-out must be more than zero"));
        }
        let pool = Pool::new(self.mode)?;
        let tls = Tls::new(&self.roots, self.identity.as_deref())?;
        Ok(HyperTransport(Arc::new(Shared { pool, tls, timeouts: self.timeouts })))
    }
}

/// From one line about a call that waits to the next: more of them would be all that the process does.
const SHORTEST_WAIT: Duration = Duration::from_millis(10);

/// The reqwest client that a `ClientWithMiddleware` must have; built once, carries nothing.
pub(crate) fn unused_client() -> Option<reqwest::Client> {
    static CLIENT: OnceLock<Option<reqwest::Client>> = OnceLock::new();
    CLIENT.get_or_init(|| reqwest::Client::builder().no_proxy().build().ok()).clone()
}

/// Awaits `future` until `deadline`, if there is one.
async fn within<T>(
    deadline: Option<Instant>,
    reason: Reason,
    future: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match deadline {
        Some(deadline) => timeout_at(deadline, future).await.unwrap_or(Err(reason.into())),
        None => future.await,
    }
}

impl fmt::Debug for HyperTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HyperTransport")
            .field("connection_mode", &self.0.pool.mode())
            .field("timeouts", &self.0.timeouts)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TransportBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportBuilder")
            .field("connection_mode", &self.mode)
            .field("timeouts", &self.timeouts)
            .field("roots", &self.roots.len())
            .field("identity", &self.identity.is_some())
            .finish()
    }
}
