//! Ids of OpenTelemetry. A half of a call has the same ids in every export.

use firstbyte_core::Timestamp;

/// The trace id of 32 hexadecimal digits; `None` if it is none of OpenTelemetry's. The 64 bits of firstbyte are
/// left-padded with zeros, as in `traceparent`.
pub(super) fn trace_id(id: &str) -> Option<String> {
    let is_hex = id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_zero = id.bytes().all(|byte| byte == b'0');
    (is_hex && !is_zero && matches!(id.len(), 16 | 32))
        .then(|| format!("{:0>32}", id.to_ascii_lowercase()))
}

/// The id of a span: of what it is (`client`, `server`, a phase), whose, and when it began. FNV-1a of 64 bits.
pub(super) fn span_id(what: &str, trace_id: &str, whose: &str, at: Timestamp) -> String {
    let parts =
        [what.as_bytes(), trace_id.as_bytes(), whose.as_bytes(), &at.as_nanos().to_le_bytes()];
    let hash = parts.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, part| {
        // No text has this byte: it keeps the parts apart.
        let bytes = part.iter().chain(&[0xff]);
        bytes.fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
    });
    // 0 is no id.
    format!("{:016x}", hash.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_opentelemetry_or_none() {
        let padded = "0000000000000000c598a271866a1d9c";
        assert_eq!(trace_id("c598a271866a1d9c").as_deref(), Some(padded));
        assert_eq!(trace_id("C598A271866A1D9C").as_deref(), Some(padded));
        let whole = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(whole).as_deref(), Some(whole));
        for none in ["", "0000000000000000", "abc", "xyz8a271866a1d9c", "step-7"] {
            assert_eq!(trace_id(none), None, "{none}");
        }
    }

    #[test]
    fn spans_that_differ_in_anything_have_other_ids() {
        let at = Timestamp::from_nanos;
        let ids = [
            span_id("client", "a", "b", at(1)),
            span_id("client", "a", "b", at(2)),
            span_id("client", "ab", "", at(1)),
            span_id("server", "a", "b", at(1)),
        ];
        for (n, id) in ids.iter().enumerate() {
            assert_eq!(id.len(), 16);
            assert!(!ids[..n].contains(id), "{id}");
        }
        assert_eq!(ids[0], span_id("client", "a", "b", at(1)));
    }
}
