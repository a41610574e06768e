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
    let (mut ids, mut parents) = (Single::None, Single::None);
    // Walking over the few headers that a request has costs less than hashing two names.
    for (name, value) in headers {
        if *name == X_TRACE_ID {
            ids = ids.and(value);
        } else if *name == TRACEPARENT {
            parents = parents.and(value);
        }
    }
    let id = ids.one().and_then(|id| TraceId::from_hex(id.as_bytes()).ok());
    let id = id.or_else(|| TraceParent::parse(parents.one()?.as_bytes()).ok()?.id());
    match (id, ids, parents) {
        (Some(id), ..) => Inbound::Valid(id),
        (None, Single::None, Single::None) => Inbound::Absent,
        (None, ..) => Inbound::Invalid,
    }
}

/// The value of a header that must not be there twice.
#[derive(Clone, Copy)]
enum Single<'a> {
    None,
    One(&'a HeaderValue),
    Many,
}

impl<'a> Single<'a> {
    fn and(self, value: &'a HeaderValue) -> Self {
        if matches!(self, Self::None) { Self::One(value) } else { Self::Many }
    }

    fn one(self) -> Option<&'a HeaderValue> {
        if let Self::One(value) = self { Some(value) } else { None }
    }
}

/// The `x-trace-id` value of an id.
#[must_use]
pub fn trace_id_value(id: TraceId) -> HeaderValue {
    HeaderValue::from_bytes(&id.to_hex()).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests;
