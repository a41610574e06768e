//! What is going on now.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use firstbyte_core::{Micros, Timestamp};

use super::{Finished, Live};
use crate::{
    correlate::{Call, ClientEnd, Log},
    diagnose::{Finding, Rules, Thresholds, diagnose},
    ingest::{Reason, Tally},
    measure::{Metric, Summary},
};

/// The time that is called a minute.
const MINUTE: u128 = 60_000_000_000;

/// A call is recent for so many seconds after its end, by the last moment that is known of its log's own clock: two or
/// three updates of a large model are within it.
pub const RECENT_S: u64 = 600;

/// What is going on, of the traces that are kept.
#[derive(Debug)]
#[non_exhaustive]
pub struct View {
    /// What became of all lines. One that repeats another is skipped, as when a finished log is read; one that repeats a
    /// line that is no longer kept is not known to.
    pub tally: Tally,
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
    /// How many calls are recent: those that ended within [`RECENT_S`], that have not ended, or that tell no moment.
    pub recent_calls: usize,
    /// What is wrong with the recent calls, and beside the calls, the worst first.
    pub findings: Vec<Finding>,
    /// What else is wrong with all calls that are kept.
    pub older: Vec<Finding>,
    /// How many seconds ago the last call ended that is not recent, if there is one.
    pub older_s: Option<f64>,
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
    /// What the last `client.waiting` says: where it is stuck, and how many bytes of its request are sent and
    /// unacknowledged.
    pub state: Option<String>,
}

/// A server as its last call found it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerNow {
    /// Host and port, and the path of the base URL, if it has one.
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
            log.calls().filter_map(|call| in_progress(&call, &latest)).collect();
        in_progress.sort_by_key(|call| Reverse(call.at_least));
        let mut tally = self.tally;
        tally.repeat(self.repeated + log.tally().skipped_by(Reason::Duplicate));
        let all = diagnose(&log, rules, thresholds).findings;
        let Old { ids, ended_s } = Old::of(&log, &latest);
        let (recent_calls, findings, older) = if ids.is_empty() {
            (log.calls().count(), all, Vec::new())
        } else {
            let recent = self.kept.log_without(&ids);
            let findings = diagnose(&recent, rules, thresholds).findings;
            let is_older =
                |one: &Finding| findings.iter().all(|finding| finding.rule.id != one.rule.id);
            let older = all.into_iter().filter(is_older).collect();
            (recent.calls().count(), findings, older)
        };
        View {
            tally,
            traces: (self.kept.traces(), self.kept.forgotten),
            calls: log.calls().count(),
            in_progress,
            minute: summaries(&minute),
            all: summaries(&recent),
            span_s: span(&log, &recent),
            servers: servers(&log),
            recent_calls,
            findings,
            older,
            older_s: ended_s,
        }
    }

    /// The last calls that were told, the latest first.
    pub fn recent(&self) -> impl Iterator<Item = &Finished> {
        self.recent.iter().rev()
    }
}

fn in_progress(call: &Call<'_>, latest: &[Option<Timestamp>]) -> Option<InProgress> {
    let half = call.client.filter(|half| half.end == ClientEnd::Open)?;
    let now = latest[half.source as usize].zip(half.sent_at);
    let by_clock = now.filter(|(now, sent)| now >= sent).map(|(now, sent)| now.since(sent).into());
    Some(InProgress {
        id: call.id(),
        operation: call.operation().map(str::to_owned),
        target: call.target().map(str::to_owned),
        at_least: by_clock.max(half.waiting().and_then(|waiting| waiting.elapsed)),
        state: call.whereabouts(),
    })
}

/// Traces of which no call is recent.
#[derive(Default)]
struct Old {
    ids: BTreeSet<String>,
    /// How many seconds ago the last of their calls ended.
    ended_s: Option<f64>,
}

impl Old {
    fn of(log: &Log, latest: &[Option<Timestamp>]) -> Self {
        let mut ages: BTreeMap<String, f64> = BTreeMap::new();
        for call in log.calls() {
            let is_open = match call.client {
                Some(half) => half.end == ClientEnd::Open,
                None => call.server.is_some_and(|half| !half.has_ended()),
            };
            let since_its_end = moments(&call).filter_map(|(source, moment)| {
                Some(latest[source as usize]?.since(moment?).as_secs_f64())
            });
            let age = since_its_end.min_by(f64::total_cmp).filter(|_| !is_open).unwrap_or(0.0);
            let youngest = ages.entry(call.id()).or_insert(age);
            *youngest = youngest.min(age);
        }
        ages.retain(|_, age| *age > RECENT_S as f64);
        Self {
            ended_s: ages.values().copied().min_by(f64::total_cmp),
            ids: ages.into_keys().collect(),
        }
    }
}

/// The last moment that each half of a call tells, with the number of its file.
fn moments(call: &Call<'_>) -> impl Iterator<Item = (u32, Option<Timestamp>)> {
    let client = call.client.map(|half| {
        let ended = half.sent_at.zip(half.wall()).map(|(at, wall)| at + wall.into());
        (half.source, half.sent_at.max(ended))
    });
    let server = call.server.map(|half| {
        let moments = [half.recv_at, half.rpc_started_at(), half.rpc_done_at()];
        let moments = moments.into_iter().chain([half.first_byte_at, half.done_at]);
        (half.source, moments.max().flatten())
    });
    client.into_iter().chain(server)
}

/// The last moment that is known of each file's clock.
fn latest(log: &Log) -> Vec<Option<Timestamp>> {
    let mut latest: Vec<Option<Timestamp>> = vec![None; log.sources().len()];
    let mut at = |source: u32, moment: Option<Timestamp>| {
        let known = &mut latest[source as usize];
        *known = (*known).max(moment);
    };
    for call in log.calls() {
        moments(&call).for_each(|(source, moment)| at(source, moment));
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
