//! Reads the server-sent events of a streamed completion.

use serde::Deserialize;

/// Lines longer than this are an error of the server, not a reason to fill the memory.
const MAX_LINE: usize = 1 << 20;

/// Puts lines together from chunks and counts what they mean.
#[derive(Debug, Default)]
pub(super) struct SseReader {
    line: Vec<u8>,
    done: bool,
}

/// A stream that is not one of completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadStream;

#[derive(Deserialize)]
struct Frame {
    choices: Vec<serde::de::IgnoredAny>,
}

impl SseReader {
    /// Takes the next bytes and returns how many tokens they completed.
    pub(super) fn push(&mut self, mut chunk: &[u8]) -> Result<u64, BadStream> {
        let mut tokens = 0;
        while let Some(end) = chunk.iter().position(|byte| *byte == b'\n') {
            self.line.extend_from_slice(&chunk[..end]);
            chunk = &chunk[end + 1..];
            tokens += u64::from(self.end_of_line()?);
        }
        self.line.extend_from_slice(chunk);
        if self.line.len() > MAX_LINE { Err(BadStream) } else { Ok(tokens) }
    }

    /// Whether `[DONE]` was read: a stream that ends before it was cut off.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// Whether the line is a token. Empty lines, comments and other fields of the format are none.
    fn end_of_line(&mut self) -> Result<bool, BadStream> {
        let line = std::mem::take(&mut self.line);
        let Some(data) = line.strip_prefix(b"data:").map(<[u8]>::trim_ascii) else {
            return Ok(false);
        };
        if data == b"[DONE]" {
            self.done = true;
            return Ok(false);
        }
        let frame: Frame = serde_json::from_slice(data).map_err(|_| BadStream)?;
        Ok(!frame.choices.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b": hello\r\n\r\ndata: {\"choices\":[{\"text\":\"a\"}]}\r\n\r\n\
        data:{\"choices\":[{}]}\n\ndata: {\"choices\":[],\"usage\":{}}\n\ndata: [DONE]\n\n";

    #[test]
    fn tokens_are_counted_wherever_the_chunks_are_cut() {
        for size in 1..=STREAM.len() {
            let mut reader = SseReader::default();
            let tokens: u64 = STREAM.chunks(size).map(|chunk| reader.push(chunk).unwrap()).sum();
            assert_eq!((tokens, reader.is_done()), (2, true), "chunks of {size}");
        }
    }

    #[test]
    fn a_stream_that_was_cut_off_is_not_done() {
        let mut reader = SseReader::default();
        assert_eq!(reader.push(&STREAM[..STREAM.len() - 10]), Ok(2));
        assert!(!reader.is_done());
    }

    #[test]
    fn what_is_no_completion_is_an_error() {
        assert_eq!(SseReader::default().push(b"data: <html>\n"), Err(BadStream));
        assert_eq!(SseReader::default().push(&vec![b'x'; MAX_LINE + 1]), Err(BadStream));
    }
}
