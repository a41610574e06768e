//! One monotonic clock for every duration, and the wall clock only to name an event's moment.

use std::{
    fmt,
    num::NonZeroU64,
    ops::{Add, Sub},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rustix::time::{ClockId, Timespec, clock_gettime};

/// A moment on the monotonic clock: nanoseconds of `CLOCK_MONOTONIC`.
///
/// Moments of two processes are comparable only on one host within one boot.
///
/// An `Option` of it is as small: readers keep millions of moments that may be unknown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(
    /// The nanoseconds and one more.
    NonZeroU64,
);

impl Timestamp {
    /// The moment `nanos` nanoseconds after the clock's origin; 584 years are the most.
    #[inline]
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        match NonZeroU64::new(nanos.wrapping_add(1)) {
            Some(number) => Self(number),
            None => Self(NonZeroU64::MAX),
        }
    }

    /// Nanoseconds since the clock's origin.
    #[inline]
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0.get() - 1
    }

    /// Time from `earlier` to this moment; zero if `earlier` is in fact later.
    #[inline]
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

/// The clock's origin.
impl Default for Timestamp {
    fn default() -> Self {
        Self::from_nanos(0)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timestamp").field(&self.as_nanos()).finish()
    }
}

/// A length of time in whole microseconds, the resolution of every recorded duration.
///
/// Durations are cut to microseconds at the boundaries they lie between, not one by one, so that
/// the phases of a call add up to its wall time exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub u64);

impl Micros {
    /// Reads milliseconds as found in a header or a JSON body.
    ///
    /// `None` unless the number is finite, not negative and below 584,000 years.
    #[must_use]
    pub fn from_millis_f64(millis: f64) -> Option<Self> {
        let micros = (millis * 1e3).round();
        (millis >= 0.0 && micros < u64::MAX as f64).then_some(Self(micros as u64))
    }

    /// Milliseconds, for arithmetic and printing.
    #[must_use]
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1e3
    }

    /// Tenths of a millisecond, rounded half up: what is printed wherever one decimal is.
    pub(crate) const fn tenths(self) -> u64 {
        self.0.saturating_add(50) / 100
    }

    /// The difference, or `None` if `other` is longer.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

/// Milliseconds with one decimal, rounded half up, as text lines have them.
///
/// ```
/// assert_eq!(format!("{:>7} ms", firstbyte_core::Micros(10_350)), "   10.4 ms");
/// ```
impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.tenths();
        f.pad(&format!("{}.{}", tenths / 10, tenths % 10))
    }
}

impl From<Duration> for Micros {
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
    }
}

impl From<Micros> for Duration {
    fn from(micros: Micros) -> Self {
        Self::from_micros(micros.0)
    }
}

impl Add for Micros {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Micros {
    type Output = Self;

    /// Panics in debug builds if `other` is longer; see [`Micros::checked_sub`].
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl std::iter::Sum for Micros {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self(0), Add::add)
    }
}

/// Where moments come from: the system, or a test.
///
/// Cloning is cheap; clones of a manual clock move together. One read of the system clock costs
/// about 25 ns on Linux (vDSO, no system call).
#[derive(Clone, Default)]
pub struct Clock(Source);

#[derive(Clone, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<Manual>),
}

struct Manual {
    monotonic: AtomicU64,
    unix_offset: u64,
}

impl Clock {
    /// `CLOCK_MONOTONIC` and `CLOCK_REALTIME` of this machine.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`Clock::advance`] is called, starting at `start`.
    #[must_use]
    pub fn manual(start: Timestamp, unix: Duration) -> Self {
        let unix = u64::try_from(unix.as_nanos()).unwrap_or(u64::MAX);
        Self(Source::Manual(Arc::new(Manual {
            monotonic: AtomicU64::new(start.as_nanos()),
            unix_offset: unix.saturating_sub(start.as_nanos()),
        })))
    }

    /// Whether it is the system's; a test's clock is not.
    #[must_use]
    pub const fn is_system(&self) -> bool {
        matches!(self.0, Source::System)
    }

    /// The present moment.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::from_nanos(nanos(clock_gettime(ClockId::Monotonic))),
            Source::Manual(manual) => {
                Timestamp::from_nanos(manual.monotonic.load(Ordering::Relaxed))
            }
        }
    }

    /// Nanoseconds since the Unix epoch, for labels only: this clock may jump.
    #[must_use]
    pub fn unix_nanos(&self) -> u64 {
        match &self.0 {
            Source::System => nanos(clock_gettime(ClockId::Realtime)),
            Source::Manual(manual) => manual.monotonic.load(Ordering::Relaxed) + manual.unix_offset,
        }
    }

    /// Moves a manual clock forward. Without effect on the system clock.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(manual) = &self.0 {
            let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
            manual.monotonic.fetch_add(by, Ordering::Relaxed);
        }
    }
}

fn nanos(time: Timespec) -> u64 {
    // Both clocks count up from zero; a negative reading would be a kernel defect.
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::System => "Clock::System",
            Source::Manual(_) => "Clock::Manual",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = Clock::manual(Timestamp::from_nanos(5), Duration::from_secs(1));
        let start = clock.now();
        clock.clone().advance(Duration::from_micros(7));
        assert_eq!(clock.now().since(start), Duration::from_micros(7));
        assert_eq!(start.since(clock.now()), Duration::ZERO);
        assert_eq!(clock.unix_nanos(), 1_000_007_000);
    }

    #[test]
    fn the_system_clock_is_that_of_the_uptime_file() {
        let uptime = std::fs::read_to_string("/proc/uptime");
        if let Ok(uptime) = uptime {
            let seconds: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
            let now = Clock::system().now().as_nanos() as f64 / 1e9;
            // A suspended machine has a larger uptime than CLOCK_MONOTONIC; never a smaller one.
            assert!(now <= seconds + 1.0, "{now} vs {seconds}");
        }
    }

    #[test]
    fn millis_that_are_no_duration_are_refused() {
        for bad in [f64::NAN, f64::INFINITY, -0.1, f64::MAX] {
            assert_eq!(Micros::from_millis_f64(bad), None, "{bad}");
        }
        assert_eq!(Micros::from_millis_f64(447.9), Some(Micros(447_900)));
    }
}
