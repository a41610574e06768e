//! How long the engine worked for a control call, by timers that may overlap.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::clock::Micros;

/// The engine's share of one control call on the server: when its work began, and how long it took.
///
/// A call may have several timers, on any threads. The time in which at least one of them runs counts
/// once: of one within another, such as a handler's around a library's, the outer one. Moments are told
/// as the time since `server.recv`, cut to microseconds, so that handler and rpc are together never more
/// than the total.
///
/// ```
/// use firstbyte_core::{EngineTime, Micros};
///
/// let engine = EngineTime::default();
/// engine.begin(Micros(7_000));
/// engine.begin(Micros(9_000));
/// engine.end(Micros(12_000));
/// engine.end(Micros(17_000));
/// assert_eq!(engine.handler(), Some(Micros(7_000)));
/// assert_eq!(engine.rpc(), Some(Micros(10_000)));
/// ```
#[derive(Debug)]
pub struct EngineTime {
    /// In microseconds, or [`UNKNOWN`].
    handler: AtomicU64,
    /// Of the stretches that are over, in microseconds; or [`UNKNOWN`].
    rpc: AtomicU64,
    /// How many timers run, in the lower bits, and above since when at least one does, in microseconds: one
    /// word, so that they change together.
    running: AtomicU64,
}

const UNKNOWN: u64 = u64::MAX;

/// Room for a million timers at once, and for half a year.
const RUNNING_BITS: u32 = 20;
const RUNNING: u64 = (1 << RUNNING_BITS) - 1;

impl Default for EngineTime {
    #[inline]
    fn default() -> Self {
        let (handler, rpc) = (AtomicU64::new(UNKNOWN), AtomicU64::new(UNKNOWN));
        Self { handler, rpc, running: AtomicU64::new(0) }
    }
}

impl EngineTime {
    /// A timer begins. It has exactly one [`end`](Self::end).
    pub fn begin(&self, Micros(at): Micros) {
        _ = self.handler.compare_exchange(UNKNOWN, at, Relaxed, Relaxed);
        _ = self.running.fetch_update(Relaxed, Relaxed, |running| {
            let is_first = running & RUNNING == 0;
            Some(if is_first { at << RUNNING_BITS } else { running } + 1)
        });
    }

    /// A timer ends. What the last one that runs leaves behind is work of the engine.
    pub fn end(&self, Micros(at): Micros) {
        let running = self.running.fetch_sub(1, Relaxed) - 1;
        if running & RUNNING == 0 {
            // On another thread it may have begun a moment later.
            let busy = at.saturating_sub(running >> RUNNING_BITS);
            _ = self.rpc.fetch_update(Relaxed, Relaxed, |sum| {
                Some(if sum == UNKNOWN { busy } else { sum.saturating_add(busy) })
            });
        }
    }

    /// From `server.recv` to the first timer, if there was one.
    #[inline]
    #[must_use]
    pub fn handler(&self) -> Option<Micros> {
        known(&self.handler)
    }

    /// For how long at least one timer ran. A stretch of that counts when the last timer in it has ended;
    /// before there is one, it is `None`.
    #[inline]
    #[must_use]
    pub fn rpc(&self) -> Option<Micros> {
        known(&self.rpc)
    }
}

#[inline]
fn known(micros: &AtomicU64) -> Option<Micros> {
    let micros = micros.load(Relaxed);
    (micros != UNKNOWN).then_some(Micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begins (`+`) and ends (`-`) of timers, and the moment of each.
    fn timers(steps: &[(char, u64)]) -> EngineTime {
        let engine = EngineTime::default();
        for (step, at) in steps {
            match step {
                '+' => engine.begin(Micros(*at)),
                _ => engine.end(Micros(*at)),
            }
        }
        engine
    }

    #[test]
    fn time_in_which_several_timers_run_counts_once() {
        for (steps, rpc) in [
            (&[('+', 0), ('-', 3)][..], 3),
            (&[('+', 0), ('+', 5), ('-', 15), ('-', 20)], 20),
            (&[('+', 0), ('+', 5), ('-', 10), ('-', 25)], 25),
            (&[('+', 0), ('-', 5), ('+', 15), ('-', 20)], 10),
            (&[('+', 0), ('+', 2), ('-', 4), ('-', 6), ('+', 8), ('+', 8), ('-', 8), ('-', 9)], 7),
        ] {
            assert_eq!(timers(steps).rpc(), Some(Micros(rpc)), "{steps:?}");
        }
    }

    #[test]
    fn what_runs_is_not_known_yet() {
        assert_eq!(timers(&[]).handler(), None);
        assert_eq!(timers(&[]).rpc(), None);
        assert_eq!(timers(&[('+', 7), ('+', 8), ('-', 9)]).rpc(), None);
        assert_eq!(timers(&[('+', 7), ('-', 9), ('+', 10)]).rpc(), Some(Micros(2)));
    }

    #[test]
    fn the_first_timer_ends_the_handlers_own_time() {
        let engine = timers(&[('+', 7), ('+', 8), ('-', 9), ('-', 9), ('+', 20)]);
        assert_eq!(engine.handler(), Some(Micros(7)));
    }

    #[test]
    fn a_moment_that_another_thread_told_too_late_takes_nothing_away() {
        assert_eq!(timers(&[('+', 10), ('-', 9)]).rpc(), Some(Micros(0)));
    }

    #[test]
    fn timers_of_many_threads_leave_nothing_running() {
        let engine = EngineTime::default();
        engine.begin(Micros(1));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for at in 2..1_000 {
                        engine.begin(Micros(at));
                        engine.end(Micros(at));
                    }
                });
            }
        });
        engine.end(Micros(1_000));
        assert_eq!((engine.handler(), engine.rpc()), (Some(Micros(1)), Some(Micros(999))));
    }
}
