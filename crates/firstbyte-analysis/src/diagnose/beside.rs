//! What happens beside the calls: checkpoints, rollouts, steps.

use firstbyte_core::Micros;

use super::{Confidence, Finding, Kind, Rule, Rules, Severity, change::change_points};
use crate::{
    correlate::{Log, What},
    measure::Summary,
};

const SHOWN: usize = 3;

/// A value, and the step that it is of.
type Value = (Option<i64>, f64);

pub(super) fn findings(log: &Log, rules: &Rules) -> Vec<Finding> {
    let values = rules.of_kind(Kind::Value).filter_map(|rule| value(log, rule));
    let changes = rules.of_kind(Kind::ChangePoint).flat_map(|rule| changes(log, rule));
    values.chain(changes).collect()
}

fn values(log: &Log, name: &str) -> Vec<Value> {
    let ms = |time: Option<Micros>| time.map(Micros::as_millis_f64);
    let of = |what: &What| -> Option<Value> {
        Some(match (name, *what) {
            ("ckpt_write_ms", What::CkptWritten { step, write, .. }) => (step, ms(write)?),
            ("ckpt_wait_ms", What::CkptWaited { step, wait }) => (step, ms(wait)?),
            ("trunc_pct", What::Rollout { step, truncated, .. }) => (step, truncated?),
            ("staleness", What::Rollout { step, staleness, .. }) => (step, staleness? as f64),
            ("reload_s", What::Rollout { step, reload_s, .. }) => (step, reload_s?),
            ("buffer_empty", What::Rollout { step, buffer_depth, .. }) => {
                (step, f64::from(buffer_depth? == 0))
            }
            ("uncached_step_ms", What::Stepped { step, duration, is_cached: Some(false) }) => {
                (step, ms(duration)?)
            }
            _ => return None,
        })
    };
    log.timeline().moments().iter().filter_map(|moment| of(&moment.what)).collect()
}

fn value(log: &Log, rule: &Rule) -> Option<Finding> {
    let name = rule.of.as_deref()?;
    let all = values(log, name);
    let mut over: Vec<Value> =
        all.iter().copied().filter(|(_, value)| *value > rule.over).collect();
    over.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (_, most) = over.first()?;
    let mut sorted: Vec<f64> = over.iter().map(|(_, value)| *value).collect();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[(sorted.len() - 1) / 2];
    Some(Finding {
        rule: rule.clone(),
        severity: if over.len() * 2 > all.len() { Severity::Warning } else { Severity::Notice },
        confidence: Confidence::Measured,
        numbers: vec![format!(
            "{name} is over {} in {} of {} lines: median {median:.1} of these, at most {most:.1}",
            rule.over,
            over.len(),
            all.len()
        )],
        evidence: over
            .iter()
            .take(SHOWN)
            .map(|(step, value)| {
                step.map_or(format!("{name} {value:.1}"), |step| {
                    format!("step {step}: {name} {value:.1}")
                })
            })
            .collect(),
        weight: *most,
    })
}

fn changes(log: &Log, rule: &Rule) -> Vec<Finding> {
    let steps = log.timeline().steps();
    let times: Vec<f64> = steps.iter().map(|(_, time)| time.as_millis_f64()).collect();
    let found = change_points(&times).into_iter().filter_map(|change| {
        let mean = |from: usize, to: usize| -> Option<f64> {
            let part = steps[from..to].iter().map(|(_, time)| *time).collect();
            Summary::of(part).map(|summary| summary.mean_ms)
        };
        let (before, after) = (mean(change.from, change.at)?, mean(change.at, change.to)?);
        let ratio = (after / before).max(before / after);
        (ratio > rule.over).then(|| Finding {
            rule: rule.clone(),
            severity: Severity::Warning,
            confidence: Confidence::Inferred,
            numbers: vec![format!(
                "from step {} on: mean {:.1} s instead of {:.1} s (n {} and {}, p {:.3}; threshold {} times)",
                steps[change.at].0,
                after / 1e3,
                before / 1e3,
                change.to - change.at,
                change.at - change.from,
                change.p,
                rule.over
            )],
            evidence: Vec::new(),
            weight: (after - before).abs(),
        })
    });
    found.collect()
}
