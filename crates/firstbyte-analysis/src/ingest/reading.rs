//! The blocks of whole lines of all inputs, one after the other.

use std::io::{self, ErrorKind, Read};

use super::{
    lines::{Block, Blocks},
    source::{IngestError, Input},
};
use crate::tally::Unreadable;

/// Inputs that are being read.
pub(crate) struct Reading<'a> {
    inputs: &'a [Input],
    /// The number of the next input, and the stream of the one before.
    next: usize,
    open: Option<Blocks<Box<dyn Read + Send>>>,
    /// Nothing of the open input was handed out yet.
    is_first: bool,
    broken: Vec<String>,
    unread: Vec<IngestError>,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(inputs: &'a [Input]) -> Self {
        Self { inputs, next: 0, open: None, is_first: true, broken: Vec::new(), unread: Vec::new() }
    }

    /// The next block and the number of its input; `None` at the end. `spare` is memory to be used again.
    ///
    /// An input that cannot be read, or not to its end, keeps nobody from the next one.
    pub(crate) fn next(&mut self, spare: Vec<u8>) -> Option<(u32, Block)> {
        let mut spare = Some(spare);
        loop {
            let Some(blocks) = &mut self.open else {
                let input = self.inputs.get(self.next)?;
                self.next += 1;
                self.is_first = true;
                match input.open() {
                    Ok(stream) => self.open = Some(Blocks::new(stream)),
                    Err(error) => self.unread.push(error),
                }
                continue;
            };
            let source = self.next - 1;
            match blocks.next(spare.take().unwrap_or_default()) {
                Ok(Some(block)) => {
                    self.is_first = false;
                    return Some((source as u32, block));
                }
                Ok(None) => self.open = None,
                Err(error) => {
                    let is_unread = self.is_first && !is_damaged(&error);
                    let error = self.inputs[source].failed(error);
                    self.open = None;
                    match is_unread {
                        true => self.unread.push(error),
                        false => self.broken.push(error.to_string()),
                    }
                }
            }
        }
    }

    /// What could not be read; an error, if that is all of them.
    pub(crate) fn finish(self) -> Result<Unreadable, IngestError> {
        let unread = self.unread.iter().map(IngestError::to_string).collect();
        let is_none_read = self.unread.len() == self.inputs.len();
        match self.unread.into_iter().next() {
            Some(first) if is_none_read => Err(first),
            _ => Ok(Unreadable { broken: self.broken, unread }),
        }
    }
}

/// Whether what was packed is cut or corrupt: such a file counts as far as it goes, though that may be nowhere.
fn is_damaged(error: &io::Error) -> bool {
    // `InvalidInput` is what flate2 says of corrupt data.
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput
    )
}
