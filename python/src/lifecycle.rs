//! The end of the process, and a fork: what each part of firstbyte does then, and what all of them have counted.

use firstbyte_core::{Clock, recorder::DropReason};
use pyo3::{prelude::*, types::PyDict};

use crate::{admin, asgi, convert::seconds, fuse, open, process};

/// Ends calls and timers, writes what is queued and `process.end`, at most `timeout` seconds.
///
/// Up to nine tenths of them are for resumes that are on their way; the rest takes moments, mostly.
#[pyfunction]
#[pyo3(signature = (timeout=1.0))]
pub(crate) fn shutdown(py: Python<'_>, timeout: f64) -> PyResult<()> {
    let timeout = seconds(py, "timeout", timeout)?;
    let recorder = process::made();
    let (clock, tenth) = (Clock::system(), timeout / 10);
    let started = clock.now();
    py.detach(|| admin::stop_runtime(timeout - tenth, tenth / 2));
    open::end(py, None);
    if let Some(recorder) = recorder {
        let left = timeout.saturating_sub(clock.now().since(started));
        let left = left.clamp(tenth / 2, timeout / 2);
        py.detach(|| recorder.shutdown(left));
    }
    Ok(())
}

/// The balance: `offered`, `written`, `dropped` by reason, `failures` of parts of firstbyte, and `invalid_ids`.
#[pyfunction]
pub(crate) fn accounting(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let balance = process::made().map(|recorder| recorder.accounting()).unwrap_or_default();
    let dropped = PyDict::new(py);
    for reason in DropReason::ALL {
        dropped.set_item(reason.as_str(), balance.dropped_by(reason))?;
    }
    let dict = PyDict::new(py);
    dict.set_item("offered", balance.offered)?;
    dict.set_item("written", balance.written)?;
    dict.set_item("dropped", dropped)?;
    dict.set_item("failures", fuse::failed())?;
    dict.set_item("invalid_ids", asgi::invalid_ids())?;
    Ok(dict)
}

/// The child of a fork: the parent's threads do not exist here, so that its recorder and its connections
/// are left alone, never shut down.
#[pyfunction]
pub(crate) fn after_fork_in_child() {
    process::forget();
    admin::forget_runtime();
    // Parent and child must not go on with the same ids.
    fastrand::seed(Clock::system().unix_nanos() ^ u64::from(std::process::id()) << 32);
}
