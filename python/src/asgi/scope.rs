//! What a scope says, without believing it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use firstbyte_core::{
    Micros, Route, RouteTable, TraceId,
    header::{TRACEPARENT, TraceHeaders, X_REQUEST_START, X_TRACE_ID},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use pyo3::{
    intern,
    prelude::*,
    types::{PyBytes, PyDict, PyList, PyString},
};

/// What kind of scope it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Http,
    Lifespan,
    Other,
}

impl Kind {
    #[inline]
    pub(crate) fn of(scope: &Bound<'_, PyDict>) -> PyResult<Self> {
        let py = scope.py();
        let Some(kind) = scope.get_item(intern!(py, "type"))? else { return Ok(Self::Other) };
        let http = intern!(py, "http");
        if kind.is(http) {
            return Ok(Self::Http);
        }
        let Ok(kind) = kind.cast::<PyString>() else { return Ok(Self::Other) };
        Ok(match kind.to_str()? {
            "http" => Self::Http,
            "lifespan" => Self::Lifespan,
            _ => Self::Other,
        })
    }
}

/// The route of an HTTP request, with or without the path that the application is mounted on.
#[inline]
pub(crate) fn route<'r>(
    scope: &Bound<'_, PyDict>,
    routes: &'r RouteTable,
) -> PyResult<Option<&'r Route>> {
    let py = scope.py();
    let (Some(method), Some(path)) =
        (scope.get_item(intern!(py, "method"))?, scope.get_item(intern!(py, "path"))?)
    else {
        return Ok(None);
    };
    let (Ok(method), Ok(path)) = (method.cast::<PyString>(), path.cast::<PyString>()) else {
        return Ok(None);
    };
    let (method, path) = (method.to_str()?, path.to_str()?);
    if let Some(route) = routes.find(method, path) {
        return Ok(Some(route));
    }
    let Some(root) = scope.get_item(intern!(py, "root_path"))? else { return Ok(None) };
    let Ok(root) = root.cast::<PyString>() else { return Ok(None) };
    let root = root.to_str()?;
    let below = path.strip_prefix(root).filter(|_| !root.is_empty());
    Ok(below.and_then(|path| routes.find(method, path)))
}

/// The path, as `server.recv` shows it.
pub(crate) fn path(scope: &Bound<'_, PyDict>) -> PyResult<String> {
    let path = scope.get_item(intern!(scope.py(), "path"))?;
    path.map_or(Ok(String::new()), |path| path.extract())
}

/// How many control calls of this process had an id that could not be used.
static INVALID_IDS: AtomicU64 = AtomicU64::new(0);

pub(crate) fn invalid_ids() -> u64 {
    INVALID_IDS.load(Relaxed)
}

/// The id of a request: that of its headers, or else a new one.
pub(crate) fn trace_id(headers: &HeaderMap) -> TraceId {
    let found = TraceHeaders::read(headers);
    if found.is_invalid() {
        INVALID_IDS.fetch_add(1, Relaxed);
    }
    found.id().unwrap_or_else(TraceId::random)
}

/// The headers of a request that we read.
pub(crate) fn headers(scope: &Bound<'_, PyDict>) -> PyResult<HeaderMap> {
    let mut ours = HeaderMap::new();
    // What can be walked over but once is the application's to walk over.
    let once = |headers: &Bound<'_, PyAny>| {
        !headers.is_instance_of::<PyList>() && headers.hasattr("__next__").unwrap_or(false)
    };
    let headers = scope.get_item(intern!(scope.py(), "headers"))?;
    if let Some(headers) = headers.filter(|headers| !once(headers)) {
        for header in headers.try_iter()? {
            let header = header?;
            let name = header.get_item(0)?;
            let Ok(name) = name.cast::<PyBytes>() else { continue };
            let name: &HeaderName = match name.as_bytes() {
                b"x-trace-id" => &X_TRACE_ID,
                b"traceparent" => &TRACEPARENT,
                b"x-request-start" => &X_REQUEST_START,
                _ => continue,
            };
            let value = header.get_item(1)?;
            let Ok(value) = value.cast::<PyBytes>() else { continue };
            // What no header may have is no id either, but it was there.
            let value = HeaderValue::from_bytes(value.as_bytes());
            ours.append(name, value.unwrap_or(HeaderValue::from_static("")));
        }
    }
    Ok(ours)
}

/// How long the request has been on this machine, if its socket can be reached.
///
/// uvicorn's `receive` is a method of the request's cycle, which has the transport, for h11 and httptools
/// alike; other servers, and middlewares around us that wrap `receive`, do not let us see it.
#[cfg(unix)]
pub(crate) fn since_arrival(receive: &Bound<'_, PyAny>) -> Option<Micros> {
    let py = receive.py();
    let cycle = receive.getattr_opt(intern!(py, "__self__")).ok()??;
    let transport = cycle.getattr_opt(intern!(py, "transport")).ok()??;
    let socket = transport.call_method1(intern!(py, "get_extra_info"), ("socket",)).ok()?;
    let fd = socket.call_method0(intern!(py, "fileno")).ok()?.extract().ok()?;
    crate::socket::since_last_data(fd)
}

#[cfg(not(unix))]
pub(crate) fn since_arrival(_: &Bound<'_, PyAny>) -> Option<Micros> {
    None
}

/// Whether the client went away, as far as the server tells: uvicorn does.
pub(crate) fn is_disconnected(receive: &Bound<'_, PyAny>) -> bool {
    let py = receive.py();
    let cycle = receive.getattr_opt(intern!(py, "__self__")).ok().flatten();
    let disconnected = cycle.and_then(|c| c.getattr_opt(intern!(py, "disconnected")).ok()?);
    disconnected.is_some_and(|disconnected| disconnected.is_truthy().unwrap_or(false))
}
