//! The whole model as JSON.

mod updates;

use firstbyte_core::Micros;
use serde_json::{Value, json as object};

use super::{Arm, Clock, Distribution, Report, SlowCall, Spread};
use crate::{
    ingest::Reason,
    json as to,
    measure::{Edge, GroupBy},
    waterfall::{Row, Side},
};

/// Of the form; a change that breaks readers gets the next number.
const SCHEMA: u32 = 1;

/// The report as one JSON object, in printable ASCII: durations in milliseconds, moments in seconds, what is unknown
/// is null.
#[must_use]
pub fn json(report: &Report) -> String {
    to::pretty(&value(report))
}

fn value(report: &Report) -> Value {
    let lines = &report.lines;
    let reasons = Reason::ALL
        .map(|reason| (reason.as_str().replace(' ', "_"), lines.skipped_by(reason).into()));
    object!({
        "schema": SCHEMA,
        "title": report.title,
        "verdict": {
            "severity": report.verdict.severity.map(|severity| severity.as_str()),
            "sentence": report.verdict.sentence(),
        },
        "lines": {
            "total": lines.total(), "parsed": lines.parsed, "skipped": lines.skipped(), "unknown": lines.unknown,
            "misfits": lines.misfits, "torn": lines.torn, "reasons": serde_json::Map::from_iter(reasons),
        },
        "files": report.files.list, "files_left_out": report.files.left_out,
        "notices": report.notices.list, "notices_left_out": report.notices.left_out,
        "window": {"since": report.window.since.map(edge), "until": report.window.until.map(edge)},
        "calls": report.calls,
        "by": by(report.by),
        "arms": report.arms.list.iter().map(arm).collect::<Vec<_>>(), "arms_left_out": report.arms.left_out,
        "distributions": report.distributions.iter().map(distribution).collect::<Vec<_>>(),
        "clocks": report.clocks.list.iter().map(clock).collect::<Vec<_>>(), "clocks_left_out": report.clocks.left_out,
        "without_moment": report.without_moment,
        "updates": report.updates.as_ref().map(updates::of),
        "slowest": report.slowest.iter().map(slow_call).collect::<Vec<_>>(),
        "findings": report.findings.list.iter().map(to::finding).collect::<Vec<_>>(),
        "findings_left_out": report.findings.left_out,
        "timeline": to::timeline(&report.timeline),
    })
}

const fn by(by: GroupBy) -> &'static str {
    match by {
        GroupBy::Nothing => "nothing",
        GroupBy::Op => "op",
        GroupBy::Target => "target",
        GroupBy::File => "file",
    }
}

const fn side(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
        Side::Residual => "residual",
    }
}

fn arm(arm: &Arm) -> Value {
    let mut value = to::group(&arm.group);
    let parts = arm.parts.iter().map(|part| {
        object!({"name": part.name, "side": side(part.side), "mean": part.mean_ms, "calls": part.calls})
    });
    value["parts"] = object!({"n": arm.n, "parts": parts.collect::<Vec<_>>()});
    value
}

fn distribution(distribution: &Distribution) -> Value {
    let arms = distribution.arms.iter().map(|arm| {
        let steps = arm.steps.iter().map(|(time, share)| (time.as_millis_f64(), share));
        object!({"n": arm.n, "steps": steps.collect::<Vec<_>>()})
    });
    object!({"metric": distribution.metric.as_str(), "arms": arms.collect::<Vec<_>>()})
}

/// A second as a number, and a time as a text.
fn edge(edge: Edge) -> Value {
    match edge {
        Edge::Monotonic(second) => second.into(),
        Edge::Unix(_) => edge.to_string().into(),
    }
}

fn clock(clock: &Clock) -> Value {
    let points = clock.points.iter().map(|point| {
        object!({
            "at_s": point.at_s, "id": point.id, "queue": ms(point.queue), "inflight": point.in_flight,
            "slowest": point.slowest,
        })
    });
    let columns = clock.columns.iter().map(|column| {
        object!({
            "place": column.place, "calls": column.calls, "queue": column.queue.map(spread),
            "inflight": column.in_flight.map(spread),
        })
    });
    object!({
        "files": clock.files, "start_s": clock.start_s, "length_s": clock.length_s, "calls": clock.calls,
        "with_queue": clock.with_queue, "with_inflight": clock.with_in_flight,
        "points": points.collect::<Vec<_>>(), "columns": columns.collect::<Vec<_>>(), "updates": clock.updates, "bands": clock.bands,
    })
}

fn spread(spread: Spread) -> Value {
    let Spread { n, min, low, median, high, max } = spread;
    object!({"n": n, "min": min, "p25": low, "p50": median, "p75": high, "max": max})
}

fn slow_call(call: &SlowCall) -> Value {
    let row = |row: &Row| {
        object!({
            "name": row.name, "depth": row.depth, "side": side(row.side), "start": row.start.as_millis_f64(),
            "length": row.length.as_millis_f64(),
        })
    };
    object!({
        "id": call.id, "operation": call.operation, "target": call.target, "ending": call.ending,
        "wall": call.wall.as_millis_f64(), "queue": ms(call.queue), "rpc": ms(call.rpc),
        "largest": call.largest.map(|(part, _)| part), "until_received": ms(call.until_received),
        "inflight": call.in_flight, "rows": call.rows.iter().map(row).collect::<Vec<_>>(),
    })
}

fn ms(time: Option<Micros>) -> Option<f64> {
    time.map(Micros::as_millis_f64)
}
