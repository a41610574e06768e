//! What the parts of one attempt share: the middleware that tells, the transport that knows.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, Weak,
    atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::Relaxed},
};

use firstbyte_core::{
    Clock, Micros, Phase, PhaseTimer, Phases, Split, Timestamp, header::TraceHeaders,
};
use http::{HeaderMap, StatusCode};
use tokio::{task::futures::TaskLocalFuture, task_local};

use crate::{
    call_state::{CallState, Whereabouts},
    error::{ClientError, Failure, Place},
    held::HeldDone,
    label::Label,
    wire::Wire,
};

/// One attempt of a call.
#[derive(Debug)]
pub(crate) struct Progress {
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

#[derive(Debug)]
struct State {
    timer: PhaseTimer,
    wire: Weak<Wire>,
    split: Option<Split>,
    held: Option<HeldDone>,
    over: bool,
}

task_local! {
    /// The attempt that the running code works for: how the middleware and the transport of a call
    /// find each other. An extension of the request would cost three allocations.
    static CURRENT: Arc<Progress>;
}

impl Progress {
    /// Runs `future` on behalf of this attempt.
    pub(crate) fn scope<F: Future>(self: &Arc<Self>, future: F) -> TaskLocalFuture<Arc<Self>, F> {
        CURRENT.scope(Arc::clone(self), future)
    }

    /// The attempt that carries a request with these headers. A middleware may send requests of its
    /// own on the way; they do not have the attempt's id.
    pub(crate) fn current(headers: &HeaderMap) -> Option<Arc<Self>> {
        let progress = CURRENT.try_with(Arc::clone).ok()?;
        (TraceHeaders::read(headers).id() == progress.label.trace_id).then_some(progress)
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

    /// The moment, for [`Progress::add_sent`].
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
            state: Whereabouts::of(phase, self.is_foreign(), unacked),
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
