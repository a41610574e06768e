//! From files to lines to entries: nothing is skipped without being counted.

mod lines;
mod scan;
mod source;
mod tally;

use std::{
    io::{self, Read},
    num::NonZeroUsize,
    path::PathBuf,
    sync::mpsc,
    thread,
};

use firstbyte_core::Skipped;

use self::{
    lines::Blocks,
    scan::{Place, Scanned},
};
pub use self::{
    source::{IngestError, Input, inputs},
    tally::{Reason, Tally},
};
use crate::{
    correlate::{Builder, Log},
    entry::{Entry, parse, quick, quick_json},
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
    /// [`IngestError`] with the path of a file that cannot be read. What is in a file is never an error; one that cannot
    /// be read to its end, a truncated `.gz` for one, counts as far as it goes: see [`Log::broken`].
    pub fn read(paths: &[PathBuf], options: &Options) -> Result<Self, IngestError> {
        let mut builder = Builder::new(options);
        let inputs = inputs(paths)?;
        for input in &inputs {
            builder.source(input.name());
        }
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let mut broken = Vec::new();
        let mut read = |take: &mut dyn FnMut(Scanned) -> Spare| {
            for (source, input) in (0..).zip(&inputs) {
                let mut is_any = false;
                let read = blocks(input.open()?, source, &mut |scanned| {
                    is_any = true;
                    take(scanned)
                });
                match read {
                    Err(error) if is_any => broken.push(input.failed(error).to_string()),
                    result => result.map_err(|error| input.failed(error))?,
                }
            }
            Ok(())
        };
        if cores > 1 {
            side_by_side(read, &mut builder)?;
        } else {
            read(&mut |scanned| builder.join(scanned))?;
        }
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
        // Memory has no errors.
        _ = blocks(lines, source, &mut |scanned| builder.join(scanned));
        builder.finish()
    }
}

/// Calls `take` with the blocks of whole lines of files, and how many lines in front of each were too long.
pub(crate) fn each_block(
    paths: &[PathBuf],
    mut take: impl FnMut(&[u8], u64),
) -> Result<(), IngestError> {
    for input in inputs(paths)? {
        let mut blocks = Blocks::new(input.open()?);
        let mut spare = Vec::new();
        while let Some(block) = blocks.next(spare).map_err(|error| input.failed(error))? {
            take(block.lines(), block.too_long);
            spare = block.into_buffer();
        }
    }
    Ok(())
}

/// Memory of blocks that are done with.
type Spare = (Vec<u8>, Vec<Place>);

/// So many blocks may wait to be joined.
const WAITING: usize = 3;

/// Hands on the blocks of a stream.
fn blocks(
    reader: impl Read,
    source: u32,
    take: &mut dyn FnMut(Scanned) -> Spare,
) -> io::Result<()> {
    let mut blocks = Blocks::new(reader);
    let (mut buffer, mut places) = Spare::default();
    while let Some(block) = blocks.next(buffer)? {
        (buffer, places) = take(Scanned::new(block, source, places));
    }
    Ok(())
}

/// Reads on this thread, and joins on another.
fn side_by_side(
    read: impl FnOnce(&mut dyn FnMut(Scanned) -> Spare) -> Result<(), IngestError>,
    builder: &mut Builder,
) -> Result<(), IngestError> {
    let (to_join, scanned) = mpsc::sync_channel(WAITING);
    let (done, spare) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            for scanned in scanned {
                // Nobody wants its memory once all is read.
                _ = done.send(builder.join(scanned));
            }
        });
        // Its end, with this scope, is the end of the other thread.
        let to_join = to_join;
        read(&mut |scanned| {
            // The other side goes away only by a panic, which the end of the scope passes on.
            _ = to_join.send(scanned);
            spare.try_recv().unwrap_or_default()
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
                None => take_line(&bytes[line..*end as usize], source, self),
            }
        }
        (block.into_buffer(), places)
    }
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
        Err(_) => builder.tally.skip(Reason::NoRecord),
    }
}

#[cfg(test)]
mod tests;
