//! The blocks of whole lines of all inputs, one after the other.

use std::io::{self, ErrorKind, Read};

use super::{
    lines::{Block, Blocks},
    source::{IngestError, Input},
};

/// Inputs that are being read.
pub(crate) struct Reading<'a> {
    inputs: &'a [Input],
    /// The number of the next input, and the stream of the one before.
    next: usize,
    open: Option<Blocks<Box<dyn Read + Send>>>,
    /// Nothing of the open input was handed out yet.
    is_first: bool,
    broken: Vec<String>,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(inputs: &'a [Input]) -> Self {
        Self { inputs, next: 0, open: None, is_first: true, broken: Vec::new() }
    }

    /// The next block and the number of its input; `None` at the end, and after an error. `spare` is memory to be used again.
    ///
    /// An input that cannot be read to its end counts as far as it goes.
    pub(crate) fn next(&mut self, spare: Vec<u8>) -> Result<Option<(u32, Block)>, IngestError> {
        let next = self.next_of_all(spare);
        if next.is_err() {
            (self.inputs, self.open) = (&[], None);
        }
        next
    }

    fn next_of_all(&mut self, spare: Vec<u8>) -> Result<Option<(u32, Block)>, IngestError> {
        let mut spare = Some(spare);
        loop {
            let Some(blocks) = &mut self.open else {
                let Some(input) = self.inputs.get(self.next) else { return Ok(None) };
                self.next += 1;
                self.is_first = true;
                self.open = Some(Blocks::new(input.open()?));
                continue;
            };
            let source = self.next - 1;
            match blocks.next(spare.take().unwrap_or_default()) {
                Ok(Some(block)) => {
                    self.is_first = false;
                    return Ok(Some((source as u32, block)));
                }
                Ok(None) => self.open = None,
                Err(error) => {
                    let is_fatal = self.is_first && !is_damaged(&error);
                    let error = self.inputs[source].failed(error);
                    self.open = None;
                    if is_fatal {
                        return Err(error);
                    }
                    self.broken.push(error.to_string());
                }
            }
        }
    }

    /// Which inputs could not be read to their ends, and why.
    pub(crate) fn broken(self) -> Vec<String> {
        self.broken
    }
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
