//! What the lines beside the calls tell: generation, inference, rollouts, steps, checkpoints, batching queues.

use std::collections::BTreeMap;

use firstbyte_core::Micros;

use super::{Amounts, Summary};
use crate::correlate::{Log, What};

/// The unit of an amount that is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Things: completions, prompts, requests, rollouts.
    Count,
    /// Training steps.
    Steps,
    /// Of a hundred.
    Percent,
    /// Per second.
    TokensPerSecond,
    /// 1,000,000 bytes per second.
    MegabytesPerSecond,
    /// Seconds.
    Seconds,
}

impl Unit {
    /// As it is printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Steps => "steps",
            Self::Percent => "%",
            Self::TokensPerSecond => "tokens/s",
            Self::MegabytesPerSecond => "MB/s",
            Self::Seconds => "s",
        }
    }
}

/// Calls `take` with each amount that a line of this kind tells: its name, its unit and its value.
fn each(what: &What, mut take: impl FnMut(&'static str, Unit, Option<f64>)) {
    let count = |count: Option<i64>| count.map(|count| count as f64);
    match *what {
        What::Generated {
            completions, input_tokens, output_tokens, input_tps, output_tps, ..
        } => {
            take("gen.completions", Unit::Count, count(completions));
            take("gen.input_tokens", Unit::Count, count(input_tokens));
            take("gen.output_tokens", Unit::Count, count(output_tokens));
            take("gen.input_tps", Unit::TokensPerSecond, input_tps);
            take("gen.output_tps", Unit::TokensPerSecond, output_tps);
        }
        What::Inferred { prompts, input_tokens, output_tokens, input_tps, output_tps, .. } => {
            take("infer.prompts", Unit::Count, count(prompts));
            take("infer.input_tokens", Unit::Count, count(input_tokens));
            take("infer.output_tokens", Unit::Count, count(output_tokens));
            take("infer.input_tps", Unit::TokensPerSecond, input_tps);
            take("infer.output_tps", Unit::TokensPerSecond, output_tps);
        }
        What::Rollout { truncated, staleness, buffer_depth, rollout_s, reload_s, .. } => {
            take("rollout.trunc_pct", Unit::Percent, truncated);
            take("rollout.staleness", Unit::Steps, count(staleness));
            take("rollout.buffer_depth", Unit::Count, count(buffer_depth));
            take("rollout.rollout_s", Unit::Seconds, rollout_s);
            take("rollout.reload_s", Unit::Seconds, reload_s);
        }
        What::CkptWritten { write, bytes, .. } => {
            // Bytes per microsecond are megabytes per second.
            let per_us = |write: Micros| Some(bytes? as f64 / write.0 as f64);
            let rate = write.filter(|write| write.0 > 0).and_then(per_us);
            take("ckpt.write_rate", Unit::MegabytesPerSecond, rate);
        }
        What::Flushed { size, depth, .. } => {
            take("queue.size", Unit::Count, count(size));
            take("queue.depth", Unit::Count, count(depth));
        }
        What::CkptWaited { .. } | What::Stepped { .. } | What::Other => {}
    }
}

/// The amounts of a log, by tag and field; those that no line tells are not among them.
pub(super) fn amounts(log: &Log) -> Vec<(&'static str, Unit, Amounts)> {
    let mut values: BTreeMap<&'static str, (Unit, Vec<f64>)> = BTreeMap::new();
    for moment in log.timeline().moments() {
        each(&moment.what, |name, unit, value| {
            values.entry(name).or_insert((unit, Vec::new())).1.extend(value);
        });
    }
    let rows = values.into_iter();
    rows.filter_map(|(name, (unit, values))| Some((name, unit, Amounts::of(values)?))).collect()
}

/// The durations of a log, by the name that their records have without their end.
pub(super) fn durations(log: &Log) -> Vec<(&'static str, Summary)> {
    let mut values: BTreeMap<&'static str, Vec<Micros>> = BTreeMap::new();
    for moment in log.timeline().moments() {
        if let What::Stepped { wait, .. } = moment.what {
            values.entry("step.wait").or_default().extend(wait);
        }
        let (name, duration) = match moment.what {
            What::CkptWritten { write, .. } => ("ckpt.write", write),
            What::CkptWaited { wait, .. } => ("ckpt.wait", wait),
            What::Generated { duration, .. } => ("gen.batch", duration),
            What::Stepped { duration, .. } => ("step", duration),
            What::Inferred { duration, .. } => ("infer.batch", duration),
            What::Flushed { wait, .. } => ("queue.wait", wait),
            What::Rollout { .. } | What::Other => continue,
        };
        values.entry(name).or_default().extend(duration);
    }
    values.into_iter().filter_map(|(name, values)| Some((name, Summary::of(values)?))).collect()
}
