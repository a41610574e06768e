//! A part of ours that fails must not take its host along, and must not fail for ever.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use firstbyte_core::Clock;
use pyo3::prelude::*;

/// So many failures within [`WINDOW`] blow it.
const FAILURES: u64 = 10;
/// Sixty seconds, in nanoseconds.
const WINDOW: u64 = 60_000_000_000;

/// All failures of this process, for the accounting.
static FAILED: AtomicU64 = AtomicU64::new(0);

/// Runs parts of ours; once it is blown, its owner lets everything pass.
#[pyclass(frozen, module = "firstbyte._firstbyte")]
#[derive(Debug, Default)]
pub(crate) struct Fuse {
    blown: AtomicBool,
    since: AtomicU64,
    failures: AtomicU64,
}

#[pymethods]
impl Fuse {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Whether no further part is to be run.
    #[inline]
    #[getter]
    pub(crate) fn is_blown(&self) -> bool {
        self.blown.load(Relaxed)
    }

    /// A part failed: it is counted, and may blow the fuse.
    #[cold]
    pub(crate) fn failed(&self) {
        FAILED.fetch_add(1, Relaxed);
        let now = Clock::system().now().as_nanos();
        if now.saturating_sub(self.since.load(Relaxed)) > WINDOW {
            self.since.store(now, Relaxed);
            self.failures.store(0, Relaxed);
        }
        if self.failures.fetch_add(1, Relaxed) + 1 >= FAILURES {
            self.blown.store(true, Relaxed);
        }
    }
}

impl Fuse {
    /// The result, or `None` after a panic or an exception, which are counted and go no further.
    #[inline]
    pub(crate) fn run<R>(&self, part: impl FnOnce() -> PyResult<R>) -> Option<R> {
        match catch_unwind(AssertUnwindSafe(part)) {
            Ok(Ok(result)) => Some(result),
            _ => {
                self.failed();
                None
            }
        }
    }
}

/// Runs a part that returns nothing and cannot fail: if it panics all the same, that is counted.
#[inline]
pub(crate) fn shielded(part: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(part)).is_err() {
        FAILED.fetch_add(1, Relaxed);
    }
}

/// How many parts have failed in this process.
pub(crate) fn failed() -> u64 {
    FAILED.load(Relaxed)
}
