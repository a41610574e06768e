//! What every request passes.

use std::{path::PathBuf, sync::Arc};

use firstbyte_core::{RouteTable, Timestamp};
use pyo3::{
    PyTraverseError, PyVisit, intern,
    prelude::*,
    types::{PyDict, PyTuple},
};

use super::{
    call::ServerCall,
    inflight::{InFlight, Leaving},
    scope::{self, Kind},
};
use crate::{fuse::Fuse, process, routes};

/// The base class of `firstbyte.FirstByteMiddleware`.
///
/// A request that is no control call is a look-up in the route table and a weak reference: the
/// application's own coroutine is handed back, with `receive` and `send` as they came.
#[pyclass(subclass, frozen, module = "firstbyte._firstbyte")]
pub(crate) struct Middleware {
    app: Py<PyAny>,
    routes: Arc<RouteTable>,
    in_flight: InFlight,
    /// The bound method that weak references call.
    leave: Py<PyAny>,
    fuse: Py<Fuse>,
}

/// What is to become of a call of the middleware.
enum Passage<'py> {
    /// It is handed on as it is.
    Untouched,
    /// The application begins or ends.
    Lifespan,
    /// It is handed on and counted.
    Counted,
    /// A control call.
    Traced(Bound<'py, ServerCall>),
}

#[pymethods]
impl Middleware {
    #[new]
    #[pyo3(signature = (app, *, routes=None))]
    fn new(py: Python<'_>, app: Py<PyAny>, routes: Option<PathBuf>) -> PyResult<Self> {
        // What cannot work is said here, not at the first request.
        process::try_recorder(py)?;
        let in_flight = InFlight::default();
        let leave = Bound::new(py, Leaving(in_flight.clone()))?.getattr("left")?.unbind();
        let routes = routes::table_with(py, routes)?;
        let fuse = Py::new(py, Fuse::default())?;
        Ok(Self { app, routes, in_flight, leave, fuse })
    }

    /// The application.
    #[getter]
    fn app(&self, py: Python<'_>) -> Py<PyAny> {
        self.app.clone_ref(py)
    }

    /// Counts the failures of its parts.
    #[getter]
    fn _fuse(&self, py: Python<'_>) -> Py<Fuse> {
        self.fuse.clone_ref(py)
    }

    /// Requests in progress.
    #[getter]
    fn in_flight(&self) -> usize {
        self.in_flight.count()
    }

    /// The application has ended, which began at that moment: what is open of its calls is cut off.
    fn _cut_off(&self, py: Python<'_>, since_ns: u64) {
        crate::open::end(py, Some((self.in_flight.app(), Timestamp::from_nanos(since_ns))));
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, this) = (slf.py(), slf.get());
        let passage = if this.fuse.get().is_blown() {
            None
        } else {
            this.fuse.get().run(|| this.passage(args))
        };
        match passage {
            Some(Passage::Traced(call)) => {
                let [receive, send] = [args.get_item(1)?, args.get_item(2)?];
                let arguments = (call, args.get_item(0)?, receive, send);
                let coroutine = slf.call_method1(intern!(py, "_traced"), arguments)?;
                _ = this.fuse.get().run(|| this.in_flight.enter(&coroutine, this.leave.bind(py)));
                Ok(coroutine)
            }
            Some(Passage::Counted) => {
                let coroutine = this.app.bind(py).call(args, kwargs)?;
                if this.in_flight.enter(&coroutine, this.leave.bind(py)).is_err() {
                    // It is no coroutine: one of ours is put around it, to be watched.
                    let around = slf.call_method1(intern!(py, "_counted"), (coroutine,))?;
                    this.in_flight.enter(&around, this.leave.bind(py))?;
                    return Ok(around);
                }
                Ok(coroutine)
            }
            Some(Passage::Lifespan) => {
                let coroutine = this.app.bind(py).call(args, kwargs)?;
                _ = this
                    .fuse
                    .get()
                    .run(|| slf.call_method1(intern!(py, "_lifespan"), (&coroutine,)));
                Ok(coroutine)
            }
            Some(Passage::Untouched) | None => this.app.bind(py).call(args, kwargs),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.app)?;
        visit.call(&self.leave)
    }
}

impl Middleware {
    #[inline]
    fn passage<'py>(&self, args: &Bound<'py, PyTuple>) -> PyResult<Passage<'py>> {
        let py = args.py();
        if args.len() != 3 {
            return Ok(Passage::Untouched);
        }
        let scope = args.get_borrowed_item(0)?;
        let Ok(scope) = scope.cast::<PyDict>() else { return Ok(Passage::Untouched) };
        match Kind::of(&scope)? {
            Kind::Http => {}
            Kind::Lifespan => return Ok(Passage::Lifespan),
            Kind::Other => return Ok(Passage::Untouched),
        }
        let Some(route) = scope::route(&scope, &self.routes)? else { return Ok(Passage::Counted) };
        let receive = args.get_borrowed_item(1)?;
        let call = ServerCall::begin(&scope, &receive, route, &self.in_flight)?;
        Ok(Passage::Traced(Bound::new(py, call)?))
    }
}
