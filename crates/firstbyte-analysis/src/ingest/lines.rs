//! Whole lines of a stream, in memory that does not grow with them.

use std::io::{self, ErrorKind, Read};

/// So much is read at once: it stays in a processor's cache.
const BLOCK: usize = 256 << 10;

/// The longest line that is looked at, with its line feed.
const LONGEST: usize = 1 << 20;

/// A piece of a stream.
#[derive(Debug, PartialEq)]
pub(super) enum Piece<'a> {
    /// Whole lines with their line feeds; at the end of the stream the last one may have none.
    Lines(&'a [u8]),
    /// One line that is too long.
    TooLong,
}

/// Calls `take` with the pieces of a stream, in order.
pub(super) fn each(mut reader: impl Read, mut take: impl FnMut(Piece<'_>)) -> io::Result<()> {
    let mut buffer = vec![0; BLOCK];
    let mut filled = 0;
    // The rest of a line that is too long is on its way.
    let mut skipping = false;
    loop {
        let read = match reader.read(&mut buffer[filled..]) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if read == 0 {
            // A last line without an end: torn, or still being written.
            if skipping {
                take(Piece::TooLong);
            } else if filled > 0 {
                take(Piece::Lines(&buffer[..filled]));
            }
            return Ok(());
        }
        let new = filled..filled + read;
        filled = new.end;
        let mut start = 0;
        if skipping && let Some(length) = memchr::memchr(b'\n', &buffer[new.clone()]) {
            take(Piece::TooLong);
            skipping = false;
            start = new.start + length + 1;
        }
        if skipping {
            filled = 0;
            continue;
        }
        if let Some(last) = memchr::memrchr(b'\n', &buffer[new.start.max(start)..filled]) {
            let end = new.start.max(start) + last + 1;
            take(Piece::Lines(&buffer[start..end]));
            start = end;
        }
        buffer.copy_within(start..filled, 0);
        filled -= start;
        if filled == buffer.len() {
            if filled < LONGEST {
                buffer.resize(LONGEST, 0);
            } else {
                skipping = true;
                filled = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: impl Read) -> Vec<Option<Vec<u8>>> {
        let mut lines = Vec::new();
        each(bytes, |piece| match piece {
            Piece::Lines(bytes) => {
                assert!(!bytes.is_empty());
                let all = bytes.split_inclusive(|byte| *byte == b'\n');
                lines.extend(
                    all.map(|line| Some(line.strip_suffix(b"\n").unwrap_or(line).to_vec())),
                );
            }
            Piece::TooLong => lines.push(None),
        })
        .unwrap();
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
