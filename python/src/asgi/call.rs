//! One control call on the server: its events and the server's share of the time.

use std::{
    ops::Deref,
    sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::Relaxed},
};

use firstbyte_core::{
    Clock, EngineTime, Event, Micros, Route, Tag, Timestamp, TraceId, field,
    header::{ServerTiming, since_request_start},
    record,
    schema::Record,
};
use pyo3::{prelude::*, types::PyDict};

use super::{inflight::InFlight, scope};
use crate::{
    convert::millis,
    open::{Ends, Open},
    process::{self, record_event},
};

/// A control call, from `server.recv` to exactly one `server.done`.
#[pyclass(frozen, weakref, module = "firstbyte._firstbyte")]
#[derive(Debug)]
pub(crate) struct ServerCall(Open<Exchange>);

#[derive(Debug)]
pub(crate) struct Exchange {
    id: TraceId,
    tag: Tag,
    path: String,
    operation: String,
    recv: Timestamp,
    kernel: Option<Micros>,
    proxy: Option<Micros>,
    in_flight: usize,
    app: usize,
    generation: u64,
    engine: EngineTime,
    /// 0 as long as there is none.
    status: AtomicU16,
    bytes: AtomicU64,
    frames: AtomicU64,
    /// `server.recv` is recorded: it has to end.
    begun: AtomicBool,
    ended: AtomicBool,
}

#[pymethods]
impl ServerCall {
    /// The id of the call.
    #[getter]
    fn trace_id(&self) -> String {
        self.0.id.to_string()
    }

    /// The operation, as the route table names it.
    #[getter]
    fn operation(&self) -> &str {
        &self.0.operation
    }

    /// How long the request had been on this machine at `server.recv`, in milliseconds.
    #[getter]
    fn kernel_ms(&self) -> Option<f64> {
        millis(self.0.kernel)
    }

    /// Records `server.recv`, with the delay of the event loop if it is known.
    #[pyo3(signature = (loop_lag_ms=None))]
    fn received(&self, py: Python<'_>, loop_lag_ms: Option<f64>) {
        let call = &self.0;
        let mut event = call.event(&record::SERVER_RECV, call.recv).with(field::PATH, &call.path);
        event = event.with_known(field::KERNEL, call.kernel);
        event.set(field::INFLIGHT, i64::try_from(call.in_flight).unwrap_or(i64::MAX));
        let lag = loop_lag_ms.and_then(Micros::from_millis_f64);
        event = event.with_known(field::LOOP_LAG, lag);
        call.begun.store(true, Relaxed);
        record_event(py, &event.with_known(field::PROXY, call.proxy));
    }

    /// The application ended with this outcome; without an effect once the response is whole.
    ///
    /// `ok` from an application that did not finish its response is `early_drop`, or `error` if it did
    /// not begin one.
    fn end(&self, py: Python<'_>, outcome: &str, receive: &Bound<'_, PyAny>) {
        let begun = self.0.status.load(Relaxed) != 0;
        let outcome = match outcome {
            "ok" if scope::is_disconnected(receive) && !begun => "cancelled",
            "ok" if begun => "early_drop",
            "ok" => "error",
            other => other,
        };
        self.0.done(py, outcome);
    }
}

impl ServerCall {
    pub(super) fn begin(
        scope: &Bound<'_, PyDict>,
        receive: &Bound<'_, PyAny>,
        route: &Route,
        in_flight: &InFlight,
    ) -> PyResult<Self> {
        let clock = Clock::system();
        let recv = clock.now();
        let kernel = scope::since_arrival(receive);
        let headers = scope::headers(scope)?;
        Ok(Self(Open::new(Exchange {
            id: scope::trace_id(&headers),
            tag: route.tag,
            path: scope::path(scope)?,
            operation: route.operation.to_string(),
            recv,
            kernel,
            proxy: since_request_start(&headers, &clock),
            in_flight: in_flight.count(),
            app: in_flight.app(),
            generation: process::generation(),
            engine: EngineTime::default(),
            status: AtomicU16::new(0),
            bytes: AtomicU64::new(0),
            frames: AtomicU64::new(0),
            begun: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        })))
    }
}

impl Deref for ServerCall {
    type Target = Exchange;

    fn deref(&self) -> &Exchange {
        &self.0
    }
}

impl Exchange {
    pub(crate) const fn id(&self) -> TraceId {
        self.id
    }

    pub(crate) const fn tag(&self) -> Tag {
        self.tag
    }

    /// A timer of the engine's work began.
    pub(crate) fn rpc_started(&self, at: Timestamp) {
        self.engine.begin(self.since_recv(at));
    }

    /// A timer of the engine's work ended. Cut at the boundaries, so that handler + rpc is never more than total.
    pub(crate) fn rpc_ended(&self, started: Timestamp, at: Timestamp) -> Micros {
        let at = self.since_recv(at);
        self.engine.end(at);
        at - self.since_recv(started)
    }

    /// The response head is on its way: what it should tell the client.
    pub(super) fn head(&self, status: u16) -> ServerTiming {
        self.status.store(status, Relaxed);
        let total = self.since_recv(Clock::system().now());
        ServerTiming::new(self.kernel, self.engine.handler(), self.engine.rpc(), Some(total))
    }

    /// A piece of the body is on its way.
    #[inline]
    pub(super) fn piece(&self, py: Python<'_>, bytes: usize, last: bool) {
        let frames = self.frames.load(Relaxed) + 1;
        self.frames.store(frames, Relaxed);
        self.bytes.store(self.bytes.load(Relaxed) + bytes as u64, Relaxed);
        if frames == 1 && bytes > 0 {
            self.first_byte(py);
        }
        if last {
            self.done(py, "ok");
        }
    }

    #[cold]
    fn first_byte(&self, py: Python<'_>) {
        let at = Clock::system().now();
        let event = self.event(&record::SERVER_FIRST_BYTE, at);
        let event = event.with(field::TTFB, self.since_recv(at));
        record_event(py, &event.with_known(field::STATUS, self.known_status()));
    }

    fn done(&self, py: Python<'_>, outcome: &str) {
        // The parent of a fork ends its own calls.
        if self.ended.swap(true, Relaxed) || self.generation != process::generation() {
            return;
        }
        let at = Clock::system().now();
        let event = self
            .event(&record::SERVER_DONE, at)
            .with(field::DUR, self.since_recv(at))
            .with_known(field::STATUS, self.known_status())
            .with(field::OUTCOME, outcome)
            .with(field::BYTES, self.bytes.load(Relaxed).cast_signed())
            .with(field::FRAMES, self.frames.load(Relaxed).cast_signed());
        record_event(py, &event);
    }

    fn known_status(&self) -> Option<i64> {
        let status = self.status.load(Relaxed);
        (status != 0).then_some(status.into())
    }

    fn event(&self, record: &'static Record, at: Timestamp) -> Event {
        Event::new(record, at).trace_id(self.id).tag(self.tag)
    }

    fn since_recv(&self, at: Timestamp) -> Micros {
        at.since(self.recv).into()
    }
}

impl Ends for Exchange {
    fn cut_off(&self, py: Python<'_>) {
        if self.begun.load(Relaxed) {
            self.done(py, "cancelled");
        }
    }

    fn is_of(&self, app: usize, since: Timestamp) -> bool {
        self.app == app && self.recv >= since
    }
}
