//! Latency histograms of every request: one per control operation, one for all others.

use std::{fmt, sync::Arc, time::Duration};

use histogram::{AtomicHistogram, Histogram};

use crate::ticks::Ticks;

/// Buckets are 1/32 of their value wide.
const GROUPING_POWER: u8 = 5;
/// Longer than 2^44 ns, 4.9 hours, counts as that long.
const MAX_VALUE_POWER: u8 = 44;
const MAX_VALUE: u64 = (1 << MAX_VALUE_POWER) - 1;

/// How long requests took: from the call of the service to the end of the response, whatever the
/// outcome. Clones share the histograms.
///
/// Recording costs one relaxed addition; a histogram has 10 KiB. The moment of the end is that of
/// `server.done` for control calls and that of the body's drop for all others.
///
/// ```
/// use firstbyte_core::Recorder;
/// use firstbyte_tower::FirstByteLayer;
///
/// let latency = FirstByteLayer::new(Recorder::disabled()).latency();
/// for class in latency.snapshot() {
///     println!("{}: {} requests, p99 {:?}", class.class, class.count, class.p99);
/// }
/// ```
#[derive(Clone)]
pub struct Latency(Arc<Histograms>);

/// The latency of one class of requests. The durations are upper ends of buckets: at most 3.2 % more
/// than the exact value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LatencySummary {
    /// The operation of the route table, or [`Latency::OTHER`].
    pub class: String,
    /// How many requests have ended.
    pub count: u64,
    /// Half of them took no longer.
    pub p50: Duration,
    /// 95 % of them took no longer.
    pub p95: Duration,
    /// 99 % of them took no longer.
    pub p99: Duration,
    /// None took longer.
    pub max: Duration,
}

impl Latency {
    /// The class of requests that are no control calls.
    pub const OTHER: &'static str = firstbyte_core::RouteTable::OTHER;

    pub(crate) fn new(histograms: &Arc<Histograms>) -> Self {
        Self(Arc::clone(histograms))
    }

    /// The classes that have seen a request, control operations first.
    ///
    /// Requests that end meanwhile may be in it or not. The first call takes about 1 ms, the time it
    /// takes to calibrate the time stamp counter.
    #[must_use]
    pub fn snapshot(&self) -> Vec<LatencySummary> {
        let Histograms { operations, other, ticks } = &*self.0;
        let operations = operations.iter().map(|(name, nanos)| summary(name, nanos, 1.0));
        let other = std::iter::once_with(|| summary(Self::OTHER, other, ticks.nanos_per_tick()));
        operations.chain(other).flatten().collect()
    }
}

impl fmt::Debug for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latency").finish_non_exhaustive()
    }
}

pub(crate) struct Histograms {
    /// In nanoseconds.
    operations: Box<[(Arc<str>, AtomicHistogram)]>,
    /// In ticks.
    other: AtomicHistogram,
    ticks: Ticks,
}

impl Histograms {
    pub(crate) fn new(operations: &[Arc<str>], ticks: Ticks) -> Self {
        let operations = operations.iter().map(|name| (name.clone(), histogram())).collect();
        Self { operations, other: histogram(), ticks }
    }

    #[inline]
    pub(crate) fn operation(&self, index: usize, duration: Duration) {
        let nanos = duration.as_nanos().min(MAX_VALUE.into()) as u64;
        if let Some((_, histogram)) = self.operations.get(index) {
            _ = histogram.increment(nanos);
        }
    }

    #[inline]
    pub(crate) fn other(&self, start: u64, end: u64) {
        _ = self.other.increment(end.saturating_sub(start).min(MAX_VALUE));
    }
}

impl fmt::Debug for Histograms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histograms").finish_non_exhaustive()
    }
}

fn histogram() -> AtomicHistogram {
    const CONFIG: histogram::Config = match histogram::Config::new(GROUPING_POWER, MAX_VALUE_POWER)
    {
        Ok(config) => config,
        Err(_) => panic!("the powers are out of range"),
    };
    AtomicHistogram::with_config(&CONFIG)
}

fn summary(
    class: &str,
    histogram: &AtomicHistogram,
    nanos_per_unit: f64,
) -> Option<LatencySummary> {
    let histogram = histogram.load();
    let count = histogram.iter().map(|bucket| bucket.count()).sum();
    let at = |rank| {
        let nanos = upper_end(&histogram, rank) as f64 * nanos_per_unit;
        Duration::from_nanos(nanos as u64)
    };
    let per_cent = |share: u64| at((u128::from(count) * u128::from(share)).div_ceil(100) as u64);
    (count > 0).then(|| LatencySummary {
        class: class.to_owned(),
        count,
        p50: per_cent(50),
        p95: per_cent(95),
        p99: per_cent(99),
        max: at(count),
    })
}

/// The upper end of the bucket that holds the value with this rank, from 1.
fn upper_end(histogram: &Histogram, rank: u64) -> u64 {
    let mut seen = 0;
    histogram
        .iter()
        .find(|bucket| {
            seen += bucket.count();
            seen >= rank
        })
        .map_or(0, |bucket| bucket.end())
}

#[cfg(test)]
mod tests {
    use firstbyte_core::{Clock, Timestamp};

    use super::*;

    fn histograms() -> Histograms {
        let clock = Clock::manual(Timestamp::default(), Duration::ZERO);
        Histograms::new(&["pause".into(), "resume".into()], Ticks::new(&clock))
    }

    fn close(got: Duration, exact: Duration) -> bool {
        got >= exact && got.as_nanos() <= exact.as_nanos() * 1032 / 1000
    }

    #[test]
    fn quantiles_are_within_three_per_cent_above_the_exact_ones() {
        let histograms = Arc::new(histograms());
        (1..=100).for_each(|ms| histograms.operation(1, Duration::from_millis(ms)));
        let summaries = Latency::new(&histograms).snapshot();
        let [resume] = &summaries[..] else { panic!("{summaries:?}") };
        assert_eq!((&*resume.class, resume.count), ("resume", 100));
        for (got, exact) in
            [(resume.p50, 50), (resume.p95, 95), (resume.p99, 99), (resume.max, 100)]
        {
            assert!(close(got, Duration::from_millis(exact)), "{got:?} for {exact} ms");
        }
    }

    #[test]
    fn a_duration_beyond_the_range_counts_as_the_longest() {
        let histograms = Arc::new(histograms());
        histograms.operation(0, Duration::MAX);
        histograms.other(5, u64::MAX);
        histograms.other(5, 4);
        let classes = Latency::new(&histograms).snapshot();
        let counts: Vec<_> = classes.iter().map(|class| (&*class.class, class.count)).collect();
        assert_eq!(counts, [("pause", 1), (Latency::OTHER, 2)]);
        assert_eq!(classes[0].max, Duration::from_nanos(MAX_VALUE));
    }
}
