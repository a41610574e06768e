//! In the place of a transport's `handle_request` or `handle_async_request`.

use firstbyte_core::{Clock, Timestamp};
use pyo3::{
    PyTraverseError, PyVisit, exceptions::PyLookupError, intern, prelude::*, types::PyString,
};

use super::{message, watch::HttpxWatch};
use crate::{fuse::Fuse, replaced::Replaced, routes};

/// A request that is no control call gets what the transport's own method returns.
///
/// A control call is handed to `_traced`, with the watch that sends it. Whether a request of a version with
/// other insides is one is asked of `_begin_slowly`.
#[pyclass(subclass, frozen, extends = Replaced, module = "firstbyte._firstbyte")]
pub(crate) struct HttpxMethod {
    pub(super) fuse: Py<Fuse>,
    /// Whether there is a pool of connections that can be waited for.
    pub(super) has_pool: bool,
    /// What the callback of events returns an instance of; `None` for sync transports.
    pub(super) nothing: Option<Py<PyAny>>,
    /// The class of the streams that are put around those of responses.
    pub(super) stream: Py<PyAny>,
}

#[pymethods]
impl HttpxMethod {
    #[new]
    fn new(
        owner: &Bound<'_, PyAny>,
        name: Py<PyString>,
        fuse: Py<Fuse>,
        stream: Py<PyAny>,
        nothing: Option<Py<PyAny>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let has_pool = owner.hasattr(intern!(owner.py(), "_pool"))?;
        let replaced = PyClassInitializer::from(Replaced::of_object(owner, name)?);
        Ok(replaced.add_subclass(Self { fuse, has_pool, nothing, stream }))
    }

    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        request: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let fuse = slf.get().fuse.get();
        let watch = if fuse.is_blown() { None } else { fuse.run(|| Self::begin(slf, request)) };
        match watch.flatten() {
            Some(watch) => slf.call_method1(intern!(slf.py(), "_traced"), (watch,)),
            None => slf.as_super().get().call_original(request),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.stream)
    }
}

impl HttpxMethod {
    /// Follows the request, if it is a control call.
    fn begin(slf: &Bound<'_, Self>, request: &Bound<'_, PyAny>) -> PyResult<Option<HttpxWatch>> {
        let entered = Clock::system().now();
        match Self::begin_quickly(slf, request, entered) {
            Err(error) if error.is_instance_of::<PyLookupError>(slf.py()) => {
                HttpxWatch::begin(slf, request, entered, || {
                    let call = slf.call_method1(intern!(slf.py(), "_begin_slowly"), (request,))?;
                    Ok(call.extract()?)
                })
            }
            begun => begun,
        }
    }

    fn begin_quickly(
        slf: &Bound<'_, Self>,
        request: &Bound<'_, PyAny>,
        entered: Timestamp,
    ) -> PyResult<Option<HttpxWatch>> {
        let py = slf.py();
        let (routes, uri) = (routes::table(py)?, message::uri(request)?);
        let Some(route) = message::route(request, &uri, &routes)? else { return Ok(None) };
        HttpxWatch::begin(slf, request, entered, || {
            let working_for = || slf.call_method0(intern!(py, "_working_for"));
            let call = message::begin(request, &uri, route, entered, working_for)?;
            Py::new(py, call).map(Some)
        })
    }
}
