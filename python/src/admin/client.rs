//! Calls: blocking ones with the interpreter given back, and ones that a mailbox gets the end of.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{RecvTimeoutError, sync_channel},
    },
    time::Duration,
};

use bytes::Bytes;
use firstbyte_client::{AdminClient, AdminRequest, OperationClass};
use firstbyte_core::{Clock, Timestamp};
use pyo3::{prelude::*, types::PyDict};
use tokio::task::{AbortHandle, JoinHandle};

use super::{
    error::{cut_off, to_err},
    mailbox::{Expected, Mailbox, News},
    options::{Arguments, Options},
    question::{Answer, Asks, Question, probed},
    response::NativeResponse,
    runtime,
};
use crate::{
    convert::{arguments, config_error, refused, seconds, trace_id},
    process,
};

/// How long a call that lost its runtime waits for the end of the interpreter before it raises.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How often a blocking call looks for Ctrl-C.
const SIGNALS: Duration = Duration::from_millis(50);

/// An admin client. A child of a fork makes its own of the same options, with connections of its own.
#[pyclass(frozen, module = "firstbyte._firstbyte")]
pub(crate) struct NativeClient {
    options: Options,
    made: Mutex<(u64, AdminClient)>,
}

/// A call on its way, to be given up; a resume is not.
#[pyclass(frozen, module = "firstbyte._firstbyte")]
pub(crate) struct PendingCall(Option<AbortHandle>);

#[pymethods]
impl PendingCall {
    /// Gives the call up: its connection is closed. Without an effect once it has ended.
    fn cancel(&self) {
        if let Some(call) = &self.0 {
            call.abort();
        }
    }
}

/// The arguments of one call.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(super) struct Call {
    method: String,
    path: String,
    pub(super) body: Option<Vec<u8>>,
    headers: Vec<(String, String)>,
    operation_class: Option<String>,
    allow_overlap: bool,
    /// It begins whatever is in flight, and goes on without whoever waits for it: given up before it was
    /// sent, it would leave the server paused.
    #[pyo3(item("resume"))]
    pub(super) is_resume: bool,
    /// A probe can tell whether it happened.
    #[pyo3(item("probe"))]
    is_probed: bool,
    step: Option<i64>,
    timeout: Option<f64>,
    pub(super) trace_id: Option<String>,
}

#[pymethods]
impl NativeClient {
    #[new]
    fn new(py: Python<'_>, options: &Bound<'_, PyDict>) -> PyResult<Self> {
        let options = Options::new(py, arguments::<Arguments>(options)?)?;
        let recorder = process::try_recorder(py)?;
        let client = options.build(recorder).map_err(|error| to_err(py, &error))?;
        Ok(Self { options, made: Mutex::new((process::generation(), client)) })
    }

    /// Makes a call and waits for its end, without holding the interpreter. If its outcome is unknown, `probe` is
    /// called with the question.
    #[pyo3(signature = (call, probe=None))]
    fn call(
        &self,
        py: Python<'_>,
        call: &Bound<'_, PyDict>,
        probe: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<NativeResponse> {
        let call: Call = arguments(call)?;
        let (is_resume, is_probed) = (call.is_resume, call.is_probed);
        let request = self.request(py, call)?;
        let result = wait(py, is_resume, probe, |asks| {
            let request = if is_probed { probed(request, asks) } else { request };
            request.send()
        })?;
        Ok(NativeResponse::new(result.map_err(|error| to_err(py, &error))?))
    }

    /// Begins a call; its end goes to `mailbox`, with this number.
    fn start(
        &self,
        py: Python<'_>,
        call: &Bound<'_, PyDict>,
        mailbox: &Mailbox,
        number: u64,
    ) -> PyResult<PendingCall> {
        let call: Call = arguments(call)?;
        let (is_resume, is_probed) = (call.is_resume, call.is_probed);
        let mut request = self.request(py, call)?;
        let address = mailbox.address();
        let expected = address.expect(number);
        if is_probed {
            let asks = move |answer| address.put(number, Some(News::Asks(answer)));
            request = probed(request, Arc::new(asks));
        }
        begin(is_resume, expected, async move { News::Ended(request.send().await) })
    }

    /// Raises what the call would raise before anything is sent.
    fn check(&self, py: Python<'_>, call: &Bound<'_, PyDict>) -> PyResult<()> {
        let request = self.request(py, arguments(call)?)?;
        request.check().map_err(|error| to_err(py, &error))
    }

    /// Begins a call that nobody waits for. The end of the interpreter waits for it a moment.
    fn detach(&self, py: Python<'_>, call: &Bound<'_, PyDict>) -> PyResult<()> {
        let request = self.request(py, arguments(call)?)?;
        runtime::get()?.detach(request.send());
        Ok(())
    }

    /// Host and port of the server, and the path of the base URL if it has one.
    #[getter]
    fn target(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.client(py)?.target().to_owned())
    }

    /// The id of the call whose outcome is unknown, if there is one.
    #[getter]
    fn unknown(&self, py: Python<'_>) -> PyResult<Option<String>> {
        Ok(self.client(py)?.unknown().map(|id| id.to_string()))
    }

    fn forget_unknown(&self, py: Python<'_>) -> PyResult<()> {
        self.client(py)?.forget_unknown();
        Ok(())
    }

    /// The attempts that are on their way, the oldest first, and where each of them is.
    fn in_flight<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let calls = self.client(py)?.in_flight();
        let calls = calls.iter().map(|call| {
            let dict = PyDict::new(py);
            dict.set_item("trace_id", call.trace_id.map(|id| id.to_string()))?;
            dict.set_item("operation", &call.operation)?;
            dict.set_item("attempt", call.attempt)?;
            dict.set_item("phase", call.phase.as_str())?;
            dict.set_item("state", call.state.as_str())?;
            dict.set_item("elapsed_ms", call.elapsed.as_millis_f64())?;
            dict.set_item("sent_bytes", call.sent_bytes)?;
            dict.set_item("unacked_bytes", call.unacked_bytes)?;
            Ok(dict)
        });
        calls.collect()
    }
}

impl NativeClient {
    /// The client of this process.
    pub(super) fn client(&self, py: Python<'_>) -> PyResult<AdminClient> {
        let generation = process::generation();
        {
            let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            if made.0 == generation {
                return Ok(made.1.clone());
            }
        }
        let client = self.options.build(process::try_recorder(py)?);
        let client = client.map_err(|error| to_err(py, &error))?;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        // The parent's connections are not ours to close.
        std::mem::forget(std::mem::replace(&mut *made, (generation, client.clone())));
        Ok(client)
    }

    /// The request of a call that somebody waits for, who tells when his code goes on.
    fn request(&self, py: Python<'_>, mut call: Call) -> PyResult<AdminRequest> {
        let started = Clock::system().now();
        let body = call.body.take().map(Bytes::from);
        Ok(self.request_of(py, &call, body, started)?.hold_done())
    }

    pub(super) fn request_of(
        &self,
        py: Python<'_>,
        call: &Call,
        body: Option<Bytes>,
        started: Timestamp,
    ) -> PyResult<AdminRequest> {
        let method = call.method.to_ascii_uppercase().parse().map_err(refused(py))?;
        let mut request = self.client(py)?.request(method, &*call.path).started_at(started);
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        if let Some(class) = &call.operation_class {
            request = request.operation_class(class_of(class).ok_or_else(|| {
                config_error(py, "operation_class must be 'idempotent' or 'non_idempotent'")
            })?);
        }
        if call.allow_overlap {
            request = request.allow_overlap();
        }
        if call.is_resume {
            request = request.bypass_overlap();
        }
        if let Some(step) = call.step {
            request = request.step(step);
        }
        if let Some(timeout) = call.timeout {
            let timeout = seconds(py, "timeout", timeout)?;
            if timeout.is_zero() {
                return Err(config_error(py, "timeout=0: must be more than zero"));
            }
            request = request.timeout(timeout);
        }
        if let Some(id) = trace_id(py, call.trace_id.as_deref())? {
            request = request.trace_id(id);
        }
        Ok(request)
    }
}

/// What comes to the thread that waits for a call.
enum Told<T> {
    Ended(T),
    /// The outcome is unknown.
    Asks(Answer),
}

/// Runs a call and waits for its end without holding the interpreter; its question goes to `probe`. Ctrl-C gives it up,
/// unless it is kept, and so does an exception of the probe.
pub(super) fn wait<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    py: Python<'_>,
    is_kept: bool,
    probe: Option<&Bound<'_, PyAny>>,
    call: impl FnOnce(Asks) -> F,
) -> PyResult<T> {
    let (sender, mut receiver) = sync_channel(1);
    let asking = sender.clone();
    let call = call(Arc::new(move |answer| _ = asking.send(Told::Asks(answer))));
    // Nothing of the runtime is held here: the end of the interpreter has to be able to stop it.
    let task = spawn(is_kept, async move {
        _ = sender.send(Told::Ended(call.await));
    })?;
    loop {
        let received = py.detach(|| {
            let received = receiver.recv_timeout(SIGNALS);
            (receiver, received)
        });
        receiver = received.0;
        let looked = match received.1 {
            Ok(Told::Ended(result)) => return Ok(result),
            Ok(Told::Asks(answer)) => match probe {
                Some(probe) => probe.call1((Question::new(answer),)).map(drop),
                None => Ok(()),
            },
            Err(RecvTimeoutError::Timeout) => py.check_signals(),
            Err(RecvTimeoutError::Disconnected) => {
                // Mostly the interpreter is about to end, and this thread with it: no traceback, then.
                py.detach(|| std::thread::park_timeout(LAST_WORDS));
                return Err(PyErr::from_value(cut_off(py)?));
            }
        };
        if let Err(interrupt) = looked {
            if !is_kept {
                task.abort();
            }
            return Err(interrupt);
        }
    }
}

/// Runs a call whose end goes to a mailbox.
pub(super) fn begin(
    is_kept: bool,
    expected: Expected,
    call: impl Future<Output = News> + Send + 'static,
) -> PyResult<PendingCall> {
    let task = spawn(is_kept, async move { expected.put(call.await) })?;
    Ok(PendingCall((!is_kept).then(|| task.abort_handle())))
}

/// Runs a call; the end of the interpreter waits for one that is kept.
fn spawn(
    is_kept: bool,
    call: impl Future<Output = ()> + Send + 'static,
) -> PyResult<JoinHandle<()>> {
    let io = runtime::get()?;
    Ok(if is_kept { io.detach(call) } else { io.runtime.spawn(call) })
}

fn class_of(name: &str) -> Option<OperationClass> {
    match name {
        "idempotent" => Some(OperationClass::Idempotent),
        "non_idempotent" => Some(OperationClass::NonIdempotent),
        _ => None,
    }
}
