//! Which parts of one call took too long.
//!
//! The queue and the engine are judged apart: both may be at fault in one call. What only the server's lines tell is taken
//! from there, and what remains has a name that says how little is known of it.

use std::cmp::Reverse;

use firstbyte_core::{Micros, Phase};

use super::Thresholds;
use crate::{
    correlate::{Call, ClientEnd, ClientHalf, Server, ServerHalf},
    measure::Metric,
};

/// The names of parts: those of `firstbyte stats` that can be at fault, and those of what remains.
pub(super) const PARTS: [&str; 21] = [
    "setup",
    "pool",
    "dns",
    "connect",
    "tls",
    "send",
    "receive",
    "kernel",
    "handler",
    "respond",
    "network",
    "unattributed",
    "until_received",
    "queue",
    "wall",
    "scattered",
    "loop_lag",
    "rpc",
    "engine_queue",
    "engine_exec",
    "resume",
];

/// What the client may have been told of its server, and the server's own lines tell too.
const TOLD: [Server; 3] = [Server::Kernel, Server::Handler, Server::Respond];

/// A part of a call, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) time: Micros,
}

/// The parts of a call that took too long, the longest first; `None` for a call that cannot be judged.
pub(super) fn culprits(call: &Call<'_>, thresholds: Thresholds) -> Option<Vec<Part>> {
    let mut found = match call.client {
        None => on_the_server(call, thresholds)?,
        Some(client) if client.is_impossible() => return None,
        Some(client) => match client.end {
            ClientEnd::Open => return None,
            ClientEnd::Failed { phase, .. } => {
                vec![failed_in(call.name(phase?), client.wall()?, thresholds)?]
            }
            ClientEnd::Done => in_the_queue(call, client, thresholds),
        },
    };
    found.extend(in_the_engine(call, thresholds));
    if let Some(lag) = Metric::LoopLag.of(call) {
        for part in found.iter_mut().filter(|part| part.name == "kernel") {
            // What lies in the kernel of a server whose loop stands still waits for that.
            if lag.0 >= part.time.0 / 2 {
                *part = Part { name: "loop_lag", time: part.time.min(lag) };
            }
        }
    }
    let resume = Metric::Resume.of(call).filter(|time| over(*time, thresholds.queue));
    found.extend(resume.map(|time| Part { name: "resume", time }));
    found.sort_by_key(|part| Reverse(part.time));
    // No rule could be of it: rules of other names are refused.
    debug_assert!(found.iter().all(|part| PARTS.contains(&part.name)), "{found:?}");
    Some(found)
}

/// The time that parts are parts of: wall, or what the server alone knows.
pub(super) fn whole(call: &Call<'_>) -> Option<Micros> {
    match call.client {
        Some(client) => client.wall(),
        None => {
            let server = call.server?;
            Some(server.duration()? + server.kernel().unwrap_or_default())
        }
    }
}

fn over(time: Micros, limit: f64) -> bool {
    time.as_millis_f64() > limit
}

/// A part that is longer than the call is a mistake of somebody's, such as a clock that was set.
fn fitting(call: &Call<'_>, time: Micros) -> Option<Micros> {
    const ROUNDING: Micros = Micros(200);
    whole(call).is_none_or(|whole| time <= whole + ROUNDING).then_some(time)
}

fn told(call: &Call<'_>, part: Server) -> Option<Part> {
    let metric = Metric::Server(part);
    let time = metric.of(call).and_then(|time| fitting(call, time))?;
    Some(Part { name: metric.as_str(), time })
}

fn rpc(call: &Call<'_>) -> Option<Micros> {
    call.rpc().and_then(|rpc| fitting(call, rpc))
}

fn in_the_queue(call: &Call<'_>, client: &ClientHalf, thresholds: Thresholds) -> Vec<Part> {
    let Some(wall) = client.wall() else { return Vec::new() };
    let rpc = rpc(call);
    let phases = Phase::ALL.into_iter().filter(|phase| *phase != Phase::Wait);
    let mut parts: Vec<Part> = phases
        .filter_map(|phase| Some(Part { name: phase.as_str(), time: client.phase(phase)? }))
        .collect();
    let has_phases = !parts.is_empty() || client.phase(Phase::Wait).is_some();
    parts.extend(TOLD.into_iter().filter_map(|part| told(call, part)));
    let known: Micros = parts.iter().map(|part| part.time).sum();
    if has_phases {
        parts.extend(rest_of_wait(call, client, rpc));
    } else {
        parts.extend(rest_of_wall(call, wall, rpc, known));
    }
    let limit = |part: &Part| match part.name {
        "wall" => thresholds.wall,
        "unattributed" if rpc.is_none() => thresholds.wait(),
        _ => thresholds.queue,
    };
    // Without rpc a rest may be the engine's.
    let queue = match rpc {
        Some(rpc) => client.queue().or(wall.checked_sub(rpc)).unwrap_or_default(),
        None => known,
    };
    let is_queue = |part: &Part| rpc.is_some() || !matches!(part.name, "wall" | "unattributed");
    let largest = parts.iter().copied().filter(is_queue).max_by_key(|part| part.time);
    parts.retain(|part| over(part.time, limit(part)));
    if parts.is_empty() && over(queue, thresholds.queue) {
        parts.push(match largest {
            Some(part) if part.time.0 >= queue.0 / 2 => part,
            _ => Part { name: "scattered", time: queue },
        });
    }
    parts
}

/// What remains of the wait of a client that knows its phases.
///
/// If the server's own lines tell what the client was not told, it is less; and where they tell all of the server's half, it is
/// the network's.
fn rest_of_wait(
    call: &Call<'_>,
    client: &ClientHalf,
    rpc: Option<Micros>,
) -> impl Iterator<Item = Part> {
    let network = client.server(Server::Network);
    let untold = TOLD.into_iter().filter(|part| client.server(*part).is_none());
    let mut named: Micros = untold.filter_map(|part| told(call, part)).map(|part| part.time).sum();
    if client.rpc().is_none() {
        named = named + rpc.unwrap_or_default();
    }
    let is_told = TOLD.into_iter().all(|part| told(call, part).is_some()) && rpc.is_some();
    let name = if is_told && network.is_none() { "network" } else { "unattributed" };
    let rest = client.server(Server::Unattributed);
    let rest = rest.map(|rest| Part { name, time: Micros(rest.0.saturating_sub(named.0)) });
    network.map(|time| Part { name: "network", time }).into_iter().chain(rest)
}

/// What remains of a call whose client tells no phases. On one clock it is known how much of it was before
/// the server's application saw the request.
fn rest_of_wall(
    call: &Call<'_>,
    wall: Micros,
    rpc: Option<Micros>,
    known: Micros,
) -> impl Iterator<Item = Part> {
    let kernel = told(call, Server::Kernel).map_or(Micros(0), |part| part.time);
    let before = call.until_received().and_then(|time| fitting(call, time));
    let before = before.map(|time| Micros(time.0.saturating_sub(kernel.0)));
    let named = rpc.unwrap_or_default() + known + before.unwrap_or_default();
    let name = if rpc.is_some() { "queue" } else { "wall" };
    let rest = Part { name, time: Micros(wall.0.saturating_sub(named.0)) };
    before.map(|time| Part { name: "until_received", time }).into_iter().chain([rest])
}

/// The engine's time, split if its own process says how.
fn in_the_engine(call: &Call<'_>, thresholds: Thresholds) -> Vec<Part> {
    let Some(rpc) = rpc(call).filter(|rpc| over(*rpc, thresholds.rpc)) else { return Vec::new() };
    let fits = |time: Option<Micros>| time.and_then(|time| fitting(call, time));
    let parts = call.engine().map(|half| (fits(half.queue()), fits(half.exec())));
    let Some((Some(queue), Some(exec))) = parts else {
        return vec![Part { name: "rpc", time: rpc }];
    };
    let mut parts =
        vec![Part { name: "engine_queue", time: queue }, Part { name: "engine_exec", time: exec }];
    parts.sort_by_key(|part| Reverse(part.time));
    let both = over(parts[1].time, thresholds.rpc);
    parts.truncate(if both { 2 } else { 1 });
    parts
}

/// What a server tells of a call whose client's lines are not there.
fn on_the_server(call: &Call<'_>, thresholds: Thresholds) -> Option<Vec<Part>> {
    let server = call.server?;
    let tells = [server.duration(), server.kernel(), server.rpc(), ServerHalf::handler(server)];
    tells.iter().any(Option::is_some).then(|| {
        let parts = TOLD.into_iter().filter_map(|part| told(call, part));
        parts.filter(|part| over(part.time, thresholds.queue)).collect()
    })
}

/// The phase that a call failed in, if it was there for long.
fn failed_in(phase: &str, wall: Micros, thresholds: Thresholds) -> Option<Part> {
    let phase = Phase::ALL.into_iter().find(|known| known.as_str() == phase)?;
    let tells = phase != Phase::Wait && over(wall, thresholds.queue);
    tells.then_some(Part { name: phase.as_str(), time: wall })
}
