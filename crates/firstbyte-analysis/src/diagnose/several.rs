//! What only several calls show: a server that is slower than others, a trend, a first call, failures.

use std::collections::BTreeMap;

use firstbyte_core::Micros;

use super::{Confidence, Finding, Kind, Rule, Rules, Severity, Thresholds};
use crate::{
    correlate::{Call, ClientEnd},
    measure::{Metric, Summary, Trend},
};

/// Calls of one operation and one server, in the order in which they were sent.
type ByServer<'a> = BTreeMap<(&'a str, &'a str), Vec<Call<'a>>>;

/// So many calls of a server are compared at least.
const FEWEST: usize = 3;
const SHOWN: usize = 3;

pub(super) fn findings(all: &[Call<'_>], rules: &Rules, thresholds: Thresholds) -> Vec<Finding> {
    let mut calls: ByServer<'_> = BTreeMap::new();
    for call in all {
        let key = (call.operation().unwrap_or(""), call.target().unwrap_or(""));
        calls.entry(key).or_default().push(*call);
    }
    for calls in calls.values_mut() {
        calls.sort_by_key(|call| call.client.and_then(|half| half.sent_at));
    }
    let mut findings = Vec::new();
    for rule in rules.rules() {
        match rule.kind {
            Kind::Straggler => findings.extend(stragglers(&calls, rule)),
            Kind::Trend => findings.extend(trends(&calls, rule)),
            Kind::ColdStart => findings.extend(cold_starts(&calls, rule, thresholds)),
            Kind::Failures => findings.extend(failures(&calls, rule)),
            Kind::NoEnd => findings.extend(without_end(&calls, rule)),
            _ => {}
        }
    }
    findings
}

fn median(metric: Metric, calls: &[Call<'_>]) -> Option<(usize, f64)> {
    let done = calls.iter().filter(|call| call.ended_well());
    let summary = Summary::of(done.filter_map(|call| metric.of(call)).collect())?;
    Some((summary.n, summary.p50.value.as_millis_f64()))
}

fn stragglers(calls: &ByServer<'_>, rule: &Rule) -> Vec<Finding> {
    let mut servers: BTreeMap<&str, Vec<(&str, usize, f64)>> = BTreeMap::new();
    for ((op, target), calls) in calls {
        if let Some((n, rpc)) = median(Metric::Rpc, calls).filter(|(n, _)| *n >= FEWEST) {
            servers.entry(op).or_default().push((target, n, rpc));
        }
    }
    let mut findings = Vec::new();
    for (op, servers) in servers {
        for (target, n, rpc) in &servers {
            let mut others: Vec<f64> =
                servers.iter().filter(|other| other.0 != *target).map(|other| other.2).collect();
            others.sort_by(f64::total_cmp);
            let Some(usual) = others.get(others.len() / 2).copied().filter(|usual| *usual > 0.0)
            else {
                continue;
            };
            if *rpc / usual > rule.over {
                findings.push(Finding {
                    rule: rule.clone(),
                    severity: Severity::Warning,
                    confidence: Confidence::Inferred,
                    numbers: vec![format!(
                        "{op} on {target}: median rpc {rpc:.1} ms (n {n}), {:.1} times the {usual:.1} ms of the other {} \
                         servers (threshold {})",
                        rpc / usual,
                        others.len(),
                        rule.over
                    )],
                    evidence: Vec::new(),
                    weight: rpc - usual,
                });
            }
        }
    }
    findings
}

fn trends(calls: &ByServer<'_>, rule: &Rule) -> Vec<Finding> {
    let found = calls.iter().filter_map(|((op, target), calls)| {
        let points: Vec<(f64, f64)> = calls
            .iter()
            .filter(|call| call.ended_well())
            .filter_map(|call| {
                let sent = call.client?.sent_at?.as_nanos() as f64 / 1e9;
                Some((sent, call.rpc()?.as_millis_f64()))
            })
            .collect();
        let trend = Trend::of(&points)?;
        let (_, median) = median(Metric::Rpc, calls).filter(|(_, median)| *median > 0.0)?;
        let percent = trend.slope_per_s * 3600.0 / median * 100.0;
        (trend.p < 0.01 && percent > rule.over).then(|| Finding {
            rule: rule.clone(),
            severity: Severity::Notice,
            confidence: Confidence::Inferred,
            numbers: vec![format!(
                "{op} on {target}: rpc grows by {percent:.0} % of its median of {median:.1} ms per hour (threshold {} %; n {}, p \
                 {:.3})",
                rule.over, trend.n, trend.p
            )],
            evidence: Vec::new(),
            weight: percent,
        })
    });
    found.collect()
}

fn cold_starts(calls: &ByServer<'_>, rule: &Rule, thresholds: Thresholds) -> Vec<Finding> {
    let found = calls.iter().filter_map(|((op, target), calls)| {
        let (first, others) = calls.split_first()?;
        let (n, usual) = median(Metric::Wall, others).filter(|(n, _)| *n >= FEWEST)?;
        let wall = Metric::Wall.of(first).filter(|_| first.ended_well())?.as_millis_f64();
        (wall > rule.over * usual && wall - usual > thresholds.queue).then(|| Finding {
            rule: rule.clone(),
            severity: Severity::Notice,
            confidence: Confidence::Inferred,
            numbers: vec![format!(
                "{op} on {target}: the first call took {wall:.1} ms, the median of the {n} others is {usual:.1} ms (threshold {} times)",
                rule.over
            )],
            evidence: vec![first.id()],
            weight: wall - usual,
        })
    });
    found.collect()
}

fn failures(calls: &ByServer<'_>, rule: &Rule) -> Option<Finding> {
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    let mut evidence = Vec::new();
    let (mut n, mut is_unknown) = (0, false);
    for call in calls.values().flatten() {
        let Some(ClientEnd::Failed { outcome, phase, error }) = call.client.map(|half| half.end)
        else {
            continue;
        };
        n += 1;
        let word = |name: Option<_>| name.map_or("unknown", |name| call.name(name));
        is_unknown |= word(outcome) == "unknown";
        let kind = format!("{} in {}, outcome {}", word(error), word(phase), word(outcome));
        *kinds.entry(kind).or_default() += 1;
        if evidence.len() < SHOWN {
            let wall = Metric::Wall.of(call).unwrap_or(Micros(0));
            evidence.push(format!(
                "{} {}: failed after {wall} ms",
                call.id(),
                call.operation().unwrap_or("call")
            ));
        }
    }
    let numbers = kinds.into_iter().map(|(kind, count)| format!("{count} x {kind}")).collect();
    (n > 0).then(|| Finding {
        rule: rule.clone(),
        severity: if is_unknown { Severity::Critical } else { Severity::Warning },
        confidence: Confidence::Measured,
        numbers,
        evidence,
        weight: f64::from(n),
    })
}

fn without_end(calls: &ByServer<'_>, rule: &Rule) -> Option<Finding> {
    let open: Vec<&Call<'_>> = calls
        .values()
        .flatten()
        .filter(|call| call.client.is_some_and(|half| half.end == ClientEnd::Open))
        .collect();
    (!open.is_empty()).then(|| Finding {
        rule: rule.clone(),
        severity: Severity::Warning,
        confidence: Confidence::Undecided,
        numbers: vec![format!(
            "{} calls were sent and have neither client.done nor client.fail",
            open.len()
        )],
        evidence: open
            .iter()
            .take(SHOWN)
            .map(|call| format!("{} {}", call.id(), call.operation().unwrap_or("call")))
            .collect(),
        weight: open.len() as f64,
    })
}
