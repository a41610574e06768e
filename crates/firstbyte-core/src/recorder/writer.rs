//! The one thread that formats and writes.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use super::{DropReason, Entry, Shared, Sink, accounting::Accounting, ring::Consumer};
use crate::{
    clock::{Clock, Timestamp},
    event::Event,
    process::Process,
    schema::{field, record},
};

/// Events per round: at about 150 bytes a line this fills a block of 64 KiB.
const BATCH: usize = 400;
/// How long the writer sleeps at most: callers wake it when the queue fills up.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a caller may need to fill in the room that it has reserved.
const INTERRUPTED: Duration = Duration::from_millis(1);

pub(super) struct Writer {
    shared: Arc<Shared>,
    queue: Consumer,
    /// Events taken so far; also the sequence number of the next one.
    taken: u64,
    /// A sink that panicked is `None` from then on.
    sinks: Vec<Option<Box<dyn Sink>>>,
    clock: Clock,
    process: Process,
    pause: Duration,
    batch: Vec<Entry>,
    /// How many losses the log has told of, by reason.
    reported: [u64; DropReason::ALL.len()],
    /// The balance that the log has told last.
    told: Option<Accounting>,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        sinks: Vec<Box<dyn Sink>>,
        clock: Clock,
        process: Process,
        flush_interval: Duration,
    ) -> Self {
        Self {
            shared,
            queue: Consumer::new(),
            taken: 0,
            sinks: sinks.into_iter().map(Some).collect(),
            clock,
            process,
            pause: flush_interval.min(PAUSE),
            batch: Vec::with_capacity(BATCH),
            reported: [0; DropReason::ALL.len()],
            told: None,
        }
    }

    pub(super) fn run(mut self) {
        self.write_own(self.process_start());
        loop {
            self.shared.nudged.store(false, Ordering::Relaxed);
            let requests = self.shared.control.requests();
            // Producers may be faster than the sinks; a flush must end all the same.
            let waiting = self.shared.ring.len();
            let mut taken = 0;
            while taken < waiting {
                let batch = self.write_batch();
                taken += batch;
                if batch == 0 {
                    // A producer has reserved room, and was interrupted before it could fill it in.
                    if self.shared.counters.is_abandoned() {
                        return;
                    }
                    thread::park_timeout(INTERRUPTED);
                }
            }
            self.report_drops();
            if requests.closing && taken == 0 {
                break;
            }
            // An application that knows of no end returns at once, before anything has happened.
            if requests.balance && self.taken > 0 {
                self.tell_balance();
            }
            self.shared.control.flushed(requests.flush);
            // A sink may have used up the wake of a flush that was wanted meanwhile, or of a full queue.
            let now = self.shared.control.requests();
            let asked = (now.flush, now.closing) != (requests.flush, requests.closing)
                || self.shared.nudged.load(Ordering::Relaxed);
            if waiting < BATCH as u64 && !requests.closing && !asked {
                thread::park_timeout(self.pause);
            }
        }
        self.tell_balance();
        self.sinks.drain(..).for_each(discard);
        self.shared.control.finished();
    }

    fn write_batch(&mut self) -> u64 {
        let unix_offset = self.unix_offset();
        let ring = &self.shared.ring;
        while self.batch.len() < BATCH
            && let Some(head) = self.queue.peek(ring)
        {
            let (event, words) = Event::read_words(head, |place| self.queue.word(ring, place));
            self.queue.advance(ring, words);
            let seq = self.taken + self.batch.len() as u64;
            self.batch.push(Entry::new(event, Some(seq), unix_offset));
        }
        let count = self.batch.len() as u64;
        self.shared.counters.take(count, || self.queue.release(ring));
        self.taken += count;
        let written = self.write().0 as u64;
        self.shared.counters.settle(written, count - written);
        count
    }

    /// Gives the batch to every sink; returns how many of its events all of them took, and how many
    /// at least one of them took.
    fn write(&mut self) -> (usize, usize) {
        let (mut by_all, mut by_one) = (self.batch.len(), 0);
        for slot in &mut self.sinks {
            let Some(sink) = slot else {
                by_all = 0;
                continue;
            };
            let taken =
                match catch_unwind(AssertUnwindSafe(|| sink.write(&self.batch, &self.process))) {
                    Ok(Ok(())) => self.batch.len(),
                    Ok(Err(error)) => error.written,
                    Err(panic) => {
                        discard(slot.take());
                        discard(panic);
                        0
                    }
                };
            (by_all, by_one) = (by_all.min(taken), by_one.max(taken));
        }
        self.batch.clear();
        (by_all, by_one)
    }

    /// Writes a line about the recorder itself, which is in no balance. Returns whether a sink took it.
    fn write_own(&mut self, event: Event) -> bool {
        let unix_offset = self.unix_offset();
        self.batch.push(Entry::new(event, None, unix_offset));
        self.write().1 > 0
    }

    /// Tells of losses once a sink can take the line.
    fn report_drops(&mut self) {
        let now = self.shared.accounting();
        for (reason, reported) in DropReason::ALL.into_iter().zip(self.reported) {
            let count = now.dropped_by(reason).saturating_sub(reported);
            if count > 0 {
                let event = Event::new(&record::DROPPED, self.clock.now())
                    .with(field::COUNT, count.cast_signed())
                    .with(field::REASON, reason.as_str());
                if self.write_own(event) {
                    self.reported[reason as usize] = now.dropped_by(reason);
                }
            }
        }
    }

    /// Says goodbye, unless nothing has happened since it was said.
    fn tell_balance(&mut self) {
        let balance = self.shared.accounting();
        if self.told != Some(balance) && self.write_own(process_end(&balance, self.clock.now())) {
            self.told = Some(balance);
        }
    }

    fn process_start(&self) -> Event {
        self.process.start(self.clock.now(), self.clock.unix_nanos())
    }

    /// What to add to a monotonic moment to get the wall clock.
    fn unix_offset(&self) -> u64 {
        self.clock.unix_nanos().wrapping_sub(self.clock.now().as_nanos())
    }
}

/// Drops what belongs to a sink, which may panic in that too.
fn discard<T>(value: T) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        std::mem::forget(panic);
    }
}

fn process_end(balance: &Accounting, at: Timestamp) -> Event {
    Event::new(&record::PROCESS_END, at)
        .with(field::OFFERED, balance.offered.cast_signed())
        .with(field::WRITTEN, balance.written.cast_signed())
        .with(field::DROPPED, balance.dropped().cast_signed())
}
