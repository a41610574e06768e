//! From files to lines to entries: nothing is skipped without being counted.

mod lines;
mod source;
mod tally;

use std::{
    io::{self, Read},
    path::PathBuf,
};

use firstbyte_core::{Skipped, json, text};

pub use self::{
    source::{IngestError, Input, inputs},
    tally::{Reason, Tally},
};
use crate::{
    correlate::{Builder, Log},
    entry::{Entry, may_hold_record, quick},
};

/// What to read, and how much of it to keep.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The most trace ids that are kept, about 300 bytes each. Lines of further ones are counted as
    /// skipped.
    pub max_traces: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_traces: 600_000 }
    }
}

impl Log {
    /// Reads files, in any mix of text and JSON lines, plain, `.gz` or `.zst`, whatever stands before a
    /// line's record. A path may be a pattern (`logs/*.log`), and `-` is the standard input.
    ///
    /// # Errors
    ///
    /// [`IngestError`] with the path of a file that cannot be read. What is in a file is never an error.
    pub fn read(paths: &[PathBuf], options: &Options) -> Result<Self, IngestError> {
        let mut builder = Builder::new(options);
        for input in inputs(paths)? {
            let source = builder.source(input.name());
            let reader = input.open()?;
            take(reader, source, &mut builder).map_err(|error| input.failed(error))?;
        }
        Ok(builder.finish())
    }

    /// Reads one line.
    pub(crate) fn of_line(line: &[u8]) -> Self {
        let mut builder = Builder::new(&Options::default());
        let source = builder.source(String::new());
        take_line(line, source, &mut builder);
        builder.finish()
    }

    /// Reads lines from memory.
    #[must_use]
    pub fn from_bytes(lines: &[u8]) -> Self {
        let mut builder = Builder::new(&Options::default());
        let source = builder.source("memory".to_owned());
        // Memory has no errors.
        _ = take(lines, source, &mut builder);
        builder.finish()
    }
}

fn take(reader: impl Read, source: u32, builder: &mut Builder) -> io::Result<()> {
    lines::each(reader, |line| match line {
        Some(line) => take_line(line, source, builder),
        None => builder.tally.skip(Reason::TooLong),
    })
}

pub(crate) fn take_line(line: &[u8], source: u32, builder: &mut Builder) {
    if line.first() == Some(&b'[')
        && let Some(entry) = quick(line)
    {
        builder.take(&entry, source);
        return;
    }
    if !may_hold_record(line) {
        let is_empty = line.iter().all(u8::is_ascii_whitespace);
        builder.tally.skip(if is_empty { Reason::Empty } else { Reason::NoRecord });
        return;
    }
    let is_json = line.trim_ascii_start().first() == Some(&b'{');
    let parsed = if is_json { json::parse(line) } else { text::parse(line) };
    match parsed {
        Ok(parsed) => match Entry::of(&parsed) {
            Some(entry) => builder.take(&entry, source),
            None => builder.tally.unknown(),
        },
        Err(Skipped::Empty) => builder.tally.skip(Reason::Empty),
        Err(Skipped::BadJson) => builder.tally.skip(Reason::BadJson),
        Err(_) => builder.tally.skip(Reason::NoRecord),
    }
}

#[cfg(test)]
mod tests;
