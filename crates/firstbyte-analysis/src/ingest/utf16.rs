//! UTF-16 as UTF-8: the shells of Windows write what they redirect so, with a mark in front that says it.

use std::{
    io::{self, Cursor, Read},
    mem,
};

/// So much is decoded at once.
const CHUNK: u64 = 64 << 10;

/// A stream as UTF-8: it is decoded, if the mark of UTF-16 is in front.
pub(super) struct Text {
    stream: Box<dyn Read + Send>,
    is_new: bool,
}

impl Text {
    pub(super) fn new(stream: Box<dyn Read + Send>) -> Self {
        Self { stream, is_new: true }
    }

    /// Looks at the mark. What is packed may fail there already, as any later read may.
    fn begin(&mut self) -> io::Result<()> {
        let mut start = Vec::new();
        self.stream.by_ref().take(2).read_to_end(&mut start)?;
        let decoder = Decoder::of(&start);
        let rest = mem::replace(&mut self.stream, Box::new(io::empty()));
        let whole = Cursor::new(start).chain(rest);
        self.stream = match decoder {
            Some(decoder) => Box::new(Utf16::new(whole, decoder)),
            None => Box::new(whole),
        };
        Ok(())
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if mem::take(&mut self.is_new) {
            self.begin()?;
        }
        self.stream.read(buffer)
    }
}

/// UTF-16 that comes in pieces, decoded. What is none becomes U+FFFD.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// How the two bytes of a unit stand.
    unit: fn([u8; 2]) -> u16,
    /// Of a character whose end has not come.
    rest: Vec<u8>,
}

impl Decoder {
    /// For what begins so; `None` if it is not UTF-16.
    pub(crate) fn of(start: &[u8]) -> Option<Self> {
        let unit = match start {
            [0xff, 0xfe, ..] => u16::from_le_bytes,
            [0xfe, 0xff, ..] => u16::from_be_bytes,
            _ => return None,
        };
        Some(Self { unit, rest: Vec::new() })
    }

    /// The text of the next piece.
    pub(crate) fn decode(&mut self, piece: &[u8]) -> String {
        self.rest.extend_from_slice(piece);
        let mut units: Vec<u16> =
            self.rest.chunks_exact(2).map(|pair| (self.unit)([pair[0], pair[1]])).collect();
        // The other half of a pair is still to come.
        if units.last().is_some_and(|last| (0xd800..0xdc00).contains(last)) {
            units.pop();
        }
        self.rest.drain(..units.len() * 2);
        let characters = char::decode_utf16(units);
        characters.map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    }

    /// The text of what has no end.
    fn finish(&mut self) -> String {
        let units = mem::take(&mut self.rest).len() / 2;
        char::REPLACEMENT_CHARACTER.to_string().repeat(units)
    }
}

/// A stream of UTF-16, decoded.
struct Utf16<R> {
    reader: R,
    decoder: Decoder,
    text: Cursor<String>,
    /// Why there is no more, which is told behind what was read until then.
    failed: Option<io::Error>,
}

impl<R: Read> Utf16<R> {
    fn new(reader: R, decoder: Decoder) -> Self {
        Self { reader, decoder, text: Cursor::default(), failed: None }
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.text.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            let mut piece = Vec::new();
            let read = self.reader.by_ref().take(CHUNK).read_to_end(&mut piece);
            let is_end = matches!(read, Ok(0));
            self.failed = read.err();
            let text = if is_end { self.decoder.finish() } else { self.decoder.decode(&piece) };
            if is_end && text.is_empty() {
                return Ok(0);
            }
            self.text = Cursor::new(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> String {
        let mut text = String::new();
        let decoder = Decoder::of(bytes).expect("a mark");
        Utf16::new(bytes, decoder).read_to_string(&mut text).unwrap();
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
    fn what_was_read_until_an_error_is_decoded() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
        }
        let mut text = Text::new(Box::new(b"\xff\xfea\0b\0".chain(Broken)));
        let mut read = Vec::new();
        let error = text.read_to_end(&mut read).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(read, "\u{feff}ab".as_bytes());
    }

    #[test]
    fn what_is_none_is_a_replacement_or_nothing() {
        assert_eq!(decoded(b"\xff\xfe\x00\xd8a\0\x00\xd8"), "\u{feff}\u{fffd}a\u{fffd}");
        assert_eq!(decoded(b"\xff\xfea\0b"), "\u{feff}a");
    }
}
