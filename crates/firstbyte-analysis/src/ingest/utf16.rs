//! UTF-16 as UTF-8: the shells of Windows write what they redirect so, with a mark in front that says it.

use std::io::{self, Cursor, Read};

/// So much is decoded at once.
const CHUNK: u64 = 64 << 10;

/// How the two bytes of a unit stand in a file that begins so; `None` if it is not UTF-16.
pub(super) fn order(start: &[u8]) -> Option<fn([u8; 2]) -> u16> {
    match start {
        [0xff, 0xfe, ..] => Some(u16::from_le_bytes),
        [0xfe, 0xff, ..] => Some(u16::from_be_bytes),
        _ => None,
    }
}

/// A stream of UTF-16, decoded. What is none becomes U+FFFD.
pub(super) struct Utf16<R> {
    reader: R,
    unit: fn([u8; 2]) -> u16,
    /// What is read and not decoded: of a character whose end has not come.
    raw: Vec<u8>,
    text: Cursor<String>,
}

impl<R: Read> Utf16<R> {
    pub(super) fn new(reader: R, unit: fn([u8; 2]) -> u16) -> Self {
        Self { reader, unit, raw: Vec::new(), text: Cursor::default() }
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.text.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let is_end = self.reader.by_ref().take(CHUNK).read_to_end(&mut self.raw)? == 0;
            if is_end && self.raw.is_empty() {
                return Ok(0);
            }
            let mut units: Vec<u16> =
                self.raw.chunks_exact(2).map(|pair| (self.unit)([pair[0], pair[1]])).collect();
            // The other half of a pair is still to come.
            if !is_end && units.last().is_some_and(|last| (0xd800..0xdc00).contains(last)) {
                units.pop();
            }
            self.raw.drain(..if is_end { self.raw.len() } else { units.len() * 2 });
            let characters = char::decode_utf16(units);
            let text = characters.map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER));
            self.text = Cursor::new(text.collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> String {
        let mut text = String::new();
        let unit = order(bytes).expect("a mark");
        Utf16::new(bytes, unit).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn text_of_either_order_and_any_length_comes_out_whole() {
        // The chunks end within a pair, too.
        for text in ["".to_owned(), "a\r\n\u{e4}\u{1f600}".to_owned(), "x\u{1f600}".repeat(50_000)]
        {
            let units = || std::iter::once(0xfeff).chain(text.encode_utf16());
            let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
            let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
            let expected = format!("\u{feff}{text}");
            assert!(decoded(&little) == expected && decoded(&big) == expected, "{}", text.len());
        }
    }

    #[test]
    fn what_is_none_is_a_replacement_or_nothing() {
        assert_eq!(decoded(b"\xff\xfe\x00\xd8a\0\x00\xd8"), "\u{feff}\u{fffd}a\u{fffd}");
        assert_eq!(decoded(b"\xff\xfea\0b"), "\u{feff}a");
    }
}
