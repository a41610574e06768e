//! From files to lines to entries: nothing is skipped without being counted.

mod lines;
mod pattern;
mod rotation;
mod scan;
mod source;
mod tally;
mod zstd;

use std::{
    io::{self, ErrorKind},
    path::PathBuf,
    sync::mpsc,
    thread,
};

use firstbyte_core::Skipped;

pub(crate) use self::lines::LONGEST;
use self::{
    lines::{Block, Blocks},
    scan::{Place, Scanned},
};
pub use self::{
    source::{IngestError, Input, inputs},
    tally::{Reason, Tally},
};
use crate::{
    correlate::{Builder, Log},
    entry::{Entry, object, parse, quick, quick_json},
    parallel,
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
    /// With more than one core, one reads and looks for lines while the other joins them; the result is the same.
    ///
    /// # Errors
    ///
    /// [`IngestError`] with the path of a file that cannot be read, or that is not packed as its name says. What else is
    /// in a file is never an error; one that cannot be read to its end, such as a `.gz` that is truncated or empty, counts
    /// as far as it goes: see [`Log::broken`].
    pub fn read(paths: &[PathBuf], options: &Options) -> Result<Self, IngestError> {
        let mut builder = Builder::new(options);
        let inputs = inputs(paths)?;
        for input in &inputs {
            builder.source(input.name());
        }
        let broken = if parallel::cores() > 1 {
            side_by_side(&inputs, &mut builder)?
        } else {
            let mut places = Vec::new();
            each_block(&inputs, |source, block| {
                let scanned = Scanned::new(block, source, std::mem::take(&mut places));
                let (buffer, spare) = builder.join(scanned);
                places = spare;
                buffer
            })?
        };
        builder.broken = broken;
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
        let mut blocks = Blocks::new(lines);
        let (mut buffer, mut places) = Spare::default();
        // Memory has no errors.
        while let Ok(Some(block)) = blocks.next(buffer) {
            (buffer, places) = builder.join(Scanned::new(block, source, places));
        }
        builder.finish()
    }
}

/// Hands on the blocks of whole lines of inputs, with the number of the input; what `take` returns is memory to be used
/// again. Returns which could not be read to their ends, and why: they count as far as they go.
pub(crate) fn each_block(
    inputs: &[Input],
    mut take: impl FnMut(u32, Block) -> Vec<u8>,
) -> Result<Vec<String>, IngestError> {
    let mut broken = Vec::new();
    for (source, input) in (0..).zip(inputs) {
        let mut blocks = Blocks::new(input.open()?);
        let mut spare = Vec::new();
        let mut is_any = false;
        loop {
            spare = match blocks.next(spare) {
                Ok(None) => break,
                Ok(Some(block)) => take(source, block),
                Err(error) if is_any || is_damaged(&error) => {
                    broken.push(input.failed(error).to_string());
                    break;
                }
                Err(error) => return Err(input.failed(error)),
            };
            is_any = true;
        }
    }
    Ok(broken)
}

/// Whether what was packed is cut or corrupt, which no other read can mend: one such file among many is no reason to read
/// none of them.
fn is_damaged(error: &io::Error) -> bool {
    // `InvalidInput` is what flate2 says of corrupt data.
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput
    )
}

/// Memory of blocks that are done with.
type Spare = (Vec<u8>, Vec<Place>);

/// So many blocks may wait to be joined.
const WAITING: usize = 3;

/// Reads on this thread, and joins on another.
fn side_by_side(inputs: &[Input], builder: &mut Builder) -> Result<Vec<String>, IngestError> {
    let (to_join, scanned) = mpsc::sync_channel(WAITING);
    let (done, spare) = mpsc::channel::<Spare>();
    thread::scope(|scope| {
        scope.spawn(move || {
            for scanned in scanned {
                // Nobody wants its memory once all is read.
                _ = done.send(builder.join(scanned));
            }
        });
        // Its end, with this scope, is the end of the other thread.
        let to_join = to_join;
        let mut places = Vec::new();
        each_block(inputs, |source, block| {
            // The other side goes away only by a panic, which the end of the scope passes on.
            _ = to_join.send(Scanned::new(block, source, std::mem::take(&mut places)));
            let (buffer, free) = spare.try_recv().unwrap_or_default();
            places = free;
            buffer
        })
    })
}

impl Builder {
    /// Takes the records of a block.
    fn join(&mut self, scanned: Scanned) -> Spare {
        let Scanned { block, source, places, tally } = scanned;
        self.tally += tally;
        let bytes = block.lines();
        let mut entry = Entry::new();
        for Place { line, record, end } in &places {
            let line = *line as usize;
            let read = match record {
                Some(at) => quick(&bytes[*at as usize..], &mut entry).map(|_| ()),
                None => quick_json(&bytes[line..], &mut entry),
            };
            match read {
                Some(()) => self.take(&entry, source),
                None if *end as usize == bytes.len() => {
                    take_torn(&bytes[line..], source, self);
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
        Some(last) if object(line).is_none() => &line[..last],
        _ => line,
    }
}

/// Takes a line that has no line feed, and counts it if that is told of a record.
fn take_torn(line: &[u8], source: u32, builder: &mut Builder) {
    let sure = whole_words(line);
    let is_record =
        sure.len() < line.len() && parse(sure).is_ok_and(|parsed| parsed.record().is_some());
    builder.tally.torn += u64::from(is_record);
    take_line(sure, source, builder);
}

/// Takes a line that is not what firstbyte writes by itself.
pub(crate) fn take_line(line: &[u8], source: u32, builder: &mut Builder) {
    match parse(line) {
        Ok(parsed) => match Entry::of(&parsed) {
            Some(entry) => builder.take(&entry, source),
            None => builder.tally.unknown(),
        },
        Err(Skipped::Empty) => builder.tally.skip(Reason::Empty),
        Err(Skipped::BadJson) => builder.tally.skip(Reason::BadJson),
        Err(Skipped::OtherVersion) => builder.tally.skip(Reason::OtherVersion),
        Err(_) => builder.tally.skip(Reason::NoRecord),
    }
}

#[cfg(test)]
mod tests;
