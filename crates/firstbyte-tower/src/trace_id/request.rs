//! The id of a request: from its extensions, else from its headers, else a new one.

use firstbyte_core::{TraceId, header::TraceHeaders};
use http::Request;

use super::InvalidIds;

/// The id of a request whose headers may stay as they are.
#[inline]
pub(crate) fn of_request<B>(request: &Request<B>, invalid: &InvalidIds) -> TraceId {
    match request.extensions().get() {
        Some(id) => *id,
        None => resolve(&TraceHeaders::read(request.headers()), invalid),
    }
}

/// The id of a request, which its headers name from now on.
#[inline]
pub(crate) fn set_on_request<B>(
    request: &mut Request<B>,
    invalid: &InvalidIds,
    traceparent: bool,
) -> TraceId {
    let found = TraceHeaders::read(request.headers());
    let id = request.extensions().get().copied().unwrap_or_else(|| resolve(&found, invalid));
    if traceparent {
        found.set_with_parent(request.headers_mut(), id);
    } else {
        found.set(request.headers_mut(), id);
    }
    id
}

#[inline]
fn resolve(found: &TraceHeaders, invalid: &InvalidIds) -> TraceId {
    if found.is_invalid() {
        invalid.count();
    }
    found.id().unwrap_or_else(TraceId::random)
}
