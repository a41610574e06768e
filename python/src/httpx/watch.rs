//! One control call on its way through a transport.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use firstbyte_core::{Clock, Phase, Timestamp};
use pyo3::{
    PyTraverseError, PyVisit,
    exceptions::PyLookupError,
    intern,
    prelude::*,
    types::{PyBytes, PyDict},
};

use super::{message, method::HttpxMethod};
use crate::client::ClientCall;

/// Sends a request and follows it by the trace events of httpcore, whose callback it is.
///
/// Nothing of it raises but what the transport and the caller's own callback raise.
#[pyclass(frozen, module = "firstbyte._firstbyte")]
pub(crate) struct HttpxWatch {
    method: Py<HttpxMethod>,
    call: Py<ClientCall>,
    request: Py<PyAny>,
    /// Of the request.
    extensions: Py<PyDict>,
    entered: Timestamp,
    /// The caller's own callback.
    theirs: Option<Py<PyAny>>,
    seen: Mutex<Seen>,
}

/// What has been seen of the call.
#[derive(Default)]
struct Seen {
    /// An event of httpcore.
    event: bool,
    /// The request being sent is one for a tunnel, which belongs to the connection.
    tunnel: bool,
    /// The heartbeat of the loop that it runs on.
    lag: Option<Py<PyAny>>,
    /// When that loop turned for the first time.
    turned: Option<Timestamp>,
}

#[pymethods]
impl HttpxWatch {
    /// Calls the transport's own method.
    fn send<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let (py, this) = (slf.py(), slf.get());
        this.guarded(|method| {
            this.extensions.bind(py).set_item(intern!(py, "trace"), slf)?;
            if method.has_pool && method.nothing.is_some() {
                let lag = this.method.bind(py).call_method1(intern!(py, "_watch_loop"), (slf,))?;
                this.seen().lag = (!lag.is_none()).then(|| lag.unbind());
            }
            Ok(())
        });
        this.method.bind(py).as_super().get().call_original(this.request.bind(py))
    }

    /// The loop turned after the call began.
    fn turned(&self) {
        self.seen().turned = Some(Clock::system().now());
    }

    /// An event of httpcore.
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        name: &Bound<'py, PyAny>,
        info: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.guarded(|_| self.take(py, name.cast()?.to_str()?, info.cast()?));
        let answer = self.theirs.as_ref().map(|theirs| theirs.bind(py).call1((name, info)));
        let nothing = || self.method.get().nothing.as_ref().map(|nothing| nothing.bind(py).call0());
        answer.or_else(nothing).transpose()
    }

    /// The transport raised.
    fn failed(&self, py: Python<'_>, error: &Bound<'_, PyAny>) {
        self.restore(py);
        self.guarded(|method| {
            let is_seen = self.seen().event;
            if !is_seen && method.has_pool {
                self.left_the_pool(py)?;
            }
            let unseen_since = (!is_seen && !method.has_pool).then(|| self.entered.as_nanos());
            let arguments = (&self.call, error, unseen_since);
            self.method.bind(py).call_method1(intern!(py, "_failed"), arguments)?;
            Ok(())
        });
    }

    /// The response head arrived.
    fn head(&self, py: Python<'_>, response: &Bound<'_, PyAny>) {
        let at = Clock::system().now();
        self.restore(py);
        self.guarded(|method| {
            let call = self.call.get();
            if !self.seen().event {
                // A transport that tells nothing: all until the head is one wait.
                call.enter_phase(Phase::Wait, self.entered);
            }
            match message::head(response) {
                Ok((status, headers)) => call.answered(status, &headers, at),
                Err(error) if error.is_instance_of::<PyLookupError>(py) => {
                    let arguments = (&self.call, response);
                    self.method.bind(py).call_method1(intern!(py, "_head"), arguments)?;
                }
                Err(error) => return Err(error),
            }
            if response.getattr(intern!(py, "is_stream_consumed"))?.is_truthy()? {
                // One that has been read already, as those of tests are.
                let content = response.getattr_opt(intern!(py, "_content"))?;
                if let Some(Ok(content)) = content.as_ref().map(Bound::cast::<PyBytes>) {
                    call.piece(content);
                }
                call.done(py, false, None);
                return Ok(());
            }
            let stream = intern!(py, "stream");
            let around = method.stream.bind(py).call1((response.getattr(stream)?, &self.call))?;
            response.setattr(stream, around)
        });
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.method)?;
        visit.call(&self.request)?;
        visit.call(&self.extensions)?;
        visit.call(&self.theirs)
    }
}

impl HttpxWatch {
    /// Follows a request, unless another one does, which somebody has wrapped into a method of his own.
    pub(super) fn begin(
        method: &Bound<'_, HttpxMethod>,
        request: &Bound<'_, PyAny>,
        entered: Timestamp,
        call: impl FnOnce() -> PyResult<Option<Py<ClientCall>>>,
    ) -> PyResult<Option<Self>> {
        let py = request.py();
        let extensions = request.getattr(intern!(py, "extensions"))?.cast_into::<PyDict>()?;
        let theirs = extensions.get_item(intern!(py, "trace"))?;
        let theirs = theirs.filter(|theirs| !theirs.is_none());
        if theirs.as_ref().is_some_and(|theirs| theirs.is_instance_of::<Self>()) {
            return Ok(None);
        }
        let Some(call) = call()? else { return Ok(None) };
        Ok(Some(Self {
            method: method.clone().unbind(),
            call,
            request: request.clone().unbind(),
            extensions: extensions.unbind(),
            entered,
            theirs: theirs.map(Bound::unbind),
            seen: Mutex::default(),
        }))
    }

    fn take(&self, py: Python<'_>, name: &str, info: &Bound<'_, PyDict>) -> PyResult<()> {
        let at = Clock::system().now();
        if !std::mem::replace(&mut self.seen().event, true) {
            self.left_the_pool(py)?;
        }
        let Some(phase) = self.begins(py, name) else { return Ok(()) };
        if let Some(request) = info.get_item(intern!(py, "request"))? {
            let method = request.getattr(intern!(py, "method"))?;
            let is_tunnel = method.cast::<PyBytes>().is_ok_and(|m| m.as_bytes() == b"CONNECT");
            self.seen().tunnel = is_tunnel;
        }
        if !(self.seen().tunnel && matches!(phase, Phase::Send | Phase::Wait)) {
            self.call.get().enter_phase(phase, at);
        }
        Ok(())
    }

    /// The phase that an event of httpcore begins; the phase before ends there.
    ///
    /// The last byte of a request without a body is that of its head.
    fn begins(&self, py: Python<'_>, name: &str) -> Option<Phase> {
        match name.split_once('.')?.1 {
            "connect_tcp.started" | "connect_unix_socket.started" => Some(Phase::Connect),
            "start_tls.started" => Some(Phase::Tls),
            "send_request_headers.started" => Some(Phase::Send),
            "send_request_headers.complete" => {
                (!message::has_body(self.request.bind(py))).then_some(Phase::Wait)
            }
            "send_request_body.complete" | "receive_response_headers.started" => Some(Phase::Wait),
            _ => None,
        }
    }

    /// The pool tells nothing: what was before the first event was its wait, or the loop's.
    ///
    /// Until the loop turns for the first time nobody waits for anything: it is work, such as the imports
    /// of a first request. A loop that is late at the event let us wait that long after there was a
    /// connection. Either is `setup`, what the caller's own process took.
    fn left_the_pool(&self, py: Python<'_>) -> PyResult<()> {
        let now = Clock::system().now();
        let (lag, turned) = {
            let seen = self.seen();
            (seen.lag.as_ref().map(|lag| lag.clone_ref(py)), seen.turned)
        };
        let mut own = Duration::ZERO;
        if let Some(lag) = lag {
            let late: f64 = lag.call_method0(py, intern!(py, "ms"))?.extract(py)?;
            let late = Duration::try_from_secs_f64(late / 1e3).unwrap_or_default();
            own = late.max(turned.unwrap_or(now).since(self.entered));
        }
        let waited = now.since(self.entered);
        self.call.get().enter_phase(Phase::Pool, self.entered + own.min(waited));
        Ok(())
    }

    /// The request may be used again, by a redirect for one: it gets its own callback back.
    fn restore(&self, py: Python<'_>) {
        self.guarded(|_| {
            let (extensions, trace) = (self.extensions.bind(py), intern!(py, "trace"));
            match &self.theirs {
                Some(theirs) => extensions.set_item(trace, theirs),
                None if extensions.contains(trace)? => extensions.del_item(trace),
                None => Ok(()),
            }
        });
    }

    /// Runs a part of ours, whose failure is none of the request's.
    fn guarded(&self, part: impl FnOnce(&HttpxMethod) -> PyResult<()>) {
        let method = self.method.get();
        _ = method.fuse.get().run(|| part(method));
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
