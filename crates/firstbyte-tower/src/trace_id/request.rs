//! The id of a request: from its extensions, else from its headers, else a new one.

use firstbyte_core::{TraceId, header::TraceHeaders};
use http::Request;

use super::InvalidIds;

/// The id of a request whose headers stay as they are. An id that is made here becomes an extension, so
/// that layers further in take it and make no other; one that the headers name, they find by themselves.
#[inline]
pub(crate) fn of_request<B>(request: &mut Request<B>, invalid: &InvalidIds) -> TraceId {
    if let Some(id) = request.extensions().get() {
        return *id;
    }
    let found = TraceHeaders::read(request.headers());
    let id = resolve(&found, invalid);
    if found.id().is_none() {
        request.extensions_mut().insert(id);
    }
    id
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
