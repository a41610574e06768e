//! What is drawn: halves of calls, and events beside them, by where they begin.

use firstbyte_core::{Micros, Timestamp};

use super::{
    axis::{Alignment, Axis},
    tracks::Track,
};
use crate::{
    correlate::{Call, ClientHalf, Log, Moment, ServerHalf},
    export::{Exported, LeftOut, events},
};

/// A slice or an instant, in microseconds of the axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    pub(super) source: u32,
    pub(super) track: Track,
    pub(super) start: i64,
    /// `None`: an instant.
    pub(super) end: Option<i64>,
    /// Until when nothing else may be on its thread.
    pub(super) busy_until: i64,
    /// Where it sends or receives the request.
    pub(super) anchor: i64,
    /// The number of the arrow that begins or ends here.
    pub(super) arrow: Option<u64>,
    pub(super) what: What<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What<'a> {
    Client(Call<'a>),
    Server(Call<'a>),
    Moment(&'a Moment),
}

/// Everything that has a moment, the earliest first, with the count of the rest.
pub(super) fn items<'a>(log: &'a Log, axis: &Axis) -> (Vec<Item<'a>>, Exported) {
    let mut items = Vec::new();
    let mut exported = Exported::with_events(log);
    let mut arrows = 0;
    let mut take = |source: u32, item: Option<Item<'a>>| {
        let why = match item {
            _ if axis.alignment(source) == Alignment::Mixed => LeftOut::SeveralClocks,
            None => LeftOut::NoMoment,
            Some(item) => return items.push(item),
        };
        *exported.left_out.entry(why).or_default() += 1;
    };
    for call in log.calls() {
        let arrow = call.until_received().map(|_| {
            arrows += 1;
            arrows
        });
        if let Some(half) = call.client {
            take(half.source, client(axis, call, half).map(|item| Item { arrow, ..item }));
        }
        if let Some(half) = call.server {
            take(half.source, server(axis, call, half).map(|item| Item { arrow, ..item }));
        }
    }
    for moment in log.timeline().moments() {
        take(moment.source, event(axis, moment));
    }
    exported.written = items.len() as u64;
    // Stable: what begins together stays in the order of the log.
    items.sort_by_key(|item| item.start);
    (items, exported)
}

/// Calls `take` with the file and the first moment of everything that has a moment.
pub(super) fn each_start(log: &Log, mut take: impl FnMut(u32, Timestamp)) {
    for call in log.calls() {
        if let Some((source, start)) =
            call.client.and_then(|half| Some((half.source, half.sent_at?)))
        {
            take(source, start);
        }
        if let Some((source, start)) =
            call.server.and_then(|half| Some((half.source, arrived(half)?)))
        {
            take(source, start);
        }
    }
    for moment in log.timeline().moments() {
        if let Some(start) = began(moment) {
            take(moment.source, start);
        }
    }
}

/// When the request was at the server's kernel, if that is known, or else at its application.
fn arrived(half: &ServerHalf) -> Option<Timestamp> {
    Some(earlier(half.recv_at?, half.kernel().unwrap_or_default()))
}

/// When an event began: its line is its end.
fn began(moment: &Moment) -> Option<Timestamp> {
    Some(earlier(moment.at?, events::duration(&moment.what).unwrap_or_default()))
}

/// A duration that is longer than the clock has run is a broken line's.
fn earlier(at: Timestamp, duration: Micros) -> Timestamp {
    let start = at.as_nanos().checked_sub(duration.0.saturating_mul(1000));
    start.map_or(at, Timestamp::from_nanos)
}

fn client<'a>(axis: &Axis, call: Call<'a>, half: &ClientHalf) -> Option<Item<'a>> {
    let start = axis.at(half.source, half.sent_at?);
    let end = half.wall().map(|wall| later(start, wall.0));
    let after = half.resume().map_or(0, |resume| resume.0);
    Some(Item {
        source: half.source,
        track: Track::Target(half.target),
        start,
        end,
        busy_until: later(end.unwrap_or(start), after),
        anchor: start,
        arrow: None,
        what: What::Client(call),
    })
}

fn server<'a>(axis: &Axis, call: Call<'a>, half: &ServerHalf) -> Option<Item<'a>> {
    let anchor = axis.at(half.source, half.recv_at?);
    let start = axis.at(half.source, arrived(half)?);
    let end = match (half.done_at, half.duration()) {
        (Some(done), _) => Some(axis.at(half.source, done)),
        (None, Some(duration)) => Some(later(anchor, duration.0)),
        (None, None) => None,
    };
    // A clock does not go back; a broken line may say so.
    let end = end.map(|end| end.max(anchor));
    Some(Item {
        source: half.source,
        track: Track::Server,
        start,
        end,
        busy_until: end.unwrap_or(start),
        anchor,
        arrow: None,
        what: What::Server(call),
    })
}

fn event<'a>(axis: &Axis, moment: &'a Moment) -> Option<Item<'a>> {
    let end = axis.at(moment.source, moment.at?);
    let start = axis.at(moment.source, began(moment)?);
    Some(Item {
        source: moment.source,
        track: Track::Event(events::name(&moment.what)),
        start,
        end: events::duration(&moment.what).map(|_| end),
        busy_until: end,
        anchor: start,
        arrow: None,
        what: What::Moment(moment),
    })
}

/// So many microseconds later.
pub(super) fn later(start: i64, micros: u64) -> i64 {
    start.saturating_add_unsigned(micros)
}
