//! What happens beside the calls: checkpoints, rollouts, steps.

use std::collections::{BTreeMap, BTreeSet};

use firstbyte_core::Micros;

use super::{
    Confidence, Finding, Kind, Rule, Rules, Severity,
    change::{ChangePoint, large_change_points},
};
use crate::{
    correlate::{Log, Moment, Run, What},
    measure::Amounts,
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

/// The values of this name that are told beside the calls.
fn values<'a>(moments: impl Iterator<Item = &'a Moment>, name: &str) -> Vec<Value> {
    let ms = |time: Option<Micros>| time.map(Micros::as_millis_f64);
    let of = |what: &What| -> Option<Value> {
        Some(match (name, *what) {
            ("ckpt_write_ms", What::CkptWritten { step, write, .. }) => (step, ms(write)?),
            ("ckpt_wait_ms", What::CkptWaited { step, wait }) => (step, ms(wait)?),
            ("trunc_pct", What::Rollout { step, truncated, .. }) => (step, truncated?),
            ("staleness", What::Rollout { step, staleness, .. }) => (step, staleness? as f64),
            ("rollout_s", What::Rollout { step, rollout_s, .. }) => (step, rollout_s?),
            ("reload_s", What::Rollout { step, reload_s, .. }) => (step, reload_s?),
            ("buffer_depth", What::Rollout { step, buffer_depth, .. }) => {
                (step, buffer_depth? as f64)
            }
            ("buffer_empty", What::Rollout { step, buffer_depth, .. }) => {
                (step, f64::from(buffer_depth? == 0))
            }
            ("step_wait_ms", What::Stepped { step, wait, .. }) => (step, ms(wait)?),
            ("uncached_step_ms", What::Stepped { step, duration, is_cached, .. }) => {
                (step, if is_cached? { 0.0 } else { ms(duration)? })
            }
            ("uncached_step", What::Stepped { step, is_cached, .. }) => {
                (step, f64::from(!is_cached?))
            }
            _ => return None,
        })
    };
    moments.filter_map(|moment| of(&moment.what)).collect()
}

fn value(log: &Log, rule: &Rule) -> Option<Finding> {
    let name = rule.of.as_deref()?;
    let moments = || log.timeline().moments().iter();
    let all = values(moments(), name);
    let mut over: Vec<Value> =
        all.iter().copied().filter(|(_, value)| *value > rule.over).collect();
    over.sort_by(|a, b| b.1.total_cmp(&a.1));
    let these = Amounts::of(over.iter().map(|(_, value)| *value).collect());
    let (usual, most) = these.filter(|_| over.len() >= rule.lines).map(|all| (all.p50, all.max))?;
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
    // What the same steps tell of a rival; of several runs nobody knows whose step it is.
    let steps: BTreeSet<i64> = over.iter().filter_map(|(step, _)| *step).collect();
    let of_same_steps = |signal: &str| {
        let mut theirs: BTreeMap<i64, f64> = BTreeMap::new();
        for (step, value) in values(moments(), signal) {
            let step = step.filter(|step| steps.contains(step));
            if step.is_some_and(|step| theirs.insert(step, value).is_some()) {
                return None;
            }
        }
        Amounts::of(theirs.into_values().collect()).map(|theirs| (theirs.p50, theirs.n))
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
    let of_run = |run: &Run| {
        let names = rule.rivals.iter().flat_map(|rival| &rival.unless);
        let signals: Vec<Signal<'_>> =
            names.map(|name| (name.as_str(), values(log.moments(run), name))).collect();
        changes_of(&run.steps, &signals, rule)
    };
    log.runs().iter().flat_map(of_run).collect()
}

/// What is told beside the steps, by its name.
type Signal<'a> = (&'a str, Vec<Value>);

fn changes_of(steps: &Steps, signals: &[Signal<'_>], rule: &Rule) -> Vec<Finding> {
    let times: Vec<f64> = steps.iter().map(|(_, time)| time.as_millis_f64()).collect();
    let changes = large_change_points(&times, rule.over).into_iter();
    let found = changes
        .filter(|change| change.p <= SIGNIFICANT)
        .filter_map(|change| changed(steps, signals, rule, change));
    found.collect()
}

/// The finding that steps take another time from one on, and what else changed there.
fn changed(
    steps: &Steps,
    signals: &[Signal<'_>],
    rule: &Rule,
    ChangePoint { from, at, to, p }: ChangePoint,
) -> Option<Finding> {
    let (before, after) = (&steps[from..at], &steps[at..to]);
    // Means, as a few steps of many may be what changed.
    let mean = |values: Vec<f64>| Amounts::of(values).map(|values| values.mean);
    let seconds =
        |steps: &Steps| mean(steps.iter().map(|(_, time)| time.as_millis_f64() / 1e3).collect());
    let (later, earlier) = (seconds(after)?, seconds(before)?);
    let mut numbers = vec![format!(
        "from step {} on: mean {later:.1} s instead of {earlier:.1} s (n {} and {}, p {p:.3}; threshold {} times)",
        steps[at].0,
        after.len(),
        before.len(),
        rule.over
    )];
    let mut unchanged = if later > earlier { vec!["slower"] } else { Vec::new() };
    for (name, values) in signals {
        let of = |steps: &Steps| {
            let range = steps.first()?.0..=steps.last()?.0;
            let within =
                values.iter().filter(|(step, _)| step.is_some_and(|step| range.contains(&step)));
            mean(within.map(|(_, value)| *value).collect())
        };
        if let Some((old, new)) = of(before).zip(of(after)) {
            numbers.push(format!("{name}: mean {old:.1} before, {new:.1} after"));
            if old.max(new) <= old.min(new) * rule.over {
                unchanged.push(name);
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
        weight: (later - earlier).abs() * 1e3,
    })
}
