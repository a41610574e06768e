//! What the parts of one attempt share: the middleware that tells, the transport that knows.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::Relaxed},
    },
};

use firstbyte_core::{
    Clock, Event, Micros, Phase, PhaseTimer, Phases, Route, Split, Tag, Timestamp, TraceId,
    header::TraceHeaders, redact_url,
};
use http::{HeaderMap, StatusCode};
use tokio::{task::futures::TaskLocalFuture, task_local};
use url::{Position, Url};

use crate::{
    call_state::{CallState, Whereabouts},
    error::{ClientError, Failure, Place},
    held::HeldDone,
    wire::Wire,
};

/// One attempt of a call.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) label: Label,
    clock: Clock,
    /// When the attempt began.
    pub(crate) started: Timestamp,
    /// No transport of ours carries it: its phases before the answer are not known.
    foreign: AtomicBool,
    /// Request bytes that the transport accepted.
    sent: AtomicU64,
    /// When the last accepted bytes were handed to the kernel, in nanoseconds of the clock.
    last_write: AtomicU64,
    /// The last piece of the request body was handed to the connection.
    body_taken: AtomicBool,
    /// The last request byte was accepted.
    all_sent: AtomicBool,
    /// The first response byte was read.
    answered: AtomicBool,
    /// The status, once there is one; else 0.
    status: AtomicU16,
    state: Mutex<State>,
}

/// What the events of an attempt are labelled with.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub(crate) trace_id: Option<TraceId>,
    pub(crate) method: reqwest::Method,
    /// The URL without credentials and query values, and the target behind it where it is no part of it.
    text: String,
    url_end: usize,
    target: Range<usize>,
    pub(crate) operation: Option<Arc<str>>,
    pub(crate) tag: Tag,
    pub(crate) attempt: u32,
}

#[derive(Debug)]
struct State {
    timer: PhaseTimer,
    wire: Weak<Wire>,
    split: Option<Split>,
    held: Option<HeldDone>,
    over: bool,
}

impl Label {
    pub(crate) fn new(method: &reqwest::Method, url: &Url) -> Self {
        let mut text = redact_url(url.as_str());
        let url_end = text.len();
        let host = &url[Position::BeforeHost..Position::AfterPort];
        let start = url[..Position::BeforeHost].len();
        let in_url = start..start + host.len();
        let target = if url.port().is_some() && text.get(in_url.clone()) == Some(host) {
            in_url
        } else {
            text.push_str(&target(url));
            url_end..text.len()
        };
        Self {
            trace_id: None,
            method: method.clone(),
            text,
            url_end,
            target,
            operation: None,
            tag: Tag::Admin,
            attempt: 1,
        }
    }

    /// The target is one of several behind a host and port: the beginning of its paths is part of it.
    pub(crate) fn behind(mut self, prefix: &str) -> Self {
        if self.target.start >= self.url_end {
            self.text.push_str(prefix);
            self.target.end = self.text.len();
        } else if self.text[self.target.end..].starts_with(prefix) {
            self.target.end += prefix.len();
        }
        self
    }

    /// Operation and tag of a control route; calls without one are filed under `admin`.
    pub(crate) fn routed(mut self, route: Option<&Route>) -> Self {
        if let Some(route) = route {
            self.operation = Some(route.operation.clone());
            self.tag = route.tag;
        }
        self
    }

    /// Puts tag and trace id on an event.
    pub(crate) fn mark(&self, event: Event) -> Event {
        let event = event.tag(self.tag);
        match self.trace_id {
            Some(id) => event.trace_id(id),
            None => event,
        }
    }

    /// The URL, without credentials and query values.
    pub(crate) fn url(&self) -> &str {
        &self.text[..self.url_end]
    }

    /// Host and port, and the beginning of the paths where several servers share them.
    pub(crate) fn target(&self) -> &str {
        &self.text[self.target.clone()]
    }

    /// Method and URL, for messages.
    pub(crate) fn subject(&self) -> String {
        format!("{} {}", self.method, self.url())
    }
}

/// Host and port, the port also where the URL leaves it out.
pub(crate) fn target(url: &Url) -> String {
    firstbyte_core::target(Some(url.scheme()), &url[Position::BeforeHost..Position::AfterPort])
}

task_local! {
    /// The attempt that the running code works for: how the middleware and the transport of a call
    /// find each other. An extension of the request would cost three allocations.
    static CURRENT: Arc<Probe>;
}

impl Probe {
    /// Runs `future` on behalf of this attempt.
    pub(crate) fn scope<F: Future>(self: &Arc<Self>, future: F) -> TaskLocalFuture<Arc<Self>, F> {
        CURRENT.scope(Arc::clone(self), future)
    }

    /// The attempt that carries a request with these headers. A middleware may send requests of its
    /// own on the way; they do not have the attempt's id.
    pub(crate) fn current(headers: &HeaderMap) -> Option<Arc<Self>> {
        let probe = CURRENT.try_with(Arc::clone).ok()?;
        (TraceHeaders::read(headers).id() == probe.label.trace_id).then_some(probe)
    }

    pub(crate) fn start(label: Label, clock: Clock, at: Timestamp) -> Arc<Self> {
        Arc::new(Self {
            label,
            clock,
            started: at,
            foreign: AtomicBool::new(true),
            sent: AtomicU64::new(0),
            last_write: AtomicU64::new(0),
            body_taken: AtomicBool::new(false),
            all_sent: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            status: AtomicU16::new(0),
            state: Mutex::new(State {
                timer: PhaseTimer::start(at),
                wire: Weak::new(),
                split: None,
                held: None,
                over: false,
            }),
        })
    }

    /// A transport of ours takes over.
    pub(crate) fn adopt(&self) {
        self.foreign.store(false, Relaxed);
    }

    /// Ends the current phase now and begins `phase`.
    pub(crate) fn enter(&self, phase: Phase) {
        let at = self.clock.now();
        self.state().timer.enter(phase, at);
    }

    /// The connection is ready; the request is what comes next.
    pub(crate) fn connected(&self, wire: &Arc<Wire>) {
        let at = self.clock.now();
        let mut state = self.state();
        state.wire = Arc::downgrade(wire);
        state.timer.enter(Phase::Send, at);
    }

    /// The moment, for [`Probe::add_sent`].
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The kernel accepted bytes that were handed to it at `at`.
    pub(crate) fn add_sent(&self, bytes: usize, at: Timestamp) {
        self.sent.fetch_add(bytes as u64, Relaxed);
        self.last_write.store(at.as_nanos(), Relaxed);
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    pub(crate) fn body_taken(&self) {
        self.body_taken.store(true, Relaxed);
    }

    /// Everything that the connection had was accepted.
    ///
    /// The wait begins when the last bytes were handed over, not when that call came back: the
    /// server may have begun meanwhile, and its half must lie within the wait. `late` is the moment of that
    /// if the TLS session had kept bytes back.
    pub(crate) fn flushed(&self, late: Option<Timestamp>) {
        let whole = self.body_taken.load(Relaxed) && self.sent() > 0;
        if whole && !self.all_sent.swap(true, Relaxed) {
            let last_write = || Timestamp::from_nanos(self.last_write.load(Relaxed));
            self.state().timer.enter(Phase::Wait, late.unwrap_or_else(last_write));
        }
    }

    pub(crate) fn is_all_sent(&self) -> bool {
        self.all_sent.load(Relaxed)
    }

    /// Response bytes were read.
    pub(crate) fn received(&self) {
        if !self.answered.swap(true, Relaxed) {
            self.enter(Phase::Receive);
        }
    }

    /// What was read was a 1xx: another head will come, and it is waited for.
    pub(crate) fn interim(&self) {
        if self.answered.swap(false, Relaxed) {
            self.state().timer.take_back();
        }
    }

    /// The response head arrived.
    pub(crate) fn head(&self, status: StatusCode) {
        self.status.store(status.as_u16(), Relaxed);
        if self.is_foreign() {
            let at = self.clock.now();
            let mut state = self.state();
            state.timer.enter(Phase::Wait, self.started);
            state.timer.enter(Phase::Receive, at);
        }
    }

    pub(crate) fn status(&self) -> Option<StatusCode> {
        StatusCode::from_u16(self.status.load(Relaxed)).ok()
    }

    /// Phases up to now, and the moment.
    pub(crate) fn finish(&self) -> (Phases, Phase, Timestamp) {
        let at = self.clock.now();
        let mut state = self.state();
        state.over = true;
        if self.is_foreign() {
            // It tells nothing before the answer: all of that is wait.
            state.timer.enter(Phase::Wait, self.started);
        }
        (state.timer.finish(at), state.timer.current(), at)
    }

    pub(crate) fn set_split(&self, split: Split) {
        self.state().split = Some(split);
    }

    pub(crate) fn split(&self) -> Option<Split> {
        self.state().split
    }

    /// Keeps the last event of the attempt for its caller; it is recorded in any case.
    pub(crate) fn hold(&self, done: HeldDone) {
        self.state().held = Some(done);
    }

    pub(crate) fn take_held(&self) -> Option<HeldDone> {
        self.state().held.take()
    }

    pub(crate) fn error(&self, failure: impl Into<Failure>) -> ClientError {
        let place = Place {
            subject: self.label.subject(),
            trace_id: self.label.trace_id,
            phase: self.phase(&self.state()),
            bytes_sent: self.sent(),
            status: self.status(),
        };
        ClientError::failed(place, failure.into())
    }

    /// Where the attempt is now; may make one system call. `None` once it is over.
    pub(crate) fn snapshot(&self) -> Option<CallState> {
        let now = self.clock.now();
        let (phase, wire) = {
            let state = self.state();
            if state.over {
                return None;
            }
            (self.phase(&state), state.wire.upgrade())
        };
        let unacked = wire.and_then(|wire| wire.unacked_bytes());
        Some(CallState {
            trace_id: self.label.trace_id,
            operation: self.label.operation.as_deref().map(str::to_owned),
            target: self.label.target().to_owned(),
            attempt: self.label.attempt,
            phase,
            whereabouts: Whereabouts::of(phase, self.is_foreign(), unacked),
            elapsed: Micros::from(now.since(self.started)),
            sent_bytes: self.sent(),
            unacked_bytes: unacked,
        })
    }

    fn is_foreign(&self) -> bool {
        self.foreign.load(Relaxed)
    }

    fn phase(&self, state: &State) -> Phase {
        match state.timer.current() {
            Phase::Setup if self.is_foreign() => Phase::Wait,
            phase => phase,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_names_url_and_target_without_secrets() {
        for (url, redacted, target) in [
            ("http://host:8000/pause", "http://host:8000/pause", "host:8000"),
            ("http://host/pause", "http://host/pause", "host:80"),
            ("https://host", "https://host/", "host:443"),
            ("http://[::1]:8000/a", "http://[::1]:8000/a", "[::1]:8000"),
            ("http://[::1]/a", "http://[::1]/a", "[::1]:80"),
            ("http://u:p@host:8000/a?token=x#y", "http://host:8000/a?token=***", "host:8000"),
            ("http://host:8000@other:9/a", "http://other:9/a", "other:9"),
            (
                "http://bücher.example:1/",
                "http://xn--bcher-kva.example:1/",
                "xn--bcher-kva.example:1",
            ),
        ] {
            let label = Label::new(&reqwest::Method::POST, &Url::parse(url).unwrap());
            assert_eq!((label.url(), label.target()), (redacted, target), "{url}");
        }
    }
}
