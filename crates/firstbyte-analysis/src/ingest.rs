//! From files to lines to entries: nothing is skipped without being counted.

mod lines;
mod pattern;
mod reading;
mod rotation;
mod scan;
mod source;
mod utf16;
mod workers;
mod zstd;

use std::path::PathBuf;

pub use self::source::{IngestError, Input, inputs};
use self::{
    lines::Blocks,
    scan::{Found, Place, Scanned},
};
pub(crate) use self::{lines::LONGEST, reading::Reading, source::begins_packed, utf16::Decoder};
pub use crate::tally::{Reason, Tally};
use crate::{
    correlate::{Builder, Log},
    entry::{Entry, fields, object, parse, quick_json},
};

/// What to read, and how much of it to keep.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The most trace ids that are kept, about 300 bytes each, 460 with all phases. Lines of further ones are counted as
    /// skipped.
    pub max_traces: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_traces: 600_000 }
    }
}

impl Log {
    /// Reads files, in any mix of text and JSON lines, plain or packed by gzip or Zstandard, whatever stands before a
    /// line's record. A path may be a pattern (`logs/*.log`), and `-` is the standard input. A file that is named twice is
    /// read once.
    ///
    /// With more than one core, blocks of lines are read side by side; the result is the same.
    ///
    /// # Errors
    ///
    /// [`IngestError`] with the path of a file that cannot be read, or that is not packed as its name says, if that is so of
    /// all of them: of several the others are read, see [`Log::unread`]. What else is in a file is never an error; one that
    /// cannot be read to its end, such as a `.gz` that is truncated or empty, counts as far as it goes: see
    /// [`Log::broken`].
    pub fn read(paths: &[PathBuf], options: &Options) -> Result<Self, IngestError> {
        let mut builder = Builder::new(options.max_traces);
        let inputs = inputs(paths)?;
        for input in &inputs {
            builder.source(input.name());
        }
        let logs: Vec<_> = rotation::logs(inputs.iter().map(Input::path)).collect();
        for files in logs.iter().flat_map(|log| log.windows(2)) {
            builder.goes_on(files[0], files[1]);
        }
        builder.unreadable = workers::read(&inputs, &mut builder)?;
        for log in &logs {
            builder.rotated(log);
        }
        Ok(builder.finish())
    }

    /// Reads lines from memory.
    #[must_use]
    pub fn from_bytes(lines: &[u8]) -> Self {
        let mut builder = Builder::new(Options::default().max_traces);
        let source = builder.source("memory".to_owned());
        let mut blocks = Blocks::new(lines);
        let (mut buffer, mut places) = Spare::default();
        // Memory has no errors.
        while let Ok(Some(block)) = blocks.next(buffer) {
            (buffer, places) = builder.join(Scanned::new(block, source, places));
        }
        builder.finish()
    }
}

/// Memory of blocks that are done with.
type Spare = (Vec<u8>, Vec<Place>);

impl Builder {
    /// Takes the records of a block.
    fn join(&mut self, scanned: Scanned) -> Spare {
        let Scanned { block, source, places, tally } = scanned;
        self.tally += tally;
        self.begin(source);
        let bytes = block.lines();
        let mut entry = Entry::new();
        for Place { line, found, end } in &places {
            let line = *line as usize;
            let read = match found {
                Found::Record(at, head) => {
                    fields(&bytes[*at as usize..], head, &mut entry).map(|_| ())
                }
                Found::Brackets => None,
                Found::Other => quick_json(&bytes[line..], &mut entry),
            };
            match read {
                Some(()) => self.take(&entry, source),
                None if *end as usize == bytes.len() => {
                    let line = &bytes[line..];
                    self.tally.torn += u64::from(is_torn(line));
                    take_line(whole_words(line), source, self);
                }
                None => take_line(&bytes[line..*end as usize], source, self),
            }
        }
        (block.into_buffer(), places)
    }
}

/// What is sure of a line that has no line feed: its last word may be torn, and the beginning of a number is another
/// number. An object of JSON has its own end.
pub(crate) fn whole_words(line: &[u8]) -> &[u8] {
    match memchr::memrchr(b' ', line) {
        Some(last) if !ends_with_object(line) => &line[..last],
        _ => line,
    }
}

fn ends_with_object(line: &[u8]) -> bool {
    object(line).is_some_and(|place| place.end >= line.trim_ascii_end().len())
}

/// Whether a line that has no line feed is a record, so that it may be torn.
pub(crate) fn is_torn(line: &[u8]) -> bool {
    let sure = whole_words(line);
    sure.len() < line.len() && parse(sure).is_ok_and(|parsed| parsed.record().is_some())
}

/// Takes a line that is not what firstbyte writes by itself.
pub(crate) fn take_line(line: &[u8], source: u32, builder: &mut Builder) {
    match parse(line) {
        Ok(parsed) => match Entry::of(&parsed) {
            Some(entry) => builder.take(&entry, source),
            None => builder.tally.unknown(),
        },
        Err(why) => builder.tally.skip(why.into(), 1),
    }
}

#[cfg(test)]
mod tests;
