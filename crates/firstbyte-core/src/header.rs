//! The headers that carry a trace id forth and the server's share of the time back.

mod server_timing;
mod traceparent;

use http::{HeaderMap, HeaderName, HeaderValue};

pub use self::{
    server_timing::{InvalidServerTiming, ServerTiming},
    traceparent::{InvalidTraceParent, TraceParent},
};
use crate::trace_id::TraceId;

/// `x-trace-id`: 16 hexadecimal digits; sent by the client, echoed by the server.
pub static X_TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");
/// `traceparent` of W3C Trace Context.
pub static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// `server-timing` of W3C Server Timing; set on control responses only.
pub static SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// What a request's headers say about its trace id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// A valid id, from `x-trace-id` or else the low 64 bits of `traceparent`.
    Valid(TraceId),
    /// No header.
    Absent,
    /// Headers, and none of them valid: a new id is needed, and a counter should say so.
    Invalid,
}

/// Reads the trace id of a request: `x-trace-id` if it is valid and alone, else `traceparent`.
#[must_use]
pub fn inbound(headers: &HeaderMap) -> Inbound {
    if headers.is_empty() {
        return Inbound::Absent;
    }
    let mut seen = Inbound::Absent;
    let mut ids = headers.get_all(&X_TRACE_ID).iter();
    if let Some(id) = ids.next() {
        match TraceId::from_hex(id.as_bytes()) {
            Ok(id) if ids.next().is_none() => return Inbound::Valid(id),
            _ => seen = Inbound::Invalid,
        }
    }
    let mut parents = headers.get_all(&TRACEPARENT).iter();
    if let Some(parent) = parents.next() {
        match TraceParent::parse(parent.as_bytes()).map(TraceParent::id) {
            Ok(Some(id)) if parents.next().is_none() => return Inbound::Valid(id),
            _ => seen = Inbound::Invalid,
        }
    }
    seen
}

/// The `x-trace-id` value of an id.
#[must_use]
pub fn trace_id_value(id: TraceId) -> HeaderValue {
    HeaderValue::from_bytes(&id.to_hex()).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests;
