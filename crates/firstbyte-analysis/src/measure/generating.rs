//! Whether calls wait longer while completions are generated.

use super::{Correlation, Summary};
use crate::correlate::{Call, Generation};

/// queue of the calls that ended well, by what generation did when they began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ByGeneration {
    /// A generation batch was open; `None` if there is no such call.
    pub generating: Option<Summary>,
    /// None was open.
    pub idle: Option<Summary>,
}

impl ByGeneration {
    /// Of these calls; those whose file does not tell of generation count in neither.
    #[must_use]
    pub fn of(calls: &[Call<'_>]) -> Self {
        let queue = |which: fn(Generation) -> bool| {
            let calls = calls.iter().filter(|call| call.ended_well());
            let calls = calls.filter(|call| call.client.is_some_and(|half| which(half.generation)));
            Summary::of(calls.filter_map(Call::queue).collect())
        };
        Self {
            generating: queue(|generation| matches!(generation, Generation::Batch { .. })),
            idle: queue(|generation| generation == Generation::Idle),
        }
    }
}

/// How queue goes along with the requests in progress, of the calls that tell both. While no batch is open they
/// are unknown, not 0: a batch may leave requests behind.
pub(super) fn queue_and_generation(calls: &[Call<'_>]) -> Option<Correlation> {
    let pair = |call: &Call<'_>| match call.client?.generation {
        Generation::Batch { in_flight: Some(n) } => {
            Some((f64::from(n), call.queue()?.as_millis_f64()))
        }
        _ => None,
    };
    let pairs: Vec<_> = calls.iter().filter(|call| call.ended_well()).filter_map(pair).collect();
    Correlation::of(&pairs)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use crate::{
        Log,
        measure::{GroupBy, Stats, Window},
    };

    #[test]
    fn queue_is_told_apart_by_generation_and_goes_along_with_it() {
        let mut lines = String::new();
        let call = |lines: &mut String, id: u32, queue: u32| {
            writeln!(lines, "[weights][{id:016x}] client.send url=http://h/pause t={id}.000000")
                .unwrap();
            let wall = queue + 1;
            writeln!(
                lines,
                "[weights][{id:016x}] client.done wall_ms={wall}.0 rpc_ms=1.0 queue_ms={queue}.0"
            )
            .unwrap();
        };
        // Without a line of generation in front of it a call counts in neither.
        call(&mut lines, 100, 9999);
        for n in 1..=10 {
            writeln!(lines, "[gen] batch.start inflight={n} target_batch=16").unwrap();
            call(&mut lines, n, 100 * n);
            writeln!(lines, "[gen] batch.done completions=16 dur_ms=1.0 inflight=0").unwrap();
            call(&mut lines, 200 + n, n);
        }
        let log = Log::from_bytes(lines.as_bytes());
        let stats = Stats::of(&log, GroupBy::Nothing, Window::default());
        let by = stats.groups[0].queue_by_generation;
        let told = |summary: Option<crate::measure::Summary>| {
            summary.map(|summary| (summary.n, summary.p50.value.as_millis_f64()))
        };
        assert_eq!((told(by.generating), told(by.idle)), (Some((10, 500.0)), Some((10, 5.0))));
        let relation = stats.groups[0].queue_and_generation.unwrap();
        assert_eq!((relation.n, relation.rho), (10, 1.0));
    }
}
