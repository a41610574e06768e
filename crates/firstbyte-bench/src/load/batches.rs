//! `[gen] batch.start` and `[gen] batch.done` of the streams.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use firstbyte_core::{Event, Micros, Recorder, Timestamp, field, record};

use super::streams::Tally;

/// Tells the recorder of generation batches: as many completions as there are streams.
#[derive(Clone)]
pub(super) struct Batches(Arc<BatchState>);

struct BatchState {
    recorder: Recorder,
    tally: Tally,
    size: usize,
    current: Mutex<Batch>,
}

#[derive(Clone, Copy)]
struct Batch {
    began: Timestamp,
    completions: usize,
    tokens_before: u64,
}

impl Batches {
    pub(super) fn start(recorder: &Recorder, tally: &Tally, size: usize) -> Self {
        let began = recorder.clock().now();
        let batch = Batch { began, completions: 0, tokens_before: 0 };
        let batches = Self(Arc::new(BatchState {
            recorder: recorder.clone(),
            tally: tally.clone(),
            size,
            current: Mutex::new(batch),
        }));
        batches.0.record_start(began);
        batches
    }

    pub(super) fn completed(&self) {
        let mut batch = self.lock();
        batch.completions += 1;
        if batch.completions == self.0.size {
            let now = self.0.recorder.clock().now();
            self.0.record_done(*batch, now);
            let tokens_before = self.0.tally.tokens();
            *batch = Batch { began: now, completions: 0, tokens_before };
            self.0.record_start(now);
        }
    }

    pub(super) fn end(&self) {
        self.0.record_done(*self.lock(), self.0.recorder.clock().now());
    }

    fn lock(&self) -> MutexGuard<'_, Batch> {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BatchState {
    fn record_start(&self, at: Timestamp) {
        let event = Event::new(&record::GEN_BATCH_START, at)
            .with(field::INFLIGHT, self.tally.open())
            .with(field::TARGET_BATCH, count(self.size));
        self.recorder.record(&event);
    }

    fn record_done(&self, batch: Batch, at: Timestamp) {
        let elapsed = at.since(batch.began);
        let tokens = self.tally.tokens() - batch.tokens_before;
        let event = Event::new(&record::GEN_BATCH_DONE, at)
            .with(field::COMPLETIONS, count(batch.completions))
            .with(field::DUR, Micros::from(elapsed))
            .with(field::INFLIGHT, self.tally.open())
            .with(field::OUTPUT_TOKENS, i64::try_from(tokens).unwrap_or(i64::MAX))
            .with(field::OUTPUT_TPS, tokens as f64 / elapsed.as_secs_f64());
        self.recorder.record(&event);
    }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl fmt::Debug for Batches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batches").field("size", &self.0.size).finish_non_exhaustive()
    }
}
