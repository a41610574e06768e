//! One operation at a time on one target, and none on top of one whose outcome is unknown.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use firstbyte_core::TraceId;

use crate::progress::Progress;

/// What its clients remember of their targets: whether an operation is on its way to it, and whose
/// outcome on it is unknown.
///
/// All clients of a process share one, so that two clients of one server protect it from each other,
/// and an unknown outcome outlives the client that left it. Clones share what they remember. A target
/// takes room, some hundred bytes, only while there is something to remember of it.
///
/// A child of a fork inherits operations in flight that will never end in it: there, clients need
/// [another one](crate::AdminClientBuilder::single_flight).
#[derive(Clone, Debug, Default)]
pub struct SingleFlight(Arc<Mutex<HashMap<Arc<str>, State>>>);

#[derive(Debug, Default, PartialEq, Eq)]
struct State {
    in_flight: usize,
    /// The call whose outcome is unknown.
    unknown: Option<TraceId>,
}

/// Whether a call may begin on top of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overlapping {
    Forbidden,
    /// It may, but its success says nothing about theirs: a resume.
    Bypassing,
    /// It may, and its success settles what was unknown.
    Allowed,
}

/// Why a call must not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    InFlight,
    Unknown(TraceId),
}

/// A call on its way. Dropped without a verdict after request bytes were accepted, it leaves its
/// outcome unknown.
#[derive(Debug)]
pub(crate) struct Flight {
    flights: SingleFlight,
    target: Arc<str>,
    trace_id: TraceId,
    overlapping: Overlapping,
    attempt: Option<Arc<Progress>>,
    /// An attempt before that one may have happened.
    in_doubt: bool,
    succeeded: bool,
}

impl SingleFlight {
    /// One that remembers nothing yet, and that no client has.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The one that clients share if they are given no other.
    #[must_use]
    pub fn of_process() -> Self {
        static OF_PROCESS: LazyLock<SingleFlight> = LazyLock::new(SingleFlight::new);
        OF_PROCESS.clone()
    }

    /// Takes the target, or says why not.
    pub(crate) fn begin(
        &self,
        target: &Arc<str>,
        trace_id: TraceId,
        overlapping: Overlapping,
    ) -> Result<Flight, Refusal> {
        let mut targets = self.targets();
        let state = targets.entry(Arc::clone(target)).or_default();
        if overlapping == Overlapping::Forbidden {
            if let Some(unknown) = state.unknown {
                return Err(Refusal::Unknown(unknown));
            }
            if state.in_flight > 0 {
                return Err(Refusal::InFlight);
            }
        }
        state.in_flight += 1;
        Ok(Flight {
            flights: self.clone(),
            target: Arc::clone(target),
            trace_id,
            overlapping,
            attempt: None,
            in_doubt: false,
            succeeded: false,
        })
    }

    pub(crate) fn forget(&self, target: &str) {
        self.change(target, |state| state.unknown = None);
    }

    pub(crate) fn unknown(&self, target: &str) -> Option<TraceId> {
        self.targets().get(target)?.unknown
    }

    /// Changes what is remembered of a target; if that is nothing, it is left out.
    fn change(&self, target: &str, change: impl FnOnce(&mut State)) {
        let mut targets = self.targets();
        if let Some(state) = targets.get_mut(target) {
            change(state);
            if *state == State::default() {
                targets.remove(target);
            }
        }
    }

    fn targets(&self) -> MutexGuard<'_, HashMap<Arc<str>, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    /// An attempt begins, whose outcome is in doubt as soon as a byte of it was accepted. The doubt
    /// about those before it stays.
    pub(crate) fn watch(&mut self, attempt: &Arc<Progress>) {
        self.in_doubt = self.is_in_doubt();
        self.attempt = Some(Arc::clone(attempt));
    }

    /// What became of the call is known: it was answered, or a probe has found out.
    pub(crate) fn settle(&mut self, succeeded: bool) {
        self.attempt = None;
        self.in_doubt = false;
        self.succeeded = succeeded;
    }

    fn is_in_doubt(&self) -> bool {
        self.in_doubt || self.attempt.as_ref().is_some_and(|attempt| attempt.sent() > 0)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.flights.change(&self.target, |state| {
            state.in_flight -= 1;
            if self.is_in_doubt() {
                state.unknown = Some(self.trace_id);
            } else if self.succeeded && self.overlapping == Overlapping::Allowed {
                state.unknown = None;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use firstbyte_core::Clock;

    use super::{Overlapping::*, *};
    use crate::label::Label;

    fn id(n: u64) -> TraceId {
        TraceId::new(n).unwrap()
    }

    fn target(name: &str) -> Arc<str> {
        name.into()
    }

    fn attempt(sent: usize) -> Arc<Progress> {
        let url = "http://localhost/update_weights".parse().unwrap();
        let label = Label::new(&reqwest::Method::POST, &url);
        let progress = Progress::start(label, Clock::system(), Clock::system().now());
        progress.add_sent(sent, progress.now());
        progress
    }

    #[test]
    fn a_target_takes_one_call_at_a_time() {
        let (flights, a) = (SingleFlight::new(), target("a"));
        let mut first = flights.begin(&a, id(1), Forbidden).unwrap();
        assert_eq!(flights.begin(&a, id(2), Forbidden).unwrap_err(), Refusal::InFlight);
        drop(flights.begin(&a, id(3), Allowed).unwrap());
        first.settle(true);
        drop(first);
        drop(flights.begin(&a, id(4), Forbidden).unwrap());
    }

    #[test]
    fn targets_do_not_know_of_each_other_and_leave_nothing_behind() {
        let (flights, a, b) = (SingleFlight::new(), target("a"), target("b"));
        flights.begin(&a, id(1), Forbidden).unwrap().watch(&attempt(1));
        let on_b = flights.clone().begin(&b, id(2), Forbidden).unwrap();
        assert_eq!((flights.unknown(&a), flights.unknown(&b)), (Some(id(1)), None));
        drop(on_b);
        assert_eq!(flights.targets().len(), 1, "what is unknown stays");
        flights.forget(&a);
        assert!(flights.targets().is_empty());
    }

    #[test]
    fn an_unknown_outcome_is_remembered_until_an_allowed_call_succeeds() {
        let (flights, a) = (SingleFlight::new(), target("a"));
        flights.begin(&a, id(1), Forbidden).unwrap().watch(&attempt(1));
        assert_eq!(flights.begin(&a, id(2), Forbidden).unwrap_err(), Refusal::Unknown(id(1)));
        flights.begin(&a, id(3), Allowed).unwrap().settle(false);
        assert_eq!(flights.unknown(&a), Some(id(1)), "it failed, so nothing is settled");
        flights.begin(&a, id(4), Bypassing).unwrap().settle(true);
        assert_eq!(flights.unknown(&a), Some(id(1)), "a resume says nothing about an update");
        flights.begin(&a, id(5), Allowed).unwrap().settle(true);
        assert_eq!(flights.unknown(&a), None);
    }

    #[test]
    fn an_attempt_without_an_accepted_byte_leaves_no_doubt() {
        let (flights, a) = (SingleFlight::new(), target("a"));
        flights.begin(&a, id(1), Forbidden).unwrap().watch(&attempt(0));
        assert_eq!(flights.unknown(&a), None);
    }

    #[test]
    fn a_doubt_outlives_attempts_that_were_not_sent_and_ends_with_an_answer() {
        let (flights, a) = (SingleFlight::new(), target("a"));
        let mut flight = flights.begin(&a, id(1), Forbidden).unwrap();
        flight.watch(&attempt(1));
        flight.watch(&attempt(0));
        flight.watch(&attempt(0));
        drop(flight);
        assert_eq!(flights.unknown(&a), Some(id(1)));
        flights.forget(&a);
        let mut flight = flights.begin(&a, id(2), Forbidden).unwrap();
        flight.watch(&attempt(1));
        flight.watch(&attempt(1));
        flight.settle(true);
        drop(flight);
        assert_eq!(flights.unknown(&a), None);
    }

    #[test]
    fn an_unknown_outcome_can_be_forgotten() {
        let (flights, a) = (SingleFlight::new(), target("a"));
        flights.begin(&a, id(1), Forbidden).unwrap().watch(&attempt(1));
        flights.forget(&a);
        drop(flights.begin(&a, id(2), Forbidden).unwrap());
    }
}
