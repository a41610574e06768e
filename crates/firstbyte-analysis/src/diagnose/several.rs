//! What only several calls show: a server that is slower than others, a trend, a first call, failures.

use std::{cmp::Reverse, collections::BTreeMap};

use firstbyte_core::Micros;

use super::{Confidence, Finding, Kind, Rule, Rules, Severity, Thresholds, calls::named};
use crate::{
    compare::{are_larger, reach_of},
    correlate::{Call, ClientEnd},
    measure::{Metric, Summary, Trend},
};

/// Calls of one operation and one server, in the order in which they were sent.
type ByServer<'a> = BTreeMap<(&'a str, &'a str), Vec<Call<'a>>>;

/// So many calls of a server are compared at least.
const FEWEST: usize = 3;
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

fn summary(metric: Metric, calls: &[Call<'_>]) -> Option<Summary> {
    let done = calls.iter().filter(|call| call.ended_well());
    Summary::of(done.filter_map(|call| metric.of(call)).collect())
}

fn median(summary: &Summary) -> f64 {
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

/// The rpc of a server's calls in milliseconds, in order.
struct Server<'a> {
    target: &'a str,
    median: f64,
    times: Vec<f64>,
}

impl<'a> Server<'a> {
    fn of(target: &'a str, calls: &[Call<'_>]) -> Option<Self> {
        let done = calls.iter().filter(|call| call.ended_well());
        let times: Vec<Micros> = done.filter_map(Call::rpc).collect();
        let median = median(&Summary::of(times.clone()).filter(|all| all.n >= FEWEST)?);
        let times = in_order(times.into_iter().map(Micros::as_millis_f64));
        Some(Self { target, median, times })
    }

    /// Whether its calls take longer than the other ones of these, beyond chance.
    fn is_slower(&self, all: &[f64], reach: f64) -> bool {
        let not_below =
            |times: &[f64], time: f64| times.len() - times.partition_point(|t| *t < time);
        let others = |time: &f64| (not_below(all, *time) - not_below(&self.times, *time)) as u64;
        let against: u64 = self.times.iter().map(others).sum();
        are_larger(self.times.len(), all.len() - self.times.len(), against, reach)
    }
}

fn in_order(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The middle one without this one, which is among them; they are in order.
fn middle_of_others(medians: &[f64], own: f64) -> Option<f64> {
    let middle = medians.len().checked_sub(1)? / 2;
    let is_before = medians.partition_point(|median| *median < own) <= middle;
    medians.get(middle + usize::from(is_before)).copied()
}

fn stragglers(calls: &ByServer<'_>, rule: &Rule) -> Vec<Finding> {
    let mut operations: BTreeMap<&str, Vec<Server<'_>>> = BTreeMap::new();
    for ((op, target), calls) in calls {
        operations.entry(op).or_default().extend(Server::of(target, calls));
    }
    // Of many servers one is slower by chance. Only that counts, not that it is quicker: half of a test for each.
    let compared = operations.values().map(Vec::len).filter(|servers| *servers > 1);
    let reach = reach_of(compared.sum::<usize>().div_ceil(2));
    let mut findings = Vec::new();
    for (op, servers) in operations {
        let medians = in_order(servers.iter().map(|server| server.median));
        let all = in_order(servers.iter().flat_map(|server| &server.times).copied());
        for server in &servers {
            let Server { target, median, times } = server;
            let usual = middle_of_others(&medians, *median).filter(|usual| *usual > 0.0);
            let Some(usual) = usual else { continue };
            let is_much = median / usual > rule.over && median - usual >= rule.at_least_ms;
            if is_much && server.is_slower(&all, reach) {
                findings.push(Finding {
                    rivals: rule.all_rivals(),
                    rule: rule.clone(),
                    severity: Severity::Warning,
                    confidence: Confidence::Inferred,
                    numbers: vec![format!(
                        "{op} on {target}: median rpc {median:.1} ms (n {}), {:.1} times the {usual:.1} ms of the others \
                         (servers: {}; threshold {} times and {} ms)",
                        times.len(),
                        median / usual,
                        medians.len() - 1,
                        rule.over,
                        rule.at_least_ms
                    )],
                    evidence: Vec::new(),
                    weight: median - usual,
                });
            }
        }
    }
    findings
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_others_is_that_of_those_left_when_one_is_taken_out() {
        for medians in [&[1.0][..], &[1.0, 2.0], &[1.0, 2.0, 2.0, 3.0], &[1.0, 1.0, 4.0, 5.0, 9.0]]
        {
            for (place, own) in medians.iter().enumerate() {
                let mut others = medians.to_vec();
                others.remove(place);
                let expected = others.get(others.len() / 2).copied();
                assert_eq!(middle_of_others(medians, *own), expected, "{own} of {medians:?}");
            }
        }
    }

    #[test]
    fn very_many_servers_are_compared() {
        // Each with each other, they would take minutes.
        let mut lines = String::new();
        for n in 0..60_000_u32 {
            let rpc = 100 + n % 7;
            lines += &format!(
                "[weights][{n:016x}] client.done wall_ms={}.0 rpc_ms={rpc}.0 queue_ms=1.0 target=h{}:80\n",
                rpc + 1,
                n / 3
            );
        }
        let log = crate::Log::from_bytes(lines.as_bytes());
        let calls: Vec<_> = log.calls().collect();
        let rules = Rules::default();
        assert!(findings(&calls, &rules, rules.thresholds("small").unwrap()).is_empty());
    }
}
