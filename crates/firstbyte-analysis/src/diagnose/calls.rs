//! What slow calls have in common: the parts that took too long, and whose calls they are.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use firstbyte_core::Micros;

use super::{
    Confidence, Finding, Rule, Rules, Severity, Thresholds,
    parts::{Part, culprits, whole},
};
use crate::{
    correlate::Call,
    measure::{Metric, Summary},
};

/// How many calls are shown as evidence.
const SHOWN: usize = 3;
/// Of fewer calls than one in so many it is worth knowing, and no more.
const RARE: usize = 100;

/// A call in which a part took too long.
type Slow<'a> = (Part, Call<'a>);

/// How many calls of an operation each server had, by both.
type Counts<'a> = BTreeMap<(&'a str, &'a str), usize>;

/// How many calls could be judged, and how many of them are slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Judged {
    /// Calls whose lines tell enough.
    pub calls: usize,
    /// Of these, those with a part that took too long.
    pub slow: usize,
}

pub(super) fn findings(
    calls: &[Call<'_>],
    rules: &Rules,
    thresholds: Thresholds,
) -> (Judged, Vec<Finding>) {
    let mut judged = Judged::default();
    let mut by_rule: BTreeMap<&str, (&Rule, Vec<Slow<'_>>)> = BTreeMap::new();
    let mut counts = Counts::new();
    for call in calls {
        let Some(parts) = culprits(call, thresholds) else { continue };
        judged.calls += 1;
        judged.slow += usize::from(!parts.is_empty());
        *counts.entry(of(call)).or_default() += 1;
        for part in parts {
            if let Some(rule) = rules.of_part(part.name, call.operation()) {
                by_rule.entry(&rule.id).or_insert((rule, Vec::new())).1.push((part, *call));
            }
        }
    }
    let findings = by_rule
        .into_values()
        .filter_map(|(rule, slow)| finding(rule, slow, judged, &counts, thresholds))
        .collect();
    (judged, findings)
}

fn finding(
    rule: &Rule,
    mut slow: Vec<Slow<'_>>,
    judged: Judged,
    counts: &Counts<'_>,
    thresholds: Thresholds,
) -> Option<Finding> {
    slow.sort_by_key(|(part, _)| Reverse(part.time));
    let name = slow.first()?.0.name;
    let summary = Summary::of(slow.iter().map(|(part, _)| part.time).collect())?;
    let median = summary.p50.value;
    let mut numbers = vec![
        format!(
            "slow calls: {} of {} (queue over {} ms or rpc over {} ms; without rpc, a wait over {} ms or wall over {} ms)",
            judged.slow,
            judged.calls,
            thresholds.queue,
            thresholds.rpc,
            thresholds.wait(),
            thresholds.wall
        ),
        format!(
            "in {} of them {name} took too long: median {median} ms, at most {} ms{}",
            summary.n,
            summary.max,
            share(name, &summary, &slow)
        ),
    ];
    numbers.extend(mostly_on_one_server(&slow, counts));
    Some(Finding {
        rivals: rule.rivals_of(&slow.iter().map(|(_, call)| *call).collect::<Vec<_>>()),
        rule: rule.clone(),
        severity: match () {
            () if slow.len() * RARE < judged.calls => Severity::Notice,
            () if median.0 > 1_000_000 => Severity::Critical,
            () => Severity::Warning,
        },
        confidence: confidence(name),
        numbers,
        evidence: slow.iter().take(SHOWN).map(|(part, call)| evidence(*part, call)).collect(),
        weight: summary.sum.as_millis_f64(),
    })
}

fn confidence(part: &str) -> Confidence {
    match part {
        "unattributed" | "until_received" | "queue" | "wall" => Confidence::Undecided,
        // A busy process stretches the timer of its API's side too.
        "network" | "scattered" | "rpc" => Confidence::Inferred,
        _ => Confidence::Measured,
    }
}

fn share(name: &str, summary: &Summary, slow: &[Slow<'_>]) -> String {
    let all: Micros = slow.iter().filter_map(|(_, call)| whole(call)).sum();
    if all.0 == 0 || matches!(name, "resume") {
        return String::new();
    }
    let of = if slow.iter().all(|(_, call)| call.client.is_some()) { "wall" } else { "call" };
    format!(", {:.1} % of their {of}", summary.sum.0 as f64 / all.0 as f64 * 100.0)
}

/// The operation and the server of a call.
fn of<'a>(call: &Call<'a>) -> (&'a str, &'a str) {
    (call.operation().unwrap_or_default(), call.target().unwrap_or_default())
}

/// Slow calls that are mostly of one server are something of that server's, if they would not be there by chance. How many
/// would be is told by the calls of the same operations: where a load is slow and a pause is not, those of the pauses tell nothing.
fn mostly_on_one_server(slow: &[Slow<'_>], counts: &Counts<'_>) -> Option<String> {
    const RARE_BY_CHANCE: f64 = 0.05;
    let mut on: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, call) in slow {
        *on.entry(of(call).1).or_default() += 1;
    }
    let (target, on_it) = on.into_iter().max_by_key(|(_, slow)| *slow)?;
    let operations: BTreeSet<&str> = slow.iter().map(|(_, call)| of(call).0).collect();
    let alike = || counts.iter().filter(|((operation, _), _)| operations.contains(operation));
    let calls: usize = alike().map(|(_, count)| count).sum();
    let its: usize = alike().filter(|((_, its), _)| *its == target).map(|(_, count)| count).sum();
    let servers: BTreeSet<&str> = alike().map(|((_, server), _)| *server).collect();
    // It might have been any of them.
    let chance = at_least(on_it, slow.len(), its as f64 / calls as f64) * servers.len() as f64;
    let these = match slow.len() {
        all if all == on_it => "all of these".to_owned(),
        all => format!("{on_it} of these {all}"),
    };
    (!target.is_empty() && on_it * 2 > slow.len() && chance < RARE_BY_CHANCE)
        .then(|| format!("{these} are on {target}, which had {its} of the {calls} calls like them"))
}

/// How probable it is that so many of `n` are of a kind, if each is with this probability (the binomial distribution).
fn at_least(count: usize, n: usize, probability: f64) -> f64 {
    if probability >= 1.0 {
        return 1.0;
    }
    let odds = probability / (1.0 - probability);
    // That of one more, by that of so many.
    let up = |count: usize| (n - count) as f64 / (count + 1) as f64 * odds;
    let ln =
        n as f64 * (1.0 - probability).ln() + (0..count).map(|below| up(below).ln()).sum::<f64>();
    let probabilities = (count..n).scan(ln.exp(), |at, count| {
        *at *= up(count);
        Some(*at)
    });
    ln.exp() + probabilities.sum::<f64>()
}

fn evidence(part: Part, call: &Call<'_>) -> String {
    let of = match (Metric::Wall.of(call), whole(call)) {
        _ if part.name == "resume" => " ms".to_owned(),
        (Some(wall), _) => format!(" of wall {wall} ms"),
        (None, Some(whole)) => format!(" of {whole} ms that the server knows of"),
        (None, None) => " ms".to_owned(),
    };
    format!("{}: {} {}{of}", named(call), part.name, part.time)
}

/// The id of a call, its operation, and its server if the client says which.
pub(super) fn named(call: &Call<'_>) -> String {
    let op = call.operation().unwrap_or("call");
    let target = call.target().map_or(String::new(), |target| format!(" on {target}"));
    format!("{} {op}{target}", call.id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binomial_distribution_is_that_of_the_textbook() {
        // scipy.stats.binom.sf(k - 1, n, p).
        for (count, n, p, expected) in [
            (0, 5, 0.3, 1.0),
            (3, 3, 0.5, 0.125),
            (10, 11, 1.0 / 16.0, 9.436_007e-12),
            (60, 100, 0.5, 0.028_443_967),
        ] {
            let found = at_least(count, n, p);
            assert!((found / expected - 1.0).abs() < 1e-4, "{count} of {n}: {found}");
        }
        assert_eq!((at_least(3, 3, 1.0), at_least(3, 3, 0.0)), (1.0, 0.0));
        // Of very many, the first ones are too improbable to be told.
        assert!((at_least(300_000, 600_000, 0.5) - 0.5).abs() < 1e-3);
    }
}
