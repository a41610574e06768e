//! The spans of a call. Names of attributes are those of OpenTelemetry's conventions for HTTP, where it has one.

use firstbyte_core::{Micros, Phase, Timestamp};

use super::{
    ids,
    span::{Attribute, CLIENT, Event, INTERNAL, SERVER, Span, attribute, failed, ours},
};
use crate::{
    correlate::{Call, ClientHalf, Log, ServerHalf},
    export::{
        LeftOut, calls,
        column::{Row, Value, file},
    },
};

/// Columns that have a name of OpenTelemetry's, or that say nothing about a single half.
const NOT_OURS: [&str; 7] =
    ["trace_id", "halves", "path", "target", "attempt", "status", "client_file"];
/// What the server's span says of the call.
const OF_SERVER: [&str; 8] = [
    "tag",
    "op",
    "server_outcome",
    "kernel_us",
    "rpc_us",
    "loop_lag_us",
    "inflight",
    "until_received_us",
];

/// The client's span and then its phases.
pub(super) fn client_spans(
    log: &Log,
    call: &Call<'_>,
    half: &ClientHalf,
) -> Result<Vec<Span>, LeftOut> {
    let sent = half.sent_at.ok_or(LeftOut::NoMoment)?;
    let wall = half.wall().ok_or(LeftOut::NoEnd)?;
    let start = unix(log, half.source, sent)?;
    let target = call.target().unwrap_or_default();
    let whole = span(call, "client", target, sent, (start, later(start, wall)))?;
    let mut attributes = common(call);
    attributes.extend(address(target));
    if let Some(resends) =
        half.attempt.and_then(|attempt| attempt.checked_sub(1)).filter(|n| *n > 0)
    {
        attributes.push(attribute("http.request.resend_count", Value::int(resends)));
    }
    attributes.extend(ours(&Row::Call(log, *call), |column| {
        !NOT_OURS.contains(&column.name) && column.name != "server_file"
    }));
    let error = calls::failure(call).1.map(|error| call.name(error).to_owned());
    let error =
        error.or_else(|| half.status.filter(|status| *status >= 400).map(|s| s.to_string()));
    let whole = Span { kind: CLIENT, attributes, ..whole }.with_error(error);
    let mut spans = vec![whole];
    let mut next = start;
    for phase in Phase::ALL {
        let Some(length) = half.phase(phase) else { continue };
        // Text lines round each phase alone: together they may be longer than the call.
        let end = later(next, length).min(spans[0].end_time_unix_nano);
        let part = span(call, phase.as_str(), target, sent, (next, end))?;
        spans.push(part.of(phase.as_str(), &spans[0].span_id));
        next = end;
    }
    Ok(spans)
}

/// The server's span and then the engine's.
pub(super) fn server_spans(
    log: &Log,
    call: &Call<'_>,
    half: &ServerHalf,
    parent_span_id: Option<String>,
) -> Result<Vec<Span>, LeftOut> {
    let recv = half.recv_at.ok_or(LeftOut::NoMoment)?;
    let start = unix(log, half.source, recv)?;
    let done = half.done_at.and_then(|done| unix(log, half.source, done).ok());
    let end = done.or_else(|| half.duration().map(|duration| later(start, duration)));
    // A clock does not go back; a broken line may say so.
    let end = end.ok_or(LeftOut::NoEnd)?.max(start);
    let whole = span(call, "server", file(log, half.source), recv, (start, end))?;
    let mut attributes = common(call);
    attributes.extend(ours(&Row::Call(log, *call), |column| OF_SERVER.contains(&column.name)));
    let within = |moment: Option<Timestamp>| {
        let at = unix(log, half.source, moment?).ok()?;
        (start <= at && at <= end).then_some(at)
    };
    let events = within(half.first_byte_at)
        .map(|time_unix_nano| Event { time_unix_nano, name: "server.first_byte" });
    let error = half.error.map(|error| call.name(error).to_owned());
    let error =
        error.or_else(|| half.status.filter(|status| *status >= 500).map(|s| s.to_string()));
    let events = events.into_iter().collect();
    let whole =
        Span { kind: SERVER, parent_span_id, attributes, events, ..whole }.with_error(error);
    let mut spans = vec![whole];
    if let (Some(start), Some(end)) = (within(half.rpc_started_at()), within(half.rpc_done_at()))
        && start <= end
    {
        let rpc = span(call, "rpc", file(log, half.source), recv, (start, end))?;
        let attributes = ours(&Row::Call(log, *call), |column| column.name.starts_with("engine_"));
        spans.push(Span { attributes, ..rpc.of("rpc", &spans[0].span_id) });
    }
    Ok(spans)
}

/// A span of a call, named by its operation, from one moment of the wall clock to another.
fn span(
    call: &Call<'_>,
    what: &str,
    whose: &str,
    at: Timestamp,
    (start, end): (u64, u64),
) -> Result<Span, LeftOut> {
    let trace_id = ids::trace_id(&call.id()).ok_or(LeftOut::NoTraceId)?;
    Ok(Span {
        span_id: ids::span_id(what, &trace_id, whose, at),
        trace_id,
        parent_span_id: None,
        name: call.operation().unwrap_or("call").to_owned(),
        kind: INTERNAL,
        start_time_unix_nano: start,
        end_time_unix_nano: end,
        attributes: Vec::new(),
        events: Vec::new(),
        status: None,
    })
}

impl Span {
    /// A part of another one.
    fn of(self, name: &str, parent: &str) -> Self {
        Self { name: name.to_owned(), parent_span_id: Some(parent.to_owned()), ..self }
    }

    fn with_error(mut self, error: Option<String>) -> Self {
        if let Some(error) = error {
            self.status = Some(failed(&error));
            self.attributes.push(attribute("error.type", error.as_str().into()));
        }
        self
    }
}

/// What both sides know of a request. Its method is in no line.
fn common(call: &Call<'_>) -> Vec<Attribute> {
    let path = calls::path(call).map(|path| attribute("url.path", path.into()));
    let status = calls::status(call)
        .map(|status| attribute("http.response.status_code", Value::int(status)));
    path.into_iter().chain(status).collect()
}

/// Host and port of a target, which may have a path.
fn address(target: &str) -> Vec<Attribute> {
    let target = target.split('/').next().unwrap_or(target);
    let (host, port) = match target.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>()))
    {
        Some((host, Ok(port))) => (host, Some(port)),
        _ => (target, None),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let host = (!host.is_empty()).then(|| attribute("server.address", host.into()));
    let port = port.map(|port| attribute("server.port", Value::int(port)));
    host.into_iter().chain(port).collect()
}

/// Nanoseconds since 1970 of a moment of this file.
fn unix(log: &Log, source: u32, at: Timestamp) -> Result<u64, LeftOut> {
    if log.sources()[source as usize].is_mixed {
        return Err(LeftOut::SeveralClocks);
    }
    let nanos = log.unix_nanos(source, at).ok_or(LeftOut::NoWallClock)?;
    u64::try_from(nanos).map_err(|_| LeftOut::NoWallClock)
}

fn later(start: u64, duration: Micros) -> u64 {
    start.saturating_add(duration.0.saturating_mul(1000))
}
