//! Lines out of pieces of a file that grows.

use crate::ingest::{LONGEST, whole_words};

/// What has come of a line whose end has not.
#[derive(Debug, Default)]
pub(super) struct Split {
    torn: Vec<u8>,
    /// The rest of a line that is too long is on its way.
    is_skipping: bool,
    /// The rest of a line is on its way whose begin was not read.
    is_fragment: bool,
}

impl Split {
    /// Without what comes until the next line feed: its begin was not read.
    pub(super) fn within_a_line() -> Self {
        Self { is_fragment: true, ..Self::default() }
    }

    /// Calls `take` with each line whose end has come, or with `None` if it was too long.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut take: impl FnMut(Option<&[u8]>)) {
        if self.is_fragment {
            let Some(end) = memchr::memchr(b'\n', bytes) else { return };
            bytes = &bytes[end + 1..];
            self.is_fragment = false;
        }
        while let Some(length) = memchr::memchr(b'\n', bytes) {
            let line = &bytes[..length];
            bytes = &bytes[length + 1..];
            if std::mem::take(&mut self.is_skipping) || self.torn.len() + length >= LONGEST {
                self.torn.clear();
                take(None);
            } else if self.torn.is_empty() {
                take(Some(line));
            } else {
                self.torn.extend_from_slice(line);
                take(Some(&self.torn));
                self.torn.clear();
            }
        }
        if self.is_skipping || self.torn.len() + bytes.len() >= LONGEST {
            self.is_skipping = true;
            self.torn = Vec::new();
        } else {
            self.torn.extend_from_slice(bytes);
        }
    }

    /// Whether the end of a line has not come.
    pub(super) fn is_within_a_line(&self) -> bool {
        self.is_skipping || !self.torn.is_empty()
    }

    /// No more will come: what is sure of the last line is one.
    pub(super) fn finish(&mut self, mut take: impl FnMut(Option<&[u8]>)) {
        if std::mem::take(&mut self.is_skipping) {
            take(None);
        } else if !self.torn.is_empty() {
            take(Some(whole_words(&self.torn)));
        }
        (self.torn, self.is_fragment) = (Vec::new(), false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
        let (mut split, mut lines) = (Split::default(), Vec::new());
        for piece in pieces {
            split.push(piece, |line| lines.push(line.map(<[u8]>::to_vec)));
        }
        split.finish(|line| lines.push(line.map(<[u8]>::to_vec)));
        lines
    }

    #[test]
    fn pieces_of_any_size_make_the_same_lines() {
        let text = b"one\ntwo two\n\nthree";
        let whole = lines(&[text]);
        assert_eq!(whole, [&b"one"[..], b"two two", b"", b"three"].map(|l| Some(l.to_vec())));
        for size in 1..20 {
            assert_eq!(lines(&text.chunks(size).collect::<Vec<_>>()), whole, "{size}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_one_and_takes_no_memory() {
        let long = vec![b'x'; LONGEST - 1];
        let found = lines(&[&long, b"x", &long, b"\nnext\n"]);
        assert_eq!(found, [None, Some(b"next".to_vec())]);
        assert_eq!(lines(&[&long, b"\n"])[0].as_ref().map(Vec::len), Some(LONGEST - 1));
        let mut split = Split::default();
        split.push(&long, |_| {});
        split.push(b"xx", |_| {});
        assert_eq!(split.torn.capacity(), 0);
    }

    #[test]
    fn after_a_file_that_ends_in_a_fragment_comes_a_whole_line() {
        let (mut split, mut found) = (Split::within_a_line(), Vec::new());
        split.push(b"no end", |_| unreachable!("its begin was not read"));
        split.finish(|_| unreachable!("there is no line"));
        split.push(b"next\n", |line| found.push(line.map(<[u8]>::to_vec)));
        assert_eq!(found, [Some(b"next".to_vec())]);
    }
}
