//! Which part of the slow calls is the largest.

use std::{cmp::Reverse, collections::BTreeMap};

use firstbyte_core::{Micros, Phase};

use super::{Confidence, Finding, Rules, Severity, Thresholds};
use crate::{
    correlate::{Call, ClientHalf, Server, ServerHalf},
    measure::{Metric, Summary},
};

/// How many calls are shown as evidence.
const SHOWN: usize = 3;

/// A part of a call, by the name that rules know it by.
type Part = (&'static str, Micros);

pub(super) fn findings(calls: &[Call<'_>], rules: &Rules, thresholds: Thresholds) -> Vec<Finding> {
    let mut slow: BTreeMap<&'static str, Vec<(Micros, Call<'_>)>> = BTreeMap::new();
    let (mut judged, mut too_slow) = (0, 0);
    for call in calls {
        if call.client.is_none() || !call.ended_well() {
            continue;
        }
        judged += 1;
        if let Some((part, time)) = culprit(call, thresholds) {
            too_slow += 1;
            slow.entry(part).or_default().push((time, *call));
        }
    }
    let found = slow.into_iter().filter_map(|(part, mut calls)| {
        let rule = rules.of_part(part)?;
        calls.sort_by_key(|(time, _)| Reverse(*time));
        let summary = Summary::of(calls.iter().map(|(time, _)| *time).collect())?;
        let wall: Micros = calls.iter().filter_map(|(_, call)| Metric::Wall.of(call)).sum();
        let share = summary.sum.0 as f64 / wall.0.max(1) as f64 * 100.0;
        let median = summary.p50.value;
        let numbers = vec![
            format!(
                "{too_slow} of {judged} calls are slow (queue over {} ms or rpc over {} ms; without rpc, wall over {} ms)",
                thresholds.queue, thresholds.rpc, thresholds.wall
            ),
            format!(
                "in {} of them {part} is the largest part: median {median} ms, at most {} ms, {share:.1} % of their wall",
                summary.n, summary.max
            ),
        ];
        Some(Finding {
            rule: rule.clone(),
            severity: if median.0 > 1_000_000 { Severity::Critical } else { Severity::Warning },
            confidence: confidence(part),
            numbers,
            evidence: calls.iter().take(SHOWN).map(|(time, call)| evidence(part, *time, call)).collect(),
            weight: summary.sum.as_millis_f64(),
        })
    });
    found.collect()
}

fn confidence(part: &str) -> Confidence {
    match part {
        "unattributed" | "until_received" | "queue" => Confidence::Undecided,
        "network" => Confidence::Inferred,
        _ => Confidence::Measured,
    }
}

fn evidence(part: &str, time: Micros, call: &Call<'_>) -> String {
    let wall = Metric::Wall.of(call).unwrap_or_default();
    let op = call.operation().unwrap_or("call");
    let target = call.target().map_or(String::new(), |target| format!(" on {target}"));
    format!("{} {op}{target}: {part} {time} of wall {wall} ms", call.id())
}

/// The largest part of what is too long, if anything is.
fn culprit(call: &Call<'_>, thresholds: Thresholds) -> Option<Part> {
    let wall = Metric::Wall.of(call)?.as_millis_f64();
    let over = |time: Micros, limit: f64| time.as_millis_f64() > limit;
    let mut suspects: Vec<Part> = Vec::new();
    match (call.rpc(), call.queue()) {
        (Some(rpc), Some(queue)) => {
            if over(queue, thresholds.queue) {
                suspects.extend(queue_parts(call));
            }
            if over(rpc, thresholds.rpc) {
                suspects.extend(engine_parts(call, rpc));
            }
        }
        _ => {
            let phases: Vec<Part> = client_parts(call.client?).collect();
            let before: Micros = phases.iter().map(|(_, time)| *time).sum();
            if over(before, thresholds.queue) {
                suspects.extend(phases);
            }
            match call.client?.phase(Phase::Wait) {
                Some(wait) if over(wait, thresholds.queue + thresholds.rpc) => {
                    suspects.extend(server_parts(call.client?));
                }
                None if wall > thresholds.wall && before == Micros(0) => {
                    suspects.push(("queue", Metric::Wall.of(call)?));
                }
                _ => {}
            }
        }
    }
    let (part, time) = suspects.into_iter().max_by_key(|(_, time)| *time)?;
    // Whatever waits in a server whose loop stands still, waits for that.
    let lag = call.server.and_then(ServerHalf::loop_lag);
    match lag.filter(|lag| lag.0 >= time.0 / 2) {
        Some(lag) if matches!(part, "kernel" | "handler" | "respond") => Some(("loop_lag", lag)),
        _ => Some((part, time)),
    }
}

/// What the queue is made of, as far as it is told.
fn queue_parts(call: &Call<'_>) -> Vec<Part> {
    let Some(client) = call.client else { return Vec::new() };
    let told: Vec<Part> = client_parts(client).chain(server_parts(client)).collect();
    if !told.is_empty() {
        return told;
    }
    // Lines with wall and rpc alone. Where both halves are on one clock, it can be told what was before the
    // server's application saw the request, and what it did then.
    let handler = call.server.and_then(ServerHalf::handler).map(|time| ("handler", time));
    let before = call.until_received().map(|time| ("until_received", time));
    let parts: Vec<Part> = before.into_iter().chain(handler).collect();
    match before {
        Some(_) => parts,
        None => call.queue().map(|queue| ("queue", queue)).into_iter().chain(handler).collect(),
    }
}

fn client_parts(client: &ClientHalf) -> impl Iterator<Item = Part> {
    let phases = Phase::ALL.into_iter().filter(|phase| *phase != Phase::Wait);
    phases.filter_map(|phase| Some((phase.as_str(), client.phase(phase)?)))
}

fn server_parts(client: &ClientHalf) -> impl Iterator<Item = Part> {
    Server::ALL
        .into_iter()
        .filter_map(|part| Some((Metric::Server(part).as_str(), client.server(part)?)))
}

/// The engine's time, split if its own process says how.
fn engine_parts(call: &Call<'_>, rpc: Micros) -> Vec<Part> {
    match call.engine().map(|engine| (engine.queue(), engine.exec())) {
        Some((Some(queue), Some(exec))) => vec![("engine_queue", queue), ("engine_exec", exec)],
        _ => vec![("rpc", rpc)],
    }
}
