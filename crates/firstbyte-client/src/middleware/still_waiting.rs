//! A call that has not ended says where it is: `client.waiting`.

use std::{pin::Pin, task::Context, time::Duration};

use firstbyte_core::Recorder;
use tokio::time::{Instant, Sleep, sleep};

use crate::progress::Progress;

/// Tells every interval where an attempt is. Costs nothing until the attempt has to wait.
#[derive(Debug)]
pub(super) struct StillWaiting {
    interval: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl StillWaiting {
    /// With an interval of zero it never tells.
    pub(super) const fn every(interval: Duration) -> Self {
        Self { interval, timer: None }
    }

    /// To be called whenever the attempt turns out to be pending.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, progress: &Progress, recorder: &Recorder) {
        if self.interval.is_zero() || !recorder.is_enabled() {
            return;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(self.interval)));
        // The first look is for a server that never stops sending: the runtime's timers come late then.
        while timer.deadline() <= Instant::now() || timer.as_mut().poll(cx).is_ready() {
            if let Some(state) = progress.snapshot() {
                let event = state.event(recorder.clock().now());
                recorder.record(&progress.label.mark(event));
            }
            timer.as_mut().reset(Instant::now() + self.interval);
        }
    }
}
