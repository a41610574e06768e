//! Where lines go. Sinks are dumb: they format and write, and say how much of a batch they took.

mod file;
mod memory;
mod stderr;
#[cfg(feature = "tracing")]
mod tracing;

use std::{fmt, io};

#[cfg(feature = "tracing")]
pub use self::tracing::TracingSink;
pub use self::{
    file::{FileFormat, FileSink},
    memory::MemorySink,
    stderr::StderrSink,
};
use crate::{event::Event, json, process::Process, text};

/// An event on its way into a sink.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// The event.
    pub event: Event,
    /// Number of the event among those that reached the writer: a gap is a lost line. firstbyte's own
    /// lines have none.
    pub seq: Option<u64>,
    /// Wall clock of the event in nanoseconds since the epoch.
    pub unix_nanos: u64,
}

impl Entry {
    pub(super) fn new(event: Event, seq: Option<u64>, unix_offset: u64) -> Self {
        let unix_nanos = event.at().as_nanos().wrapping_add(unix_offset);
        Self { event, seq, unix_nanos }
    }

    fn write_line(&self, format: FileFormat, process: &Process, out: &mut Vec<u8>) {
        match format {
            FileFormat::Text => text::write(&self.event, out),
            FileFormat::Json => {
                json::write(
                    &self.event,
                    &json::Context::new(process, self.seq, self.unix_nanos),
                    out,
                );
            }
        }
        out.push(b'\n');
    }
}

/// A destination of events. Runs on the writer thread and may block there.
pub trait Sink: Send {
    /// Writes a batch in order.
    ///
    /// # Errors
    ///
    /// [`WriteError`] with the number of events that were written before it failed. The sink is
    /// asked again with the next batch; if it panics it is given up.
    fn write(&mut self, batch: &[Entry], process: &Process) -> Result<(), WriteError>;
}

/// A sink did not take a whole batch.
#[derive(Debug)]
pub struct WriteError {
    /// Events of the batch that were written.
    pub written: usize,
    /// Why the next one was not.
    pub source: io::Error,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the sink failed after {} events of the batch: {}", self.written, self.source)
    }
}

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Writes whole lines. One that a full disk or pipe tore is ended before the next one, so that it spoils no other.
#[derive(Debug, Default)]
pub(super) struct LineWriter {
    torn: bool,
}

/// Ends a torn line so that no reader takes what is left of it for an event: half a number would be
/// another number. It can be no word of a text line and no part of an object.
const TORN: &[u8] = b" %torn\n";

impl LineWriter {
    /// Writes lines, and on failure tells how many of them got through.
    pub(super) fn write(
        &mut self,
        out: &mut impl io::Write,
        lines: &[u8],
    ) -> Result<(), WriteError> {
        if self.torn {
            write_all(out, TORN).map_err(|(_, source)| WriteError { written: 0, source })?;
            self.torn = false;
        }
        write_all(out, lines).map_err(|(done, source)| {
            let done = &lines[..done];
            self.torn = !matches!(done.last(), None | Some(b'\n'));
            let written = done.iter().filter(|byte| **byte == b'\n').count();
            WriteError { written, source }
        })
    }
}

/// On failure with the number of bytes that were written before it.
fn write_all(out: &mut impl io::Write, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut done = 0;
    while done < bytes.len() {
        match out.write(&bytes[done..]) {
            Ok(0) => return Err((done, io::ErrorKind::WriteZero.into())),
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err((done, e)),
        }
    }
    Ok(())
}
