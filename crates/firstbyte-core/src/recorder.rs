//! Takes events from the hot path and gives them to sinks, without ever blocking the caller.
//!
//! One bounded queue, one writer thread. A push is one atomic exchange and a few stores; formatting
//! happens on the writer thread. Every event is accounted for:
//! `offered = written + dropped`, always, once the recorder is shut down.
//!
//! ```
//! use firstbyte_core::{Event, Micros, Recorder, TraceId, field, record};
//!
//! # let dir = std::env::temp_dir().join("firstbyte-recorder-doc");
//! # std::fs::create_dir_all(&dir)?;
//! let recorder = Recorder::builder().text_file(dir.join("server.log")).build()?;
//! let event = Event::new(&record::RPC_DONE, recorder.clock().now())
//!     .trace_id(TraceId::random())
//!     .with(field::OP, "pause")
//!     .with(field::RPC, Micros(29_600));
//! recorder.record(&event);
//! let accounting = recorder.shutdown(std::time::Duration::from_secs(1));
//! assert_eq!(accounting.offered, accounting.written + accounting.dropped());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod accounting;
mod builder;
mod control;
mod ring;
mod sink;
mod writer;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::Thread,
    time::Duration,
};

#[cfg(feature = "tracing")]
pub use self::sink::TracingSink;
use self::{
    accounting::Counters,
    control::Control,
    ring::{Refused, Ring},
};
pub use self::{
    accounting::{Accounting, DropReason},
    builder::{BuildError, Builder},
    sink::{Entry, FileFormat, FileSink, MemorySink, Sink, StderrSink, WriteError},
};
use crate::{clock::Clock, event::Event};

/// A handle to a recorder; clones share it.
///
/// Dropping the last handle shuts it down within one second: see [`Recorder::shutdown`].
#[derive(Clone)]
pub struct Recorder {
    clock: Clock,
    /// `None` for a disabled recorder.
    shared: Option<Arc<Handle>>,
}

/// What the handles share; the writer thread holds only `Shared`, so that dropping the last handle
/// is noticed.
struct Handle {
    shared: Arc<Shared>,
    writer: Thread,
}

struct Shared {
    ring: Ring,
    counters: Counters,
    control: Control,
    /// Somebody whose event was refused has woken the writer since it last looked.
    nudged: AtomicBool,
}

impl Recorder {
    /// Configures a recorder.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A recorder that takes nothing and costs a branch.
    #[must_use]
    pub fn disabled() -> Self {
        Self { clock: Clock::system(), shared: None }
    }

    /// The clock that every moment of this recorder's events must come from.
    #[inline]
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Whether events go anywhere.
    #[inline]
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.shared.is_some()
    }

    /// Hands an event over. Never blocks and never fails: an event that finds no room is counted.
    ///
    /// No system call, except a futex wake when a burst has filled a quarter of the queue and the writer
    /// sleeps: at most one per 16th of the queue.
    #[inline]
    pub fn record(&self, event: &Event) {
        let Some(handle) = &self.shared else { return };
        match handle.shared.ring.reserve(event.words()) {
            Ok(mut room) => {
                let wake = room.wake;
                let head = event.write_words(|word| room.push(word));
                room.publish(head);
                if wake {
                    handle.writer.unpark();
                }
            }
            Err(refused) => {
                handle.shared.count(refused);
                // The writer may be asleep still; once is enough, also if it is stuck in a sink.
                if !handle.shared.nudged.swap(true, Ordering::Relaxed) {
                    handle.writer.unpark();
                }
            }
        }
    }

    /// Waits until every event recorded before this call was written or counted as dropped.
    ///
    /// Returns whether that happened within `timeout`; a stalled sink makes it `false`.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.shared.as_ref().is_none_or(|handle| handle.flush(false, timeout))
    }

    /// A [`flush`](Self::flush) for a process that may end now without a shutdown, by a signal for one:
    /// writes `process.end` with the balance so far, unless no event came since the last one.
    ///
    /// The recorder goes on, and what it records then is followed by another `process.end`.
    pub fn checkpoint(&self, timeout: Duration) -> bool {
        self.shared.as_ref().is_none_or(|handle| handle.flush(true, timeout))
    }

    /// Writes what is queued, says goodbye with a `process.end` line, and ends the writer thread.
    ///
    /// Takes at most `timeout`: what a stalled sink did not take by then is counted as dropped with
    /// the reason `shutdown`. A second call changes nothing.
    pub fn shutdown(&self, timeout: Duration) -> Accounting {
        match &self.shared {
            Some(handle) => handle.shutdown(timeout),
            None => Accounting::default(),
        }
    }

    /// The balance so far. Events that wait in the queue are offered, but neither written nor dropped.
    #[must_use]
    pub fn accounting(&self) -> Accounting {
        self.shared.as_ref().map_or_else(Accounting::default, |handle| handle.shared.accounting())
    }
}

impl Handle {
    fn flush(&self, with_balance: bool, timeout: Duration) -> bool {
        self.shared.control.flush(with_balance, timeout, || self.writer.unpark())
    }

    fn shutdown(&self, timeout: Duration) -> Accounting {
        let shared = &self.shared;
        shared.ring.close();
        if !shared.control.finish(timeout, || self.writer.unpark()) {
            // The writer is stuck in a sink. Whatever it still does is no longer counted.
            shared.counters.abandon();
        }
        shared.accounting()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shutdown(Duration::from_secs(1));
    }
}

impl Shared {
    #[cold]
    fn count(&self, refused: Refused) {
        let reason = match refused {
            Refused::Full => DropReason::QueueFull,
            Refused::NoRoom => DropReason::Memory,
            Refused::Closed => DropReason::Closed,
        };
        self.counters.drop(reason, 1);
    }

    fn accounting(&self) -> Accounting {
        self.counters.balance(|| self.ring.len())
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("accounting", &self.accounting()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
