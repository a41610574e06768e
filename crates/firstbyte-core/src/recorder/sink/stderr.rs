//! The standard error stream.

use super::{Entry, FileFormat, Sink, WriteError, write_lines};
use crate::process::Process;

/// Writes text lines to the standard error stream, each with one `write`, so that lines of other
/// threads stay whole.
#[derive(Debug, Default)]
pub struct StderrSink {
    line: Vec<u8>,
}

impl Sink for StderrSink {
    fn write(&mut self, batch: &[Entry], process: &Process) -> Result<(), WriteError> {
        let mut stderr = std::io::stderr().lock();
        for (written, entry) in batch.iter().enumerate() {
            self.line.clear();
            entry.write_line(FileFormat::Text, process, &mut self.line);
            write_lines(&mut stderr, &self.line)
                .map_err(|(error, _)| WriteError { written, ..error })?;
        }
        Ok(())
    }
}
