//! The same call to many servers at once: its times are taken where the calls run.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use firstbyte_client::{AdminFleet, FanOut};
use firstbyte_core::{Clock, TraceId};
use pyo3::{prelude::*, types::PyDict};

use super::{
    client::{Call, NativeClient, PendingCall, begin, wait},
    error::to_err,
    mailbox::{Mailbox, News},
    response, runtime,
};
use crate::convert::arguments;

/// The id that all calls share, and what became of them.
pub(super) type Ended = (String, FanOut);

/// Clients of different servers.
#[pyclass(frozen, module = "firstbyte._firstbyte")]
pub(crate) struct NativeFleet {
    clients: Vec<Py<NativeClient>>,
}

#[pymethods]
impl NativeFleet {
    #[new]
    fn new(py: Python<'_>, clients: Vec<Py<NativeClient>>) -> PyResult<Self> {
        let fleet = Self { clients };
        fleet.of_this_process(py)?;
        Ok(fleet)
    }

    /// Makes a call on every server and waits for all of them, without holding the interpreter.
    fn call<'py>(&self, py: Python<'py>, call: &Bound<'_, PyDict>) -> PyResult<Bound<'py, PyAny>> {
        let call: Call = arguments(call)?;
        let is_resume = call.is_resume;
        let fan_out = self.fan_out(py, call)?;
        let fan_out = wait(py, is_resume, None, |_| fan_out)?;
        to_object(py, fan_out)
    }

    /// Begins a call on every server; their end goes to `mailbox`, with this number.
    fn start(
        &self,
        py: Python<'_>,
        call: &Bound<'_, PyDict>,
        mailbox: &Mailbox,
        number: u64,
    ) -> PyResult<PendingCall> {
        let call: Call = arguments(call)?;
        let is_resume = call.is_resume;
        let ended = self.fan_out(py, call)?;
        let expected = mailbox.address().expect(number);
        begin(is_resume, expected, async move { News::AllEnded(ended.await) })
    }

    /// Begins calls that nobody waits for. The end of the interpreter waits for them a moment.
    fn detach(&self, py: Python<'_>, call: &Bound<'_, PyDict>) -> PyResult<()> {
        let ended = self.fan_out(py, arguments(call)?)?;
        runtime::get()?.detach(ended);
        Ok(())
    }
}

impl NativeFleet {
    /// A child of a fork has clients of its own.
    fn of_this_process(&self, py: Python<'_>) -> PyResult<AdminFleet> {
        let clients = self.clients.iter().map(|client| client.get().client(py));
        let clients = clients.collect::<PyResult<Vec<_>>>()?;
        AdminFleet::new(clients).map_err(|error| to_err(py, &error))
    }

    /// The calls share one id: that of the caller, or a new one. Their ends are recorded when they come, not when all are
    /// there: whoever reads the lines sees which one is still awaited.
    fn fan_out(
        &self,
        py: Python<'_>,
        mut call: Call,
    ) -> PyResult<impl Future<Output = Ended> + Send + use<>> {
        let start = Clock::system().now();
        let id = call.trace_id.get_or_insert_with(|| TraceId::random().to_string()).clone();
        let body = call.body.take().map(Bytes::from);
        let requests = self.clients.iter().map(|client| {
            let request = client.get().request_of(py, &call, body.clone(), start)?;
            request.check().map_err(|error| to_err(py, &error))?;
            Ok(request)
        });
        let requests = requests.collect::<PyResult<Vec<_>>>()?;
        let fleet = self.of_this_process(py)?;
        // Asked for in the order of the clients.
        let requests = Mutex::new(requests.into_iter());
        let next = move || requests.lock().unwrap_or_else(PoisonError::into_inner).next();
        let send = move |_| next().expect("as many requests as clients").send();
        Ok(async move { (id, fleet.each_since(start, send).await) })
    }
}

/// `(trace_id, wall_ms, [(target, outcome, response or exception, wall_ms, waited_ms), ...])`, in the order of the clients.
pub(super) fn to_object(py: Python<'_>, (id, fan_out): Ended) -> PyResult<Bound<'_, PyAny>> {
    let targets = fan_out.targets.into_iter().map(|target| {
        let result = response::to_object(py, target.result)?;
        let (wall, waited) = (target.wall.as_millis_f64(), target.waited.as_millis_f64());
        Ok((target.target, target.outcome.as_str(), result, wall, waited))
    });
    let targets = targets.collect::<PyResult<Vec<_>>>()?;
    Ok((id, fan_out.wall.as_millis_f64(), targets).into_pyobject(py)?.into_any())
}
