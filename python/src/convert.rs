//! Values on their way between Python and the core.

use std::{fmt::Display, time::Duration};

use firstbyte_core::{Micros, TraceId};
use pyo3::{IntoPyObjectExt as _, exceptions::PyRuntimeError, prelude::*, types::PyDict};

/// The class of this name in `firstbyte._errors`.
pub(crate) fn error_class<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("firstbyte._errors")?.getattr(name)
}

/// A `firstbyte.ConfigError` with this message.
pub(crate) fn config_error(py: Python<'_>, message: &str) -> PyErr {
    error_class(py, "ConfigError").and_then(|class| class.call1((message,))).map_or_else(
        |_| PyRuntimeError::new_err(message.to_owned()),
        |error| PyErr::from_value(error),
    )
}

/// A `firstbyte.ConfigError` for anything that has a message.
pub(crate) fn refused<E: Display>(py: Python<'_>) -> impl Fn(E) -> PyErr {
    move |error| config_error(py, &error.to_string())
}

/// The fields of a dictionary of arguments. What is no value of its field is the caller's mistake.
pub(crate) fn arguments<'py, T>(dict: &Bound<'py, PyDict>) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py, Error = PyErr>,
{
    let py = dict.py();
    dict.extract().map_err(|error: PyErr| {
        let field = error.value(py).to_string();
        let field = field.rsplit('.').next().unwrap_or_default();
        let cause = error.cause(py).map_or_else(String::new, |cause| cause.value(py).to_string());
        config_error(py, &format!("{field}: {cause}"))
    })
}

/// Seconds, as the caller writes them for this setting.
pub(crate) fn seconds(py: Python<'_>, name: &str, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|error| config_error(py, &format!("{name}={seconds}: {error}")))
}

/// An id as callers write it. `None` stays `None`; what is no id is the caller's mistake.
pub(crate) fn trace_id(py: Python<'_>, id: Option<&str>) -> PyResult<Option<TraceId>> {
    id.map(|id| {
        let parsed = id.parse::<TraceId>();
        parsed.map_err(|error| config_error(py, &format!("trace_id {id:?}: {error}")))
    })
    .transpose()
}

/// Milliseconds, or `None` for what is unknown.
pub(crate) fn millis(duration: Option<Micros>) -> Option<f64> {
    duration.map(Micros::as_millis_f64)
}

/// Any value as a Python object.
pub(crate) fn object<'py>(
    py: Python<'py>,
    value: impl IntoPyObject<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    value.into_bound_py_any(py)
}
