//! Lines for Python's `logging`, by way of a thread that Python owns.
//!
//! Handlers are other people's code, may take their time, and may be in the middle of something when the
//! interpreter ends. It ends such threads by unwinding them, which Rust frames do not survive: so that there
//! are none below a handler, the writer thread hands its batch to a thread of Python's and waits.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use firstbyte_core::{
    Process,
    recorder::{Entry, Sink, WriteError},
    text,
};
use pyo3::prelude::*;

/// The writer's end.
#[derive(Debug)]
pub(crate) struct LoggingSink(Arc<Handover>);

/// The end of Python's thread.
#[pyclass(frozen, module = "firstbyte._firstbyte")]
#[derive(Debug)]
pub(crate) struct LoggingFeed(Arc<Handover>);

#[derive(Debug, Default)]
struct Handover {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Option<Vec<String>>,
    /// How many of the last batch were logged.
    logged: Option<usize>,
    /// One of the ends is gone.
    over: bool,
}

/// Both ends.
pub(crate) fn handover() -> (LoggingSink, LoggingFeed) {
    let handover = Arc::<Handover>::default();
    (LoggingSink(Arc::clone(&handover)), LoggingFeed(handover))
}

impl Sink for LoggingSink {
    fn write(&mut self, batch: &[Entry], _: &Process) -> Result<(), WriteError> {
        let mut state = self.0.state();
        state.lines = Some(batch.iter().map(|entry| text::to_string(&entry.event)).collect());
        self.0.changed.notify_all();
        let mut state = self.0.wait(state, |state| state.logged.is_none() && !state.over);
        match state.logged.take() {
            Some(logged) if logged == batch.len() => Ok(()),
            logged => {
                let source = io::Error::other("the logger did not take it");
                Err(WriteError { written: logged.unwrap_or(0), source })
            }
        }
    }
}

impl Drop for LoggingSink {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[pymethods]
impl LoggingFeed {
    /// Waits for the next lines; `None` when there will be no more. `logged` is how many of the last were.
    #[pyo3(signature = (logged=None))]
    fn take(&self, py: Python<'_>, logged: Option<usize>) -> Option<Vec<String>> {
        py.detach(|| {
            let mut state = self.0.state();
            if logged.is_some() {
                state.logged = logged;
                self.0.changed.notify_all();
            }
            let mut state = self.0.wait(state, |state| state.lines.is_none() && !state.over);
            state.lines.take()
        })
    }
}

impl Drop for LoggingFeed {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Handover {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        more: impl FnMut(&mut State) -> bool,
    ) -> MutexGuard<'a, State> {
        self.changed.wait_while(state, more).unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        self.state().over = true;
        self.changed.notify_all();
    }
}
