//! The `tracing` subscriber of the process.

use super::{Entry, Sink, WriteError};
use crate::{process::Process, text};

/// Emits each event as a `tracing` event: target `firstbyte`, level INFO, the text line as message
/// and the trace id as field. Runs on the writer thread, so no span of the call is entered.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct TracingSink;

impl TracingSink {
    /// A sink for the subscriber that is installed when an event is written.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Sink for TracingSink {
    fn write(&mut self, batch: &[Entry], _: &Process) -> Result<(), WriteError> {
        for entry in batch {
            let line = text::to_string(&entry.event);
            let trace_id = entry.event.id().map(tracing::field::display);
            tracing::info!(target: "firstbyte", trace_id, "{line}");
        }
        Ok(())
    }
}
