//! Lines for Python's `logging`.

use std::io;

use firstbyte_core::{
    Process,
    recorder::{Entry, Sink, WriteError},
    text,
};
use pyo3::prelude::*;

/// Hands lines to the logger `firstbyte`, from the writer thread: its handlers may block there.
///
/// It holds the interpreter for as long as the handlers do, batch by batch; nothing of it runs once the
/// interpreter ends.
#[derive(Debug)]
pub(crate) struct LoggingSink;

impl Sink for LoggingSink {
    fn write(&mut self, batch: &[Entry], _: &Process) -> Result<(), WriteError> {
        let lines: Vec<String> = batch.iter().map(|entry| text::to_string(&entry.event)).collect();
        let refused =
            |message: String| WriteError { written: 0, source: io::Error::other(message) };
        let written = Python::try_attach(|py| {
            let emit = py.import("firstbyte._logging")?.getattr("emit")?;
            emit.call1((lines,)).map(|_| ())
        });
        match written {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(refused(error.to_string())),
            None => Err(refused("the interpreter has ended".to_owned())),
        }
    }
}
