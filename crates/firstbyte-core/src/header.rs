//! The headers that carry a trace id forth and the server's share of the time back.

mod request_start;
mod server_timing;
mod traceparent;

use http::{HeaderMap, HeaderName, HeaderValue};

pub use self::{
    request_start::since_request_start,
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

/// `x-request-start`: set by proxies; see [`since_request_start`].
pub static X_REQUEST_START: HeaderName = HeaderName::from_static("x-request-start");

/// What a request's headers say about its trace id, and what to do to make them right.
///
/// ```
/// use firstbyte_core::{TraceId, header::TraceHeaders};
///
/// let mut headers = http::HeaderMap::new();
/// headers.insert("x-trace-id", "00F067AA0BA902B7".parse()?);
/// let found = TraceHeaders::read(&headers);
/// let id = found.id().unwrap_or_else(TraceId::random);
/// found.set(&mut headers, id);
/// assert_eq!(headers["x-trace-id"], "00f067aa0ba902b7");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceHeaders {
    id: Option<TraceId>,
    /// There is an `x-trace-id` or a `traceparent`.
    any: bool,
    /// `x-trace-id` is there once, and it is the id in its normal form.
    id_is_normal: bool,
    /// `traceparent` is there once, and it is valid.
    parent_is_valid: bool,
}

impl TraceHeaders {
    /// Reads the id: `x-trace-id` if it is valid and alone, else `traceparent`.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Self {
        let (mut ids, mut parents) = (Single::None, Single::None);
        // Walking over the few headers that a request has costs less than hashing two names.
        for (name, value) in headers {
            if *name == X_TRACE_ID {
                ids = ids.and(value);
            } else if *name == TRACEPARENT {
                parents = parents.and(value);
            }
        }
        if let (Single::None, Single::None) = (ids, parents) {
            return Self::default();
        }
        let id = ids.one().and_then(|id| TraceId::from_hex(id.as_bytes()).ok());
        let id_is_normal =
            id.is_some_and(|id| ids.one().is_some_and(|text| *text == id.to_hex()[..]));
        let parent = parents.one().and_then(|parent| TraceParent::parse(parent.as_bytes()).ok());
        Self {
            id: id.or_else(|| parent?.id()),
            any: true,
            id_is_normal,
            parent_is_valid: parent.is_some(),
        }
    }

    /// The id, from `x-trace-id` or else the low 64 bits of `traceparent`.
    #[inline]
    #[must_use]
    pub const fn id(&self) -> Option<TraceId> {
        self.id
    }

    /// There are headers, and no id in them: a new one is needed, and a counter should say so.
    #[inline]
    #[must_use]
    pub const fn is_invalid(&self) -> bool {
        self.any && self.id.is_none()
    }

    /// Makes `x-trace-id` this id, alone and in its normal form.
    ///
    /// `headers` are those that were read. A map that is full stays as it is: a request without an id is better
    /// than none.
    pub fn set(&self, headers: &mut HeaderMap, id: TraceId) {
        if !self.id_is_normal || self.id != Some(id) {
            _ = headers.try_insert(&X_TRACE_ID, trace_id_value(id));
        }
    }

    /// The same, and adds a `traceparent` for this id unless there is a valid one.
    pub fn set_with_parent(&self, headers: &mut HeaderMap, id: TraceId) {
        self.set(headers, id);
        if !self.parent_is_valid {
            _ = headers.try_insert(&TRACEPARENT, TraceParent::new(id).to_header());
        }
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
