//! The errors of the client as exceptions of `firstbyte._errors`.

use firstbyte_client::ClientError;
use pyo3::prelude::*;

use crate::convert::{error_class, object};

/// The exception for an error: its class by kind, its facts as attributes.
pub(super) fn to_exception<'py>(
    py: Python<'py>,
    error: &ClientError,
) -> PyResult<Bound<'py, PyAny>> {
    let class = error_class(py, class_name(error))?;
    // The advice of an overlap names a method of Rust's client.
    let message = error.to_string().replace("allow_overlap()", "allow_overlap=True");
    let exception = class.call1((message,))?;
    let facts = [
        ("reason", object(py, error.reason())?),
        ("phase", object(py, error.phase().map(|phase| phase.as_str()))?),
        ("bytes_sent", object(py, error.bytes_sent())?),
        ("trace_id", object(py, error.trace_id().map(|id| id.to_string()))?),
        ("status", object(py, error.status().map(|status| status.as_u16()))?),
        ("is_timeout", object(py, error.is_timeout())?),
    ];
    for (name, value) in facts {
        exception.setattr(name, value)?;
    }
    Ok(exception)
}

/// Of a call that was on its way when firstbyte was shut down. How far it had come is in its line.
pub(super) fn cut_off(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let message = "firstbyte was shut down in the middle of the call";
    let exception = error_class(py, "OutcomeUnknown")?.call1((message,))?;
    exception.setattr("reason", "shutdown")?;
    Ok(exception)
}

/// The exception for an error, to be raised.
pub(super) fn to_err(py: Python<'_>, error: &ClientError) -> PyErr {
    to_exception(py, error).map_or_else(|error| error, PyErr::from_value)
}

fn class_name(error: &ClientError) -> &'static str {
    if error.is_config() {
        "ConfigError"
    } else if error.is_overlap() {
        "OverlapError"
    } else if error.is_not_sent() {
        "NotSent"
    } else if error.is_outcome_unknown() {
        "OutcomeUnknown"
    } else if error.is_status() {
        "StatusError"
    } else {
        "BodyError"
    }
}
