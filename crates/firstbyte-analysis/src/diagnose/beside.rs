//! What happens beside the calls: checkpoints, rollouts, steps.

use std::ops::Range;

use firstbyte_core::Micros;

use super::{
    Confidence, Finding, Kind, Rule, Rules, Severity,
    change::{ChangePoint, large_change_points},
};
use crate::{
    correlate::{Log, What},
    measure::Summary,
};

const SHOWN: usize = 3;
/// A change of step times is a finding if one by chance is rarer.
const SIGNIFICANT: f64 = 0.01;

/// A value, and the step that it is of.
type Value = (Option<i64>, f64);

pub(super) fn findings(log: &Log, rules: &Rules) -> Vec<Finding> {
    let values = rules.of_kind(Kind::Value).filter_map(|rule| value(log, rule));
    let changes = rules.of_kind(Kind::ChangePoint).flat_map(|rule| changes(log, rule));
    values.chain(changes).collect()
}

/// The values of this name, of all lines that have one.
fn values(log: &Log, name: &str) -> Vec<Value> {
    let ms = |time: Option<Micros>| time.map(Micros::as_millis_f64);
    let of = |what: &What| -> Option<Value> {
        Some(match (name, *what) {
            ("ckpt_write_ms", What::CkptWritten { step, write, .. }) => (step, ms(write)?),
            ("ckpt_wait_ms", What::CkptWaited { step, wait }) => (step, ms(wait)?),
            ("trunc_pct", What::Rollout { step, truncated, .. }) => (step, truncated?),
            ("staleness", What::Rollout { step, staleness, .. }) => (step, staleness? as f64),
            ("reload_s", What::Rollout { step, reload_s, .. }) => (step, reload_s?),
            ("buffer_depth", What::Rollout { step, buffer_depth, .. }) => {
                (step, buffer_depth? as f64)
            }
            ("buffer_empty", What::Rollout { step, buffer_depth, .. }) => {
                (step, f64::from(buffer_depth? == 0))
            }
            ("uncached_step_ms", What::Stepped { step, duration, is_cached }) => {
                (step, if is_cached? { 0.0 } else { ms(duration)? })
            }
            ("uncached_step", What::Stepped { step, is_cached, .. }) => {
                (step, f64::from(!is_cached?))
            }
            _ => return None,
        })
    };
    log.timeline().moments().iter().filter_map(|moment| of(&moment.what)).collect()
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

fn value(log: &Log, rule: &Rule) -> Option<Finding> {
    let name = rule.of.as_deref()?;
    let all = values(log, name);
    let mut over: Vec<Value> =
        all.iter().copied().filter(|(_, value)| *value > rule.over).collect();
    over.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (_, most) = *over.first().filter(|_| over.len() >= rule.lines)?;
    let usual = median(over.iter().map(|(_, value)| *value))?;
    let mut numbers = vec![match name {
        "buffer_empty" => format!("the buffer was empty in {} of {} lines", over.len(), all.len()),
        "uncached_step_ms" => format!(
            "not cached in {} of {} steps that tell; these took {usual:.1} ms in the median, at most {most:.1} ms",
            over.len(),
            all.len()
        ),
        _ => format!(
            "{name} over {} in {} of {} lines: median {usual:.1} of these, at most {most:.1}",
            rule.over,
            over.len(),
            all.len()
        ),
    }];
    // What the same steps tell of a rival.
    let of_same_steps = |signal: &str| {
        let same = |step: Option<i64>| step.is_some() && over.iter().any(|(of, _)| *of == step);
        let theirs: Vec<Value> =
            values(log, signal).into_iter().filter(|(step, _)| same(*step)).collect();
        Some((median(theirs.iter().map(|(_, value)| *value))?, theirs.len()))
    };
    let mut excluded = Vec::new();
    for signal in rule.rivals.iter().flat_map(|rival| &rival.unless) {
        if let Some((theirs, n)) = of_same_steps(signal) {
            numbers.push(format!("{signal} of the same steps: median {theirs:.1} (n {n})"));
            if theirs < usual / 2.0 {
                excluded.push(signal.as_str());
            }
        }
    }
    let is_flag = matches!(name, "buffer_empty");
    Some(Finding {
        rivals: rule.rivals_but(|signal| excluded.contains(&signal)),
        rule: rule.clone(),
        severity: if over.len() * 2 > all.len() { Severity::Warning } else { Severity::Notice },
        confidence: Confidence::Measured,
        numbers,
        evidence: over
            .iter()
            .take(SHOWN)
            .filter_map(|(step, value)| {
                let value = if is_flag { String::new() } else { format!("{name} {value:.1}") };
                match step {
                    Some(step) if is_flag => Some(format!("step {step}")),
                    Some(step) => Some(format!("step {step}: {value}")),
                    None => (!is_flag).then_some(value),
                }
            })
            .collect(),
        weight: most,
    })
}

/// The steps and their times, in order.
type Steps = [(i64, Micros)];

fn changes(log: &Log, rule: &Rule) -> Vec<Finding> {
    log.runs().iter().flat_map(|run| changes_of(log, &run.steps, rule)).collect()
}

fn changes_of(log: &Log, steps: &Steps, rule: &Rule) -> Vec<Finding> {
    let times: Vec<f64> = steps.iter().map(|(_, time)| time.as_millis_f64()).collect();
    let changes = large_change_points(&times, rule.over).into_iter();
    let found = changes
        .filter(|change| change.p <= SIGNIFICANT)
        .filter_map(|change| changed(log, rule, steps, change));
    found.collect()
}

/// The finding that steps take another time from one on, and what else changed there.
fn changed(
    log: &Log,
    rule: &Rule,
    steps: &Steps,
    ChangePoint { from, at, to, p }: ChangePoint,
) -> Option<Finding> {
    let (before, after) = (from..at, at..to);
    let mean = |stretch: &Range<usize>| -> Option<f64> {
        let times = steps[stretch.clone()].iter().map(|(_, time)| *time).collect();
        Summary::of(times).map(|summary| summary.mean_ms)
    };
    let (later, earlier) = (mean(&after)?, mean(&before)?);
    let mut numbers = vec![format!(
        "from step {} on: mean {:.1} s instead of {:.1} s (n {} and {}, p {p:.3}; threshold {} times)",
        steps[at].0,
        later / 1e3,
        earlier / 1e3,
        after.len(),
        before.len(),
        rule.over
    )];
    let mut unchanged = if later > earlier { vec!["slower"] } else { Vec::new() };
    for signal in rule.rivals.iter().flat_map(|rival| &rival.unless) {
        let values = values(log, signal);
        let within = |stretch: &Range<usize>| {
            let steps = &steps[stretch.clone()];
            let range = steps.first()?.0..=steps.last()?.0;
            median(
                values
                    .iter()
                    .filter(|(step, _)| step.is_some_and(|step| range.contains(&step)))
                    .map(|(_, value)| *value),
            )
        };
        if let (Some(old), Some(new)) = (within(&before), within(&after)) {
            numbers.push(format!("{signal}: median {old:.1} before, {new:.1} after"));
            if old.max(new) <= old.min(new) * rule.over {
                unchanged.push(signal.as_str());
            }
        }
    }
    Some(Finding {
        rivals: rule.rivals_but(|signal| unchanged.contains(&signal)),
        rule: rule.clone(),
        severity: Severity::Warning,
        confidence: Confidence::Inferred,
        numbers,
        evidence: Vec::new(),
        weight: (later - earlier).abs(),
    })
}
