//! Logs that were read, for `firstbyte.read`.

use std::{path::PathBuf, sync::Arc};

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use firstbyte_analysis::{
    Log, Options,
    correlate::{Place, Server},
    diagnose::{Rules, diagnose},
    export::{self, Batches, Kind, Row, Value},
    ingest::{IngestError, Reason},
    measure::{GroupBy, Metric, Stats, Window},
    notices,
};
use firstbyte_core::{Micros, Phase};
use pyo3::{
    IntoPyObjectExt as _,
    exceptions::{PyIndexError, PyOSError},
    prelude::*,
    types::{PyCapsule, PyDict},
};

use crate::convert::{config_error, millis, refused};

/// What was read, and where its calls are.
#[pyclass(frozen, module = "firstbyte._firstbyte")]
#[derive(Debug)]
pub(crate) struct NativeLog {
    log: Arc<Log>,
    places: Vec<Place>,
}

/// A table of a log, as whatever reads Arrow takes it.
#[pyclass(frozen, module = "firstbyte._firstbyte")]
#[derive(Debug)]
pub(crate) struct Table {
    log: Arc<Log>,
    table: export::Table,
}

#[pymethods]
impl NativeLog {
    /// Reads files with the interpreter left to others.
    #[new]
    fn new(py: Python<'_>, paths: Vec<PathBuf>, max_traces: Option<usize>) -> PyResult<Self> {
        let read = move || {
            let mut options = Options::default();
            options.max_traces = max_traces.unwrap_or(options.max_traces);
            let log = Log::read(&paths, &options)?;
            let places = log.places().collect();
            Ok(Self { log: Arc::new(log), places })
        };
        py.detach(read).map_err(|error| unreadable(py, &error))
    }

    #[getter]
    fn calls(&self) -> usize {
        self.places.len()
    }

    #[getter]
    fn events(&self) -> usize {
        self.log.timeline().moments().len()
    }

    /// What is known of a call, by the names of `firstbyte.Call`.
    fn call<'py>(&self, py: Python<'py>, n: usize) -> PyResult<Bound<'py, PyDict>> {
        let place = self.places.get(n).ok_or_else(|| PyIndexError::new_err(n))?;
        let call = self.log.call(*place);
        let phases = PyDict::new(py);
        for metric in phases_of_a_call() {
            if let Some(time) = metric.of(&call) {
                phases.set_item(metric.as_str(), time.as_millis_f64())?;
            }
        }
        let known = row(py, export::Table::Calls, &Row::Call(&self.log, call))?;
        for metric in phases_of_a_call() {
            known.del_item(format!("{}_ms", metric.as_str()))?;
        }
        known.set_item("phases", phases)?;
        Ok(known)
    }

    /// What is known of an event, by the names of `firstbyte.Event`.
    fn event<'py>(&self, py: Python<'py>, n: usize) -> PyResult<Bound<'py, PyDict>> {
        let moments = self.log.timeline().moments();
        let moment = moments.get(n).ok_or_else(|| PyIndexError::new_err(n))?;
        row(py, export::Table::Events, &Row::Event(&self.log, moment))
    }

    /// The lines, by what became of them.
    fn tally<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let tally = self.log.tally();
        let counts = PyDict::new(py);
        counts.set_item("total", tally.total())?;
        counts.set_item("parsed", tally.parsed)?;
        counts.set_item("unknown", tally.unknown)?;
        counts.set_item("misfits", tally.misfits)?;
        counts.set_item("torn", tally.torn)?;
        counts.set_item("skipped", tally.skipped())?;
        let reasons = PyDict::new(py);
        for reason in Reason::ALL {
            reasons.set_item(reason.as_str(), tally.skipped_by(reason))?;
        }
        counts.set_item("reasons", reasons)?;
        counts.set_item("events_over_limit", self.log.timeline().over_limit())?;
        Ok(counts)
    }

    /// Files of which nothing could be read, and why.
    fn unread(&self) -> Vec<String> {
        self.log.unread().to_vec()
    }

    /// What has to be known before any number is believed.
    fn notices(&self, py: Python<'_>) -> Vec<String> {
        py.detach(|| notices(&self.log))
    }

    /// What `firstbyte diagnose --json` prints of the findings; `rules` is the text of a file of rules.
    #[pyo3(signature = (model, rules=None))]
    fn findings(&self, py: Python<'_>, model: &str, rules: Option<&str>) -> PyResult<String> {
        let rules = Rules::default()
            .extended(rules.unwrap_or_default())
            .map_err(|error| config_error(py, &error.to_string()))?;
        let thresholds = rules.thresholds(model).ok_or_else(|| {
            let sizes: Vec<_> = rules.sizes().collect();
            config_error(py, &format!("model={model:?}: not one of {}", sizes.join(", ")))
        })?;
        Ok(py.detach(|| {
            let findings = diagnose(&self.log, &rules, thresholds).findings;
            let findings = findings.iter().map(firstbyte_analysis::json::finding);
            serde_json::Value::from_iter(findings).to_string()
        }))
    }

    /// What `firstbyte stats --json` prints.
    fn stats(&self, py: Python<'_>, by: Option<&str>) -> PyResult<String> {
        let by = match by {
            None => GroupBy::Nothing,
            Some("op") => GroupBy::Op,
            Some("target") => GroupBy::Target,
            Some(by) => {
                let message = format!("by={by:?}: not one of \"op\", \"target\", None");
                return Err(config_error(py, &message));
            }
        };
        Ok(py.detach(|| {
            let stats = Stats::of(&self.log, by, Window::default());
            firstbyte_analysis::json::stats(&self.log, &stats).to_string()
        }))
    }

    /// One of its tables.
    fn table(&self, py: Python<'_>, name: &str) -> PyResult<Table> {
        let table = match name {
            "calls" => export::Table::Calls,
            "events" => export::Table::Events,
            _ => {
                let message = format!("table={name:?}: not one of \"calls\", \"events\"");
                return Err(config_error(py, &message));
            }
        };
        Ok(Table { log: Arc::clone(&self.log), table })
    }
}

#[pymethods]
impl Table {
    /// The protocol of Arrow's PyCapsules. What the consumer would like instead need not be obeyed.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        drop(requested_schema);
        let batches = Batches::new(Arc::clone(&self.log), self.table);
        let stream = FFI_ArrowArrayStream::new(Box::new(batches));
        PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
    }
}

/// The parts of wall and of wait: `Call.phases`.
fn phases_of_a_call() -> impl Iterator<Item = Metric> {
    Phase::ALL.map(Metric::Phase).into_iter().chain(Server::ALL.map(Metric::Server))
}

/// All columns of a row; durations in milliseconds.
fn row<'py>(py: Python<'py>, table: export::Table, row: &Row<'_>) -> PyResult<Bound<'py, PyDict>> {
    let known = PyDict::new(py);
    for column in table.columns() {
        let value = column.of(row);
        if column.kind == Kind::Micros {
            let name = column.name.strip_suffix("_us").unwrap_or(column.name);
            let micros = match value {
                Some(Value::Int(micros)) => u64::try_from(micros).ok().map(Micros),
                _ => None,
            };
            known.set_item(format!("{name}_ms"), millis(micros))?;
            continue;
        }
        let value = match value {
            Some(Value::Text(text)) => text.into_bound_py_any(py)?,
            Some(Value::Int(int)) => int.into_bound_py_any(py)?,
            Some(Value::Real(real)) => real.into_bound_py_any(py)?,
            _ => py.None().into_bound(py),
        };
        known.set_item(column.name, value)?;
    }
    Ok(known)
}

/// The `OSError` that Python's own `open` would raise; a pattern that is none is the caller's mistake.
fn unreadable(py: Python<'_>, error: &IngestError) -> PyErr {
    use std::io::ErrorKind;
    let errno = std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<std::io::Error>())
        .and_then(std::io::Error::raw_os_error);
    let errno = errno.or(match error.kind() {
        ErrorKind::NotFound => Some(2),
        ErrorKind::IsADirectory => Some(21),
        _ => None,
    });
    let message = error.to_string();
    match errno {
        // Python chooses the class by the number: FileNotFoundError, PermissionError, ...
        Some(errno) => {
            let shown = format!("{}: ", error.path().display());
            let why = message.strip_prefix(&shown).unwrap_or(&message);
            // Python prints the number itself.
            let why = why.strip_suffix(&format!(" (os error {errno})")).unwrap_or(why).to_owned();
            PyOSError::new_err((errno, why, error.path().as_os_str().to_owned()))
        }
        None if error.kind() == ErrorKind::InvalidInput => refused(py)(error),
        None => PyOSError::new_err(message),
    }
}
