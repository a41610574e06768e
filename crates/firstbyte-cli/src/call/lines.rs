//! The lines of the calls, to be shown.

use std::sync::{Arc, Mutex, PoisonError};

use firstbyte_core::{
    Process, json,
    recorder::{Entry, FileFormat, Sink, WriteError},
    text,
};

/// A sink whose lines are taken out after every call.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    format: FileFormat,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Lines {
    pub(super) fn new(format: FileFormat) -> Self {
        Self { format, lines: Arc::default() }
    }

    /// All lines since the last time; with `last`, only the one that says how the call ended.
    pub(super) fn take(&self, last: bool) -> String {
        let mut lines = std::mem::take(&mut *self.lock());
        let first = if last { lines.len().saturating_sub(1) } else { 0 };
        lines.drain(first..).map(|line| line + "\n").collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Lines {
    fn write(&mut self, batch: &[Entry], process: &Process) -> Result<(), WriteError> {
        // The recorder's own lines have no number, and tell nothing of the call.
        let lines =
            batch.iter().filter(|entry| entry.seq.is_some()).map(|entry| match self.format {
                FileFormat::Json => {
                    let mut line = Vec::new();
                    let context = json::Context::new(process, entry.seq, entry.unix_nanos);
                    json::write(&entry.event, &context, &mut line);
                    String::from_utf8_lossy(&line).into_owned()
                }
                _ => text::to_string(&entry.event),
            });
        self.lock().extend(lines);
        Ok(())
    }
}
