//! What `ClientLayer` records.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
};

use bytes::Bytes;
use firstbyte_core::{TraceId, header::TraceParent};
use firstbyte_testkit::{ScriptedBody, cancel_sweep, poll_times};
use firstbyte_tower::ClientLayer;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use support::Log;
use tower::{Layer, ServiceExt, service_fn};

fn request() -> Request<()> {
    Request::post("http://user:canary@host:8000/pause?key=canary").body(()).unwrap()
}

#[test]
fn the_wall_time_is_split_at_the_response_head() {
    let log = Log::manual();
    let client = ClientLayer::new(log.recorder.clone()).layer(service_fn(|request: Request<()>| {
        let id: TraceId = request.headers()["x-trace-id"].to_str().unwrap().parse().unwrap();
        let parent = TraceParent::parse(request.headers()["traceparent"].as_bytes()).unwrap();
        assert_eq!(parent.trace_id(), id.to_w3c());
        log.advance_ms(100);
        let response =
            Response::builder().header("server-timing", "handler;dur=10, rpc;dur=60, total;dur=75");
        std::future::ready(Ok::<_, Infallible>(
            response.body(ScriptedBody::new().data("a").data("b")).unwrap(),
        ))
    }));
    let mut response = client.oneshot(request()).now_or_never().unwrap().unwrap();
    log.advance_ms(5);
    response.body_mut().frame().now_or_never().unwrap().unwrap().unwrap();
    log.advance_ms(2);
    response.body_mut().frame().now_or_never().unwrap().unwrap().unwrap();
    assert_eq!(
        log.records(),
        [
            "client.send url=http://host:8000/pause?key=*** t=5.000000 op=pause target=host:8000",
            "client.done wall_ms=107.0 rpc_ms=60.0 queue_ms=47.0 wait_ms=100.0 receive_ms=7.0 \
         handler_ms=10.0 respond_ms=5.0 unattributed_ms=25.0 status=200 op=pause target=host:8000",
        ]
    );
    assert_eq!(log.outcome(), "done");
}

#[test]
fn a_server_has_the_name_that_every_other_client_gives_it() {
    for (uri, host, target) in [
        ("http://u:canary@Host/pause", None, "host:80"),
        ("https://host/pause", None, "host:443"),
        ("http://[::1]:8000/pause", None, "[::1]:8000"),
        ("/pause", Some("Host:8000"), "host:8000"),
    ] {
        let log = Log::new();
        let client = ClientLayer::new(log.recorder.clone()).layer(service_fn(|_| {
            std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
        }));
        let mut request = Request::post(uri);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        client.oneshot(request.body(()).unwrap()).now_or_never().unwrap().unwrap();
        let name = format!(" target={target}");
        assert!(log.records().iter().all(|line| line.ends_with(&name)), "{:?}", log.records());
    }
}

#[test]
fn an_rpc_that_cannot_be_is_flagged_and_never_clamped() {
    for (timing, flag) in [
        ("rpc;dur=60", "rpc_exceeds_wall"),
        ("rpc;dur=lots", "rpc_invalid"),
        ("cache;dur=1", "rpc_missing"),
    ] {
        let log = Log::manual();
        let client = ClientLayer::new(log.recorder.clone()).layer(service_fn(|_| async move {
            let response = Response::builder().header("server-timing", timing);
            Ok::<_, Infallible>(response.body(Full::<Bytes>::default()).unwrap())
        }));
        client.oneshot(request()).now_or_never().unwrap().unwrap();
        let done = &log.records()[1];
        assert!(done.contains(&format!("flags={flag}")) && !done.contains("queue_ms"), "{done}");
    }
}

#[tokio::test]
async fn a_call_cancelled_at_any_poll_fails_exactly_once() {
    let log = Log::new();
    let layer = ClientLayer::new(log.recorder.clone());
    let make = || {
        let client = layer.layer(service_fn(async |_: Request<()>| {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(Response::new(
                ScriptedBody::new()
                    .pending()
                    .data("a")
                    .pending()
                    .end()
                    .with_size_hint(Default::default()),
            ))
        }));
        async { client.oneshot(request()).await.unwrap().into_body().collect().await.unwrap() }
    };
    let mut ends = Vec::new();
    cancel_sweep(make, |_, _| ends.extend(log.ends().last().cloned())).await;
    assert_eq!(ends, ["cancelled", "early_drop", "early_drop", "done"]);
    let fails: Vec<_> =
        log.records().into_iter().filter(|line| line.starts_with("client.fail")).collect();
    assert!(fails[0].contains("phase=wait outcome=cancelled error=cancelled"), "{fails:?}");
    assert!(
        fails[1].contains("phase=receive outcome=early_drop error=early_drop status=200"),
        "{fails:?}"
    );
}

#[test]
fn failures_name_what_failed() {
    let log = Log::new();
    let client = ClientLayer::new(log.recorder.clone())
        .layer(service_fn(|_| async { Err::<Response<Full<Bytes>>, _>("refused") }));
    assert_eq!(client.oneshot(request()).now_or_never().unwrap().err(), Some("refused"));
    assert!(
        log.records()[1].contains("phase=wait outcome=unknown error=service"),
        "{:?}",
        log.records()
    );

    for (body, end) in [
        (ScriptedBody::new().data("a").error("reset"), "outcome=unknown error=body status=200"),
        (ScriptedBody::new().data("a").panic("on purpose"), "outcome=panic error=panic status=200"),
    ] {
        let log = Log::new();
        let mut body = Some(body);
        let client = ClientLayer::new(log.recorder.clone()).layer(service_fn(|_| {
            std::future::ready(Ok::<_, Infallible>(Response::new(body.take().unwrap())))
        }));
        let response = client.oneshot(request()).now_or_never().unwrap().unwrap();
        _ = catch_unwind(AssertUnwindSafe(|| drop(poll_times(response.into_body().collect(), 9))));
        let fail = &log.records()[1];
        assert!(fail.contains("phase=receive") && fail.contains(end), "{fail}");
        log.outcome();
    }
}

#[test]
fn other_requests_pass_untouched() {
    let log = Log::new();
    let client = ClientLayer::new(log.recorder.clone()).layer(service_fn(|request: Request<()>| {
        assert!(request.headers().is_empty());
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
    }));
    let request = Request::post("http://host/v1/completions").body(()).unwrap();
    client.oneshot(request).now_or_never().unwrap().unwrap();
    assert!(log.lines().is_empty());
}
