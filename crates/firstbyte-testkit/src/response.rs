//! The bytes of an HTTP/1.1 response.

use std::fmt::Write as _;

use bytes::Bytes;
use http::StatusCode;

/// The head of a response whose body has `content_length` bytes, ending in an empty line.
///
/// `content-length` is added for every status that may carry a body (not for 1xx, 204 and 304);
/// `headers` are written as they are, so a test can add what a correct server would not.
#[must_use]
pub fn response_head(status: u16, headers: &[(&str, &str)], content_length: usize) -> Bytes {
    let reason = StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason());
    let mut head = format!("HTTP/1.1 {status} {}\r\n", reason.unwrap_or("Unknown"));
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if !matches!(status, 100..=199 | 204 | 304) {
        let _ = write!(head, "content-length: {content_length}\r\n");
    }
    head.push_str("\r\n");
    Bytes::from(head)
}

/// A whole response: [`response_head`] with the length of `body`, then `body`.
#[must_use]
pub fn response(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Bytes {
    let body = body.as_ref();
    let mut bytes = response_head(status, headers, body.len()).to_vec();
    bytes.extend_from_slice(body);
    Bytes::from(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_the_body_is_declared() {
        assert_eq!(
            response(200, &[("x-rpc-ms", "7")], "{}"),
            "HTTP/1.1 200 OK\r\nx-rpc-ms: 7\r\ncontent-length: 2\r\n\r\n{}"
        );
    }

    #[test]
    fn a_status_without_a_body_declares_no_length() {
        assert_eq!(response(204, &[], ""), "HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(response_head(100, &[], 0), "HTTP/1.1 100 Continue\r\n\r\n");
    }

    #[test]
    fn an_unknown_status_is_still_a_status_line() {
        assert!(response(799, &[], "").starts_with(b"HTTP/1.1 799 Unknown\r\n"));
    }
}
