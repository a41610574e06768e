//! The numbers that baselines and criteria are compared with, by the name of their metric.

use std::collections::HashMap;

use firstbyte_core::Micros;

use crate::{
    correlate::Log,
    measure::{Amounts, GroupBy, Metric, Statistic, Stats, Summary, Unit, Window},
    updates::{Ledger, Update},
};

/// Durations beside the parts of a call: the name here, and that of [`Stats::timeline`], if it is there.
const DURATIONS: [(&str, &str); 10] = [
    ("ckpt.wait", "ckpt wait"),
    ("ckpt.write", "ckpt write"),
    ("gen.batch", "gen batch"),
    ("infer.batch", "infer batch"),
    ("queue.wait", "queue wait"),
    ("step", "step"),
    ("step.wait", "step wait"),
    ("update.barrier", ""),
    ("update.duration", ""),
    ("update.paused", ""),
];

/// The name here, that of [`Stats::amounts`], and the unit.
pub(crate) const AMOUNTS: [(&str, &str, Unit); 18] = [
    ("ckpt.write_rate", "ckpt write rate", Unit::MegabytesPerSecond),
    ("gen.completions", "gen completions", Unit::Count),
    ("gen.input_tokens", "gen tokens in", Unit::Count),
    ("gen.input_tps", "gen input", Unit::TokensPerSecond),
    ("gen.output_tokens", "gen tokens out", Unit::Count),
    ("gen.output_tps", "gen output", Unit::TokensPerSecond),
    ("infer.input_tokens", "infer tokens in", Unit::Count),
    ("infer.input_tps", "infer input", Unit::TokensPerSecond),
    ("infer.output_tokens", "infer tokens out", Unit::Count),
    ("infer.output_tps", "infer output", Unit::TokensPerSecond),
    ("infer.prompts", "infer prompts", Unit::Count),
    ("queue.depth", "queue depth", Unit::Count),
    ("queue.size", "queue size", Unit::Count),
    ("rollout.buffer_depth", "rollout buffer", Unit::Count),
    ("rollout.reload_s", "rollout reload", Unit::Seconds),
    ("rollout.rollout_s", "rollout time", Unit::Seconds),
    ("rollout.staleness", "rollout staleness", Unit::Steps),
    ("rollout.trunc_pct", "rollout truncated", Unit::Percent),
];

/// The names of all metrics.
pub(crate) fn metrics() -> Vec<&'static str> {
    let calls = Metric::all().into_iter().map(Metric::as_str);
    let durations = DURATIONS.iter().map(|(name, _)| *name);
    calls.chain(durations).chain(AMOUNTS.iter().map(|(name, ..)| *name)).collect()
}

/// The units that a value of a metric may have; `None` if there is no such metric.
pub(crate) fn units(metric: &str) -> Option<Vec<&'static str>> {
    if let Some((_, _, unit)) = AMOUNTS.iter().find(|(name, ..)| *name == metric) {
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
        for (name, summary) in stats.timeline {
            let known = DURATIONS.iter().find(|(_, there)| *there == name);
            samples.extend(known.map(|(name, _)| (*name, Sample::Durations(summary))));
        }
        for (name, _, amounts) in stats.amounts {
            let known = AMOUNTS.iter().find(|(_, there, _)| *there == name);
            samples.extend(known.map(|(name, ..)| (*name, Sample::Amounts(amounts))));
        }
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
