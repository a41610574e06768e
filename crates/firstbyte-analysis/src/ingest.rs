//! From files to lines to entries: nothing is skipped without being counted.

mod lines;
mod source;
mod tally;

use std::{
    io::{self, Read},
    path::PathBuf,
};

use firstbyte_core::{Skipped, json, text};

use self::lines::Piece;
pub use self::{
    source::{IngestError, Input, inputs},
    tally::{Reason, Tally},
};
use crate::{
    correlate::{Builder, Log},
    entry::{Candidate, Entry, candidate, quick},
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
    lines::each(reader, |piece| match piece {
        Piece::Lines(lines) => take_lines(lines, source, builder),
        Piece::TooLong => builder.tally.skip(Reason::TooLong),
    })
}

fn take_lines(mut lines: &[u8], source: u32, builder: &mut Builder) {
    let mut entry = Entry::new();
    while !lines.is_empty() {
        if let Some(length) = quick(lines, &mut entry) {
            builder.take(&entry, source);
            lines = &lines[length..];
            continue;
        }
        let end = match candidate(lines) {
            Candidate::At(at) if let Some(length) = quick(&lines[at..], &mut entry) => {
                builder.take(&entry, source);
                at + length - 1
            }
            Candidate::At(_) | Candidate::Somewhere => {
                let end = memchr::memchr(b'\n', lines).unwrap_or(lines.len());
                take_line(&lines[..end], source, builder);
                end
            }
            Candidate::Nowhere(end) => {
                let is_empty = lines[..end].iter().all(u8::is_ascii_whitespace);
                builder.tally.skip(if is_empty { Reason::Empty } else { Reason::NoRecord });
                end
            }
        };
        lines = lines.get(end + 1..).unwrap_or_default();
    }
}

/// Takes a line that is not what firstbyte writes by itself.
fn take_line(line: &[u8], source: u32, builder: &mut Builder) {
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
