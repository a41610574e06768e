//! Where records can be in a block of lines: this is looked for apart, so that it can be another core's work.

use super::{
    lines::Block,
    tally::{Reason, Tally},
};
use crate::entry::{Candidate, JSON, candidate};

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
    /// The beginning of the record, if it is the first that can be one; the line needs a closer look otherwise.
    pub(super) record: Option<u32>,
    /// The end of the line, without its line feed.
    pub(super) end: u32,
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
            let (record, end) = match candidate(lines) {
                Candidate::Nowhere(end) if has_object(line, line + end) => (None, end),
                Candidate::Nowhere(end) => {
                    let is_empty = lines[..end].iter().all(u8::is_ascii_whitespace);
                    tally.skip(if is_empty { Reason::Empty } else { Reason::NoRecord });
                    line += end + 1;
                    continue;
                }
                Candidate::At(at) => (Some((line + at) as u32), end_of_line(lines, at)),
                Candidate::Somewhere => (None, end_of_line(lines, 0)),
            };
            // A block is shorter than 4 GiB.
            places.push(Place { line: line as u32, record, end: (line + end) as u32 });
            line += end + 1;
        }
        Self { block, source, places, tally }
    }
}

fn end_of_line(lines: &[u8], from: usize) -> usize {
    memchr::memchr(b'\n', &lines[from..]).map_or(lines.len(), |end| from + end)
}
