//! What the server says of the engine's time: a header, or a field of its JSON answer.

use std::ops::Deref;

use bytes::Bytes;
use firstbyte_core::{
    Micros, Phases, ReportedRpc, Split,
    header::{SERVER_TIMING, ServerTiming},
};
use http::{HeaderMap, header::CONTENT_TYPE};
use serde::Deserialize;
use serde_json::Value;

/// More of a body than this is never kept.
const MAX_TEE: usize = 64 << 10;

/// Collects what a response says of the server's half of a call, for clients of any kind.
///
/// ```
/// use firstbyte_client::RpcReport;
/// use firstbyte_core::{Micros, Phase, PhaseTimer, Timestamp};
///
/// let mut headers = http::HeaderMap::new();
/// headers.insert("content-type", "application/json".parse()?);
/// let mut report = RpcReport::of(&headers);
/// report.take(&"{\"rpc_ms\": 2.5}".into());
///
/// let timer = PhaseTimer::start_in(Phase::Wait, Timestamp::from_nanos(0));
/// let split = report.split(timer.finish(Timestamp::from_nanos(4_000_000)));
/// assert_eq!(split.queue(), Some(Micros(1_500)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RpcReport {
    timing: ServerTiming,
    /// An entry of the header could not be used.
    timing_invalid: bool,
    /// The JSON body so far, where it must be looked at.
    body: Option<Tee>,
}

/// What was read of a body: its only piece shared, several pieces copied.
#[derive(Debug)]
enum Tee {
    One(Bytes),
    Several(Vec<u8>),
}

impl Deref for Tee {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::One(piece) => piece,
            Self::Several(pieces) => pieces,
        }
    }
}

impl RpcReport {
    /// Reads `server-timing` and `content-type` of the head. A JSON body is looked at only if the head has no `rpc` entry.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let (mut timed, mut json) = (false, false);
        // Walking over the few headers of an answer costs less than hashing two names.
        for (name, value) in headers {
            timed |= *name == SERVER_TIMING;
            json |= *name == CONTENT_TYPE && is_json(value.as_bytes());
        }
        let (timing, validity) = match timed {
            true => ServerTiming::from_headers(headers),
            false => (ServerTiming::default(), Ok(())),
        };
        let body = (json && timing.rpc.is_none()).then(|| Tee::One(Bytes::new()));
        Self { timing, timing_invalid: validity.is_err(), body }
    }

    /// Takes a piece of the body. More than 64 KiB are not looked at.
    pub fn take(&mut self, data: &Bytes) {
        self.body = match self.body.take() {
            Some(body) if body.len() + data.len() <= MAX_TEE => Some(match body {
                Tee::One(first) if first.is_empty() => Tee::One(data.clone()),
                Tee::One(first) => Tee::Several([first, data.clone()].concat()),
                Tee::Several(mut pieces) => {
                    pieces.extend_from_slice(data);
                    Tee::Several(pieces)
                }
            }),
            _ => None,
        };
    }

    /// The whole call, when the body ended.
    #[must_use]
    pub fn split(&self, phases: Phases) -> Split {
        let in_body = self.body.as_deref().map_or(ReportedRpc::Missing, rpc_ms);
        let rpc = match (self.timing.rpc, in_body) {
            (Some(rpc), _) => ReportedRpc::Known(rpc),
            (None, ReportedRpc::Missing) if self.timing_invalid => ReportedRpc::Invalid,
            (None, in_body) => in_body,
        };
        Split::new(phases, self.timing, rpc)
    }

    /// The call so far, when the body is given up before its end: flagged as `body_unread`.
    #[must_use]
    pub fn split_unread(&self, phases: Phases) -> Split {
        let rpc = self.timing.rpc.map_or(ReportedRpc::Missing, ReportedRpc::Known);
        let mut split = Split::new(phases, self.timing, rpc);
        split.flags.body_unread = true;
        split
    }
}

fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let suffix = essence.len().checked_sub(5).map(|at| &essence[at..]);
    essence.eq_ignore_ascii_case(b"application/json")
        || suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case(b"+json"))
}

/// The field `rpc_ms` of a JSON object: a number of milliseconds, or null.
fn rpc_ms(body: &[u8]) -> ReportedRpc {
    #[derive(Deserialize)]
    struct Report {
        rpc_ms: Option<Value>,
    }
    if body.trim_ascii_start().first() != Some(&b'{') {
        return ReportedRpc::Missing;
    }
    match serde_json::from_slice::<Report>(body) {
        Ok(Report { rpc_ms: None }) => ReportedRpc::Missing,
        Ok(Report { rpc_ms: Some(value) }) => value
            .as_f64()
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
            (r#"{"rpc_ms": [1, {"a": 2}], "x": 1}"#, ReportedRpc::Invalid),
            (r#"{"rpc_ms": {"ms": 2}}"#, ReportedRpc::Invalid),
            (r#"{"rpc_ms": true}"#, ReportedRpc::Invalid),
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
        report.take(&vec![b' '; MAX_TEE].into());
        assert_eq!(report.body.as_deref().map(<[u8]>::len), Some(MAX_TEE));
        report.take(&Bytes::from_static(b"{"));
        assert!(report.body.is_none());
        assert!(RpcReport::of(&headers(&[("content-type", "text/plain")])).body.is_none());
        let timed =
            headers(&[("content-type", "application/json"), ("server-timing", "rpc;dur=1")]);
        assert!(RpcReport::of(&timed).body.is_none());
    }
}
