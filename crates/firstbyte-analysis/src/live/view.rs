//! What is going on now.

use std::{cmp::Reverse, collections::BTreeMap};

use firstbyte_core::{Micros, Timestamp};

use super::{Finished, Live};
use crate::{
    correlate::{Call, ClientEnd, Log},
    diagnose::{Finding, Rules, Thresholds, diagnose},
    entry::parse,
    measure::{Metric, Summary},
};

/// The time that is called a minute.
const MINUTE: u128 = 60_000_000_000;

/// What is going on, of the traces that are kept.
#[derive(Debug)]
#[non_exhaustive]
pub struct View {
    /// How many traces are kept, and how many are no longer.
    pub traces: (usize, u64),
    /// How many calls these have.
    pub calls: usize,
    /// Calls without an end, those that take longest first.
    pub in_progress: Vec<InProgress>,
    /// wall, queue and rpc of the calls that ended well within the last minute of their log's own clock.
    pub minute: Vec<(Metric, Summary)>,
    /// The same of all calls that are kept.
    pub all: Vec<(Metric, Summary)>,
    /// From the first end to the last of these on one clock, in seconds; the longest of all clocks.
    pub span_s: Option<f64>,
    /// The servers, by their names.
    pub servers: Vec<ServerNow>,
    /// What is wrong with the calls that are kept, the worst first.
    pub findings: Vec<Finding>,
}

/// A call without an end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InProgress {
    /// Its trace id.
    pub id: String,
    /// Its operation.
    pub operation: Option<String>,
    /// Its server.
    pub target: Option<String>,
    /// For how long at least: until the last moment that is known of its log's clock, or what `client.waiting` says.
    pub at_least: Option<Micros>,
    /// What the last `client.waiting` says that it waits for.
    pub state: Option<String>,
}

/// A server as its last call found it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerNow {
    /// Host and port.
    pub target: String,
    /// Requests in progress when the last call that tells it arrived.
    pub in_flight: Option<u32>,
    /// Calls to it that have no end.
    pub open: usize,
    /// Calls to it that are kept.
    pub calls: usize,
}

impl Live {
    /// What is going on. Takes time in proportion to what is kept.
    #[must_use]
    pub fn view(&self, rules: &Rules, thresholds: Thresholds) -> View {
        let log = self.log();
        let latest = latest(&log);
        let recent: Vec<&Finished> = self.recent.iter().collect();
        let is_recent = |call: &&&Finished| {
            let now = latest.get(call.source).copied().flatten();
            now.zip(call.ended_at).is_some_and(|(now, ended)| {
                u128::from(ended.as_nanos()) + MINUTE >= u128::from(now.as_nanos())
            })
        };
        let minute: Vec<&Finished> = recent.iter().filter(is_recent).copied().collect();
        let mut in_progress: Vec<InProgress> =
            log.calls().filter_map(|call| self.in_progress(&call, &latest)).collect();
        in_progress.sort_by_key(|call| Reverse(call.at_least));
        View {
            traces: (self.kept.traces(), self.kept.forgotten),
            calls: log.calls().count(),
            in_progress,
            minute: summaries(&minute),
            all: summaries(&recent),
            span_s: span(&log, &recent),
            servers: servers(&log),
            findings: diagnose(&log, rules, thresholds).findings,
        }
    }

    /// The last calls that were told, the latest first.
    pub fn recent(&self) -> impl Iterator<Item = &Finished> {
        self.recent.iter().rev()
    }

    fn in_progress(&self, call: &Call<'_>, latest: &[Option<Timestamp>]) -> Option<InProgress> {
        let half = call.client.filter(|half| half.end == ClientEnd::Open)?;
        let now = latest[half.source as usize].zip(half.sent_at);
        let by_clock =
            now.filter(|(now, sent)| now >= sent).map(|(now, sent)| now.since(sent).into());
        let waiting = self.kept.waiting(&call.id()).and_then(|line| {
            let line = parse(line).ok()?;
            // Of a trace of several calls it may be another's.
            let is_other = line.text("target").zip(call.target()).is_some_and(|(a, b)| a != b);
            (!is_other).then(|| (line.micros("elapsed_ms"), line.text("state").map(str::to_owned)))
        });
        let (elapsed, state) = waiting.unwrap_or_default();
        Some(InProgress {
            id: call.id(),
            operation: call.operation().map(str::to_owned),
            target: call.target().map(str::to_owned),
            at_least: by_clock.max(elapsed),
            state,
        })
    }
}

/// The last moment that is known of each file's clock.
fn latest(log: &Log) -> Vec<Option<Timestamp>> {
    let mut latest: Vec<Option<Timestamp>> = vec![None; log.sources().len()];
    let mut at = |source: u32, moment: Option<Timestamp>| {
        let known = &mut latest[source as usize];
        *known = (*known).max(moment);
    };
    for call in log.calls() {
        if let Some(half) = call.client {
            let ended = half.sent_at.zip(half.wall()).map(|(at, wall)| at + wall.into());
            at(half.source, half.sent_at.max(ended));
        }
        if let Some(half) = call.server {
            let moments = [half.recv_at, half.rpc_started_at(), half.rpc_done_at()];
            let moments = moments.into_iter().chain([half.first_byte_at, half.done_at]);
            at(half.source, moments.max().flatten());
        }
    }
    for moment in log.timeline().moments() {
        at(moment.source, moment.at);
    }
    let shared = |source: u32| {
        let files = (0..).zip(&latest).filter(|(other, _)| log.share_a_clock(source, *other));
        files.filter_map(|(_, moment)| *moment).max()
    };
    (0..log.sources().len() as u32).map(shared).collect()
}

fn summaries(calls: &[&Finished]) -> Vec<(Metric, Summary)> {
    let of = |time: fn(&Finished) -> Option<Micros>| {
        Summary::of(
            calls.iter().filter(|call| call.is_done).filter_map(|call| time(call)).collect(),
        )
    };
    let rows = [
        (Metric::Wall, of(|call| call.wall)),
        (Metric::Queue, of(|call| call.queue)),
        (Metric::Rpc, of(|call| call.rpc)),
    ];
    rows.into_iter().filter_map(|(metric, summary)| Some((metric, summary?))).collect()
}

/// How long the calls are of.
fn span(log: &Log, calls: &[&Finished]) -> Option<f64> {
    let mut ends: BTreeMap<u32, (Timestamp, Timestamp)> = BTreeMap::new();
    for call in calls {
        let Some(at) = call.ended_at else { continue };
        let source = call.source as u32;
        let clock = (0..source).find(|other| log.share_a_clock(source, *other)).unwrap_or(source);
        let (first, last) = ends.entry(clock).or_insert((at, at));
        (*first, *last) = ((*first).min(at), (*last).max(at));
    }
    let spans = ends.values().map(|(first, last)| last.since(*first).as_secs_f64());
    spans.max_by(f64::total_cmp)
}

fn servers(log: &Log) -> Vec<ServerNow> {
    let mut servers: BTreeMap<&str, (ServerNow, Option<Timestamp>)> = BTreeMap::new();
    for call in log.calls() {
        let Some(target) = call.target() else { continue };
        let (now, last) = servers.entry(target).or_insert_with(|| {
            let target = target.to_owned();
            (ServerNow { target, in_flight: None, open: 0, calls: 0 }, None)
        });
        now.calls += 1;
        now.open += usize::from(call.client.is_some_and(|half| half.end == ClientEnd::Open));
        if let Some(half) = call.server
            && half.in_flight().is_some()
            && half.recv_at >= *last
        {
            (now.in_flight, *last) = (half.in_flight(), half.recv_at);
        }
    }
    servers.into_values().map(|(now, _)| now).collect()
}
