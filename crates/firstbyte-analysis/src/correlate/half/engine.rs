//! A call as the engine's own process saw it.

use firstbyte_core::{Micros, field};

use super::Known;
use crate::entry::Entry;

/// What the engine's own process says of a call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EngineHalf {
    pub(in crate::correlate) call_id: Box<str>,
    queue: Known,
    exec: Known,
}

impl EngineHalf {
    pub(in crate::correlate) fn of(entry: &Entry<'_>) -> Option<Self> {
        Some(Self {
            call_id: entry.text(field::CALL_ID)?.as_ref().into(),
            queue: entry.millis(field::ENGINE_QUEUE).into(),
            exec: entry.millis(field::ENGINE_EXEC).into(),
        })
    }

    /// Waiting for the engine's running step.
    #[must_use]
    pub const fn queue(&self) -> Option<Micros> {
        self.queue.get()
    }

    /// The engine's work on the call.
    #[must_use]
    pub const fn exec(&self) -> Option<Micros> {
        self.exec.get()
    }
}
