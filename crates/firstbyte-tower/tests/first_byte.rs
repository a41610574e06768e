//! What `FirstByteLayer` records, one exchange at a time.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    convert::Infallible,
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use bytes::Bytes;
use firstbyte_core::{Arrival, ArrivalSource, Micros, Recorder, RouteTable, Transport};
use firstbyte_testkit::{ScriptedBody, cancel_sweep, poll_times};
use firstbyte_tower::{FirstByteLayer, Latency, Rpc};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use support::Log;
use tower::{Layer, Service, ServiceExt, service_fn};

fn post(path: &str) -> Request<()> {
    Request::post(path).body(()).unwrap()
}

/// Runs one exchange to its end, or until it panics.
fn exchange(log: &Log, request: Request<()>, response: Response<ScriptedBody>) -> Response<()> {
    let mut response = Some(response);
    let service = FirstByteLayer::new(log.recorder.clone())
        .layer(service_fn(|_| std::future::ready(Ok::<_, Infallible>(response.take().unwrap()))));
    let response = service.oneshot(request).now_or_never().unwrap().unwrap();
    let (head, body) = response.into_parts();
    _ = catch_unwind(AssertUnwindSafe(|| {
        _ = poll_times(body.collect(), 100);
    }));
    Response::from_parts(head, ())
}

#[test]
fn every_interval_of_a_control_call_ends_where_its_definition_says() {
    let log = Log::manual();
    let service =
        FirstByteLayer::new(log.recorder.clone()).layer(service_fn(|request: Request<()>| {
            log.advance_ms(1);
            let rpc = Rpc::of(request.extensions()).unwrap();
            let timer = rpc.start("update_weights");
            log.advance_ms(20);
            assert_eq!(timer.done(), Micros(20_000));
            log.advance_ms(300);
            let body = ScriptedBody::new().data("abc").data("de");
            std::future::ready(Ok::<_, Infallible>(Response::new(body)))
        }));
    let mut request = post("/update_weights");
    request.headers_mut().insert("x-trace-id", "00f067aa0ba902b7".parse().unwrap());
    let mut response = service.oneshot(request).now_or_never().unwrap().unwrap();
    assert_eq!(
        response.headers()["server-timing"],
        "handler;dur=1.000, rpc;dur=20.000, total;dur=321.000",
    );
    assert_eq!(response.headers()["x-trace-id"], "00f067aa0ba902b7");
    log.advance_ms(4_000);
    response.body_mut().frame().now_or_never().unwrap().unwrap().unwrap();
    log.advance_ms(50_000);
    response.body_mut().frame().now_or_never().unwrap().unwrap().unwrap();
    assert_eq!(
        log.lines(),
        [
            "[weights][00f067aa0ba902b7] server.recv path=/update_weights t=5.000000 inflight=0",
            "[weights][00f067aa0ba902b7] rpc.start op=update_weights t=5.001000",
            "[weights][00f067aa0ba902b7] rpc.done op=update_weights t=5.021000 rpc_ms=20.0",
            "[weights][00f067aa0ba902b7] server.first_byte t=9.321000 ttfb_ms=4321.0 status=200",
            "[weights][00f067aa0ba902b7] server.done t=59.321000 dur_ms=54321.0 status=200 outcome=ok bytes=5 frames=2",
        ]
    );
}

#[test]
fn every_way_to_end_a_body_is_one_outcome() {
    let body = ScriptedBody::new;
    for (what, body, outcome, bytes, frames) in [
        ("known end", body().data("ab"), "ok", 2, 1),
        ("end that must be polled for", body().data("ab").pending().end(), "ok", 2, 1),
        ("trailers", body().data("ab").trailers(HeaderMap::new()), "ok", 2, 2),
        ("empty frame first", body().data("").pending().data("a"), "ok", 1, 2),
        ("error", body().data("ab").error("broken"), "error", 2, 1),
        ("error at once", body().error("broken"), "error", 0, 0),
        ("panic", body().data("ab").panic("on purpose"), "panic", 2, 1),
        ("empty", body(), "ok", 0, 0),
        ("empty, but not known to be", body().end(), "ok", 0, 0),
    ] {
        let log = Log::new();
        exchange(&log, post("/pause"), Response::new(body));
        assert_eq!(log.outcome(), outcome, "{what}");
        let records = log.records();
        let end = format!("outcome={outcome} bytes={bytes} frames={frames}");
        assert!(records.last().unwrap().ends_with(&end), "{what}: {records:#?}");
        let first_bytes =
            records.iter().filter(|line| line.starts_with("server.first_byte")).count();
        assert_eq!(first_bytes, usize::from(bytes > 0), "{what}: {records:#?}");
    }
}

#[test]
fn a_response_without_a_body_ends_with_its_head() {
    let mut routes = RouteTable::builtin();
    routes.extend("HEAD /pause pause").unwrap();
    for (method, status) in [("POST", 101), ("POST", 204), ("POST", 304), ("HEAD", 200)] {
        let log = Log::new();
        // Servers drop these bodies without looking at them.
        let service = FirstByteLayer::new(log.recorder.clone()).routes(routes.clone()).layer(
            service_fn(|_| async move {
                let response =
                    Response::builder().status(status).body(ScriptedBody::new().data("x"));
                Ok::<_, Infallible>(response.unwrap())
            }),
        );
        let request = Request::builder().method(method).uri("/pause").body(()).unwrap();
        drop(service.oneshot(request).now_or_never().unwrap().unwrap());
        assert_eq!(log.outcome(), "ok", "{method} {status}");
        assert_eq!(log.lines().len(), 2, "no first byte: {:#?}", log.lines());
    }
}

#[test]
fn a_body_dropped_before_its_end_is_an_early_drop_unless_nothing_is_missing() {
    let chunked = || ScriptedBody::new().data("ab").end().with_size_hint(Default::default());
    let with_trailers = || {
        let body = ScriptedBody::new().data("ab").trailers(HeaderMap::new()).end();
        body.with_size_hint(Default::default())
    };
    let declared = |length| Response::builder().header("content-length", length).body(chunked());
    for (response, frames, outcome) in [
        (Response::new(ScriptedBody::new().data("ab").data("c")), 0, "early_drop"),
        (Response::new(ScriptedBody::new().data("ab").data("c")), 1, "early_drop"),
        (Response::new(chunked()), 1, "early_drop"),
        (declared(3).unwrap(), 1, "early_drop"),
        (declared(2).unwrap(), 1, "ok"),
        // Nothing can follow trailers, and no server asks for it.
        (Response::new(with_trailers()), 2, "ok"),
        (Response::new(with_trailers()), 1, "early_drop"),
    ] {
        let log = Log::new();
        let mut response = Some(response);
        let service = FirstByteLayer::new(log.recorder.clone()).layer(service_fn(|_| {
            std::future::ready(Ok::<_, Infallible>(response.take().unwrap()))
        }));
        let mut response = service.oneshot(post("/pause")).now_or_never().unwrap().unwrap();
        for _ in 0..frames {
            response.body_mut().frame().now_or_never().unwrap().unwrap().unwrap();
        }
        drop(response);
        assert_eq!(log.outcome(), outcome, "{frames} frames");
    }
}

#[tokio::test]
async fn a_call_cancelled_at_any_poll_ends_exactly_once() {
    let log = Log::new();
    let layer = FirstByteLayer::new(log.recorder.clone());
    let make = || {
        let service = layer.layer(service_fn(async |request: Request<()>| {
            let timer = Rpc::of(request.extensions()).unwrap().start("pause");
            tokio::task::yield_now().await;
            timer.done();
            tokio::task::yield_now().await;
            let body = ScriptedBody::new().pending().data("a").pending().data("b").pending().end();
            let body = body.with_size_hint(Default::default());
            Ok::<_, Infallible>(Response::new(body))
        }));
        async {
            service.oneshot(post("/pause")).await.unwrap().into_body().collect().await.unwrap()
        }
    };
    let mut outcomes = Vec::new();
    let polls = cancel_sweep(make, |_, output| {
        let ends = log.ends();
        assert_eq!(layer.in_flight().get(), 0);
        outcomes.push(ends.last().cloned());
        assert_eq!(output.is_some(), ends.last().is_some_and(|outcome| outcome == "ok"));
    })
    .await;
    assert_eq!(polls, 6);
    let outcomes: Vec<_> = outcomes.iter().flatten().collect();
    assert_eq!(
        outcomes,
        ["cancelled", "cancelled", "early_drop", "early_drop", "early_drop", "ok"]
    );
    let cut = log.lines().iter().filter(|line| line.ends_with("error=cancelled")).count();
    assert_eq!(cut, 1, "the timer of the first cancelled call");
}

#[test]
fn a_service_that_fails_keeps_its_error_and_is_recorded() {
    let log = Log::new();
    let service = FirstByteLayer::new(log.recorder.clone())
        .layer(service_fn(|_| async { Err::<Response<Full<Bytes>>, _>("its own type") }));
    let error = service.oneshot(post("/pause")).now_or_never().unwrap().err();
    assert_eq!(error, Some("its own type"));
    assert!(log.records()[1].contains("outcome=error") && !log.records()[1].contains("status="));
    assert_eq!(log.outcome(), "error");
}

#[test]
fn a_panic_is_recorded_when_it_happens_wherever_it_is_caught() {
    let in_call: fn() -> std::future::Ready<_> = || panic!("on purpose");
    let log = Log::new();
    let service = FirstByteLayer::new(log.recorder.clone()).layer(service_fn(
        move |_| -> std::future::Ready<Result<Response<Full<Bytes>>, ()>> { in_call() },
    ));
    catch_unwind(AssertUnwindSafe(|| drop(service.oneshot(post("/pause")).now_or_never())))
        .unwrap_err();
    assert_eq!(log.outcome(), "panic");

    let log = Log::new();
    let mut service =
        FirstByteLayer::new(log.recorder.clone()).layer(service_fn(|request: Request<()>| {
            let timer = Rpc::of(request.extensions()).unwrap().start("pause");
            async move {
                let _timer = timer;
                if request.uri().path() == "/pause" {
                    panic!("on purpose");
                }
                Ok::<_, ()>(Response::new(Full::<Bytes>::default()))
            }
        }));
    let mut future = Box::pin(service.call(post("/pause")));
    catch_unwind(AssertUnwindSafe(|| drop(future.as_mut().now_or_never()))).unwrap_err();
    assert_eq!(log.outcome(), "panic", "before the future is dropped");
    drop(future);
    assert_eq!(log.outcome(), "panic");
    assert!(log.records()[2].ends_with("error=panic"), "{:?}", log.records());
}

#[test]
fn a_future_dropped_by_a_panic_elsewhere_was_not_cancelled_by_the_client() {
    let log = Log::new();
    let mut service = FirstByteLayer::new(log.recorder.clone())
        .layer(service_fn(|_| pending::<Result<Response<Full<Bytes>>, ()>>()));
    let future = service.call(post("/pause"));
    catch_unwind(AssertUnwindSafe(move || {
        let _future = future;
        panic!("on purpose");
    }))
    .unwrap_err();
    assert_eq!(log.outcome(), "panic");
}

#[test]
fn several_timers_add_up_and_failed_ones_count() {
    let log = Log::manual();
    let service =
        FirstByteLayer::new(log.recorder.clone()).layer(service_fn(|request: Request<()>| {
            let rpc = Rpc::of(request.extensions()).unwrap().clone();
            log.advance_ms(7);
            let timer = rpc.start("pause");
            log.advance_ms(10);
            timer.done();
            let timer = rpc.start(format!("load_{}", 1));
            log.advance_ms(5);
            assert_eq!(timer.fail("timeout"), Micros(5_000));
            std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
        }));
    let response = service.oneshot(post("/pause")).now_or_never().unwrap().unwrap();
    let timing = "handler;dur=7.000, rpc;dur=15.000, total;dur=22.000";
    assert_eq!(response.headers()["server-timing"], timing);
    assert!(log.records()[4].ends_with("op=load_1 t=5.022000 rpc_ms=5.0 error=timeout"));
}

#[test]
fn time_in_which_several_timers_run_counts_once() {
    // Milliseconds of the starts and ends of two timers, and of the time in which one of them ran.
    for (first, second, busy) in
        [((0, 20), (5, 15), 20), ((0, 10), (5, 25), 25), ((0, 5), (15, 20), 10)]
    {
        let log = Log::manual();
        let service =
            FirstByteLayer::new(log.recorder.clone()).layer(service_fn(|request: Request<()>| {
                let rpc = Rpc::of(request.extensions()).unwrap();
                let mut timers = [None, None];
                for ms in 0..30 {
                    for (timer, (start, end)) in timers.iter_mut().zip([first, second]) {
                        if ms == start {
                            *timer = Some(rpc.start("pause"));
                        }
                        if ms == end {
                            timer.take().unwrap().done();
                        }
                    }
                    log.advance_ms(1);
                }
                std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
            }));
        let response = service.oneshot(post("/pause")).now_or_never().unwrap().unwrap();
        let timing = format!("handler;dur=0.000, rpc;dur={busy}.000, total;dur=30.000");
        assert_eq!(response.headers()["server-timing"], timing);
        let own: Vec<_> =
            log.records().into_iter().filter(|line| line.contains("rpc_ms=")).collect();
        assert_eq!(own.len(), 2, "each has a line with its own time: {own:?}");
    }
}

#[test]
fn a_proxy_s_stamp_tells_how_long_the_request_was_under_way() {
    // The clock stands at 10 s after the epoch.
    for (stamp, proxy) in [("t=9.75", Some(" proxy_ms=250.0")), ("t=10.001", None), ("now", None)] {
        let log = Log::manual();
        let mut request = post("/pause");
        request.headers_mut().insert("x-request-start", stamp.parse().unwrap());
        exchange(&log, request, Response::new(ScriptedBody::new()));
        let recv = log.records().remove(0);
        assert_eq!(
            recv,
            format!("server.recv path=/pause t=5.000000 inflight=0{}", proxy.unwrap_or_default())
        );
    }
}

#[test]
fn the_kernel_s_share_comes_from_the_connection() {
    struct Connection;
    impl ArrivalSource for Connection {
        fn arrival(&self) -> Arrival {
            Arrival { kernel: Some(Micros(36_000)), ..Arrival::default() }
        }
    }
    let log = Log::manual();
    let mut request = post("/pause");
    request.extensions_mut().insert(Transport::new(std::sync::Arc::new(Connection)));
    let head = exchange(&log, request, Response::new(ScriptedBody::new()));
    assert_eq!(head.headers()["server-timing"], "kernel;dur=36.000, total;dur=0.000");
    assert!(log.records()[0].contains("kernel_ms=36.0 inflight=0"));
}

#[test]
fn headers_that_the_handler_set_stay() {
    let log = Log::manual();
    let response = Response::builder()
        .header("server-timing", "cache;dur=1")
        .header("x-trace-id", "mine")
        .body(ScriptedBody::new());
    let head = exchange(&log, post("/pause"), response.unwrap());
    let timings: Vec<_> = head.headers().get_all("server-timing").iter().collect();
    assert_eq!(timings, ["cache;dur=1", "total;dur=0.000"]);
    assert_eq!(head.headers()["x-trace-id"], "mine");
}

#[test]
fn a_header_map_that_is_full_is_no_reason_to_panic() {
    let log = Log::new();
    let mut response = Response::new(ScriptedBody::new());
    let name = |n: u32| HeaderName::try_from(format!("x-{n}")).unwrap();
    let full = (0..100_000).any(|n| response.headers_mut().try_insert(name(n), n.into()).is_err());
    assert!(full, "http has a limit");
    exchange(&log, post("/pause"), response);
    assert_eq!(log.outcome(), "ok");
}

#[test]
fn other_requests_pass_untouched_and_are_counted_and_timed() {
    let log = Log::manual();
    let layer = FirstByteLayer::new(log.recorder.clone());
    let in_flight = layer.in_flight();
    let mut service = layer.layer(service_fn(|request: Request<()>| {
        let control = request.uri().path() == "/pause";
        assert_eq!(Rpc::of(request.extensions()).is_some(), control);
        assert!(request.headers().is_empty());
        std::future::ready(Ok::<_, Infallible>(Response::new(
            ScriptedBody::new().data("a").data("b"),
        )))
    }));
    let streams: Vec<_> = (0..3)
        .map(|_| service.call(post("/v1/completions")).now_or_never().unwrap().unwrap())
        .collect();
    assert!(streams[0].headers().is_empty());
    assert_eq!(in_flight.get(), 3);
    log.advance_ms(2_000);
    drop(service.call(post("/pause")));
    assert!(log.records()[0].ends_with("inflight=3"), "{:?}", log.records());
    drop(streams);
    assert_eq!(in_flight.get(), 0);
    assert_eq!(log.lines().len(), 2, "recv and done of /pause");

    let classes = layer.latency().snapshot();
    let counts: Vec<_> = classes.iter().map(|class| (&*class.class, class.count)).collect();
    assert_eq!(counts, [("pause", 1), (Latency::OTHER, 3)]);
    let took = classes[1].p50;
    assert!((2_000..2_064).contains(&took.as_millis()), "{took:?}");
    assert_eq!(classes[0].max, Duration::ZERO);

    drop((service, layer));
    assert_eq!(in_flight.get(), 0, "without services too");
}

#[test]
fn a_route_of_one_s_own_is_recorded_under_its_tag() {
    let log = Log::new();
    let mut routes = RouteTable::empty();
    routes.extend("POST /my/reload reload admin").unwrap();
    let service =
        FirstByteLayer::new(log.recorder.clone()).routes(routes).layer(service_fn(|_| async {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
    service.clone().oneshot(post("/pause")).now_or_never().unwrap().unwrap();
    assert_eq!(log.lines().len(), 0);
    let response = service.oneshot(post("/my/reload")).now_or_never().unwrap().unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(log.lines()[0].starts_with("[admin]["));
}

#[test]
fn a_hundred_thousand_calls_have_a_hundred_thousand_ends() {
    let log = Log::new();
    let layer = FirstByteLayer::new(log.recorder.clone());
    let mut service = layer.layer(service_fn(|_| {
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("x"))))
    }));
    for i in 0..100_000 {
        let path = if i % 2 == 0 { "/pause" } else { "/resume" };
        let response = service.call(post(path)).now_or_never().unwrap().unwrap();
        assert!(!response.body().is_end_stream());
        response.into_body().collect().now_or_never().unwrap().unwrap();
        if i % 1_000 == 0 {
            log.recorder.flush(Duration::from_secs(10));
        }
    }
    assert_eq!(layer.latency().snapshot().iter().map(|class| class.count).sum::<u64>(), 100_000);
    let ends =
        log.lines().iter().filter(|line| line.contains("outcome=ok bytes=1 frames=1")).count();
    assert_eq!(ends, 100_000);
}

/// Every request has a method, a path, a query and an id of its own, some of them nearly those of control calls.
#[test]
fn a_million_hostile_requests_make_no_more_histograms_than_there_are_operations() {
    let layer = FirstByteLayer::new(Recorder::disabled());
    let mut service = layer.layer(service_fn(|_| {
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
    }));
    for n in 0..1_000_000_u64 {
        let (method, path) = match n % 5 {
            0 => ("POST".to_owned(), format!("/pause?again={n}")),
            1 => ("POST".to_owned(), format!("/pause/{n}")),
            2 => (format!("M{n}"), "/pause".to_owned()),
            3 => ("POST".to_owned(), format!("/%{:02x}pause{n}", n % 256)),
            _ => ("POST".to_owned(), format!("//{n}/../update_weights")),
        };
        let id = format!("{:x}", n * 0x9e37);
        let request = Request::builder().method(&*method).uri(path).header("x-trace-id", id);
        drop(service.call(request.body(()).unwrap()).now_or_never().unwrap().unwrap());
    }
    let classes = layer.latency().snapshot();
    let counts: Vec<_> = classes.iter().map(|class| (&*class.class, class.count)).collect();
    assert_eq!(counts, [("pause", 200_000), (Latency::OTHER, 800_000)]);
}

#[test]
fn layers_that_answer_in_the_services_place_may_be_outside() {
    use tower_http::timeout::TimeoutLayer;

    let log = Log::new();
    let service = tower::ServiceBuilder::new()
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::ZERO))
        .layer(FirstByteLayer::new(log.recorder.clone()))
        .service(service_fn(|_| pending::<Result<Response<Full<Bytes>>, Infallible>>()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let response = runtime.block_on(service.oneshot(post("/pause"))).unwrap();
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert!(response.body().is_end_stream());
    assert_eq!(log.outcome(), "cancelled");
}
