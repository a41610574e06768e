//! Results as JSON, the same in every command: durations in milliseconds, what is unknown is null.
//!
//! Texts of logs stand in a [`Value`] as they are; [`pretty`] and [`line()`] write it in printable ASCII.

use firstbyte_core::Micros;
use serde_json::{Map, Value, json};

use crate::{
    check::{Bound, Evidence, Limit},
    compare::Change,
    correlate::Log,
    diagnose::Finding,
    field::{FieldStats, Values},
    measure::{Amounts, Correlation, Group, Percentile, Share, Stats, Summary, Unit},
    notices::notices_within,
};

/// A value as it is shown: on several lines, in printable ASCII.
///
/// ```
/// use firstbyte_analysis::json::{line, pretty};
///
/// assert_eq!(pretty(&"a\u{9b}2J".into()), "\"a\\u009b2J\"\n");
/// assert_eq!(line(&serde_json::json!({"op": "\u{202e}"})), "{\"op\":\"\\u202e\"}\n");
/// ```
#[must_use]
pub fn pretty(value: &Value) -> String {
    ascii(&format!("{value:#}\n"))
}

/// A value as a line of its own, in printable ASCII.
#[must_use]
pub fn line(value: &Value) -> String {
    ascii(&format!("{value}\n"))
}

/// Escapes what is outside printable ASCII: only strings have it, and a terminal may be what shows them.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '\n' || (' '..='~').contains(&c) {
            out.push(c);
        } else {
            let mut units = [0; 2];
            out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    out
}

/// All tables of a log.
#[must_use]
pub fn stats(log: &Log, stats: &Stats) -> Value {
    json!({
        "lines": lines(log),
        "notices": notices_within(log, stats.window),
        "groups": stats.groups.iter().map(group).collect::<Vec<_>>(),
        "timeline": timeline(&stats.timeline),
        "amounts": amounts(&stats.amounts),
    })
}

/// One field, by the records that have it.
#[must_use]
pub fn field(stats: &FieldStats) -> Value {
    let records = stats.rows.iter().map(|row| {
        let values = match &row.values {
            Values::Millis(values) => summary(values, None),
            Values::Amounts(unit, values) => self::values(*unit, values),
        };
        (row.name(), values)
    });
    json!({
        "lines": stats.lines, "others": stats.others, "torn": stats.torn, "broken": stats.broken, "unread": stats.unread,
        "records": records.collect::<Map<_, _>>(),
    })
}

/// What became of the lines.
#[must_use]
pub fn lines(log: &Log) -> Value {
    let tally = log.tally();
    json!({
        "total": tally.total(), "parsed": tally.parsed, "skipped": tally.skipped(), "unknown": tally.unknown,
        "misfits": tally.misfits, "torn": tally.torn, "over_limit": log.over_limit(),
        "beside_over_limit": log.timeline().over_limit(), "broken": log.broken(),
        "unread": log.unread(),
    })
}

/// The calls of one group.
#[must_use]
pub fn group(group: &Group) -> Value {
    let metrics = group.rows.iter();
    let metrics = metrics
        .map(|(metric, values, share)| (metric.as_str().to_owned(), summary(values, *share)));
    json!({
        "name": group.name, "calls": group.calls, "whole": group.whole, "client_only": group.client_only,
        "server_only": group.server_only, "failed": group.failed, "open": group.open,
        "metrics": metrics.collect::<Map<_, _>>(),
        "rpc_trend": group.rpc_trend.map(|t| json!({"n": t.n, "slope_ms_per_s": t.slope_per_s, "p": t.p})),
        "queue_and_inflight": group.queue_and_in_flight.map(correlation),
        "queue_and_generation": group.queue_and_generation.map(correlation),
        "queue_while_generating": group.queue_by_generation.generating.map(|queue| summary(&queue, None)),
        "queue_while_not_generating": group.queue_by_generation.idle.map(|queue| summary(&queue, None)),
    })
}

fn correlation(correlation: Correlation) -> Value {
    json!({"n": correlation.n, "rho": correlation.rho, "p": correlation.p})
}

/// What happens beside the calls, by name.
#[must_use]
pub fn timeline(timeline: &[(&'static str, Summary)]) -> Value {
    let rows = timeline.iter();
    Value::Object(rows.map(|(name, values)| ((*name).into(), summary(values, None))).collect())
}

/// What lines beside the calls tell that is no duration, by name.
fn amounts(rows: &[(&'static str, Unit, Amounts)]) -> Value {
    let rows = rows.iter();
    Value::Object(
        rows.map(|(name, unit, amounts)| ((*name).into(), values(*unit, amounts))).collect(),
    )
}

fn values(unit: Unit, amounts: &Amounts) -> Value {
    let Amounts { n, min, mean, max, stddev, p50, p95, .. } = amounts;
    json!({
        "unit": unit.as_str(), "n": n, "min": min, "mean": mean, "max": max, "stddev": stddev, "p50": p50, "p95": p95,
    })
}

/// A finding.
#[must_use]
pub fn finding(finding: &Finding) -> Value {
    json!({
        "id": finding.rule.id, "title": finding.rule.title, "severity": finding.severity.as_str(),
        "confidence": finding.confidence.to_string(), "numbers": finding.numbers, "evidence": finding.evidence,
        "rivals": finding.rivals, "next": finding.rule.next,
    })
}

/// What was looked at for a criterion.
#[must_use]
pub fn evidence(evidence: &Evidence) -> Value {
    let (verdict, said) = (evidence.verdict().as_str(), evidence.to_string());
    match evidence {
        Evidence::Number(reading) => json!({
            "verdict": verdict, "said": said, "what": reading.what, "unit": reading.unit, "n": reading.n,
            "value": reading.value, "interval": reading.interval.map(|(low, high)| [low, high]),
            "interval_has_limit": reading.is_close(), "limits": reading.limits.iter().map(limit).collect::<Vec<_>>(),
        }),
        Evidence::Change(shift) => json!({
            "verdict": verdict, "said": said, "what": shift.what, "unit": shift.unit,
            "before": {"n": shift.before.n, "p50": shift.before.value},
            "after": {"n": shift.after.n, "p50": shift.after.value},
            "shift": shift.judged.map(|judged| judged.shift),
            "interval": shift.judged.and_then(|judged| judged.interval).map(|(low, high)| [low, high]),
            "margin": shift.judged.map(|judged| judged.margin),
            "change": shift.judged.map(|judged| change(judged.change).0),
        }),
    }
}

fn limit(limit: &Limit) -> Value {
    let bound = match limit.bound {
        Bound::AtMost => "at_most",
        Bound::AtLeast => "at_least",
        Bound::Over => "over",
        Bound::Under => "under",
    };
    json!({ bound: limit.value })
}

/// A change in a word, and how many more values would probably tell.
#[must_use]
pub const fn change(change: Change) -> (&'static str, Option<usize>) {
    match change {
        Change::Better => ("better", None),
        Change::Worse => ("worse", None),
        Change::Same => ("same", None),
        Change::Undecided { more } => ("undecided", Some(more)),
    }
}

fn summary(summary: &Summary, share: Option<Share>) -> Value {
    let ms = Micros::as_millis_f64;
    let percentile = |p: Percentile| json!({"value": ms(p.value), "interval": p.interval.map(|i| [ms(i.low), ms(i.high)])});
    json!({
        "n": summary.n, "min": ms(summary.min), "mean": summary.mean_ms, "max": ms(summary.max),
        "stddev": summary.stddev_ms, "p50": percentile(summary.p50), "p95": summary.p95.map(percentile),
        "p99": summary.p99.map(percentile), "of_wall": share.map(|share| share.of_wall),
    })
}
