//! Whether calls wait longer while completions are generated.

use firstbyte_core::Micros;

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

/// What is known of it while calls are gone through.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    generating: Vec<Micros>,
    idle: Vec<Micros>,
    /// Generation requests in progress, and queue in milliseconds. While no batch is open they are unknown, not
    /// 0: a batch may leave requests behind.
    pairs: Vec<(f64, f64)>,
}

impl Gathered {
    /// Takes a call that ended well. One whose file does not tell of generation counts nowhere.
    pub(super) fn take(&mut self, call: &Call<'_>, queue: Micros) {
        match call.client.map(|half| half.generation) {
            Some(Generation::Batch { in_flight }) => {
                self.generating.push(queue);
                self.pairs.extend(in_flight.map(|n| (f64::from(n), queue.as_millis_f64())));
            }
            Some(Generation::Idle) => self.idle.push(queue),
            _ => {}
        }
    }

    /// Takes what is known of later calls.
    pub(super) fn join(&mut self, later: Self) {
        self.generating.extend(later.generating);
        self.idle.extend(later.idle);
        self.pairs.extend(later.pairs);
    }

    /// How queue goes along with the requests in progress, of the calls that tell both.
    pub(super) fn correlation(&self) -> Option<Correlation> {
        Correlation::of(&self.pairs)
    }

    pub(super) fn queue(self) -> ByGeneration {
        ByGeneration { generating: Summary::of(self.generating), idle: Summary::of(self.idle) }
    }
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
