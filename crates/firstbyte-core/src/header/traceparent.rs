//! `traceparent`, version 00: <https://www.w3.org/TR/trace-context/#traceparent-header>.

use std::{fmt, num::NonZeroU64, num::NonZeroU128};

use http::HeaderValue;

use crate::trace_id::{TraceId, hex, parse_hex};

/// The position of a request in a W3C trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    trace_id: NonZeroU128,
    parent_id: NonZeroU64,
    sampled: bool,
}

/// The value is not a `traceparent` of any known version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidTraceParent;

impl TraceParent {
    /// A sampled parent for a call with this id; the span has an id of its own.
    #[must_use]
    pub fn new(id: TraceId) -> Self {
        let parent_id = NonZeroU64::new(TraceId::random().get()).unwrap_or(NonZeroU64::MIN);
        let trace_id = NonZeroU128::new(id.to_w3c()).unwrap_or(NonZeroU128::MIN);
        Self { trace_id, parent_id, sampled: true }
    }

    /// Reads a header value. A version above 00 is read as its first four fields, as the standard says.
    ///
    /// # Errors
    ///
    /// [`InvalidTraceParent`] for the version `ff`, upper-case or missing digits, all-zero ids, and
    /// anything after the flags in version 00.
    pub fn parse(value: &[u8]) -> Result<Self, InvalidTraceParent> {
        if value.len() < 55 || value.iter().any(u8::is_ascii_uppercase) {
            return Err(InvalidTraceParent);
        }
        let (head, tail) = value.split_at(55);
        let version = parse_hex(&head[..2]).ok_or(InvalidTraceParent)?;
        let tail_fits =
            if version == 0 { tail.is_empty() } else { tail.first().is_none_or(|b| *b == b'-') };
        if version == 0xff || !tail_fits || [head[2], head[35], head[52]] != *b"---" {
            return Err(InvalidTraceParent);
        }
        let trace_id = parse_hex(&head[3..35]).and_then(NonZeroU128::new);
        let parent_id = parse_hex(&head[36..52]).and_then(|id| NonZeroU64::new(id as u64));
        let flags = parse_hex(&head[53..55]);
        match (trace_id, parent_id, flags) {
            (Some(trace_id), Some(parent_id), Some(flags)) => {
                Ok(Self { trace_id, parent_id, sampled: flags & 1 == 1 })
            }
            _ => Err(InvalidTraceParent),
        }
    }

    /// The low 64 bits of the trace-id, unless they are zero.
    #[must_use]
    pub const fn id(self) -> Option<TraceId> {
        TraceId::from_w3c(self.trace_id.get())
    }

    /// The whole trace-id.
    #[must_use]
    pub const fn trace_id(self) -> u128 {
        self.trace_id.get()
    }

    /// The span that made the request.
    #[must_use]
    pub const fn parent_id(self) -> u64 {
        self.parent_id.get()
    }

    /// The value as a header.
    #[must_use]
    pub fn to_header(self) -> HeaderValue {
        // By hand: it is on the path of every traced call, and `write!` takes ten times as long.
        let mut value = *b"00-00000000000000000000000000000000-0000000000000000-00";
        value[3..19].copy_from_slice(&hex((self.trace_id.get() >> 64) as u64));
        value[19..35].copy_from_slice(&hex(self.trace_id.get() as u64));
        value[36..52].copy_from_slice(&hex(self.parent_id.get()));
        value[54] |= u8::from(self.sampled);
        HeaderValue::from_bytes(&value).unwrap_or(HeaderValue::from_static(""))
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace_id,
            self.parent_id,
            u8::from(self.sampled)
        )
    }
}

impl fmt::Display for InvalidTraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not a traceparent: expected 00-<32 hex>-<16 hex>-<2 hex>, lower case, ids not zero",
        )
    }
}

impl std::error::Error for InvalidTraceParent {}
