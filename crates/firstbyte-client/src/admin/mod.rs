//! The client for control calls: one target, a policy, and every attempt an event.
//!
//! ```text
//! send() = [single flight] -> attempt 1 -> [may it be repeated?] -> pause -> attempt 2 -> ...
//! attempt = your middlewares -> FirstByteMiddleware -> HyperTransport
//! ```

mod attempt;
mod builder;
mod paused;
mod request;
mod response;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use firstbyte_core::{Recorder, RouteTable, TraceId};
use http::{HeaderMap, Method};
use reqwest::Url;
use reqwest_middleware::ClientWithMiddleware;

pub use self::{
    builder::AdminClientBuilder,
    paused::Paused,
    request::{AdminRequest, Probed},
    response::AdminResponse,
};
use crate::{
    call_state::CallState,
    policy::{RetryPolicy, SingleFlight, Timeouts},
    progress::Progress,
};

/// A client for the control calls of one server.
///
/// Build it once and clone it: clones share connections and the TLS configuration. What is in flight
/// and what is unknown of its server, it shares with [all clients of the process](SingleFlight). It follows no redirect, uses no proxy, decompresses nothing and
/// caps response bodies.
///
/// Dropping the future of a call closes its connection and is recorded as `cancelled`; the server
/// may act on the request all the same.
///
/// vLLM's `--api-key` guards `/v1` only: its admin routes at the root are open to whoever reaches
/// them, with or without [`bearer_token`](AdminClientBuilder::bearer_token).
#[derive(Clone)]
pub struct AdminClient(Arc<Inner>);

struct Inner {
    /// Without a trailing slash and without credentials.
    base: String,
    /// The path of `base`: what all paths of the server begin with. Mostly empty.
    prefix: String,
    /// Host, port and prefix.
    target: Arc<str>,
    /// Of every request.
    headers: HeaderMap,
    client: ClientWithMiddleware,
    routes: Arc<RouteTable>,
    recorder: Recorder,
    timeouts: Timeouts,
    retry: RetryPolicy,
    max_body: usize,
    flights: SingleFlight,
    calls: Mutex<Vec<Weak<Progress>>>,
}

impl AdminClient {
    /// Configures a client whose calls go to `recorder`.
    pub fn builder(recorder: Recorder) -> AdminClientBuilder {
        AdminClientBuilder::new(recorder)
    }

    /// A GET request of `path`, which starts with a slash and may have a query.
    pub fn get(&self, path: impl Into<String>) -> AdminRequest {
        self.request(Method::GET, path)
    }

    /// A POST request to `path`, which starts with a slash and may have a query.
    pub fn post(&self, path: impl Into<String>) -> AdminRequest {
        self.request(Method::POST, path)
    }

    /// A request of `path`, which starts with a slash and may have a query.
    pub fn request(&self, method: Method, path: impl Into<String>) -> AdminRequest {
        AdminRequest::new(self.clone(), method, path.into())
    }

    /// Host and port of the server, and the path of `base_url` if it has one: two servers behind one
    /// gateway are two targets.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.0.target
    }

    /// The attempts that are on their way now, the oldest first. One system call for each that
    /// waits for its server.
    #[must_use]
    pub fn in_flight(&self) -> Vec<CallState> {
        let calls = self.0.calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        calls.iter().filter_map(|call| call.upgrade()?.snapshot()).collect()
    }

    /// The call whose outcome on this target is unknown, if there is one, be it another client's:
    /// until it is forgotten, or a call with [`allow_overlap`](AdminRequest::allow_overlap) succeeds,
    /// no other operation may begin.
    #[must_use]
    pub fn unknown(&self) -> Option<TraceId> {
        self.0.flights.unknown(&self.0.target)
    }

    /// The caller has found out what became of the call whose outcome was unknown.
    pub fn forget_unknown(&self) {
        self.0.flights.forget(&self.0.target);
    }
}

impl Inner {
    /// The server's own path of a URL: without what the gateway before it wants to have.
    fn own_path<'a>(&self, url: &'a Url) -> &'a str {
        url.path().strip_prefix(&self.prefix).unwrap_or(url.path())
    }

    fn register(&self, call: &Arc<Progress>) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.retain(|call| call.strong_count() > 0);
        calls.push(Arc::downgrade(call));
    }
}

impl fmt::Debug for AdminClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminClient")
            .field("base_url", &self.0.base)
            .field("timeouts", &self.0.timeouts)
            .field("retry", &self.0.retry)
            .field("max_body", &self.0.max_body)
            .finish_non_exhaustive()
    }
}
