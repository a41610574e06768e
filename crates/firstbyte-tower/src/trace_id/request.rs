//! The id of a request: where it is looked for, and how it is written back.

use firstbyte_core::{
    TraceId,
    header::{Inbound, TRACEPARENT, TraceParent, X_TRACE_ID, inbound, trace_id_value},
};
use http::{HeaderMap, Request};

use super::InvalidIds;

/// The id from the extensions, else from the headers, else a new one.
#[inline]
pub(crate) fn of_request<B>(request: &Request<B>, invalid: &InvalidIds) -> TraceId {
    if let Some(id) = request.extensions().get::<TraceId>() {
        return *id;
    }
    match inbound(request.headers()) {
        Inbound::Valid(id) => id,
        Inbound::Absent => TraceId::random(),
        Inbound::Invalid => {
            invalid.count();
            TraceId::random()
        }
    }
}

/// Makes `x-trace-id` the only one and normal; adds a `traceparent` if none is valid.
///
/// A header map that is full stays as it is: a request without an id is better than none.
pub(crate) fn set_headers(headers: &mut HeaderMap, id: TraceId, traceparent: bool) {
    let mut ids = headers.get_all(&X_TRACE_ID).iter();
    let normal = ids.next().is_some_and(|value| value.as_bytes() == id.to_hex());
    if !normal || ids.next().is_some() {
        _ = headers.try_insert(&X_TRACE_ID, trace_id_value(id));
    }
    if traceparent {
        let mut parents = headers.get_all(&TRACEPARENT).iter();
        let valid =
            parents.next().is_some_and(|value| TraceParent::parse(value.as_bytes()).is_ok());
        if !valid || parents.next().is_some() {
            _ = headers.try_insert(&TRACEPARENT, TraceParent::new(id).to_header());
        }
    }
}
