//! What has begun and has to end: the end of the process ends it, if nobody else has.

use std::{
    collections::BTreeMap,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use firstbyte_core::Timestamp;
use pyo3::prelude::*;

/// Locked like `process`'s state: briefly, by threads that hold the interpreter.
static OPEN: Mutex<Registry> = Mutex::new(Registry { next: 0, parts: BTreeMap::new() });

struct Registry {
    next: u64,
    /// In the order in which they began.
    parts: BTreeMap<u64, Weak<dyn Ends>>,
}

fn registry() -> MutexGuard<'static, Registry> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something that has one terminal event.
pub(crate) trait Ends: Send + Sync {
    /// Records its end as that of something cancelled, unless it has one.
    fn cut_off(&self, py: Python<'_>);

    /// Whether it is of a call that this application began after that moment.
    fn is_of(&self, _app: usize, _since: Timestamp) -> bool {
        false
    }
}

/// Holds it, and knows of it until it is dropped.
#[derive(Debug)]
pub(crate) struct Open<T: Ends> {
    part: Arc<T>,
    number: u64,
}

impl<T: Ends + 'static> Open<T> {
    pub(crate) fn new(part: T) -> Self {
        let part = Arc::new(part);
        let weak: Weak<T> = Arc::downgrade(&part);
        let mut registry = registry();
        let number = registry.next;
        registry.next += 1;
        registry.parts.insert(number, weak);
        Self { part, number }
    }
}

impl<T: Ends> Deref for Open<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.part
    }
}

impl<T: Ends> Drop for Open<T> {
    fn drop(&mut self) {
        registry().parts.remove(&self.number);
    }
}

/// Ends what is open, of one application since a moment or all; the newest first: what is part of a call ends before it.
pub(crate) fn end(py: Python<'_>, of: Option<(usize, Timestamp)>) {
    let parts: Vec<_> = registry().parts.values().rev().filter_map(Weak::upgrade).collect();
    let ends = |part: &&Arc<dyn Ends>| of.is_none_or(|(app, since)| part.is_of(app, since));
    for part in parts.iter().filter(ends) {
        part.cut_off(py);
    }
}
