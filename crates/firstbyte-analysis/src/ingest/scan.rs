//! Where records can be in a block of lines, and their heads: what can be done without knowing other blocks, so that several
//! cores do it at once.

use super::{
    lines::Block,
    tally::{Reason, Tally},
};
use crate::entry::{Candidate, Head, JSON, candidate, head};

/// A block, and where in it records can be.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    pub(super) block: Block,
    /// The file that it is of.
    pub(super) source: u32,
    pub(super) places: Vec<Place>,
    /// Of the lines without a place.
    pub(super) tally: Tally,
}

/// A line that may have a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The beginning of the line.
    pub(super) line: u32,
    pub(super) found: Found,
    /// The end of the line, without its line feed.
    pub(super) end: u32,
}

/// What a line may have.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found {
    /// A record of firstbyte's that begins there.
    Record(u32, Head),
    /// Something else in the brackets of a record.
    Brackets,
    /// An object of JSON, or colours.
    Other,
}

impl Scanned {
    /// Scans a block. `places` is memory to be used again.
    pub(super) fn new(block: Block, source: u32, mut places: Vec<Place>) -> Self {
        places.clear();
        let mut tally = Tally::default();
        for _ in 0..block.too_long {
            tally.skip(Reason::TooLong);
        }
        let bytes = block.lines();
        let mut objects = JSON.find_iter(bytes).peekable();
        let mut has_object = |line: usize, end: usize| {
            while objects.next_if(|at| *at < line).is_some() {}
            objects.peek().is_some_and(|at| *at < end)
        };
        let mut line = 0;
        while line < bytes.len() {
            let lines = &bytes[line..];
            let (found, end) = match candidate(lines) {
                Candidate::Nowhere(end) if has_object(line, line + end) => (Found::Other, end),
                Candidate::Nowhere(end) => {
                    let is_empty = lines[..end].iter().all(u8::is_ascii_whitespace);
                    tally.skip(if is_empty { Reason::Empty } else { Reason::NoRecord });
                    line += end + 1;
                    continue;
                }
                Candidate::At(at) => {
                    // A block is shorter than 4 GiB.
                    let record = |head| Found::Record((line + at) as u32, head);
                    let found = head(&lines[at..]).map_or(Found::Brackets, record);
                    (found, end_of_line(lines, at))
                }
                Candidate::Somewhere => (Found::Other, end_of_line(lines, 0)),
            };
            places.push(Place { line: line as u32, found, end: (line + end) as u32 });
            line += end + 1;
        }
        Self { block, source, places, tally }
    }
}

fn end_of_line(lines: &[u8], from: usize) -> usize {
    memchr::memchr(b'\n', &lines[from..]).map_or(lines.len(), |end| from + end)
}
