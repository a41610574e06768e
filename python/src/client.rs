//! One attempt of a control call that a Python client makes: its phases and its events.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use firstbyte_client::RpcReport;
use firstbyte_core::{
    Clock, Event, Phase, PhaseTimer, Route, Tag, Timestamp, TraceId, field, header::TraceParent,
    record, redact_url,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use pyo3::{prelude::*, types::PyBytes};

use crate::{
    open::{Ends, Open},
    process::{self, record_event},
    routes,
};

/// From `client.send` to exactly one `client.done` or `client.fail`, also if nobody ends it.
#[pyclass(frozen, weakref, module = "firstbyte._firstbyte")]
#[derive(Debug)]
pub(crate) struct ClientCall(Open<Call>);

#[derive(Debug)]
struct Call {
    id: TraceId,
    tag: Tag,
    operation: Arc<str>,
    target: String,
    attempt: i64,
    generation: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    timer: PhaseTimer,
    status: Option<i64>,
    report: RpcReport,
    over: bool,
}

#[pymethods]
impl ClientCall {
    /// Begins the attempt if the request is a control call, and records `client.send`; else `None`.
    ///
    /// `target` is host and port; `entered_ns` is the moment of the call, now if it is not told.
    #[staticmethod]
    #[pyo3(signature = (method, url, path, target, *, trace_id=None, attempt=1, step=None, entered_ns=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn begin(
        py: Python<'_>,
        method: &str,
        url: &str,
        path: &str,
        target: String,
        trace_id: Option<&str>,
        attempt: i64,
        step: Option<i64>,
        entered_ns: Option<u64>,
    ) -> PyResult<Option<Self>> {
        let routes = routes::table(py)?;
        let Some(route) = routes.find(method, path) else { return Ok(None) };
        // What the caller's own headers say may be no id at all.
        let id = trace_id.and_then(|id| id.parse().ok()).unwrap_or_else(TraceId::random);
        let entered = moment(entered_ns);
        Ok(Some(Self::start(py, route, url, target, id, Attempt { attempt, step, entered })))
    }

    /// The id of the call: the value of `x-trace-id`.
    #[getter]
    fn trace_id(&self) -> String {
        self.0.id.to_string()
    }

    /// The value of `traceparent`.
    #[getter]
    fn traceparent(&self) -> String {
        let header = TraceParent::new(self.0.id).to_header();
        header.to_str().unwrap_or_default().to_owned()
    }

    /// Ends the current phase and begins this one, now or at a moment of the same clock.
    ///
    /// Phases follow their order; entering an earlier one, or one that is no phase, changes nothing.
    #[pyo3(signature = (phase, at_ns=None))]
    fn enter(&self, phase: &str, at_ns: Option<u64>) {
        let at = moment(at_ns);
        if let Some(phase) = Phase::ALL.into_iter().find(|known| known.as_str() == phase) {
            self.enter_phase(phase, at);
        }
    }

    /// The phase that it is in.
    #[getter]
    fn phase(&self) -> &'static str {
        self.0.state().timer.current().as_str()
    }

    /// The response head arrived: its status, and the headers that tell of the server's half.
    #[pyo3(signature = (status, server_timing=None, content_type=None, at_ns=None))]
    fn head(
        &self,
        status: i64,
        server_timing: Option<&str>,
        content_type: Option<&str>,
        at_ns: Option<u64>,
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in [("server-timing", server_timing), ("content-type", content_type)] {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        self.answered(status, &headers, moment(at_ns));
    }

    /// A piece of the response body arrived.
    pub(crate) fn piece(&self, body: &Bound<'_, PyBytes>) {
        self.0.state().report.take(&Bytes::copy_from_slice(body.as_bytes()));
    }

    /// The last byte of the response arrived; `unread` if the caller gave it up before.
    #[pyo3(signature = (*, unread=false, at_ns=None))]
    pub(crate) fn done(&self, py: Python<'_>, unread: bool, at_ns: Option<u64>) -> bool {
        let at = moment(at_ns);
        let event = {
            let mut state = self.0.state();
            if self.0.is_over(&mut state) {
                return false;
            }
            let phases = state.timer.finish(at);
            let split = match unread {
                true => state.report.split_unread(phases),
                false => state.report.split(phases),
            };
            let mut event = Event::new(&record::CLIENT_DONE, at);
            split.set_on(&mut event);
            event.with_known(field::STATUS, state.status)
        };
        record_event(py, &self.0.mark(self.0.label(event)));
        true
    }

    /// It ended without a whole response: `outcome` is `unknown`, `not_sent`, `cancelled` or `failed`.
    fn fail(&self, py: Python<'_>, outcome: &str, error: &str) -> bool {
        let Some(event) = self.0.failure(outcome, error) else { return false };
        record_event(py, &event);
        true
    }
}

/// What is known of an attempt beyond its request.
pub(crate) struct Attempt {
    pub(crate) attempt: i64,
    pub(crate) step: Option<i64>,
    pub(crate) entered: Timestamp,
}

impl ClientCall {
    /// Begins an attempt, and records `client.send`.
    pub(crate) fn start(
        py: Python<'_>,
        route: &Route,
        url: &str,
        target: String,
        id: TraceId,
        Attempt { attempt, step, entered }: Attempt,
    ) -> Self {
        let call = Open::new(Call {
            id,
            tag: route.tag,
            operation: Arc::clone(&route.operation),
            target,
            attempt,
            generation: process::generation(),
            state: Mutex::new(State {
                timer: PhaseTimer::start(entered),
                status: None,
                report: RpcReport::of(&HeaderMap::new()),
                over: false,
            }),
        });
        let event = Event::new(&record::CLIENT_SEND, entered)
            .with(field::URL, &redact_url(url))
            .with(field::OP, &call.operation)
            .with(field::TARGET, &call.target)
            .with(field::ATTEMPT, attempt)
            .with_known(field::STEP, step);
        record_event(py, &call.mark(event));
        Self(call)
    }

    /// The same for a phase by itself.
    pub(crate) fn enter_phase(&self, phase: Phase, at: Timestamp) {
        self.0.state().timer.enter(phase, at);
    }

    /// The response head arrived.
    pub(crate) fn answered(&self, status: i64, headers: &HeaderMap, at: Timestamp) {
        let mut state = self.0.state();
        state.status = Some(status);
        state.report = RpcReport::of(headers);
        state.timer.enter(Phase::Receive, at);
    }
}

impl Call {
    /// The last event of a call that went wrong, unless it is over.
    fn failure(&self, outcome: &str, error: &str) -> Option<Event> {
        let at = Clock::system().now();
        let mut state = self.state();
        if self.is_over(&mut state) {
            return None;
        }
        let event = Event::new(&record::CLIENT_FAIL, at)
            .with(field::WALL, state.timer.finish(at).wall())
            .with(field::PHASE, state.timer.current().as_str())
            .with(field::OUTCOME, outcome)
            .with(field::ERROR, error)
            .with_known(field::STATUS, state.status);
        Some(self.mark(self.label(event)))
    }

    /// Whether it has ended, from now on in any case. The parent of a fork ends its own calls.
    fn is_over(&self, state: &mut State) -> bool {
        std::mem::replace(&mut state.over, true) || self.generation != process::generation()
    }

    fn label(&self, event: Event) -> Event {
        event
            .with(field::ATTEMPT, self.attempt)
            .with(field::OP, &self.operation)
            .with(field::TARGET, &self.target)
    }

    fn mark(&self, event: Event) -> Event {
        event.tag(self.tag).trace_id(self.id)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The moment that was told, or else the present one.
fn moment(at_ns: Option<u64>) -> Timestamp {
    at_ns.map_or_else(|| Clock::system().now(), Timestamp::from_nanos)
}

impl Ends for Call {
    fn cut_off(&self, py: Python<'_>) {
        if let Some(event) = self.failure("cancelled", "cancelled") {
            record_event(py, &event);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // Nobody told of its end: a response that was given up, or one that broke off.
        let begun = self.state().status.is_some();
        let (outcome, error) =
            if begun { ("unknown", "body_unfinished") } else { ("cancelled", "dropped") };
        if let Some(event) = self.failure(outcome, error) {
            Python::try_attach(|py| record_event(py, &event));
        }
    }
}
