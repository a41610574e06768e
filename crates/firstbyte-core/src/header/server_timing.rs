//! `Server-Timing`: <https://www.w3.org/TR/server-timing/>.

use std::fmt;

use http::{HeaderMap, HeaderValue};

use super::SERVER_TIMING;
use crate::clock::Micros;

/// The server's share of a control call, as it tells the client. Unknown parts are absent.
///
/// ```
/// use firstbyte_core::{Micros, header::ServerTiming};
///
/// let timing = ServerTiming::parse("kernel;dur=0.3, cache;desc=\"a, b\", rpc;dur=437.5").0;
/// assert_eq!(timing.kernel, Some(Micros(300)));
/// assert_eq!(timing.rpc, Some(Micros(437_500)));
/// assert_eq!(timing.total, None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerTiming {
    /// How long the request lay in the kernel before the application read it.
    pub kernel: Option<Micros>,
    /// From server.recv to rpc.start.
    pub handler: Option<Micros>,
    /// From rpc.start to rpc.done.
    pub rpc: Option<Micros>,
    /// From server.recv to the response head.
    pub total: Option<Micros>,
}

/// An entry of ours has a duration that is missing, negative or not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidServerTiming;

impl ServerTiming {
    /// A timing with these parts.
    #[must_use]
    pub const fn new(
        kernel: Option<Micros>,
        handler: Option<Micros>,
        rpc: Option<Micros>,
        total: Option<Micros>,
    ) -> Self {
        Self { kernel, handler, rpc, total }
    }

    /// Reads a header value; entries of others are ignored, and the first of two entries counts.
    ///
    /// The second part tells whether an entry of ours was unusable.
    pub fn parse(value: &str) -> (Self, Result<(), InvalidServerTiming>) {
        let mut timing = Self::default();
        let mut validity = Ok(());
        for entry in split_unquoted(value, ',') {
            let mut parts = split_unquoted(entry, ';').map(str::trim);
            let slot = match parts.next() {
                Some("kernel") => &mut timing.kernel,
                Some("handler") => &mut timing.handler,
                Some("rpc") => &mut timing.rpc,
                Some("total") => &mut timing.total,
                _ => continue,
            };
            let duration = parts.find_map(|part| {
                let (name, value) = part.split_once('=')?;
                name.trim().eq_ignore_ascii_case("dur").then(|| value.trim().trim_matches('"'))
            });
            match duration.and_then(|d| d.parse().ok()).and_then(Micros::from_millis_f64) {
                Some(duration) => *slot = slot.or(Some(duration)),
                None => validity = Err(InvalidServerTiming),
            }
        }
        (timing, validity)
    }

    /// Reads all `server-timing` headers of a response.
    pub fn from_headers(headers: &HeaderMap) -> (Self, Result<(), InvalidServerTiming>) {
        // Others may describe their entries in any bytes.
        let values = headers.get_all(&SERVER_TIMING).iter();
        let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
        values.fold((Self::default(), Ok(())), |(timing, validity), value| {
            let (next, valid) = Self::parse(&value);
            let merged = Self {
                kernel: timing.kernel.or(next.kernel),
                handler: timing.handler.or(next.handler),
                rpc: timing.rpc.or(next.rpc),
                total: timing.total.or(next.total),
            };
            (merged, validity.and(valid))
        })
    }

    /// The value as a header, or `None` if no part is known. Milliseconds with three decimals.
    #[must_use]
    pub fn to_header(self) -> Option<HeaderValue> {
        let mut line = Line::new();
        line.entry(b"kernel;dur=", self.kernel);
        line.entry(b"handler;dur=", self.handler);
        line.entry(b"rpc;dur=", self.rpc);
        line.entry(b"total;dur=", self.total);
        let text = line.text();
        (!text.is_empty()).then(|| HeaderValue::from_bytes(text).ok()).flatten()
    }
}

/// A header value in the making, on the stack: every control response pays for it.
struct Line {
    text: [u8; Self::CAPACITY],
    len: usize,
}

impl Line {
    /// Four entries: names of 7 bytes, `;dur=`, `, `, 17 digits before and 3 after the point.
    const CAPACITY: usize = 4 * (7 + 5 + 2 + 17 + 1 + 3);

    const fn new() -> Self {
        Self { text: [0; Self::CAPACITY], len: 0 }
    }

    #[inline]
    fn entry<const N: usize>(&mut self, name: &[u8; N], duration: Option<Micros>) {
        let Some(Micros(micros)) = duration else { return };
        if self.len > 0 {
            self.push(b", ");
        }
        self.push(name);
        let mut whole = itoa::Buffer::new();
        for digit in whole.format(micros / 1000).bytes() {
            self.push(&[digit]);
        }
        let digit = |power| b'0' + (micros / power % 10) as u8;
        self.push(&[b'.', digit(100), digit(10), digit(1)]);
    }

    /// Of a known length, so that it is a few instructions and no call.
    #[inline]
    fn push<const N: usize>(&mut self, bytes: &[u8; N]) {
        if let Some(room) = self.text[self.len..].first_chunk_mut() {
            *room = *bytes;
            self.len += N;
        }
    }

    fn text(&self) -> &[u8] {
        &self.text[..self.len]
    }
}

/// Splits at `separator`, but not inside a quoted string.
fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    text.split(move |c| {
        if escaped {
            escaped = false;
        } else if c == '"' {
            quoted = !quoted;
        } else if quoted && c == '\\' {
            escaped = true;
        }
        c == separator && !quoted
    })
}

impl fmt::Display for InvalidServerTiming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a Server-Timing entry has no usable duration: expected name;dur=<milliseconds>",
        )
    }
}

impl std::error::Error for InvalidServerTiming {}
