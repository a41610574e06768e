//! One operation at a time on one target, and none on top of one whose outcome is unknown.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use firstbyte_core::TraceId;

use crate::probe::Probe;

/// What a client remembers of its target.
#[derive(Debug, Default)]
pub(crate) struct Overlap(Mutex<State>);

#[derive(Debug, Default)]
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
    overlap: Arc<Overlap>,
    trace_id: TraceId,
    overlapping: Overlapping,
    attempt: Option<Arc<Probe>>,
    /// An attempt before that one may have happened.
    in_doubt: bool,
    succeeded: bool,
}

impl Overlap {
    /// Takes the target, or says why not.
    pub(crate) fn begin(
        self: &Arc<Self>,
        trace_id: TraceId,
        overlapping: Overlapping,
    ) -> Result<Flight, Refusal> {
        let mut state = self.state();
        if overlapping == Overlapping::Forbidden {
            if let Some(unknown) = state.unknown {
                return Err(Refusal::Unknown(unknown));
            }
            if state.in_flight > 0 {
                return Err(Refusal::InFlight);
            }
        }
        state.in_flight += 1;
        let overlap = Arc::clone(self);
        let (attempt, in_doubt, succeeded) = (None, false, false);
        Ok(Flight { overlap, trace_id, overlapping, attempt, in_doubt, succeeded })
    }

    pub(crate) fn forget(&self) {
        self.state().unknown = None;
    }

    pub(crate) fn unknown(&self) -> Option<TraceId> {
        self.state().unknown
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    /// An attempt begins, whose outcome is in doubt as soon as a byte of it was accepted. The doubt
    /// about those before it stays.
    pub(crate) fn watch(&mut self, attempt: &Arc<Probe>) {
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
        let mut state = self.overlap.state();
        state.in_flight -= 1;
        if self.is_in_doubt() {
            state.unknown = Some(self.trace_id);
        } else if self.succeeded && self.overlapping == Overlapping::Allowed {
            state.unknown = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use firstbyte_core::Clock;

    use super::{Overlapping::*, *};
    use crate::probe::Label;

    fn id(n: u64) -> TraceId {
        TraceId::new(n).unwrap()
    }

    fn attempt(sent: usize) -> Arc<Probe> {
        let url = "http://localhost/update_weights".parse().unwrap();
        let label = Label::new(&reqwest::Method::POST, &url);
        let probe = Probe::start(label, Clock::system(), Clock::system().now());
        probe.add_sent(sent, probe.now());
        probe
    }

    #[test]
    fn a_target_takes_one_call_at_a_time() {
        let overlap = Arc::new(Overlap::default());
        let mut first = overlap.begin(id(1), Forbidden).unwrap();
        assert_eq!(overlap.begin(id(2), Forbidden).unwrap_err(), Refusal::InFlight);
        drop(overlap.begin(id(3), Allowed).unwrap());
        first.settle(true);
        drop(first);
        drop(overlap.begin(id(4), Forbidden).unwrap());
    }

    #[test]
    fn an_unknown_outcome_is_remembered_until_an_allowed_call_succeeds() {
        let overlap = Arc::new(Overlap::default());
        overlap.begin(id(1), Forbidden).unwrap().watch(&attempt(1));
        assert_eq!(overlap.begin(id(2), Forbidden).unwrap_err(), Refusal::Unknown(id(1)));
        overlap.begin(id(3), Allowed).unwrap().settle(false);
        assert_eq!(overlap.unknown(), Some(id(1)), "it failed, so nothing is settled");
        overlap.begin(id(4), Bypassing).unwrap().settle(true);
        assert_eq!(overlap.unknown(), Some(id(1)), "a resume says nothing about an update");
        overlap.begin(id(5), Allowed).unwrap().settle(true);
        assert_eq!(overlap.unknown(), None);
    }

    #[test]
    fn an_attempt_without_an_accepted_byte_leaves_no_doubt() {
        let overlap = Arc::new(Overlap::default());
        overlap.begin(id(1), Forbidden).unwrap().watch(&attempt(0));
        assert_eq!(overlap.unknown(), None);
    }

    #[test]
    fn a_doubt_outlives_attempts_that_were_not_sent_and_ends_with_an_answer() {
        let overlap = Arc::new(Overlap::default());
        let mut flight = overlap.begin(id(1), Forbidden).unwrap();
        flight.watch(&attempt(1));
        flight.watch(&attempt(0));
        flight.watch(&attempt(0));
        drop(flight);
        assert_eq!(overlap.unknown(), Some(id(1)));
        overlap.forget();
        let mut flight = overlap.begin(id(2), Forbidden).unwrap();
        flight.watch(&attempt(1));
        flight.watch(&attempt(1));
        flight.settle(true);
        drop(flight);
        assert_eq!(overlap.unknown(), None);
    }

    #[test]
    fn an_unknown_outcome_can_be_forgotten() {
        let overlap = Arc::new(Overlap::default());
        overlap.begin(id(1), Forbidden).unwrap().watch(&attempt(1));
        overlap.forget();
        drop(overlap.begin(id(2), Forbidden).unwrap());
    }
}
