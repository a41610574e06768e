//! What only several calls show: a trend, a first call, failures, and a server that is slower than others.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{
    Confidence, Finding, Kind, Rule, Rules, Severity, Thresholds, calls::named, straggler,
};
use crate::{
    correlate::{Call, ClientEnd},
    measure::{Metric, Summary, Trend},
};

/// Calls of one operation and one server, in the order in which they were sent.
pub(super) type ByServer<'a> = BTreeMap<(&'a str, &'a str), Vec<Call<'a>>>;

/// So many calls of a server are compared at least.
pub(super) const FEWEST: usize = 3;
/// A first call is a cold start if it is so many times further from the others than any of those.
const OUTSIDE: f64 = 2.0;
const SHOWN: usize = 3;
/// A trend is told if one by chance is rarer than this, however many are looked for.
const SIGNIFICANT: f64 = 0.01;

pub(super) fn findings(all: &[Call<'_>], rules: &Rules, thresholds: Thresholds) -> Vec<Finding> {
    let mut calls: ByServer<'_> = BTreeMap::new();
    for call in all {
        let key = (call.operation().unwrap_or(""), call.target().unwrap_or(""));
        calls.entry(key).or_default().push(*call);
    }
    for calls in calls.values_mut() {
        // Those whose beginning is not told come last: nobody knows which of them is the first.
        calls.sort_by_key(|call| Reverse(call.client.and_then(|half| half.sent_at).map(Reverse)));
    }
    let mut findings = Vec::new();
    for rule in rules.rules() {
        match rule.kind {
            Kind::Straggler => findings.extend(straggler::findings(&calls, rule)),
            Kind::Trend => findings.extend(trends(&calls, rule)),
            Kind::ColdStart => findings.extend(cold_starts(&calls, rule, thresholds)),
            Kind::Failures => findings.extend(failures(&calls, rule)),
            Kind::NoEnd => findings.extend(without_end(&calls, rule)),
            _ => {}
        }
    }
    findings
}

fn summary(metric: Metric, calls: &[Call<'_>]) -> Option<Summary> {
    let done = calls.iter().filter(|call| call.ended_well());
    Summary::of(done.filter_map(|call| metric.of(call)).collect())
}

pub(super) fn median(summary: &Summary) -> f64 {
    summary.p50.value.as_millis_f64()
}

/// The calls that were sent on one clock, each clock's by themselves: a host that was booted anew begins anew.
fn by_clock<'a>(calls: &[Call<'a>]) -> Vec<Vec<Call<'a>>> {
    let mut groups: Vec<Vec<Call<'a>>> = Vec::new();
    for call in calls.iter().filter(|call| call.sent_at().is_some()) {
        match groups.iter_mut().find(|group| group[0].is_sent_on_the_clock_of(call)) {
            Some(group) => group.push(*call),
            None => groups.push(vec![*call]),
        }
    }
    groups
}

fn trends(calls: &ByServer<'_>, rule: &Rule) -> Vec<Finding> {
    let sequences: Vec<_> = calls
        .iter()
        .flat_map(|(key, calls)| by_clock(calls).into_iter().map(move |calls| (key, calls)))
        .filter_map(|(key, calls)| {
            let points: Vec<(f64, f64)> = calls
                .iter()
                .filter(|call| call.ended_well())
                .filter_map(|call| {
                    let sent = call.sent_at()?.as_nanos() as f64 / 1e9;
                    Some((sent, call.rpc()?.as_millis_f64()))
                })
                .collect();
            let span = points.last()?.0 - points.first()?.0;
            Some((key, span, Trend::of(&points)?, median(&summary(Metric::Rpc, &calls)?)))
        })
        .collect();
    // Of many sequences without a trend, some have one by chance.
    let significant = SIGNIFICANT / sequences.len().max(1) as f64;
    let found = sequences.iter().filter_map(|((op, target), span, trend, median)| {
        let growth = trend.slope_per_s * span;
        let percent = growth / median * 100.0;
        let tells = trend.p < significant && growth >= rule.at_least_ms && percent > rule.over;
        tells.then(|| Finding {
            rivals: rule.all_rivals(),
            rule: rule.clone(),
            severity: Severity::Notice,
            confidence: Confidence::Inferred,
            numbers: vec![format!(
                "{op} on {target}: rpc grew by {growth:.1} ms in {:.1} minutes, {percent:.0} % of its median of {median:.1} ms \
                 (threshold {} % and {} ms; n {}, p {})",
                span / 60.0,
                rule.over,
                rule.at_least_ms,
                trend.n,
                probability(trend.p)
            )],
            evidence: Vec::new(),
            weight: growth,
        })
    });
    found.collect()
}

fn probability(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

/// The first call of a server on one clock, and the others.
struct Start<'a> {
    op: &'a str,
    target: &'a str,
    first: Call<'a>,
    metric: Metric,
    time: f64,
    others: Summary,
}

impl<'a> Start<'a> {
    fn of(op: &'a str, target: &'a str, calls: &[Call<'a>]) -> Option<Self> {
        let (first, others) = calls.split_first()?;
        // What the client waited for before is no cold start of the server.
        let metric = if first.rpc().is_some() { Metric::Rpc } else { Metric::Wall };
        let others = summary(metric, others).filter(|others| others.n >= FEWEST)?;
        let time = metric.of(first).filter(|_| first.ended_well())?.as_millis_f64();
        Some(Self { op, target, first: *first, metric, time, others })
    }

    /// How many medians of the others a time is above that.
    fn above(&self, time: f64) -> f64 {
        let usual = median(&self.others).max(f64::MIN_POSITIVE);
        (time - usual) / usual
    }
}

fn cold_starts(calls: &ByServer<'_>, rule: &Rule, thresholds: Thresholds) -> Vec<Finding> {
    let starts: Vec<Start<'_>> = calls
        .iter()
        .flat_map(|((op, target), calls)| {
            by_clock(calls).into_iter().filter_map(|calls| Start::of(op, target, &calls))
        })
        .collect();
    // Where any call may be as long, a first one that is so is none by being the first.
    let mut furthest: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    for start in &starts {
        let above = start.above(start.others.max.as_millis_f64());
        let furthest = furthest.entry((start.op, start.metric.as_str())).or_default();
        *furthest = furthest.max(above);
    }
    let found = starts.iter().filter_map(|start| {
        let Start { op, target, first, metric, time, others } = start;
        let (usual, name) = (median(others), metric.as_str());
        let is_long = *time > rule.over * usual && time - usual > thresholds.queue;
        let furthest = furthest.get(&(*op, name)).copied().unwrap_or_default();
        (is_long && start.above(*time) > OUTSIDE * furthest).then(|| Finding {
            rivals: rule.rivals_of(&[*first]),
            rule: rule.clone(),
            severity: Severity::Notice,
            confidence: Confidence::Inferred,
            numbers: vec![format!(
                "{op} on {target}: {name} of the first call was {time:.1} ms, the median of the others is {usual:.1} ms \
                 (n {}, at most {} ms; threshold {} times)",
                others.n, others.max, rule.over
            )],
            evidence: vec![first.id()],
            weight: time - usual,
        })
    });
    found.collect()
}

fn failures(calls: &ByServer<'_>, rule: &Rule) -> Option<Finding> {
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    let mut evidence = Vec::new();
    let (mut is_unknown, mut n, mut early, mut lost) = (false, 0, 0, 0.0);
    for calls in calls.values() {
        for call in calls.iter().filter(|call| call.failed()) {
            let kind = call.failure();
            is_unknown |= call.client_fail().is_some_and(|fail| fail.outcome == "unknown");
            n += 1;
            lost += Metric::Wall.of(call).unwrap_or_default().as_millis_f64();
            if evidence.len() < SHOWN {
                let after = Metric::Wall.of(call).map(|wall| format!(" after {wall} ms"));
                evidence.push(format!("{}: {kind}{}", named(call), after.unwrap_or_default()));
            }
            *kinds.entry(kind).or_default() += 1;
        }
        early += by_clock(calls).iter().map(|calls| before_the_first_answer(calls)).sum::<usize>();
    }
    let are_early = early == n;
    let mut numbers: Vec<String> =
        kinds.into_iter().map(|(kind, count)| format!("{count} x {kind}")).collect();
    if are_early {
        numbers.push("all of them before their server answered for the first time".to_owned());
    }
    (!evidence.is_empty()).then(|| Finding {
        rivals: rule.all_rivals(),
        rule: rule.clone(),
        severity: match () {
            () if is_unknown => Severity::Critical,
            () if are_early => Severity::Notice,
            () => Severity::Warning,
        },
        confidence: Confidence::Measured,
        numbers,
        evidence,
        // Nothing is worse than not to know what a server did.
        weight: if is_unknown { f64::INFINITY } else { lost },
    })
}

/// How many of these calls, which are of one clock, were not sent before their server first answered: one that is not up yet is
/// asked until it is.
fn before_the_first_answer(calls: &[Call<'_>]) -> usize {
    let Some(first) = calls.iter().position(Call::ended_well) else { return 0 };
    let before = calls[..first].iter();
    before.filter_map(Call::client_fail).filter(|fail| fail.outcome == "not_sent").count()
}

fn without_end(calls: &ByServer<'_>, rule: &Rule) -> Option<Finding> {
    let open: Vec<&Call<'_>> = calls
        .values()
        .flatten()
        .filter(|call| call.client.is_some_and(|half| half.end == ClientEnd::Open))
        .collect();
    (!open.is_empty()).then(|| Finding {
        rivals: rule.all_rivals(),
        rule: rule.clone(),
        severity: Severity::Warning,
        confidence: Confidence::Undecided,
        numbers: vec![format!(
            "calls that were sent and have neither client.done nor client.fail: {}",
            open.len()
        )],
        evidence: open
            .iter()
            .take(SHOWN)
            .map(|call| {
                let seen = call.last_seen().map_or(String::new(), |seen| format!(": {seen}"));
                named(call) + &seen
            })
            .collect(),
        weight: open.len() as f64,
    })
}
