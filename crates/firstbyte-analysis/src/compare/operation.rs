//! Two logs, operation by operation: a slow one among many quick ones has a median of its own.

use std::{cmp::Reverse, collections::BTreeMap};

use firstbyte_core::Micros;

use super::{
    Change, Comparison, FEWEST, Failures, Margin, Proportion, is_decisive, of_values, reach_of,
};
use crate::{
    correlate::{Call, Log},
    measure::{Metric, UNKNOWN},
    parallel,
};

/// Two logs side by side.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Compared {
    /// The operations that both have, the one with the most calls first.
    pub operations: Vec<Operation>,
    /// Operations that only the log before has, and how many calls of each.
    pub only_before: Vec<(String, usize)>,
    /// Operations that only the log after has.
    pub only_after: Vec<(String, usize)>,
    /// How many tests decide about the whole, and so by how much each has to be surer than it were alone: wall, queue,
    /// rpc and the share of failed calls of each operation, as far as there are values.
    pub tests: usize,
}

/// An operation before and after.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Operation {
    /// Its name.
    pub name: String,
    /// Every time that both logs tell, of calls that ended well.
    pub times: Vec<Comparison>,
    /// The share of failed calls; `None` if there is no call with an end on one side.
    pub failures: Option<Failures>,
}

impl Compared {
    /// What decides about the whole: the operation, what of it, and what is said.
    pub fn decisive(&self) -> impl Iterator<Item = (&str, &'static str, Change)> {
        self.operations.iter().flat_map(|operation| {
            let times = operation.times.iter().filter(|time| time.decides());
            let times = times.map(|time| (time.metric.as_str(), time.change));
            let failures = operation.failures.iter().map(|failures| ("failed", failures.change));
            times.chain(failures).map(|(what, change)| (operation.name.as_str(), what, change))
        })
    }
}

/// What is known of an operation in one log.
struct Sample {
    calls: usize,
    ends: Proportion,
    /// By the place of the metric.
    times: Vec<Vec<Micros>>,
}

impl Sample {
    fn of(metrics: &[Metric], calls: &[Call<'_>]) -> Self {
        let mut ends = Proportion::default();
        calls.iter().for_each(|call| ends.take(call));
        let ended_well: Vec<_> = calls.iter().filter(|call| call.ended_well()).collect();
        let times =
            |metric: &Metric| ended_well.iter().filter_map(|call| metric.of(call)).collect();
        Self { calls: calls.len(), ends, times: metrics.iter().map(times).collect() }
    }
}

/// Compares two logs: every time that both tell of an operation, over calls that ended well, and how many of its calls
/// failed.
#[must_use]
pub fn compare(before: &Log, after: &Log, margin: Margin) -> Compared {
    let metrics = Metric::all();
    let (mut only_before, mut only_after, mut both) = (Vec::new(), Vec::new(), Vec::new());
    for (name, (old, new)) in by_operation(before.calls(), after.calls()) {
        match (old.len(), new.len()) {
            (calls, 0) => only_before.push((name.to_owned(), calls)),
            (0, calls) => only_after.push((name.to_owned(), calls)),
            _ => both.push((name, Sample::of(&metrics, &old), Sample::of(&metrics, &new))),
        }
    }
    both.sort_by_key(|(_, old, new)| Reverse(old.calls + new.calls));
    let tests = both.iter().map(|(_, old, new)| tests(&metrics, old, new)).sum();
    let z = reach_of(tests);
    let operations = both.into_iter().map(|(name, old, new)| {
        let calls = old.calls + new.calls;
        let pairs = metrics.iter().zip(old.times.into_iter().zip(new.times)).collect();
        let one = |(metric, (old, new)): (&Metric, (Vec<Micros>, Vec<Micros>))| {
            of_values(*metric, &old, &new, margin, z)
        };
        let times = if calls > parallel::WORTH_A_THREAD {
            parallel::map(pairs, one)
        } else {
            pairs.into_iter().map(one).collect()
        };
        Operation {
            name: name.to_owned(),
            times: times.into_iter().flatten().collect(),
            failures: Failures::of(old.ends, new.ends, z),
        }
    });
    Compared { operations: operations.collect(), only_before, only_after, tests }
}

/// The calls of each operation before and after.
pub(crate) fn by_operation<'a>(
    before: impl Iterator<Item = Call<'a>>,
    after: impl Iterator<Item = Call<'a>>,
) -> BTreeMap<&'a str, (Vec<Call<'a>>, Vec<Call<'a>>)> {
    let mut operations: BTreeMap<&str, (Vec<_>, Vec<_>)> = BTreeMap::new();
    let name = |call: &Call<'a>| call.operation().unwrap_or(UNKNOWN);
    for call in before {
        operations.entry(name(&call)).or_default().0.push(call);
    }
    for call in after {
        operations.entry(name(&call)).or_default().1.push(call);
    }
    operations
}

/// How many tests of an operation decide: a test with too few values is none.
fn tests(metrics: &[Metric], old: &Sample, new: &Sample) -> usize {
    let pairs = metrics.iter().zip(old.times.iter().zip(&new.times));
    let times = pairs
        .filter(|(metric, (old, new))| is_decisive(**metric) && old.len().min(new.len()) >= FEWEST);
    times.count() + usize::from(Failures::is_test(old.ends, new.ends))
}
