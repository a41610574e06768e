//! The last event of a call, held back until its caller goes on.

use std::sync::{Arc, Mutex, PoisonError};

use firstbyte_core::{Event, Micros, Recorder, field};

/// A `client.done` that is not recorded yet.
///
/// Callers on another thread or event loop than the call add how long it took until their own code went
/// on. The event is recorded once in any case: when that is told, or when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct HeldDone(Arc<Held>);

#[derive(Debug)]
struct Held {
    recorder: Recorder,
    event: Mutex<Option<Event>>,
}

impl HeldDone {
    pub(crate) fn new(recorder: Recorder, event: Event) -> Self {
        Self(Arc::new(Held { recorder, event: Mutex::new(Some(event)) }))
    }

    /// The caller's code goes on now. Records `client.done` with `resume_ms`, the time since the last byte
    /// of the response, and returns it; `None` if that was told before.
    pub fn resumed(&self) -> Option<Micros> {
        let mut event = self.0.take()?;
        let resume = self.0.recorder.clock().now().since(event.at()).into();
        event.set(field::RESUME, resume);
        self.0.recorder.record(&event);
        Some(resume)
    }
}

impl Held {
    fn take(&self) -> Option<Event> {
        self.event.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(event) = self.take() {
            self.recorder.record(&event);
        }
    }
}
