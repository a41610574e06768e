//! One attempt and its events: exactly one terminal event, whatever happens.

use std::{error::Error, sync::Arc};

use firstbyte_core::{Event, Phases, Recorder, Split, field, record};

use crate::{error::ClientError, held::HeldDone, progress::Progress};

/// From `client.send` to `client.done` or `client.fail`.
#[derive(Debug)]
pub(super) struct Attempt {
    recorder: Recorder,
    progress: Arc<Progress>,
    /// A body that is dropped before its end is a cancelled call, not a caller's choice.
    whole: bool,
    /// The caller wants to add to `client.done` what happened after it.
    hold: bool,
    over: bool,
}

impl Attempt {
    pub(super) fn begin(
        recorder: Recorder,
        progress: Arc<Progress>,
        step: Option<i64>,
        whole: bool,
        hold: bool,
    ) -> Self {
        if recorder.is_enabled() {
            let label = &progress.label;
            let event = Event::new(&record::CLIENT_SEND, progress.started)
                .with(field::URL, label.url())
                .with(field::TARGET, label.target())
                .with(field::ATTEMPT, i64::from(label.attempt))
                .with_known(field::OP, label.operation.as_deref())
                .with_known(field::STEP, step);
            recorder.record(&progress.label.mark(event));
        }
        Self { recorder, progress, whole, hold, over: false }
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    pub(super) fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The response ended.
    pub(super) fn done(&mut self, split: impl FnOnce(Phases) -> Split) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        let (phases, _, at) = self.progress.finish();
        let split = split(phases);
        if self.whole {
            self.progress.set_split(split);
        }
        if self.recorder.is_enabled() {
            let mut event = Event::new(&record::CLIENT_DONE, at);
            split.set_on(&mut event);
            let status = self.progress.status().map(|status| i64::from(status.as_u16()));
            let event = event
                .with_known(field::STATUS, status)
                .with(field::ATTEMPT, i64::from(self.progress.label.attempt))
                .with_known(field::OP, self.progress.label.operation.as_deref())
                .with(field::TARGET, self.progress.label.target());
            let event = self.progress.label.mark(event);
            if self.hold {
                self.progress.hold(HeldDone::new(self.recorder.clone(), event));
            } else {
                self.recorder.record(&event);
            }
        }
    }

    /// It ended without a whole response.
    pub(super) fn fail(&mut self, error: &(dyn Error + 'static)) {
        let own = ClientError::find(error);
        let (outcome, reason) = match own {
            Some(error) if error.is_outcome_unknown() => ("unknown", error.reason()),
            Some(error) if error.is_not_sent() => ("not_sent", error.reason()),
            Some(error) => ("failed", error.reason()),
            None => foreign_outcome(error),
        };
        self.end_badly(outcome, reason, own.and_then(ClientError::cause).as_deref());
    }

    /// The caller dropped it.
    pub(super) fn cancelled(&mut self) {
        self.end_badly("cancelled", "cancelled", None);
    }

    pub(super) fn must_be_read_whole(&self) -> bool {
        self.whole
    }

    fn end_badly(&mut self, outcome: &str, reason: &str, cause: Option<&str>) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        let (phases, phase, at) = self.progress.finish();
        if self.recorder.is_enabled() {
            let status = self.progress.status().map(|status| i64::from(status.as_u16()));
            let event = Event::new(&record::CLIENT_FAIL, at)
                .with(field::WALL, phases.wall())
                .with(field::PHASE, phase.as_str())
                .with(field::OUTCOME, outcome)
                .with(field::ERROR, reason)
                .with(field::ATTEMPT, i64::from(self.progress.label.attempt))
                .with_known(field::STATUS, status)
                .with_known(field::OP, self.progress.label.operation.as_deref())
                .with(field::TARGET, self.progress.label.target())
                .with_known(field::CAUSE, cause);
            self.recorder.record(&self.progress.label.mark(event));
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.cancelled();
    }
}

/// Outcome and cause, as far as reqwest's own transport tells: it counts no bytes.
fn foreign_outcome(error: &(dyn Error + 'static)) -> (&'static str, &'static str) {
    let reqwest =
        error.downcast_ref::<reqwest::Error>().or_else(|| match error.downcast_ref()? {
            reqwest_middleware::Error::Reqwest(error) => Some(error),
            reqwest_middleware::Error::Middleware(_) => None,
        });
    match reqwest {
        Some(error) if error.is_connect() => ("not_sent", "connect"),
        Some(error) if error.is_builder() => ("not_sent", "request"),
        Some(error) if error.is_timeout() => ("unknown", "total_timeout"),
        Some(error) if error.is_body() || error.is_decode() => ("unknown", "body_truncated"),
        Some(_) => ("unknown", "request"),
        None => ("unknown", "middleware"),
    }
}
