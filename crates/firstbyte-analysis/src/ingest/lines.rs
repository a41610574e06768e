//! Whole lines of a stream, in memory that does not grow with them.

use std::io::{self, ErrorKind, Read};

/// So much is read at once: it stays in a processor's cache, and system calls are few.
const BLOCK: usize = 512 << 10;

/// The longest line that is looked at, with its line feed.
pub(crate) const LONGEST: usize = 1 << 20;

/// A stream, cut into blocks of whole lines.
#[derive(Debug)]
pub(super) struct Blocks<R> {
    reader: R,
    /// What is read, of which the first `filled` bytes are the beginning of a line.
    buffer: Vec<u8>,
    filled: usize,
    /// The rest of a line that is too long is on its way.
    skipping: bool,
    /// Why there is no more, to be told once what was read is handed out.
    failed: Option<io::Error>,
}

/// Whole lines with their line feeds; at the end of a stream the last one may have none.
#[derive(Debug, Default)]
pub(crate) struct Block {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Lines in front of these that were too long to be looked at.
    pub(crate) too_long: u64,
}

impl Block {
    pub(crate) fn lines(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// How many these are; the last one may have no line feed.
    pub(crate) fn count(&self) -> u64 {
        let lines = self.lines();
        let ends = memchr::memchr_iter(b'\n', lines).count() as u64;
        ends + u64::from(lines.last().is_some_and(|last| *last != b'\n'))
    }

    /// The memory, to be used again.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }
}

impl<R: Read> Blocks<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), filled: 0, skipping: false, failed: None }
    }

    /// The next block, `None` at the end. `spare` is the memory of one that is done with.
    pub(super) fn next(&mut self, spare: Vec<u8>) -> io::Result<Option<Block>> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut too_long = 0;
        if self.buffer.is_empty() {
            self.buffer.resize(BLOCK, 0);
        }
        loop {
            let read = match self.reader.read(&mut self.buffer[self.filled..]) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if self.filled == 0 && !self.skipping => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    0
                }
            };
            if read == 0 {
                // A last line without an end: torn, or still being written.
                too_long += u64::from(std::mem::take(&mut self.skipping));
                let end = std::mem::take(&mut self.filled);
                let buffer = std::mem::take(&mut self.buffer);
                let is_any = end > 0 || too_long > 0;
                return Ok(is_any.then_some(Block { buffer, start: 0, end, too_long }));
            }
            let new = self.filled..self.filled + read;
            self.filled = new.end;
            let mut start = 0;
            if self.skipping {
                let Some(length) = memchr::memchr(b'\n', &self.buffer[new.clone()]) else {
                    self.filled = 0;
                    continue;
                };
                too_long += 1;
                self.skipping = false;
                start = new.start + length + 1;
            }
            let from = new.start.max(start);
            if let Some(last) = memchr::memrchr(b'\n', &self.buffer[from..self.filled]) {
                return Ok(Some(self.cut(start, from + last + 1, too_long, spare)));
            }
            self.buffer.copy_within(start..self.filled, 0);
            self.filled -= start;
            if self.filled == LONGEST {
                self.skipping = true;
                self.filled = 0;
            } else if self.filled == self.buffer.len() {
                self.buffer.resize(LONGEST, 0);
            }
        }
    }

    /// What is behind `end` goes on in other memory.
    fn cut(&mut self, start: usize, end: usize, too_long: u64, mut spare: Vec<u8>) -> Block {
        let rest = end..self.filled;
        spare.resize(spare.len().max(BLOCK).max(rest.len() + 1), 0);
        spare[..rest.len()].copy_from_slice(&self.buffer[rest.clone()]);
        self.filled = rest.len();
        Block { buffer: std::mem::replace(&mut self.buffer, spare), start, end, too_long }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: impl Read) -> Vec<Option<Vec<u8>>> {
        let mut lines = Vec::new();
        let mut blocks = Blocks::new(bytes);
        let mut spare = Vec::new();
        while let Some(block) = blocks.next(spare).unwrap() {
            lines.extend((0..block.too_long).map(|_| None));
            let all = block.lines().split_inclusive(|byte| *byte == b'\n');
            lines.extend(all.map(|line| Some(line.strip_suffix(b"\n").unwrap_or(line).to_vec())));
            spare = block.into_buffer();
        }
        lines
    }

    #[test]
    fn lines_end_at_a_line_feed_or_at_the_end() {
        assert_eq!(lines(&b""[..]), []);
        assert_eq!(lines(&b"a\n\nb"[..]), [b"a", &b""[..], b"b"].map(|l| Some(l.to_vec())));
        assert_eq!(lines(&b"a\r\n"[..]), [Some(b"a\r".to_vec())]);
    }

    #[test]
    fn a_line_that_is_too_long_is_one_and_the_next_is_whole() {
        for extra in [0, 1, LONGEST, 3 * LONGEST + 7] {
            let long = io::repeat(b'x').take((LONGEST + extra) as u64);
            let found = lines(long.chain(&b"\nshort\n"[..]));
            assert_eq!(found, [None, Some(b"short".to_vec())], "{extra}");
        }
        let just_fits = io::repeat(b'x').take(LONGEST as u64 - 1);
        let found = lines(just_fits.chain(&b"\nshort"[..]));
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].as_ref().map(Vec::len), Some(LONGEST - 1));
        assert_eq!(lines(io::repeat(b'x').take(LONGEST as u64 + 1)), [None]);
    }

    #[test]
    fn pieces_of_any_size_make_the_same_lines() {
        struct Piecewise<'a>(&'a [u8], usize);
        impl Read for Piecewise<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let n = self.1.min(self.0.len()).min(buffer.len());
                buffer[..n].copy_from_slice(&self.0[..n]);
                self.0 = &self.0[n..];
                Ok(n)
            }
        }
        let text = b"one\ntwo two\n\nthree";
        for size in 1..20 {
            assert_eq!(lines(Piecewise(text, size)), lines(&text[..]), "{size}");
        }
    }
}
