//! Two logs, operation by operation: a slow one among many quick ones has a median of its own.

use std::collections::{BTreeMap, BTreeSet};

use firstbyte_core::Micros;

use super::{
    Change, Comparison, FEWEST, Failures, Margin, Proportion, is_decisive, of_values, reach_of,
};
use crate::{
    correlate::{Call, Log},
    measure::{GroupBy, Metric},
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
    fn new(metrics: usize) -> Self {
        Self { calls: 0, ends: Proportion::default(), times: vec![Vec::new(); metrics] }
    }

    fn take(&mut self, metrics: &[Metric], call: &Call<'_>) {
        self.calls += 1;
        self.ends.take(call);
        if call.ended_well() {
            for (times, metric) in self.times.iter_mut().zip(metrics) {
                times.extend(metric.of(call));
            }
        }
    }
}

/// Compares two logs: every time that both tell of an operation, over calls that ended well, and how many of its calls
/// failed.
#[must_use]
pub fn compare(before: &Log, after: &Log, margin: Margin) -> Compared {
    let metrics = Metric::all();
    let (mut old, mut new) = (samples(before, &metrics), samples(after, &metrics));
    let only = |these: &BTreeMap<&str, Sample>, others: &BTreeMap<&str, Sample>| {
        let only = these.iter().filter(|(name, _)| !others.contains_key(*name));
        only.map(|(name, sample)| ((*name).to_owned(), sample.calls)).collect()
    };
    let (only_before, only_after) = (only(&old, &new), only(&new, &old));
    let names: BTreeSet<&str> = old.keys().copied().collect();
    let both =
        names.into_iter().filter_map(|name| Some((name, old.remove(name)?, new.remove(name)?)));
    let mut both: Vec<_> = both.collect();
    both.sort_by_key(|(_, old, new)| std::cmp::Reverse(old.calls + new.calls));
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

fn samples<'a>(log: &'a Log, metrics: &[Metric]) -> BTreeMap<&'a str, Sample> {
    let mut samples = BTreeMap::new();
    for call in log.calls() {
        let sample = samples
            .entry(GroupBy::Op.name(log, &call))
            .or_insert_with(|| Sample::new(metrics.len()));
        sample.take(metrics, &call);
    }
    samples
}

/// How many tests of an operation decide: a test with too few values is none.
fn tests(metrics: &[Metric], old: &Sample, new: &Sample) -> usize {
    let pairs = metrics.iter().zip(old.times.iter().zip(&new.times));
    let times = pairs
        .filter(|(metric, (old, new))| is_decisive(**metric) && old.len().min(new.len()) >= FEWEST);
    times.count() + usize::from(Failures::is_test(old.ends, new.ends))
}
