//! The numbers that baselines and criteria are compared with, by the name of their metric.

use std::collections::HashMap;

use firstbyte_core::Micros;

use crate::{
    correlate::Log,
    measure::{Amounts, GroupBy, Metric, Statistic, Stats, Summary, Unit, Window},
    updates::{Ledger, Update},
};

/// Durations beside the parts of a call: of lines, as [`Stats::timeline`] names them, and of updates.
const DURATIONS: [&str; 10] = [
    "ckpt.wait",
    "ckpt.write",
    "gen.batch",
    "infer.batch",
    "queue.wait",
    "step",
    "step.wait",
    "update.barrier",
    "update.duration",
    "update.paused",
];

/// The names of [`Stats::amounts`], with their units.
pub(crate) const AMOUNTS: [(&str, Unit); 18] = [
    ("ckpt.write_rate", Unit::MegabytesPerSecond),
    ("gen.completions", Unit::Count),
    ("gen.input_tokens", Unit::Count),
    ("gen.input_tps", Unit::TokensPerSecond),
    ("gen.output_tokens", Unit::Count),
    ("gen.output_tps", Unit::TokensPerSecond),
    ("infer.input_tokens", Unit::Count),
    ("infer.input_tps", Unit::TokensPerSecond),
    ("infer.output_tokens", Unit::Count),
    ("infer.output_tps", Unit::TokensPerSecond),
    ("infer.prompts", Unit::Count),
    ("queue.depth", Unit::Count),
    ("queue.size", Unit::Count),
    ("rollout.buffer_depth", Unit::Count),
    ("rollout.reload_s", Unit::Seconds),
    ("rollout.rollout_s", Unit::Seconds),
    ("rollout.staleness", Unit::Steps),
    ("rollout.trunc_pct", Unit::Percent),
];

/// The names of all metrics.
pub(crate) fn metrics() -> Vec<&'static str> {
    let calls = Metric::all().into_iter().map(Metric::as_str);
    calls.chain(DURATIONS).chain(AMOUNTS.map(|(name, _)| name)).collect()
}

/// The units that a value of a metric may have; `None` if there is no such metric.
pub(crate) fn units(metric: &str) -> Option<Vec<&'static str>> {
    if let Some((_, unit)) = AMOUNTS.iter().find(|(name, _)| *name == metric) {
        return Some(vec![unit.as_str()]);
    }
    metrics().contains(&metric).then(|| vec!["ms", "s"])
}

/// The values of one metric.
pub(crate) enum Sample {
    Durations(Summary),
    Amounts(Amounts),
}

/// The samples of a log by metric.
pub(crate) struct Numbers(HashMap<&'static str, Sample>);

impl Numbers {
    pub(crate) fn of(log: &Log, window: Window) -> Self {
        let stats = Stats::of(log, GroupBy::Nothing, window);
        let calls = stats.groups.into_iter().flat_map(|group| group.rows);
        let mut samples: HashMap<_, _> = calls
            .map(|(metric, summary, _)| (metric.as_str(), Sample::Durations(summary)))
            .collect();
        let durations = stats.timeline.into_iter();
        samples.extend(durations.map(|(name, summary)| (name, Sample::Durations(summary))));
        let amounts = stats.amounts.into_iter();
        samples.extend(amounts.map(|(name, _, amounts)| (name, Sample::Amounts(amounts))));
        for (name, times) in of_updates(log) {
            samples.extend(Summary::of(times).map(|summary| (name, Sample::Durations(summary))));
        }
        Self(samples)
    }

    /// The values of a metric, if there are any.
    pub(crate) fn sample(&self, metric: &str) -> Option<&Sample> {
        self.0.get(metric)
    }

    /// How many values there are, and their statistic if they are enough: durations in milliseconds.
    pub(crate) fn get(&self, metric: &str, statistic: Statistic) -> (usize, Option<f64>) {
        match self.0.get(metric) {
            None => (0, None),
            Some(Sample::Durations(summary)) => (summary.n, summary.get(statistic)),
            Some(Sample::Amounts(amounts)) => (amounts.n, amounts.get(statistic)),
        }
    }
}

fn of_updates(log: &Log) -> [(&'static str, Vec<Micros>); 3] {
    let updates = Ledger::of(log).updates;
    let paused = updates.iter().flat_map(|update| &update.servers);
    [
        ("update.barrier", updates.iter().filter_map(|u| Some(u.barrier()?.cost)).collect()),
        ("update.duration", updates.iter().filter_map(Update::duration).collect()),
        ("update.paused", paused.filter_map(|server| server.paused()?.exact()).collect()),
    ]
}
