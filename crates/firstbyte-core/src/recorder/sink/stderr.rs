//! The standard error stream.

use super::{Entry, FileFormat, LineWriter, Sink, WriteError};
use crate::process::Process;

/// Writes text lines to the standard error stream, each with one `write`, so that lines of other
/// threads stay whole.
#[derive(Debug, Default)]
pub struct StderrSink {
    line: Vec<u8>,
    writer: LineWriter,
}

impl Sink for StderrSink {
    fn write(&mut self, batch: &[Entry], process: &Process) -> Result<(), WriteError> {
        for (written, entry) in batch.iter().enumerate() {
            self.line.clear();
            entry.write_line(FileFormat::Text, process, &mut self.line);
            // The lock is the whole program's: held for one line only.
            self.writer
                .write(&mut std::io::stderr().lock(), &self.line)
                .map_err(|error| WriteError { written, ..error })?;
        }
        Ok(())
    }
}
