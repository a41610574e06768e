//! The `send` of a control call.

use firstbyte_core::header::{SERVER_TIMING, X_TRACE_ID};
use pyo3::{
    PyTraverseError, PyVisit, intern,
    prelude::*,
    types::{PyBool, PyBytes, PyDict, PyList, PyString},
};

use super::ServerCall;
use crate::fuse::Fuse;

/// Looks at what the application sends, and hands it on: the head as a copy with our two headers, all
/// else as it is.
#[pyclass(frozen, module = "firstbyte._firstbyte")]
pub(crate) struct ServerSend {
    call: Py<ServerCall>,
    send: Py<PyAny>,
    /// The middleware's.
    fuse: Py<Fuse>,
}

#[pymethods]
impl ServerSend {
    #[new]
    fn new(call: Py<ServerCall>, send: Py<PyAny>, fuse: Py<Fuse>) -> Self {
        Self { call, send, fuse }
    }

    /// `send(message)`: what the server's `send` returns, to be awaited.
    fn send<'py>(&self, message: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = message.py();
        let send = self.send.bind(py);
        // Pieces of a body come often, and nothing here can fail. Only they have both of these keys.
        if let Ok(piece) = message.cast::<PyDict>()
            && let Ok(Some(more)) = piece.get_item(intern!(py, "more_body"))
            && let Ok(Some(body)) = piece.get_item(intern!(py, "body"))
        {
            let last = !more.is(PyBool::new(py, true)) && !more.is_truthy().unwrap_or(false);
            self.call.get().piece(py, length(&body), last);
            return send.call1((message,));
        }
        match self.fuse.get().run(|| self.look(message)) {
            Some(Some(head)) => send.call1((head,)),
            _ => send.call1((message,)),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.call)?;
        visit.call(&self.send)
    }
}

impl ServerSend {
    /// What to send instead, if anything.
    #[cold]
    fn look<'py>(&self, message: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let py = message.py();
        let Ok(message) = message.cast::<PyDict>() else { return Ok(None) };
        let Some(kind) = message.get_item(intern!(py, "type"))? else { return Ok(None) };
        let Ok(kind) = kind.cast::<PyString>() else { return Ok(None) };
        match kind.to_str()? {
            "http.response.start" => return self.head(message).map(Some),
            "http.response.body" => {
                let body = message.get_item(intern!(py, "body"))?;
                let more = message.get_item(intern!(py, "more_body"))?;
                let more = more.map_or(Ok(false), |more| more.is_truthy())?;
                self.call.get().piece(py, body.as_ref().map_or(0, length), !more);
            }
            // The server sends a file, which ends the response.
            "http.response.pathsend" => self.call.get().piece(py, 0, true),
            _ => {}
        }
        Ok(None)
    }

    fn head<'py>(&self, message: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyDict>> {
        let key = intern!(message.py(), "headers");
        let theirs = message.get_item(key)?;
        // Headers that can be walked over but once are walked over here.
        let once = theirs.as_ref().filter(|theirs| theirs.hasattr("__next__").unwrap_or(false));
        let kept = once.map(|once| once.try_iter()?.collect::<PyResult<Vec<_>>>()).transpose()?;
        let Some(kept) = kept else { return self.with_ours(message, theirs.as_ref()) };
        let kept = PyList::new(message.py(), kept)?;
        self.with_ours(message, Some(&kept)).or_else(|_| {
            self.fuse.get().failed();
            let head = message.copy()?;
            head.set_item(key, kept)?;
            Ok(head)
        })
    }

    /// The head with our headers behind its own.
    fn with_ours<'py>(
        &self,
        message: &Bound<'py, PyDict>,
        theirs: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let py = message.py();
        let status = message.get_item(intern!(py, "status"))?;
        let status = status.and_then(|status| status.extract::<u16>().ok()).unwrap_or(0);
        let call = self.call.get();
        let timing = call.head(status).to_header();

        let headers = PyList::empty(py);
        let mut has_id = false;
        if let Some(theirs) = theirs {
            for header in theirs.try_iter()? {
                let header = header?;
                let name = header.get_item(0)?;
                has_id |= name
                    .cast::<PyBytes>()
                    .is_ok_and(|name| name.as_bytes().eq_ignore_ascii_case(b"x-trace-id"));
                headers.append(header)?;
            }
        }
        let bytes = |text: &[u8]| PyBytes::new(py, text);
        if let Some(timing) = timing {
            headers.append((bytes(SERVER_TIMING.as_str().as_bytes()), bytes(timing.as_bytes())))?;
        }
        if !has_id {
            let id = call.id().to_hex();
            headers.append((bytes(X_TRACE_ID.as_str().as_bytes()), bytes(&id)))?;
        }
        let head = message.copy()?;
        head.set_item(intern!(py, "headers"), headers)?;
        Ok(head)
    }
}

#[inline]
fn length(body: &Bound<'_, PyAny>) -> usize {
    match body.cast_exact::<PyBytes>() {
        Ok(body) => body.as_bytes().len(),
        Err(_) => body.len().unwrap_or(0),
    }
}
