//! What a scripted server saw of one request.

use std::{io, time::Instant};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// One request as it arrived at a [`ScriptedServer`](crate::ScriptedServer).
///
/// It is recorded when its head is complete; `body` is filled in later, once it was read whole.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// First word of the request line.
    pub method: String,
    /// Second word of the request line, with the query.
    pub path: String,
    /// Raw bytes from the request line to the empty line, both included.
    pub head: Bytes,
    /// Raw bytes of the body; empty as long as it has not been read whole.
    pub body: Bytes,
    /// When the last byte of the head was read, on tokio's clock.
    pub at: Instant,
    /// Which connection it came on; the first one is 0.
    pub connection: usize,
}

impl RecordedRequest {
    /// The value of the first header called `name`, in any case; bytes that are not UTF-8 replaced.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            line[..colon]
                .eq_ignore_ascii_case(name.as_bytes())
                .then(|| String::from_utf8_lossy(line[colon + 1..].trim_ascii()).into_owned())
        })
    }

    pub(crate) fn content_length(&self) -> usize {
        self.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)
    }

    fn new(head: Bytes, connection: usize) -> Self {
        let line = String::from_utf8_lossy(head.split(|byte| *byte == b'\r').next().unwrap_or(b""))
            .into_owned();
        let mut words = line.split(' ').map(str::to_owned);
        Self {
            method: words.next().unwrap_or_default(),
            path: words.next().unwrap_or_default(),
            head,
            body: Bytes::new(),
            at: tokio::time::Instant::now().into_std(),
            connection,
        }
    }
}

/// Reads up to the empty line; what came after it stays in `input`.
pub(crate) async fn read_head(
    io: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
    connection: usize,
) -> io::Result<RecordedRequest> {
    const END: &[u8] = b"\r\n\r\n";
    loop {
        if let Some(start) = input.windows(END.len()).position(|window| window == END) {
            let head = input.split_to(start + END.len()).freeze();
            return Ok(RecordedRequest::new(head, connection));
        }
        fill(io, input).await?;
    }
}

/// Reads `length` bytes; what came after them stays in `input`.
pub(crate) async fn read_body(
    io: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
    length: usize,
) -> io::Result<Bytes> {
    while input.len() < length {
        fill(io, input).await?;
    }
    Ok(input.split_to(length).freeze())
}

async fn fill(io: &mut (impl AsyncRead + Unpin), input: &mut BytesMut) -> io::Result<()> {
    match io.read_buf(input).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_ends_where_the_next_one_starts() {
        let mut wire: &[u8] =
            b"POST /a?b=c HTTP/1.1\r\nContent-Length: 3\r\nX-Id:  7 \r\n\r\nxyzGET / HTTP/1.1\r\n\r\n";
        let mut input = BytesMut::new();

        let first = read_head(&mut wire, &mut input, 0).await.expect("first head");
        assert_eq!((first.method.as_str(), first.path.as_str()), ("POST", "/a?b=c"));
        assert_eq!(first.header("x-id").as_deref(), Some("7"), "name in any case, value trimmed");
        assert_eq!(first.header("post /a?b=c http/1.1"), None, "the request line is no header");
        let body = read_body(&mut wire, &mut input, first.content_length()).await;
        assert_eq!(body.expect("body"), "xyz");

        let second = read_head(&mut wire, &mut input, 0).await.expect("second head");
        assert_eq!((second.method.as_str(), second.content_length()), ("GET", 0));
    }

    #[tokio::test]
    async fn a_torn_head_is_no_request() {
        let mut wire: &[u8] = b"POST /a HTTP/1.1\r\ncontent-length: 3\r\n";
        let error = read_head(&mut wire, &mut BytesMut::new(), 0).await.expect_err("torn");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
