//! The cheapest clock of the machine, for the latency of requests that are not recorded.
//!
//! A reading of the processor's time stamp counter costs 9 ns, one of the system clock 22-31 ns.
//! Ticks are turned into nanoseconds only when somebody reads the histogram. Where the kernel does
//! not vouch for the counter, and under a test's clock, a tick is a nanosecond of the clock.

use std::{sync::OnceLock, time::Duration};

use firstbyte_core::{Clock, Timestamp};

#[derive(Clone, Debug)]
pub(crate) struct Ticks {
    /// `None` if the counter is used.
    clock: Option<Clock>,
}

impl Ticks {
    pub(crate) fn new(clock: &Clock) -> Self {
        let counter = clock.is_system() && counter::is_steady();
        Self { clock: (!counter).then(|| clock.clone()) }
    }

    #[inline]
    pub(crate) fn now(&self) -> u64 {
        match &self.clock {
            None => counter::read(),
            Some(clock) => clock.now().as_nanos(),
        }
    }

    /// Measured over 1 ms at the first call of the process.
    pub(crate) fn nanos_per_tick(&self) -> f64 {
        static OF_COUNTER: OnceLock<f64> = OnceLock::new();
        if self.clock.is_some() { 1.0 } else { *OF_COUNTER.get_or_init(calibrate) }
    }
}

fn calibrate() -> f64 {
    let clock = Clock::system();
    let (start, first) = read_both(&clock);
    while clock.now().since(start) < Duration::from_millis(1) {
        std::hint::spin_loop();
    }
    let (end, last) = read_both(&clock);
    end.since(start).as_nanos() as f64 / last.saturating_sub(first).max(1) as f64
}

/// Both clocks at one moment: the closest of some pairs, in case the thread was interrupted.
fn read_both(clock: &Clock) -> (Timestamp, u64) {
    let pairs = (0..8).map(|_| {
        let (before, ticks, after) = (counter::read(), clock.now(), counter::read());
        (after.saturating_sub(before), ticks, before.midpoint(after))
    });
    let closest = pairs.min_by_key(|(gap, ..)| *gap);
    closest.map_or_else(|| (clock.now(), counter::read()), |(_, at, ticks)| (at, ticks))
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod counter {
    use std::{fs, sync::OnceLock};

    /// Whether the kernel itself keeps time by the counter: it is then constant, does not stop, and
    /// is the same on all processors.
    pub(super) fn is_steady() -> bool {
        const CLOCK_SOURCE: &str =
            "/sys/devices/system/clocksource/clocksource0/current_clocksource";
        static STEADY: OnceLock<bool> = OnceLock::new();
        *STEADY
            .get_or_init(|| fs::read_to_string(CLOCK_SOURCE).is_ok_and(|name| name.trim() == "tsc"))
    }

    #[inline]
    #[allow(unsafe_code)]
    pub(super) fn read() -> u64 {
        // SAFETY: RDTSC only reads a register. Linux lets every process use it, unless one forbids
        // it to itself by prctl(PR_SET_TSC).
        unsafe { core::arch::x86_64::_rdtsc() }
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod counter {
    pub(super) fn is_steady() -> bool {
        false
    }

    pub(super) fn read() -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_measure_the_time_of_the_system_clock() {
        let (clock, ticks) = (Clock::system(), Ticks::new(&Clock::system()));
        let (start, first) = (clock.now(), ticks.now());
        while clock.now().since(start) < Duration::from_millis(20) {
            std::hint::spin_loop();
        }
        let (last, end) = (ticks.now(), clock.now());
        let measured = (last - first) as f64 * ticks.nanos_per_tick();
        let exact = end.since(start).as_nanos() as f64;
        assert!((measured / exact - 1.0).abs() < 0.02, "{measured} of {exact} ns");
    }

    #[test]
    fn a_manual_clock_is_obeyed() {
        let clock = Clock::manual(Timestamp::default(), Duration::ZERO);
        let ticks = Ticks::new(&clock);
        let start = ticks.now();
        clock.advance(Duration::from_micros(3));
        assert_eq!(((ticks.now() - start) as f64 * ticks.nanos_per_tick()) as u64, 3_000);
    }
}
