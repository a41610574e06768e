//! An answer, as Python sees it.

use firstbyte_client::{AdminResponse, ClientError};
use firstbyte_core::Phase;
use pyo3::{
    prelude::*,
    types::{PyBytes, PyDict, PyList},
};

use super::error::{to_err, to_exception};
use crate::convert::millis;

/// The whole response to a control call, and where its time went.
#[pyclass(frozen, module = "firstbyte._firstbyte")]
pub(crate) struct NativeResponse(AdminResponse);

impl NativeResponse {
    pub(super) fn new(response: AdminResponse) -> Self {
        Self(response)
    }

    pub(super) fn response(&self) -> AdminResponse {
        self.0.clone()
    }
}

/// The response, or the exception.
pub(super) fn to_object(
    py: Python<'_>,
    result: Result<AdminResponse, ClientError>,
) -> PyResult<Bound<'_, PyAny>> {
    match result {
        Ok(response) => Ok(Bound::new(py, NativeResponse::new(response))?.into_any()),
        Err(error) => to_exception(py, &error),
    }
}

#[pymethods]
impl NativeResponse {
    #[getter]
    fn status(&self) -> u16 {
        self.0.status.as_u16()
    }

    /// Names in lower case and values, in their order.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let headers = self.0.headers.iter();
        let headers = headers.map(|(name, value)| {
            (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        PyList::new(py, headers.collect::<Vec<_>>())
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.body)
    }

    #[getter]
    fn trace_id(&self) -> String {
        self.0.trace_id.to_string()
    }

    #[getter]
    fn attempts(&self) -> u32 {
        self.0.attempts
    }

    #[getter]
    fn wall_ms(&self) -> f64 {
        self.0.split.wall().as_millis_f64()
    }

    #[getter]
    fn rpc_ms(&self) -> Option<f64> {
        millis(self.0.split.rpc)
    }

    #[getter]
    fn queue_ms(&self) -> Option<f64> {
        millis(self.0.split.queue())
    }

    /// The parts of the call that are known, in milliseconds and in their order: the client's phases,
    /// which add up to wall, and what the wait is made of.
    #[getter]
    fn parts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let split = &self.0.split;
        let phases = Phase::ALL.map(|phase| (phase.as_str(), split.phases.get(phase)));
        let server = [
            ("kernel", split.kernel),
            ("handler", split.handler),
            ("respond", split.respond),
            ("network", split.network),
            ("unattributed", split.unattributed),
        ];
        let parts = PyDict::new(py);
        for (name, part) in phases.into_iter().chain(server) {
            if let Some(part) = part {
                parts.set_item(name, part.as_millis_f64())?;
            }
        }
        Ok(parts)
    }

    /// Reservations about the split, separated by commas.
    #[getter]
    fn flags(&self) -> String {
        self.0.split.flags.to_text()
    }

    /// The caller's code goes on now: records `client.done`, and returns the milliseconds since the last
    /// byte of the response; `None` if that was told before.
    fn resumed(&self) -> Option<f64> {
        millis(self.0.done.as_ref().and_then(|done| done.resumed()))
    }

    /// Raises `firstbyte.StatusError` unless the status is 2xx.
    fn raise_for_status(&self, py: Python<'_>) -> PyResult<()> {
        let checked = self.0.clone().error_for_status();
        checked.map(drop).map_err(|error| to_err(py, &error))
    }

    fn __repr__(&self) -> String {
        let wall = self.0.split.wall();
        format!(
            "<AdminResponse {} in {wall} ms, trace {}>",
            self.0.status.as_u16(),
            self.0.trace_id
        )
    }
}
