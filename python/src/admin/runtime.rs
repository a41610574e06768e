//! The one runtime of this process, with one thread: calls mostly wait.
//!
//! Its place is locked like `process`'s state: briefly, by threads that hold the interpreter.

use std::{
    future::Future,
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use firstbyte_client::SingleFlight;
use pyo3::{exceptions::PyRuntimeError, prelude::*};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};

static CURRENT: Mutex<Option<Arc<Io>>> = Mutex::new(None);

/// What this process remembers of its targets.
static FLIGHTS: Mutex<Option<SingleFlight>> = Mutex::new(None);

/// The runtime, and the calls on it that nobody waits for.
pub(super) struct Io {
    pub(super) runtime: Runtime,
    detached: Arc<Detached>,
}

#[derive(Default)]
struct Detached {
    count: Mutex<usize>,
    ended: Condvar,
}

fn current() -> MutexGuard<'static, Option<Arc<Io>>> {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What all clients of this process remember of their targets. Its own lock may be held by the runtime's
/// thread at a fork: so a child has another one.
pub(super) fn flights() -> SingleFlight {
    made_flights().get_or_insert_with(SingleFlight::new).clone()
}

/// Clients that are made from now on know nothing of what was before: for tests, whose servers use ports again.
#[pyfunction]
pub(crate) fn forget_targets() {
    *made_flights() = None;
}

fn made_flights() -> MutexGuard<'static, Option<SingleFlight>> {
    FLIGHTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The runtime, started if this is its first use in this process.
pub(super) fn get() -> PyResult<Arc<Io>> {
    let mut current = current();
    if let Some(io) = &*current {
        return Ok(Arc::clone(io));
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("firstbyte-io")
        .enable_all()
        .build()
        .map_err(|error| {
            PyRuntimeError::new_err(format!("firstbyte cannot start its IO thread: {error}"))
        })?;
    Ok(Arc::clone(current.insert(Arc::new(Io { runtime, detached: Arc::default() }))))
}

impl Io {
    /// Runs a future that the end of the interpreter waits for, a moment, whether or not anybody else does.
    pub(super) fn detach(&self, future: impl Future + Send + 'static) -> JoinHandle<()> {
        let detached = Arc::clone(&self.detached);
        *detached.count() += 1;
        self.runtime.spawn(async move {
            future.await;
            *detached.count() -= 1;
            detached.ended.notify_all();
        })
    }
}

impl Detached {
    fn count(&self) -> MutexGuard<'_, usize> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for detached calls, at most `patience`: a server must not stay paused because its orchestrator ended.
/// Then drops the calls on their way, each of which records its end, which takes at most `timeout`.
pub(crate) fn stop(patience: Duration, timeout: Duration) {
    let Some(io) = current().take() else { return };
    let count = io.detached.count();
    drop(io.detached.ended.wait_timeout_while(count, patience, |count| *count > 0));
    // Somebody who is blocked in a call of its own keeps it: the process ends around them.
    if let Some(io) = Arc::into_inner(io) {
        io.runtime.shutdown_timeout(timeout);
    }
}

/// The child of a fork: its parent's threads do not exist here.
pub(crate) fn forget() {
    mem::forget(current().take());
    mem::forget(made_flights().take());
}
