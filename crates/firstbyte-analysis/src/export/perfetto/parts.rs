//! What is inside a slice.

use firstbyte_core::{Micros, Phase, Timestamp};

use super::{
    axis::Axis,
    items::{Item, later},
};
use crate::{
    correlate::{Call, ClientHalf, Server},
    measure::Metric,
};

/// A slice within the one before it, or beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) start: i64,
    pub(super) end: i64,
}

/// A stretch that parts follow each other in.
struct Whole {
    next: i64,
    end: i64,
}

impl Whole {
    /// The next part, as far as there is room: text lines round each part alone, and broken ones say anything.
    fn part(&mut self, name: &'static str, length: Micros) -> Part {
        let (start, end) = (self.next, later(self.next, length.0).min(self.end));
        self.next = end;
        Part { name, start, end }
    }
}

/// The client's phases, and in the wait what the client was told of it.
pub(super) fn of_client(call: &Call<'_>, item: &Item<'_>) -> Vec<Part> {
    let (Some(client), Some(end)) = (call.client, item.end) else { return Vec::new() };
    let mut parts = Vec::new();
    let mut whole = Whole { next: item.start, end };
    for phase in Phase::ALL {
        let Some(length) = client.phase(phase) else { continue };
        let part = whole.part(phase.as_str(), length);
        parts.push(part);
        if phase == Phase::Wait {
            inside_the_wait(call, client, part, &mut parts);
        }
    }
    if let Some(resume) = client.resume() {
        parts.push(Whole { next: end, end: item.busy_until }.part("resume", resume));
    }
    parts
}

/// Residuals come first: nobody knows where they really were.
fn inside_the_wait(call: &Call<'_>, client: &ClientHalf, wait: Part, parts: &mut Vec<Part>) {
    let mut whole = Whole { next: wait.start, end: wait.end };
    for (name, length) in [
        ("unattributed (residual)", client.server(Server::Unattributed)),
        ("network (residual)", client.server(Server::Network)),
        ("kernel", client.server(Server::Kernel)),
        ("handler", client.server(Server::Handler)),
        ("rpc", client.rpc()),
        ("respond", client.server(Server::Respond)),
    ] {
        let Some(length) = length else { continue };
        let part = whole.part(name, length);
        parts.push(part);
        if name == "rpc" {
            inside_the_engine(call, part, parts);
        }
    }
}

fn inside_the_engine(call: &Call<'_>, rpc: Part, parts: &mut Vec<Part>) {
    let mut whole = Whole { next: rpc.start, end: rpc.end };
    for (name, metric) in
        [("engine queue", Metric::EngineQueue), ("engine exec", Metric::EngineExec)]
    {
        parts.extend(metric.of(call).map(|length| whole.part(name, length)));
    }
}

/// What lies between the server's own moments.
pub(super) fn of_server(call: &Call<'_>, item: &Item<'_>, axis: &Axis) -> Vec<Part> {
    let (Some(server), Some(end)) = (call.server, item.end) else { return Vec::new() };
    let mut parts = Vec::new();
    if server.kernel().is_some() {
        parts.push(Part { name: "kernel", start: item.start, end: item.anchor });
    }
    let at = |moment: Option<Timestamp>| Some(axis.at(server.source, moment?).min(end));
    let (started, answered) = (at(server.rpc_started_at()), at(server.rpc_done_at()));
    let first_byte = at(server.first_byte_at);
    // Moments in another order are those of several engine calls, or of broken lines.
    let mut free_from = item.anchor;
    for (name, from, to) in [
        ("handler", Some(item.anchor), started),
        ("rpc", started, answered),
        ("respond", answered, first_byte),
        ("body", first_byte, Some(end)),
    ] {
        let (Some(start), Some(end)) = (from, to) else { continue };
        if free_from <= start && start <= end {
            let part = Part { name, start, end };
            parts.push(part);
            free_from = end;
            if name == "rpc" {
                inside_the_engine(call, part, &mut parts);
            }
        }
    }
    parts
}
