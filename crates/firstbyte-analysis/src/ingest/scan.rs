//! Where records can be in a block of lines, and their heads: what can be done without knowing other blocks, so that several
//! cores do it at once.

use super::lines::Block;
use crate::{
    entry::{Candidate, Head, candidates, head},
    tally::{Reason, Tally},
};

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
        let bytes = block.lines();
        places.extend(candidates(bytes).map(|Candidate { line, end, tag }| {
            let found = tag.map_or(Found::Other, |at| {
                // A block is shorter than 4 GiB.
                head(&bytes[at..]).map_or(Found::Brackets, |head| Found::Record(at as u32, head))
            });
            Place { line: line as u32, found, end: end as u32 }
        }));
        let mut tally = Tally::default();
        tally.skip(Reason::TooLong, block.too_long);
        tally.skip(Reason::NoRecord, block.count() - places.len() as u64);
        Self { block, source, places, tally }
    }
}
