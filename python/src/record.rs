//! Records of the schema, filled in by Python.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use firstbyte_core::{
    Clock, Event, Micros, Tag, Timestamp, TraceId, Value, field, record as records,
    schema::{FieldId, Record, Unit},
};
use pyo3::{
    exceptions::PyValueError,
    prelude::*,
    types::{PyDict, PyString},
};

use crate::{
    asgi::ServerCall,
    convert::trace_id,
    open::{Ends, Open},
    process::{self, record_event},
};

/// Records one line: `[tag][trace_id] name key=value ...`.
///
/// Fields that are `None`, or no value of their type, are left out: unknown is absent.
#[pyfunction]
#[pyo3(signature = (tag, name, fields, trace_id=None))]
pub(crate) fn record(
    py: Python<'_>,
    tag: &str,
    name: Option<&str>,
    fields: &Bound<'_, PyDict>,
    trace_id: Option<&str>,
) -> PyResult<()> {
    let schema = Record::find(tag, name)
        .ok_or_else(|| PyValueError::new_err(format!("there is no record [{tag}] {name:?}")))?;
    let mut event = Event::new(schema, Clock::system().now());
    if tag == Tag::Admin.as_str() {
        event = event.tag(Tag::Admin);
    }
    if let Some(id) = trace_id.and_then(|id| id.parse().ok()) {
        event = event.trace_id(id);
    }
    for (key, value) in fields.iter() {
        let key: String = key.extract()?;
        let field = FieldId::from_key(&key)
            .ok_or_else(|| PyValueError::new_err(format!("there is no field {key}")))?;
        if !value.is_none() {
            set(&mut event, field, &value);
        }
    }
    record_event(py, &event);
    Ok(())
}

/// Sets a value that Python gave, if it is one.
fn set(event: &mut Event, field: FieldId, value: &Bound<'_, PyAny>) -> bool {
    match field.info().unit {
        Unit::Millis => value
            .extract()
            .ok()
            .and_then(Micros::from_millis_f64)
            .is_some_and(|duration| event.set_value(field, Value::Millis(duration))),
        // NumPy's integers and floats come as what they say they are.
        Unit::Count => value.extract().is_ok_and(|n| event.set_value(field, Value::Count(n))),
        Unit::Real => value.extract().is_ok_and(|real| event.set_value(field, Value::Real(real))),
        Unit::Text => value.str().is_ok_and(|text: Bound<'_, PyString>| {
            event.set_value(field, Value::Text(&text.to_string_lossy()))
        }),
        _ => false,
    }
}

/// A random id: 16 hexadecimal digits.
#[pyfunction]
pub(crate) fn new_trace_id() -> String {
    TraceId::random().to_string()
}

/// A piece of the engine's work, from `rpc.start` to exactly one `rpc.done`, also if nobody ends it.
#[pyclass(frozen, module = "firstbyte._firstbyte")]
pub(crate) struct RpcTimer(Open<Work>);

struct Work {
    call: Option<Py<ServerCall>>,
    id: Option<TraceId>,
    operation: String,
    started: Timestamp,
    generation: u64,
    ended: AtomicBool,
}

#[pymethods]
impl RpcTimer {
    /// Records `rpc.start`, now. Of `call`, or else of the call with this id, or of none.
    #[new]
    #[pyo3(signature = (operation, call=None, trace_id=None))]
    fn new(
        py: Python<'_>,
        operation: String,
        call: Option<Py<ServerCall>>,
        trace_id: Option<&str>,
    ) -> PyResult<Self> {
        let id = match &call {
            Some(call) => Some(call.get().id()),
            None => self::trace_id(py, trace_id)?,
        };
        let started = Clock::system().now();
        let generation = process::generation();
        let ended = AtomicBool::new(false);
        let work = Open::new(Work { call, id, operation, started, generation, ended });
        if let Some(call) = &work.call {
            call.get().rpc_started(started);
        }
        record_event(py, &work.event(&records::RPC_START, started));
        Ok(Self(work))
    }

    /// Records `rpc.done` and returns the milliseconds since `rpc.start`; `None` if that was done before.
    #[pyo3(signature = (error=None, call_id=None))]
    fn done(&self, py: Python<'_>, error: Option<&str>, call_id: Option<&str>) -> Option<f64> {
        self.0.end(py, error, call_id)
    }

    /// The id of the call that the work is done for.
    #[getter]
    fn trace_id(&self) -> Option<String> {
        self.0.id.map(|id| id.to_string())
    }
}

impl Work {
    fn end(&self, py: Python<'_>, error: Option<&str>, call_id: Option<&str>) -> Option<f64> {
        if self.ended.swap(true, Relaxed) {
            return None;
        }
        let at = Clock::system().now();
        let rpc = match &self.call {
            Some(call) => call.get().rpc_ended(self.started, at),
            None => at.since(self.started).into(),
        };
        let event = self.event(&records::RPC_DONE, at).with(field::RPC, rpc);
        let event = event.with_known(field::ERROR, error).with_known(field::CALL_ID, call_id);
        // The parent of a fork ends its own timers.
        if self.generation == process::generation() {
            record_event(py, &event);
        }
        Some(rpc.as_millis_f64())
    }

    fn event(&self, record: &'static Record, at: Timestamp) -> Event {
        let mut event = Event::new(record, at).with(field::OP, &self.operation);
        if let Some(call) = &self.call {
            event = event.tag(call.get().tag());
        }
        match self.id {
            Some(id) => event.trace_id(id),
            None => event,
        }
    }
}

impl Ends for Work {
    fn cut_off(&self, py: Python<'_>) {
        self.end(py, Some("cancelled"), None);
    }

    fn is_of(&self, app: usize, since: Timestamp) -> bool {
        self.call.as_ref().is_some_and(|call| call.get().is_of(app, since))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if !self.ended.load(Relaxed) {
            Python::try_attach(|py| self.end(py, Some("dropped"), None));
        }
    }
}
