//! Requests and responses of httpx and httpx2, read without their properties: a call through those costs
//! tens of microseconds.
//!
//! Both keep a URL as a named tuple, and headers as a list of (name, lower-case name, value). Where a version
//! does not, a `LookupError` sends the caller to what it documents.

use firstbyte_core::{
    Route, RouteTable, Timestamp, TraceId,
    header::{SERVER_TIMING, TRACEPARENT, TraceHeaders, TraceParent, X_TRACE_ID},
};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING},
};
use pyo3::{
    exceptions::PyLookupError,
    intern,
    prelude::*,
    types::{PyBytes, PyList, PyString, PyTuple},
};

use crate::client::{Attempt, ClientCall};

/// The parts of a request's URL.
pub(super) fn uri<'py>(request: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyTuple>> {
    let py = request.py();
    let url = request.getattr(intern!(py, "url"))?.getattr_opt(intern!(py, "_uri_reference"))?;
    url.ok_or_else(unknown)?.cast_into().map_err(|_| unknown())
}

/// The route of a request, if it is a control call.
pub(super) fn route<'r>(
    request: &Bound<'_, PyAny>,
    uri: &Bound<'_, PyTuple>,
    routes: &'r RouteTable,
) -> PyResult<Option<&'r Route>> {
    let method = request.getattr(intern!(request.py(), "method"))?;
    let method = method.cast::<PyString>().map_err(|_| unknown())?;
    let path = uri.get_borrowed_item(4).map_err(|_| unknown())?;
    let path = path.cast::<PyString>().map_err(|_| unknown())?;
    Ok(routes.find(method.to_str()?, path.to_str()?))
}

/// Begins the call of a request and gives it its headers.
///
/// `working_for` tells the id that the running code works for, if it has one.
pub(super) fn begin<'py>(
    request: &Bound<'py, PyAny>,
    uri: &Bound<'py, PyTuple>,
    route: &Route,
    entered: Timestamp,
    working_for: impl FnOnce() -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<ClientCall> {
    let headers = header_list(request)?;
    let theirs = collect(&headers, &[&X_TRACE_ID, &TRACEPARENT])?;
    let found = TraceHeaders::read(&theirs);
    if found.is_invalid() {
        // To be replaced, which is not done here.
        return Err(unknown());
    }
    let id = match found.id() {
        Some(id) => id,
        None => parsed(&working_for()?).unwrap_or_else(TraceId::random),
    };
    let (text, target) = url_text(uri)?;
    let attempt = Attempt { attempt: 1, step: None, entered };
    let call = ClientCall::start(request.py(), route, &text, target, id, attempt);
    if !theirs.contains_key(&X_TRACE_ID) {
        append(&headers, &X_TRACE_ID, &id.to_hex())?;
    }
    if !theirs.contains_key(&TRACEPARENT) {
        append(&headers, &TRACEPARENT, TraceParent::new(id).to_header().as_bytes())?;
    }
    Ok(call)
}

/// Whether a request has a body; one whose headers cannot be read is taken to have one.
pub(super) fn has_body(request: &Bound<'_, PyAny>) -> bool {
    let read = header_list(request)
        .and_then(|headers| collect(&headers, &[&CONTENT_LENGTH, &TRANSFER_ENCODING]));
    let Ok(theirs) = read else { return true };
    let length = theirs.get(CONTENT_LENGTH).map(HeaderValue::as_bytes);
    theirs.contains_key(TRANSFER_ENCODING) || !matches!(length, None | Some(b"0"))
}

/// The status of a response, and its headers that tell of the server's half.
pub(super) fn head(response: &Bound<'_, PyAny>) -> PyResult<(i64, HeaderMap)> {
    let status = response.getattr(intern!(response.py(), "status_code"))?.extract()?;
    Ok((status, collect(&header_list(response)?, &[&SERVER_TIMING, &CONTENT_TYPE])?))
}

fn parsed(id: &Bound<'_, PyAny>) -> Option<TraceId> {
    id.cast::<PyString>().ok()?.to_str().ok()?.parse().ok()
}

fn unknown() -> PyErr {
    PyLookupError::new_err("this version of httpx is not known")
}

fn header_list<'py>(message: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
    let py = message.py();
    let headers = message.getattr(intern!(py, "headers"))?;
    let list = headers.getattr_opt(intern!(py, "_list"))?.ok_or_else(unknown)?;
    list.cast_into::<PyList>().map_err(|_| unknown())
}

/// The headers of these names.
fn collect(list: &Bound<'_, PyList>, names: &[&HeaderName]) -> PyResult<HeaderMap> {
    let mut found = HeaderMap::new();
    for header in list.iter() {
        let header = header.cast_into::<PyTuple>().map_err(|_| unknown())?;
        let name = header.get_borrowed_item(1).map_err(|_| unknown())?;
        let name = name.cast::<PyBytes>().map_err(|_| unknown())?;
        if let Some(name) = names.iter().find(|known| known.as_str().as_bytes() == name.as_bytes())
        {
            let value = header.get_borrowed_item(2).map_err(|_| unknown())?;
            let value = value.cast::<PyBytes>().map_err(|_| unknown())?;
            let value = HeaderValue::from_bytes(value.as_bytes());
            found.append(*name, value.unwrap_or(HeaderValue::from_static("")));
        }
    }
    Ok(found)
}

fn append(list: &Bound<'_, PyList>, name: &HeaderName, value: &[u8]) -> PyResult<()> {
    let py = list.py();
    let name = PyBytes::new(py, name.as_str().as_bytes());
    list.append((&name, &name, PyBytes::new(py, value)))
}

/// The URL without its credentials, and host and port.
fn url_text(uri: &Bound<'_, PyTuple>) -> PyResult<(String, String)> {
    let part = |index| uri.get_item(index)?.cast_into::<PyString>().map_err(|_| unknown());
    let (scheme, host, path) = (part(0)?, part(2)?, part(4)?);
    let (scheme, host, path) = (scheme.to_str()?, host.to_str()?, path.to_str()?);
    let port: Option<u16> = uri.get_borrowed_item(3)?.extract()?;
    let query: Option<String> = uri.get_borrowed_item(5)?.extract()?;
    let brackets = if host.contains(':') { ("[", "]") } else { ("", "") };
    let default = if scheme == "https" { 443 } else { 80 };
    let target = format!("{}{host}{}:{}", brackets.0, brackets.1, port.unwrap_or(default));
    let authority =
        if port.is_some() { &target } else { &target[..target.rfind(':').unwrap_or(0)] };
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Ok((format!("{scheme}://{authority}{path}{query}"), target))
}
