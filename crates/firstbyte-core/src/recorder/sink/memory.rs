//! Events kept in memory, for tests.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Entry, Sink, WriteError};
use crate::{event::Event, process::Process, text};

/// Keeps events in memory; clones share them. Grows without bound.
///
/// firstbyte's own lines (`process.start` and the like) are left out.
#[derive(Clone, Debug, Default)]
pub struct MemorySink(Arc<Mutex<Vec<Event>>>);

impl MemorySink {
    /// An empty sink.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What arrived so far; [`Recorder::flush`](crate::Recorder::flush) first.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What arrived so far, as text lines.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.events().iter().map(text::to_string).collect()
    }
}

impl Sink for MemorySink {
    fn write(&mut self, batch: &[Entry], _: &Process) -> Result<(), WriteError> {
        let events =
            batch.iter().filter(|entry| entry.seq.is_some()).map(|entry| entry.event.clone());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(events);
        Ok(())
    }
}
