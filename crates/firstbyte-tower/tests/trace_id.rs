//! Ids that come in, and what becomes of them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::convert::Infallible;

use firstbyte_core::{Recorder, TraceId, header::TraceParent};
use firstbyte_tower::{FirstByteLayer, PropagateTraceIdLayer, Rpc, SetTraceIdLayer};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use support::Log;
use tower::{Layer, ServiceExt, service_fn};

const ID: &str = "00f067aa0ba902b7";
const PARENT: &str = "00-4bf92f3577b34da600f067aa0ba902b7-00f067aa0ba902b8-01";

/// The headers and the id that a handler sees, and the response's headers.
fn through(
    layer: &SetTraceIdLayer,
    headers: &[(&'static str, &[u8])],
) -> (HeaderMap, TraceId, HeaderMap) {
    let mut request = Request::new(());
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value).unwrap();
        request.headers_mut().append(HeaderName::from_static(name), value);
    }
    let mut seen = None;
    let service =
        layer.layer(PropagateTraceIdLayer::new().layer(service_fn(|request: Request<()>| {
            let id = *request.extensions().get::<TraceId>().unwrap();
            seen = Some((request.headers().clone(), id));
            std::future::ready(Ok::<_, Infallible>(Response::new(String::new())))
        })));
    let response = service.oneshot(request).now_or_never().unwrap().unwrap();
    let (headers, id) = seen.unwrap();
    (headers, id, response.into_parts().0.headers)
}

#[test]
fn a_valid_id_is_kept_and_normalised() {
    let layer = SetTraceIdLayer::new();
    for inbound in [ID, "00F067AA0BA902B7"] {
        let (headers, id, response) = through(&layer, &[("x-trace-id", inbound.as_bytes())]);
        assert_eq!(id.to_string(), ID);
        assert_eq!(headers["x-trace-id"], ID);
        assert_eq!(response["x-trace-id"], ID);
        assert!(!headers.contains_key("traceparent"));
    }
    let (headers, id, _) = through(&layer, &[("traceparent", PARENT.as_bytes())]);
    assert_eq!((id.to_string().as_str(), headers["x-trace-id"].to_str().unwrap()), (ID, ID));
    assert_eq!(layer.invalid_ids().get(), 0);
}

#[test]
fn a_hostile_id_is_replaced_and_counted() {
    let long = [b'a'; 8192];
    let hostile: [&[u8]; 9] = [
        b"",
        b"0000000000000000",
        b"00f067aa0ba902b",
        b"00f067aa0ba902b77",
        b"\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09",
        b"' OR 1=1 --     ",
        "ÄÄÄÄÄÄÄÄ".as_bytes(),
        b"00f067aa0ba902b7, 00f067aa0ba902b7",
        &long,
    ];
    let layer = SetTraceIdLayer::new();
    for (n, value) in hostile.into_iter().enumerate() {
        let (headers, id, response) = through(&layer, &[("x-trace-id", value)]);
        assert_eq!(headers.get_all("x-trace-id").iter().count(), 1);
        assert_eq!(headers["x-trace-id"], id.to_string());
        assert_eq!(response["x-trace-id"], id.to_string());
        assert_eq!(layer.invalid_ids().get(), n as u64 + 1, "{value:?}");
    }
    // CR, LF, NUL and ESC cannot even be in a header value.
    for byte in [b'\r', b'\n', 0, 0x1b] {
        assert!(HeaderValue::from_bytes(&[byte]).is_err());
    }
}

#[test]
fn two_ids_are_none() {
    let layer = SetTraceIdLayer::new();
    let id = ("x-trace-id", ID.as_bytes());
    let (headers, new, _) = through(&layer, &[id, id]);
    assert_ne!(new.to_string(), ID);
    assert_eq!(
        headers.get_all("x-trace-id").iter().collect::<Vec<_>>(),
        [new.to_string().as_str()]
    );
    assert_eq!(layer.invalid_ids().get(), 1);

    let (headers, id, _) = through(&layer, &[id, id, ("traceparent", PARENT.as_bytes())]);
    assert_eq!(id.to_string(), ID, "from traceparent");
    assert_eq!(headers.get_all("x-trace-id").iter().count(), 1);
}

#[test]
fn a_client_sends_traceparent_and_leaves_a_valid_one_alone() {
    let layer = SetTraceIdLayer::new().traceparent(true);
    let (headers, id, _) = through(&layer, &[]);
    let parent = TraceParent::parse(headers["traceparent"].as_bytes()).unwrap();
    assert_eq!(parent.trace_id(), id.to_w3c());
    let (headers, ..) = through(&layer, &[("traceparent", PARENT.as_bytes())]);
    assert_eq!(headers["traceparent"], PARENT);
    let (headers, id, _) = through(&layer, &[("traceparent", b"00-zz")]);
    assert_eq!(
        TraceParent::parse(headers["traceparent"].as_bytes()).unwrap().trace_id(),
        id.to_w3c()
    );
}

#[test]
fn a_response_keeps_the_id_that_it_has() {
    let service = PropagateTraceIdLayer::new().layer(service_fn(|_| async {
        Ok::<_, Infallible>(Response::builder().header("x-trace-id", "mine").body(()).unwrap())
    }));
    let request = || Request::builder().header("x-trace-id", ID).body(()).unwrap();
    let response = service.oneshot(request()).now_or_never().unwrap().unwrap();
    let ids: Vec<_> = response.headers().get_all("x-trace-id").iter().collect();
    assert_eq!(ids, ["mine"]);

    let alone = PropagateTraceIdLayer::new()
        .layer(service_fn(|_| async { Ok::<_, Infallible>(Response::new(())) }));
    let response = alone.oneshot(request()).now_or_never().unwrap().unwrap();
    assert_eq!(response.headers()["x-trace-id"], ID, "without SetTraceId: the request's own");
    let response = alone.oneshot(Request::new(())).now_or_never().unwrap().unwrap();
    assert!(response.headers().is_empty());
}

#[test]
fn first_byte_alone_takes_or_makes_an_id_and_counts_the_invalid() {
    let layer = FirstByteLayer::new(Recorder::disabled());
    let service = layer.layer(service_fn(|request: Request<()>| {
        let id = Rpc::of(request.extensions()).unwrap().trace_id();
        std::future::ready(Ok::<_, Infallible>(Response::new(id.to_string())))
    }));
    for (sent, invalid) in [(ID, 0), ("no id", 1)] {
        let request = Request::post("/pause").header("x-trace-id", sent).body(()).unwrap();
        let response = service.clone().oneshot(request).now_or_never().unwrap().unwrap();
        let id = response.headers()["x-trace-id"].to_str().unwrap();
        assert_eq!(id == ID, sent == ID);
        assert!(id.parse::<TraceId>().is_ok());
        assert_eq!(layer.invalid_ids().get(), invalid);
    }
}

#[test]
fn first_byte_outside_of_set_trace_id_has_the_same_id() {
    for (sent, invalid) in [(None, 0), (Some("no id"), 1), (Some(ID), 0)] {
        let log = Log::manual();
        let (outer, inner) = (FirstByteLayer::new(log.recorder.clone()), SetTraceIdLayer::new());
        let mut seen = None;
        let handler = service_fn(|request: Request<()>| {
            seen = request.extensions().get::<TraceId>().copied();
            std::future::ready(Ok::<_, Infallible>(Response::new(String::new())))
        });
        let service = outer.layer(inner.layer(PropagateTraceIdLayer::new().layer(handler)));
        let mut request = Request::post("/pause").body(()).unwrap();
        if let Some(sent) = sent {
            request.headers_mut().insert("x-trace-id", sent.parse().unwrap());
        }
        let response = service.oneshot(request).now_or_never().unwrap().unwrap();
        let id = seen.unwrap();
        assert_eq!(response.headers()["x-trace-id"], id.to_string(), "{sent:?}");
        let lines = log.lines();
        let is_of_call = |line: &String| line.contains(&format!("[{id}] server."));
        assert!(!lines.is_empty() && lines.iter().all(is_of_call), "{id}: {lines:#?}");
        let counts = (outer.invalid_ids().get(), inner.invalid_ids().get());
        assert_eq!(counts, (invalid, 0), "only the outer one has seen it");
    }
}
