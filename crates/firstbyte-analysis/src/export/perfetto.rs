//! Chrome's trace event format, which ui.perfetto.dev and chrome://tracing open.
//!
//! A process for each file. In it a thread for each target of the client's calls, one for the server's requests, and
//! one for each kind of event; calls that overlap get further threads, as slices of one thread must nest.

mod axis;
mod items;
mod parts;
mod tracks;

use std::io::{self, Write};

use serde::Serialize;
use serde_json::json;

use self::{
    axis::Axis,
    items::{Item, What, items},
    parts::Part,
    tracks::Tracks,
};
use super::{
    Exported, Kind, Row, Table,
    events::name,
    json::{self, Members},
};
use crate::correlate::{Call, Log, ServerHalf};

/// One element of `traceEvents`. Times are whole microseconds from the axis's origin on.
#[derive(Debug, Serialize)]
struct Event<'a, A> {
    name: &'a str,
    ph: char,
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    tid: Option<u32>,
    ts: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<i64>,
    /// Of the two ends of an arrow.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    cat: &'a str,
    /// An arrow's end binds to the slice around it; an instant belongs to its thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    bp: Option<char>,
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<char>,
    args: A,
}

/// Writes the calls and what happens beside them as one trace.
///
/// The client's slice of a call has its phases in it, and in `wait` what the client was told of the server; the
/// server's has what its own moments say. Parts never reach beyond their whole: text lines round each alone. A call
/// without an end is an instant.
///
/// # Errors
///
/// Those of `out`.
pub fn perfetto(log: &Log, out: impl Write) -> io::Result<Exported> {
    let axis = Axis::of(log);
    let (items, exported) = items(log, &axis);
    let mut trace = Trace { log, axis: &axis, out, is_first: true };
    trace.out.write_all(b"{\"displayTimeUnit\":\"ms\",\"traceEvents\":[")?;
    for (source, file) in (0..).zip(log.sources()) {
        let name = format!("{}{}", file.name, axis.alignment(source).suffix());
        trace.metadata("process_name", source, None, json!({ "name": name }))?;
        trace.metadata("process_sort_index", source, None, json!({ "sort_index": source }))?;
    }
    let mut tracks = Tracks::default();
    for item in &items {
        let (tid, is_new) = tracks.place(item);
        if let Some(number) = is_new {
            let name = item.track.name(log, number);
            trace.metadata("thread_name", item.source, Some(tid), json!({ "name": name }))?;
            trace.metadata(
                "thread_sort_index",
                item.source,
                Some(tid),
                json!({ "sort_index": tid }),
            )?;
        }
        trace.item(item, tid)?;
    }
    trace.out.write_all(b"\n],\"otherData\":")?;
    json::write(&mut trace.out, &axis.described(log))?;
    trace.out.write_all(b"}\n")?;
    trace.out.flush()?;
    Ok(exported)
}

/// A trace that is being written.
#[derive(Debug)]
struct Trace<'a, W> {
    log: &'a Log,
    axis: &'a Axis,
    out: W,
    is_first: bool,
}

/// The process of a file. 0 is none to some readers.
const fn pid(source: u32) -> u32 {
    source + 1
}

impl<W: Write> Trace<'_, W> {
    fn push(&mut self, event: &Event<'_, impl Serialize>) -> io::Result<()> {
        let comma: &[u8] = if std::mem::take(&mut self.is_first) { b"\n" } else { b",\n" };
        self.out.write_all(comma)?;
        json::write(&mut self.out, event)
    }

    fn metadata(
        &mut self,
        name: &str,
        source: u32,
        tid: Option<u32>,
        args: serde_json::Value,
    ) -> io::Result<()> {
        let event = Event { tid, ..event(name, 'M', source, 0, args) };
        self.push(&event)
    }

    /// A slice, its parts, its arrow and its counter; or an instant.
    fn item(&mut self, item: &Item<'_>, tid: u32) -> io::Result<()> {
        let log = self.log;
        let tid = Some(tid);
        match item.what {
            What::Client(call) => {
                let row = Row::Call(log, call);
                let known = Table::Calls.columns().iter().filter(|column| is_said(column.kind));
                let args = known.filter_map(|column| Some((column.name, column.of(&row)?)));
                self.slice(item, tid, operation(&call), Members(args))?;
                self.parts(item, tid, &parts::of_client(&call, item))?;
            }
            What::Server(call) => {
                let row = Row::Call(log, call);
                let known = Table::Calls.columns().iter();
                let known = known.filter(|column| SERVER.contains(&column.name));
                let args = known.filter_map(|column| Some((column.name, column.of(&row)?)));
                self.slice(item, tid, operation(&call), Members(args))?;
                self.parts(item, tid, &parts::of_server(&call, item, self.axis))?;
                if let Some(requests) = call.server.and_then(ServerHalf::in_flight) {
                    let args = json!({ "requests": requests });
                    self.push(&event("requests in progress", 'C', item.source, item.anchor, args))?;
                }
            }
            What::Moment(moment) => {
                let row = Row::Event(log, moment);
                let known = Table::Events.columns().iter().filter(|column| is_said(column.kind));
                let args = known.filter_map(|column| Some((column.name, column.of(&row)?)));
                self.slice(item, tid, name(&moment.what), Members(args))?;
            }
        }
        self.arrow(item, tid)
    }

    fn slice(
        &mut self,
        item: &Item<'_>,
        tid: Option<u32>,
        name: &str,
        args: impl Serialize,
    ) -> io::Result<()> {
        let slice = event(name, 'X', item.source, item.start, args);
        self.push(&match item.end {
            Some(end) => Event { tid, dur: Some(end - item.start), ..slice },
            None => Event { tid, ph: 'i', s: Some('t'), ..slice },
        })
    }

    fn parts(&mut self, item: &Item<'_>, tid: Option<u32>, parts: &[Part]) -> io::Result<()> {
        for Part { name, start, end } in parts {
            let slice = event(name, 'X', item.source, *start, json!({}));
            self.push(&Event { tid, dur: Some(end - start), ..slice })?;
        }
        Ok(())
    }

    /// An end of the arrow from `client.send` to `server.recv`.
    fn arrow(&mut self, item: &Item<'_>, tid: Option<u32>) -> io::Result<()> {
        let (ph, bp, call) = match item.what {
            What::Client(call) => ('s', None, call),
            What::Server(call) => ('f', Some('e'), call),
            What::Moment(_) => return Ok(()),
        };
        let Some(id) = item.arrow else { return Ok(()) };
        let args = json!({ "trace_id": call.id() });
        let end = event("request", ph, item.source, item.anchor, args);
        self.push(&Event { tid, id: Some(id), bp, ..end })
    }
}

fn event<A>(name: &str, ph: char, source: u32, ts: i64, args: A) -> Event<'_, A> {
    let (tid, dur, id, bp, s) = (None, None, None, None, None);
    Event { name, ph, pid: pid(source), tid, ts, dur, id, cat: "firstbyte", bp, s, args }
}

fn operation<'a>(call: &Call<'a>) -> &'a str {
    call.operation().unwrap_or("call")
}

/// What is not on the axis already.
const fn is_said(kind: Kind) -> bool {
    !matches!(kind, Kind::MonotonicNanos | Kind::UnixNanos)
}

/// What the server's slice says of the call; the client's says all.
const SERVER: [&str; 9] = [
    "trace_id",
    "op",
    "path",
    "status",
    "server_outcome",
    "server_error",
    "loop_lag_us",
    "rpc_us",
    "inflight",
];
