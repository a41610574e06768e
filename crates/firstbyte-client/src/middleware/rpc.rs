//! What the server says of the engine's time: a header, or a field of its JSON answer.

use firstbyte_core::{Flags, Micros, Phases, ReportedRpc, Split, header::ServerTiming};
use http::{HeaderMap, header::CONTENT_TYPE};
use serde::Deserialize;
use serde_json::value::RawValue;

/// More of a body than this is never kept.
const MAX_TEE: usize = 64 << 10;

/// Collects the server's half of a call.
#[derive(Debug)]
pub(super) struct RpcReport {
    timing: ServerTiming,
    /// An entry of the header could not be used.
    timing_invalid: bool,
    /// The JSON body so far, where it must be looked at.
    body: Option<Vec<u8>>,
}

impl RpcReport {
    /// Reads the head. A JSON body is looked at only if the head has no `rpc` entry.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let (timing, validity) = ServerTiming::from_headers(headers);
        let body = (timing.rpc.is_none() && is_json(headers)).then(Vec::new);
        Self { timing, timing_invalid: validity.is_err(), body }
    }

    /// Takes a piece of the body.
    pub(super) fn take(&mut self, data: &[u8]) {
        match &mut self.body {
            Some(body) if body.len() + data.len() <= MAX_TEE => body.extend_from_slice(data),
            too_large => *too_large = None,
        }
    }

    /// The whole call, when the body ended.
    pub(super) fn split(&self, phases: Phases) -> Split {
        let in_body = self.body.as_deref().map_or(ReportedRpc::Missing, rpc_ms);
        let rpc = match (self.timing.rpc, in_body) {
            (Some(rpc), _) => ReportedRpc::Known(rpc),
            (None, ReportedRpc::Missing) if self.timing_invalid => ReportedRpc::Invalid,
            (None, in_body) => in_body,
        };
        Split::new(phases, self.timing, rpc)
    }

    /// The call so far, when the body is given up before its end.
    pub(super) fn split_unread(&self, phases: Phases) -> Split {
        let rpc = self.timing.rpc.map_or(ReportedRpc::Missing, ReportedRpc::Known);
        let mut split = Split::new(phases, self.timing, rpc);
        let mut flags: Flags = split.flags;
        flags.body_unread = true;
        split.flags = flags;
        split
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return false };
    let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    let essence = essence.trim_ascii().to_ascii_lowercase();
    essence == b"application/json" || essence.ends_with(b"+json")
}

/// The field `rpc_ms` of a JSON object: a number of milliseconds, or null.
fn rpc_ms(body: &[u8]) -> ReportedRpc {
    #[derive(Deserialize)]
    struct Report<'a> {
        #[serde(borrow)]
        rpc_ms: Option<&'a RawValue>,
    }
    if body.trim_ascii_start().first() != Some(&b'{') {
        return ReportedRpc::Missing;
    }
    match serde_json::from_slice::<Report<'_>>(body) {
        Ok(Report { rpc_ms: None }) => ReportedRpc::Missing,
        Ok(Report { rpc_ms: Some(value) }) => serde_json::from_str::<f64>(value.get())
            .ok()
            .and_then(Micros::from_millis_f64)
            .map_or(ReportedRpc::Invalid, ReportedRpc::Known),
        // Python writes NaN and Infinity into what it calls JSON.
        Err(_) if body.windows(8).any(|window| window == b"\"rpc_ms\"") => ReportedRpc::Invalid,
        Err(_) => ReportedRpc::Missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bodys_rpc_ms_is_a_duration_or_flagged() {
        let known = |micros| ReportedRpc::Known(Micros(micros));
        for (body, expected) in [
            (r#"{"rpc_ms": 233.2}"#, known(233_200)),
            (r#"{"status": "ok", "detail": {"rpc_ms": 1}, "rpc_ms": 7}"#, known(7_000)),
            (r#"{"rpc_ms": 1e1}"#, known(10_000)),
            (r#"{"detail": {"rpc_ms": 1}}"#, ReportedRpc::Missing),
            (r#"{"rpc_ms": null}"#, ReportedRpc::Missing),
            ("[1]", ReportedRpc::Missing),
            ("", ReportedRpc::Missing),
            (r#"{"rpc_ms": -1}"#, ReportedRpc::Invalid),
            (r#"{"rpc_ms": "12.3"}"#, ReportedRpc::Invalid),
            (r#"{"rpc_ms": NaN}"#, ReportedRpc::Invalid),
            (r#"{"rpc_ms": Infinity, "x": 1}"#, ReportedRpc::Invalid),
            (r#"{"rpc_ms": 1e999}"#, ReportedRpc::Invalid),
        ] {
            assert_eq!(rpc_ms(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn only_small_json_bodies_without_the_header_are_kept() {
        let headers = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
            pairs.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect()
        };
        let json = headers(&[("content-type", "Application/JSON; charset=utf-8")]);
        let mut report = RpcReport::of(&json);
        report.take(&[b' '; MAX_TEE]);
        assert_eq!(report.body.as_ref().map(Vec::len), Some(MAX_TEE));
        report.take(b"{");
        assert!(report.body.is_none());
        assert!(RpcReport::of(&headers(&[("content-type", "text/plain")])).body.is_none());
        let timed =
            headers(&[("content-type", "application/json"), ("server-timing", "rpc;dur=1")]);
        assert!(RpcReport::of(&timed).body.is_none());
    }
}
