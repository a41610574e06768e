//! The one recorder of this process.
//!
//! `STATE` is locked by threads that hold the interpreter, which they do not give up before it is free
//! again: no Python code runs under the lock. So nobody else can hold it at a fork, and a child may use it.

use std::{
    ffi::OsString,
    io, mem,
    path::{self, Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use firstbyte_core::{Clock, Event, Recorder};
use pyo3::prelude::*;

use crate::{
    convert::{config_error, refused, seconds},
    fuse,
    logger::{LoggingFeed, handover},
};

static STATE: Mutex<State> = Mutex::new(State {
    recorder: None,
    settings: None,
    environment: None,
    hooked: false,
    unusable: false,
});

/// Grows with every fork that this process is a child of.
static GENERATION: AtomicU64 = AtomicU64::new(0);

struct State {
    recorder: Option<Recorder>,
    /// `None` as long as the environment decides.
    settings: Option<Settings>,
    /// What the environment said when a recorder was made of it.
    environment: Option<Environment>,
    /// The interpreter will tell us of forks and of its end.
    hooked: bool,
    /// The environment's settings cannot work; that was said once.
    unusable: bool,
}

/// Where lines go. Without a file or `stderr` they go to `logging`.
#[derive(Clone, Debug, Default)]
struct Settings {
    log: Option<PathBuf>,
    json: Option<PathBuf>,
    stderr: bool,
    logging: bool,
    capacity: Option<usize>,
    flush_interval: Option<Duration>,
}

impl Settings {
    /// `log` may be the word `stderr` or `logging` instead of a path.
    ///
    /// Paths are those of the present folder from now on: a child of a fork may be in another one.
    fn new(log: Option<PathBuf>, json: Option<PathBuf>) -> Self {
        let is = |word: &str| log.as_ref().is_some_and(|log| log.as_os_str() == word);
        let (stderr, to_logging) = (is("stderr"), is("logging"));
        let logging = to_logging || (log.is_none() && json.is_none());
        let log = log.filter(|_| !stderr && !to_logging).map(absolute);
        Self { log, json: json.map(absolute), stderr, logging, ..Self::default() }
    }

    /// The message says what cannot work.
    fn build(&self) -> Result<Made, String> {
        if let (Some(log), Some(json)) = (&self.log, &self.json)
            && is_same_file(log, json)
        {
            return Err(format!("log and json are the same file, {}", log.display()));
        }
        let mut builder = Recorder::builder();
        let mut logging = None;
        if let Some(path) = &self.log {
            builder = builder.text_file(path);
        }
        if let Some(path) = &self.json {
            builder = builder.json_file(path);
        }
        if self.stderr {
            builder = builder.stderr();
        }
        if self.logging {
            let (sink, feed) = handover();
            builder = builder.sink(sink);
            logging = Some(feed);
        }
        if let Some(capacity) = self.capacity {
            builder = builder.capacity(capacity);
        }
        if let Some(interval) = self.flush_interval {
            builder = builder.flush_interval(interval);
        }
        let recorder = builder.build().map_err(|error| error.to_string())?;
        Ok(Made { recorder, logging })
    }
}

/// What the environment says, and what that means in the folder in which it was first looked at.
#[derive(Clone, Debug)]
struct Environment {
    said: [Option<OsString>; 2],
    settings: Settings,
}

impl Environment {
    /// What was `known` if it says the same still.
    fn read(known: Option<&Self>) -> Self {
        let said = ["FIRSTBYTE_LOG", "FIRSTBYTE_JSON"]
            .map(|name| std::env::var_os(name).filter(|value| !value.is_empty()));
        if let Some(known) = known.filter(|known| known.said == said) {
            return known.clone();
        }
        let [log, json] = said.clone().map(|path| path.map(PathBuf::from));
        Self { said, settings: Settings::new(log, json) }
    }
}

/// Without a folder to be relative to it stays as it is, and is refused where it is opened.
fn absolute(path: PathBuf) -> PathBuf {
    path::absolute(&path).unwrap_or(path)
}

/// Whether two paths name one file, which need not be there yet.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let same = |name: fn(&Path) -> io::Result<PathBuf>| matches!((name(one), name(other)), (Ok(one), Ok(other)) if one == other);
    same(|path| path::absolute(path)) || same(|path| path.canonicalize())
}

/// A recorder, and what a thread of Python's has to feed its logger from.
struct Made {
    recorder: Recorder,
    logging: Option<LoggingFeed>,
}

/// Has the interpreter tell us of forks and of its end. That is done before there is a recorder: a child of a fork in
/// between would take its parent's for its own, and that one's thread does not exist there. Two threads at once may do it
/// twice, which does no harm.
fn hook(py: Python<'_>) {
    if state().hooked {
        return;
    }
    report(py, py.import("firstbyte._process").and_then(|m| m.call_method0("hook")));
    state().hooked = true;
}

/// Starts the thread that logs, if there is something for it. Not under `STATE`.
fn start_logging(py: Python<'_>, feed: Option<LoggingFeed>) {
    if let Some(feed) = feed {
        report(py, py.import("firstbyte._logging").and_then(|m| m.call_method1("start", (feed,))));
    }
}

fn report(py: Python<'_>, done: PyResult<Bound<'_, PyAny>>) {
    if let Err(error) = done {
        warn(py, &error);
    }
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which process this is, in a line of forks: what was made by another one must not be used.
#[pyfunction]
pub(crate) fn generation() -> u64 {
    GENERATION.load(Relaxed)
}

/// Records an event. Never fails: where nothing can be recorded it is dropped, after one warning.
#[inline]
pub(crate) fn record_event(py: Python<'_>, event: &Event) {
    fuse::shielded(|| {
        if let Some(recorder) = &state().recorder {
            recorder.record(event);
            return;
        }
        recorder(py).record(event);
    });
}

/// The recorder, made now if this is its first use. A disabled one if it cannot be made.
pub(crate) fn recorder(py: Python<'_>) -> Recorder {
    match try_recorder(py) {
        Ok(recorder) => recorder,
        Err(error) => {
            if !mem::replace(&mut state().unusable, true) {
                warn(py, &error);
            }
            Recorder::disabled()
        }
    }
}

/// The recorder, made now if this is its first use.
///
/// # Errors
///
/// `firstbyte.ConfigError` if the environment's settings cannot work.
pub(crate) fn try_recorder(py: Python<'_>) -> PyResult<Recorder> {
    if let Some(recorder) = made() {
        return Ok(recorder);
    }
    hook(py);
    let (recorder, logging) = {
        let mut state = state();
        if let Some(recorder) = &state.recorder {
            return Ok(recorder.clone());
        }
        let environment = Environment::read(state.environment.as_ref());
        match state.settings.as_ref().unwrap_or(&environment.settings).build() {
            Ok(Made { recorder, logging }) => {
                state.environment = Some(environment);
                state.recorder = Some(recorder.clone());
                (Ok(recorder), logging)
            }
            Err(error) => (Err(error), None),
        }
    };
    start_logging(py, logging);
    recorder.map_err(refused(py))
}

/// The recorder, if there is one already.
pub(crate) fn made() -> Option<Recorder> {
    state().recorder.clone()
}

/// The child of a fork: the recorder's thread does not exist here, so that it is left alone, never shut down.
pub(crate) fn forget() {
    GENERATION.fetch_add(1, Relaxed);
    mem::forget(state().recorder.take());
}

/// Makes the recorder now if there is none: what cannot work is said where something is set up.
#[pyfunction]
pub(crate) fn prepare(py: Python<'_>) -> PyResult<()> {
    crate::routes::table(py)?;
    try_recorder(py).map(drop)
}

fn warn(py: Python<'_>, error: &PyErr) {
    let message = format!("firstbyte records nothing: {error}");
    let warned =
        py.import("warnings").and_then(|warnings| warnings.call_method1("warn", (message,)));
    // Warnings may have been made errors; the host is to go on all the same.
    drop(warned);
}

/// Says where lines go from now on. Without `log` and `json` they go to the logger `firstbyte`.
#[pyfunction]
#[pyo3(signature = (*, log=None, json=None, capacity=None, flush_interval=None))]
pub(crate) fn configure(
    py: Python<'_>,
    log: Option<PathBuf>,
    json: Option<PathBuf>,
    capacity: Option<Bound<'_, PyAny>>,
    flush_interval: Option<f64>,
) -> PyResult<()> {
    let flush_interval = flush_interval.map(|value| seconds(py, "flush_interval", value));
    let flush_interval = flush_interval.transpose()?;
    let capacity = capacity.map(|value| {
        let refused =
            |error: PyErr| config_error(py, &format!("capacity={value}: {}", error.value(py)));
        value.extract().map_err(refused)
    });
    let capacity = capacity.transpose()?;
    let settings = Settings { capacity, flush_interval, ..Settings::new(log, json) };
    let Made { recorder, logging } = settings.build().map_err(refused(py))?;
    hook(py);
    let old = {
        let mut state = state();
        state.settings = Some(settings);
        state.unusable = false;
        state.recorder.replace(recorder)
    };
    start_logging(py, logging);
    if let Some(old) = old {
        py.detach(|| old.shutdown(Duration::from_secs(1)));
    }
    Ok(())
}

/// Waits until everything recorded so far is written, at most `timeout` seconds. Whether it was.
#[pyfunction]
#[pyo3(signature = (timeout=1.0))]
pub(crate) fn flush(py: Python<'_>, timeout: f64) -> PyResult<bool> {
    settle(py, timeout, Recorder::flush)
}

/// A flush for a process that may end now without `shutdown`: `process.end` is written, too.
#[pyfunction]
pub(crate) fn checkpoint(py: Python<'_>, timeout: f64) -> PyResult<bool> {
    settle(py, timeout, Recorder::checkpoint)
}

fn settle(py: Python<'_>, timeout: f64, how: fn(&Recorder, Duration) -> bool) -> PyResult<bool> {
    let timeout = seconds(py, "timeout", timeout)?;
    let recorder = state().recorder.clone();
    Ok(recorder.is_none_or(|recorder| py.detach(|| how(&recorder, timeout))))
}

/// The present moment of the clock that every event is stamped with: `CLOCK_MONOTONIC` in nanoseconds.
#[pyfunction]
pub(crate) fn now_ns() -> u64 {
    Clock::system().now().as_nanos()
}
