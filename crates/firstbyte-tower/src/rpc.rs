//! Times the engine's work from inside a handler.
//!
//! ```
//! use firstbyte_tower::Rpc;
//!
//! # struct EngineError;
//! # impl EngineError { fn class(&self) -> &'static str { "engine" } }
//! # async fn engine_update_weights() -> Result<(), EngineError> { Ok(()) }
//! async fn update_weights(request: http::Request<()>) -> Result<(), EngineError> {
//!     let rpc = Rpc::of(request.extensions());
//!     let timer = rpc.map(|rpc| rpc.start("update_weights")); // rpc.start op=update_weights
//!     let result = engine_update_weights().await;
//!     if let Some(timer) = timer {
//!         match &result {
//!             Ok(()) => timer.done(),                         // rpc.done rpc_ms=
//!             Err(error) => timer.fail(error.class()),        // rpc.done rpc_ms= error=
//!         };
//!     }
//!     result
//! }
//! ```

use std::{borrow::Cow, fmt, sync::Arc, thread};

use firstbyte_core::{
    Clock, EngineTime, Event, Micros, Tag, Timestamp, TraceId, field, record, schema::Record,
};
use http::Extensions;

use crate::{call::Progress, shared::Shared};

/// A control call, as its handler finds it among the request's extensions.
///
/// Clones are cheap and may move to other tasks. The request counts as in progress until its
/// response has ended and its last `Rpc` is gone.
#[derive(Clone)]
pub struct Rpc(Arc<Exchange>);

/// One control call on the server: what the layer and the handler share.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: TraceId,
    tag: Tag,
    pub(crate) recv: Timestamp,
    pub(crate) kernel: Option<Micros>,
    pub(crate) progress: Progress,
    pub(crate) engine: EngineTime,
}

impl Rpc {
    /// The control call that a request with these extensions belongs to.
    ///
    /// `None` for requests that are no control calls, and without a
    /// [`FirstByteLayer`](crate::FirstByteLayer).
    #[must_use]
    pub fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    pub(crate) fn new(exchange: Arc<Exchange>) -> Self {
        Self(exchange)
    }

    /// The id of the call.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.0.id
    }

    /// Records `rpc.start`: the engine's work begins now.
    ///
    /// A call may have several timers. `Server-Timing` names the time in which at least one of them ran as `rpc` (of one
    /// within another, such as a handler's around a library's, it counts once), and the time from `server.recv` to the
    /// first of them as `handler`.
    pub fn start(&self, operation: impl Into<Cow<'static, str>>) -> RpcTimer {
        let exchange = &*self.0;
        let operation = operation.into();
        let started = exchange.clock().now();
        exchange.engine.begin(exchange.since_recv(started));
        let event = exchange.event(&record::RPC_START, started);
        exchange.record(&event.with(field::OP, &operation));
        RpcTimer { rpc: self.clone(), operation, started, ended: false }
    }
}

/// A piece of the engine's work that has begun; ends with exactly one `rpc.done`.
///
/// Dropping it ends it too: with `error=cancelled`, or `error=panic` while the thread panics.
#[derive(Debug)]
#[must_use = "dropping the timer ends it, with error=cancelled"]
pub struct RpcTimer {
    rpc: Rpc,
    operation: Cow<'static, str>,
    started: Timestamp,
    ended: bool,
}

impl RpcTimer {
    /// The engine's work is done. Returns the time since [`Rpc::start`].
    pub fn done(mut self) -> Micros {
        self.end(None)
    }

    /// The engine's work failed. Returns the time since [`Rpc::start`], which counts all the same.
    ///
    /// `error` is a class such as `timeout` that readers can count; no free text.
    pub fn fail(mut self, error: &str) -> Micros {
        self.end(Some(error))
    }

    fn end(&mut self, error: Option<&str>) -> Micros {
        self.ended = true;
        let exchange = &*self.rpc.0;
        let at = exchange.clock().now();
        // Cut at the boundaries, so that handler + rpc is never more than total.
        let rpc = exchange.since_recv(at) - exchange.since_recv(self.started);
        exchange.engine.end(exchange.since_recv(at));
        let event = exchange.event(&record::RPC_DONE, at).with(field::OP, &self.operation);
        exchange.record(&event.with(field::RPC, rpc).with_known(field::ERROR, error));
        rpc
    }
}

impl Drop for RpcTimer {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Some(if thread::panicking() { "panic" } else { "cancelled" }));
        }
    }
}

impl Exchange {
    #[inline]
    pub(crate) fn new(
        shared: Arc<Shared>,
        id: TraceId,
        tag: Tag,
        recv: Timestamp,
        kernel: Option<Micros>,
        progress: Progress,
    ) -> Self {
        Self { shared, id, tag, recv, kernel, progress, engine: EngineTime::default() }
    }

    #[inline]
    pub(crate) fn clock(&self) -> &Clock {
        self.shared.recorder.clock()
    }

    #[inline]
    pub(crate) fn since_recv(&self, at: Timestamp) -> Micros {
        Micros::from(at.since(self.recv))
    }

    #[inline]
    pub(crate) fn event(&self, record: &'static Record, at: Timestamp) -> Event {
        Event::new(record, at).trace_id(self.id).tag(self.tag)
    }

    #[inline]
    pub(crate) fn record(&self, event: &Event) {
        self.shared.recorder.record(event);
    }
}

impl fmt::Debug for Rpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rpc").field(&self.0.id).finish()
    }
}
