//! Requests and responses of httpx and httpx2, read without their properties: a call through those costs
//! tens of microseconds.
//!
//! Both keep a URL as a named tuple, and headers as a list of (name, lower-case name, value). Where a version
//! does not, a `LookupError` sends the caller to what it documents.

use firstbyte_core::{
    Clock, TraceId,
    header::{SERVER_TIMING, TRACEPARENT, TraceHeaders, TraceParent, X_TRACE_ID},
};
use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
use pyo3::{
    exceptions::PyLookupError,
    intern,
    prelude::*,
    types::{PyBytes, PyList, PyString, PyTuple},
};

use crate::{
    client::{Attempt, ClientCall},
    routes,
};

/// Begins the call of a request and gives it its headers, if it is a control call; else `None`.
#[pyfunction]
#[pyo3(signature = (request, trace_id=None))]
pub(crate) fn httpx_begin(
    request: &Bound<'_, PyAny>,
    trace_id: Option<&str>,
) -> PyResult<Option<ClientCall>> {
    let py = request.py();
    let entered = Clock::system().now();
    let method = request.getattr(intern!(py, "method"))?;
    let url = request.getattr(intern!(py, "url"))?.getattr_opt(intern!(py, "_uri_reference"))?;
    let url = url.ok_or_else(unknown)?;
    let url = url.cast::<PyTuple>().map_err(|_| unknown())?;
    let path = url.get_item(4).map_err(|_| unknown())?;
    let path = path.cast::<PyString>().map_err(|_| unknown())?.to_str()?;
    let table = routes::table(py)?;
    let method = method.cast::<PyString>().map_err(|_| unknown())?;
    let Some(route) = table.find(method.to_str()?, path) else { return Ok(None) };

    let headers = header_list(request)?;
    let mut theirs = HeaderMap::new();
    collect(&headers, &[&X_TRACE_ID, &TRACEPARENT], &mut theirs)?;
    let found = TraceHeaders::read(&theirs);
    if found.is_invalid() {
        // To be replaced, which is not done here.
        return Err(unknown());
    }
    let id = found.id().or_else(|| trace_id?.parse().ok()).unwrap_or_else(TraceId::random);
    let (text, target) = url_text(url, path)?;
    let attempt = Attempt { attempt: 1, step: None, entered };
    let call = ClientCall::start(py, route, &text, target, id, attempt);
    if !theirs.contains_key(&X_TRACE_ID) {
        append(&headers, &X_TRACE_ID, &id.to_hex())?;
    }
    if !theirs.contains_key(&TRACEPARENT) {
        append(&headers, &TRACEPARENT, TraceParent::new(id).to_header().as_bytes())?;
    }
    Ok(Some(call))
}

/// The response head arrived.
#[pyfunction]
pub(crate) fn httpx_head(
    call: &Bound<'_, ClientCall>,
    response: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let at = Clock::system().now();
    let status = response.getattr(intern!(response.py(), "status_code"))?.extract()?;
    let mut theirs = HeaderMap::new();
    collect(&header_list(response)?, &[&SERVER_TIMING, &CONTENT_TYPE], &mut theirs)?;
    call.get().answered(status, &theirs, at);
    Ok(())
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

/// Takes the headers of these names.
fn collect(list: &Bound<'_, PyList>, names: &[&HeaderName], into: &mut HeaderMap) -> PyResult<()> {
    for header in list.iter() {
        let header = header.cast_into::<PyTuple>().map_err(|_| unknown())?;
        let name = header.get_borrowed_item(1).map_err(|_| unknown())?;
        let name = name.cast::<PyBytes>().map_err(|_| unknown())?;
        if let Some(name) = names.iter().find(|known| known.as_str().as_bytes() == name.as_bytes())
        {
            let value = header.get_borrowed_item(2).map_err(|_| unknown())?;
            let value = value.cast::<PyBytes>().map_err(|_| unknown())?;
            let value = HeaderValue::from_bytes(value.as_bytes());
            into.append(*name, value.unwrap_or(HeaderValue::from_static("")));
        }
    }
    Ok(())
}

fn append(list: &Bound<'_, PyList>, name: &HeaderName, value: &[u8]) -> PyResult<()> {
    let py = list.py();
    let name = PyBytes::new(py, name.as_str().as_bytes());
    list.append((&name, &name, PyBytes::new(py, value)))
}

/// The URL without its credentials, and host and port.
fn url_text(url: &Bound<'_, PyTuple>, path: &str) -> PyResult<(String, String)> {
    let scheme: String = url.get_item(0)?.extract()?;
    let host: String = url.get_item(2)?.extract()?;
    let port: Option<u16> = url.get_item(3)?.extract()?;
    let query: Option<String> = url.get_item(5)?.extract()?;
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let authority = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
    let default = if scheme == "https" { 443 } else { 80 };
    let target = format!("{host}:{}", port.unwrap_or(default));
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Ok((format!("{scheme}://{authority}{path}{query}"), target))
}
