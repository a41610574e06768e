//! Calls over time. Moments of files that do not share a clock are never on one axis.

use firstbyte_core::{Micros, Timestamp};

use super::{
    Shown,
    columns::{self, Column},
    cut_name,
};
use crate::{
    correlate::{Call, Log, ServerHalf},
    measure::Metric,
    updates::Ledger,
};

/// More charts are not shown.
const MOST: usize = 4;
/// More calls are not drawn one by one.
const MOST_POINTS: usize = 1000;
/// The axis is looked at in so many pieces for the updates.
const PIECES: usize = 500;

/// The calls of clients on one clock.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Clock {
    /// Files whose moments are on it.
    pub files: Vec<String>,
    /// The moment of the first call, in seconds of that clock.
    pub start_s: f64,
    /// From the first call to the last one's end, in seconds.
    pub length_s: f64,
    /// How many calls are on it.
    pub calls: usize,
    /// How many of them tell their queue.
    pub with_queue: usize,
    /// How many of them tell the requests in progress.
    pub with_in_flight: usize,
    /// The calls by their moments; of more than 1,000 the slowest only.
    pub points: Vec<Point>,
    /// All of the calls, by the hundredth of the length in which they were sent.
    pub columns: Vec<Column>,
    /// How many weight updates are marked.
    pub updates: usize,
    /// When at least one of them was in progress: seconds since the start, at a resolution of 1/500 of the length.
    pub bands: Vec<(f64, f64)>,
}

/// A call on an axis of time.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Point {
    /// The moment of `client.send`, in seconds since the start.
    pub at_s: f64,
    /// Its trace id.
    pub id: String,
    /// wall - rpc, if it ended well.
    pub queue: Option<Micros>,
    /// Requests in progress on its server when it arrived.
    pub in_flight: Option<u32>,
    /// Its place among the slowest calls, from 0.
    pub slowest: Option<usize>,
}

/// The clocks with the most calls first, and how many calls are on none.
pub(super) fn of(
    log: &Log,
    calls: &[Call<'_>],
    slowest: &[Call<'_>],
    ledger: &Ledger<'_>,
) -> (Shown<Clock>, usize) {
    let mut clocks: Vec<(u32, Vec<(Timestamp, Call<'_>)>)> = Vec::new();
    let mut by_source: Vec<Option<usize>> = vec![None; log.sources().len()];
    let mut without = 0;
    for call in calls {
        let Some(client) = call.client else { continue };
        let source = client.source;
        let (Some(at), true) = (client.sent_at, log.share_a_clock(source, source)) else {
            without += 1;
            continue;
        };
        let place = *by_source[source as usize].get_or_insert_with(|| {
            let known = clocks.iter().position(|(other, _)| log.share_a_clock(*other, source));
            known.unwrap_or_else(|| {
                clocks.push((source, Vec::new()));
                clocks.len() - 1
            })
        });
        clocks[place].1.push((at, *call));
    }
    clocks.sort_by_key(|(_, calls)| std::cmp::Reverse(calls.len()));
    let shown = Shown::first(MOST, clocks);
    let of = |(source, calls)| clock(log, source, calls, slowest, ledger);
    let list = shown.list.into_iter().filter_map(of).collect();
    (Shown { list, left_out: shown.left_out }, without)
}

impl Clock {
    /// Whether its calls are too many to be drawn one by one.
    pub(super) fn has_columns(&self) -> bool {
        self.calls > MOST_POINTS
    }
}

fn clock(
    log: &Log,
    source: u32,
    mut calls: Vec<(Timestamp, Call<'_>)>,
    slowest: &[Call<'_>],
    ledger: &Ledger<'_>,
) -> Option<Clock> {
    calls.sort_by_key(|(at, _)| *at);
    let start = calls.first()?.0;
    let since = |at: Timestamp| at.since(start).as_secs_f64();
    let end = |(at, call): &(Timestamp, Call<'_>)| {
        since(*at) + Metric::Wall.of(call).unwrap_or_default().as_millis_f64() / 1e3
    };
    let length_s = calls.iter().map(end).fold(0.0, f64::max);
    let place = |call: &Call<'_>| {
        let same = |slow: &Call<'_>| match (slow.client, call.client) {
            (Some(one), Some(other)) => std::ptr::eq(one, other),
            _ => false,
        };
        slowest.iter().position(same)
    };
    let point = |(at, call): &(Timestamp, Call<'_>)| Point {
        at_s: since(*at),
        id: call.id(),
        queue: columns::queue(call),
        in_flight: call.server.and_then(ServerHalf::in_flight),
        slowest: place(call),
    };
    let is_shown =
        |(_, call): &&(Timestamp, Call<'_>)| calls.len() <= MOST_POINTS || place(call).is_some();
    let moments: Vec<_> = calls.iter().map(|(at, call)| (since(*at), *call)).collect();
    let files = (0..).zip(log.sources()).filter(|(other, _)| log.share_a_clock(source, *other));
    let updates = ledger.updates.iter().filter_map(|update| {
        let client = update.calls().next()?.call.client?;
        let is_here = log.share_a_clock(source, client.source);
        let (begin, length) = (update.begin().filter(|_| is_here)?, update.at_least()?);
        let from = since(begin);
        Some((from, from + length.as_millis_f64() / 1e3))
    });
    let updates: Vec<_> = updates.collect();
    Some(Clock {
        files: files.map(|(_, file)| cut_name(&file.name)).collect(),
        start_s: start.as_nanos() as f64 / 1e9,
        length_s,
        calls: calls.len(),
        with_queue: calls.iter().filter(|(_, call)| columns::queue(call).is_some()).count(),
        with_in_flight: calls
            .iter()
            .filter(|(_, call)| call.server.is_some_and(|half| half.in_flight().is_some()))
            .count(),
        points: calls.iter().filter(is_shown).map(point).collect(),
        columns: columns::of(&moments, length_s),
        updates: updates.len(),
        bands: bands(updates.into_iter(), length_s),
    })
}

/// The pieces of an axis in which something was in progress, neighbours as one.
fn bands(stretches: impl Iterator<Item = (f64, f64)>, length_s: f64) -> Vec<(f64, f64)> {
    if length_s <= 0.0 {
        return Vec::new();
    }
    let piece = |at: f64| ((at / length_s * PIECES as f64) as usize).min(PIECES - 1);
    // How many begin with a piece, less those that ended with the one before.
    let mut changes = [0_i64; PIECES + 1];
    for (from, to) in stretches {
        changes[piece(from)] += 1;
        changes[piece(to) + 1] -= 1;
    }
    let at = |piece: usize| piece as f64 * length_s / PIECES as f64;
    let mut bands: Vec<(f64, f64)> = Vec::new();
    let (mut running, mut began) = (0, None);
    for (place, change) in changes.iter().enumerate() {
        running += change;
        match began {
            None if running > 0 => began = Some(place),
            Some(first) if running == 0 => {
                bands.push((at(first), at(place)));
                began = None;
            }
            _ => {}
        }
    }
    bands
}
