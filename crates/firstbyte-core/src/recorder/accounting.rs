//! `offered = written + dropped by reason`.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// Why an event was counted instead of written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The queue was full: the sinks are slower than the events or stalled, or the queue is small and
    /// the burst was faster than the writer could be woken.
    QueueFull,
    /// The queue may hold more events, but long texts have used up its room.
    Memory,
    /// A sink failed: the disk is full, the file is gone, the sink panicked.
    Sink,
    /// The recorder was shut down before.
    Closed,
    /// A sink was stalled until the shutdown's time was up.
    Shutdown,
}

impl DropReason {
    /// All reasons.
    pub const ALL: [Self; 5] =
        [Self::QueueFull, Self::Memory, Self::Sink, Self::Closed, Self::Shutdown];

    /// The reason as written in `reason=`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Memory => "memory",
            Self::Sink => "sink",
            Self::Closed => "closed",
            Self::Shutdown => "shutdown",
        }
    }
}

/// The balance of a recorder. firstbyte's own lines (`process.start` and the like) are not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accounting {
    /// Events that were handed to [`Recorder::record`](super::Recorder::record).
    pub offered: u64,
    /// Events that every sink took.
    pub written: u64,
    dropped_by: [u64; DropReason::ALL.len()],
}

impl Accounting {
    /// Events that were counted instead of written.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped_by.iter().sum()
    }

    /// Events that were dropped for this reason.
    #[must_use]
    pub const fn dropped_by(&self, reason: DropReason) -> u64 {
        self.dropped_by[reason as usize]
    }
}

#[derive(Default)]
pub(super) struct Counters {
    dropped: [AtomicU64; DropReason::ALL.len()],
    /// Events that the writer took out of the queue.
    taken: AtomicU64,
    written: AtomicU64,
    /// The writer was given up and must count no more.
    abandoned: Mutex<bool>,
}

impl Counters {
    pub(super) fn drop(&self, reason: DropReason, count: u64) {
        self.dropped[reason as usize].fetch_add(count, Ordering::Relaxed);
    }

    /// The writer took events, which the queue counts no more once it is told: no balance sees one without
    /// the other.
    pub(super) fn take(&self, count: u64, tell_queue: impl FnOnce()) {
        let _balance = self.abandoned();
        tell_queue();
        self.taken.fetch_add(count, Ordering::Relaxed);
    }

    /// The writer's verdict on a batch, unless it comes too late.
    pub(super) fn settle(&self, written: u64, lost: u64) {
        let abandoned = self.abandoned();
        if !*abandoned {
            self.written.fetch_add(written, Ordering::Relaxed);
            self.drop(DropReason::Sink, lost);
        }
    }

    /// Counts everything that is not settled by now as dropped.
    pub(super) fn abandon(&self) {
        *self.abandoned() = true;
    }

    pub(super) fn is_abandoned(&self) -> bool {
        *self.abandoned()
    }

    /// The balance, given a look at how many events wait in the queue.
    pub(super) fn balance(&self, waiting: impl FnOnce() -> u64) -> Accounting {
        let abandoned = self.abandoned();
        let mut balance = Accounting {
            offered: 0,
            written: self.written.load(Ordering::SeqCst),
            dropped_by: std::array::from_fn(|i| self.dropped[i].load(Ordering::SeqCst)),
        };
        // After those: the balance may lack events that are on their way, but never invents one.
        let taken = self.taken.load(Ordering::Relaxed);
        let refused = [DropReason::QueueFull, DropReason::Memory, DropReason::Closed];
        let refused = refused.iter().map(|reason| balance.dropped_by(*reason)).sum::<u64>();
        balance.offered = taken + waiting() + refused;
        if *abandoned {
            let open = balance.offered.saturating_sub(balance.written + balance.dropped());
            balance.dropped_by[DropReason::Shutdown as usize] = open;
        }
        balance
    }

    fn abandoned(&self) -> MutexGuard<'_, bool> {
        self.abandoned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
