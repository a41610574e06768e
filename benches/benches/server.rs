//! What the server layers add to a request, next to their peers, in one run.
//!
//! Requests go through the service in process: no socket, so that nanoseconds can be seen. Bodies
//! are read to their end. Every variant runs turn by turn; what is compared are differences
//! within a round.

use std::{
    convert::Infallible,
    fs::OpenOptions,
    hint::black_box,
    io,
    path::Path,
    pin::{Pin, pin},
    sync::Mutex,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use firstbyte_benches::{Table, Variant, added, interleave, median};
use firstbyte_core::{
    Micros, Recorder, TraceId,
    header::{SERVER_TIMING, ServerTiming, X_TRACE_ID, trace_id_value},
};
use firstbyte_tower::{FirstByteLayer, PropagateTraceIdLayer, SetTraceIdLayer};
use futures_util::FutureExt;
use http::{
    HeaderName, HeaderValue, Request, Response, Uri,
    header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT},
};
use http_body::{Body, Frame};
use http_body_util::Full;
use tower::{Service, ServiceBuilder, service_fn};
use tower_http::{
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    trace::{DefaultMakeSpan, DefaultOnRequest, DefaultOnResponse, TraceLayer},
};
use tracing::{Dispatch, Level};

/// Events of one batch stay below the recorder's 8,192.
const BATCH: u64 = 1000;
const SOON: Duration = Duration::from_secs(10);

async fn answer(_: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let response = Response::builder().header("content-type", "application/json");
    Ok(response
        .body(Full::new(Bytes::from_static(b"{\"status\":\"ok\"}")))
        .expect("a valid response"))
}

/// Answers with the two headers of a control response that it has made by hand.
async fn answer_with_headers(
    request: Request<Full<Bytes>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = answer(request).await?;
    let timing = ServerTiming::new(None, None, None, Some(Micros(7))).to_header();
    response.headers_mut().append(&SERVER_TIMING, timing.expect("a valid value"));
    response.headers_mut().insert(&X_TRACE_ID, trace_id_value(TraceId::random()));
    Ok(response)
}

/// A request as hyper hands it over: with the headers of an ordinary client, and an extension.
fn request(uri: Uri) -> Request<Full<Bytes>> {
    #[derive(Clone)]
    struct OfTheServer;

    let mut request = Request::new(Full::default());
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_static("127.0.0.1:8000"));
    headers.insert(USER_AGENT, HeaderValue::from_static("orchestrator/1"));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    request.extensions_mut().insert(OfTheServer);
    request
}

/// Sends `operations` requests for `path`, reads every body to its end, and times that.
///
/// Futures and bodies are polled where they were pinned, as hyper polls them.
fn requests<S, B>(
    service: &mut S,
    path: &'static str,
    operations: u64,
    settle: impl Fn(),
) -> Duration
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>>,
    B: Body<Data = Bytes>,
{
    let uri = Uri::from_static(path);
    let mut context = Context::from_waker(Waker::noop());
    let mut took = Duration::ZERO;
    for _ in 0..operations / BATCH {
        let start = Instant::now();
        for _ in 0..BATCH {
            let mut future = pin!(service.call(black_box(request(uri.clone()))));
            let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut context) else {
                panic!("nothing waits or fails")
            };
            let (head, body) = response.into_parts();
            let mut body = pin!(body);
            while !body.is_end_stream()
                && let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut context)
            {
                black_box(frame.is_ok());
            }
            black_box(head);
        }
        took += start.elapsed();
        settle();
    }
    took
}

/// A subscriber that writes JSON at INFO into a file, as a service that logs to a file has it.
fn json_subscriber(path: &Path) -> io::Result<Dispatch> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    Ok(Dispatch::new(
        tracing_subscriber::fmt()
            .json()
            .with_max_level(Level::INFO)
            .with_writer(Mutex::new(file))
            .finish(),
    ))
}

macro_rules! trace_layers {
    () => {{
        let id = HeaderName::from_static("x-request-id");
        ServiceBuilder::new()
            .layer(SetRequestIdLayer::new(id.clone(), MakeRequestUuid))
            .layer(
                TraceLayer::new_for_http()
                    .make_span_with(DefaultMakeSpan::new().level(Level::INFO))
                    .on_request(DefaultOnRequest::new().level(Level::INFO))
                    .on_response(DefaultOnResponse::new().level(Level::INFO)),
            )
            .layer(PropagateRequestIdLayer::new(id))
            .service(service_fn(answer))
    }};
}

fn main() -> io::Result<()> {
    let dir = tempfile::tempdir()?;
    let recorder = Recorder::builder()
        .text_file(dir.path().join("server.log"))
        .build()
        .map_err(io::Error::other)?;
    let flush = || assert!(recorder.flush(SOON));

    let mut bare = service_fn(answer);
    let mut headers = service_fn(answer_with_headers);
    let mut whole = ServiceBuilder::new()
        .layer(SetTraceIdLayer::new())
        .layer(PropagateTraceIdLayer::new())
        .layer(FirstByteLayer::new(recorder.clone()))
        .service(service_fn(answer));
    let mut alone = ServiceBuilder::new()
        .layer(FirstByteLayer::new(recorder.clone()))
        .service(service_fn(answer));
    let mut unrecorded = alone.clone();
    let mut silent = trace_layers!();
    let mut json = trace_layers!();
    let mut appended = trace_layers!();
    let subscriber = json_subscriber(&dir.path().join("trace.json"))?;
    let (writer, _guard) = tracing_appender::non_blocking(
        OpenOptions::new().create(true).append(true).open(dir.path().join("appended.json"))?,
    );
    let appender = Dispatch::new(
        tracing_subscriber::fmt().json().with_max_level(Level::INFO).with_writer(writer).finish(),
    );

    let figures = interleave(
        &mut [
            Variant::new("bare", |n| requests(&mut bare, "/update_weights", n, || ())),
            Variant::new("headers", |n| requests(&mut headers, "/update_weights", n, || ())),
            Variant::new("whole", |n| requests(&mut whole, "/update_weights", n, flush)),
            Variant::new("alone", |n| requests(&mut alone, "/update_weights", n, flush)),
            Variant::new("unrecorded", |n| requests(&mut unrecorded, "/v1/completions", n, || ())),
            Variant::new("silent", |n| requests(&mut silent, "/update_weights", n, || ())),
            Variant::new("json", |n| {
                tracing::dispatcher::with_default(&subscriber, || {
                    requests(&mut json, "/update_weights", n / 5, || ())
                }) * 5
            }),
            Variant::new("appended", |n| {
                tracing::dispatcher::with_default(&appender, || {
                    requests(&mut appended, "/update_weights", n / 5, || ())
                }) * 5
            }),
        ],
        40,
        10 * BATCH,
    );
    let [bare, headers, whole, alone, unrecorded, silent, json, appended] = &figures[..] else {
        unreachable!("eight variants")
    };
    let balance = recorder.shutdown(SOON);
    assert_eq!(balance.dropped(), 0, "{balance:?}");

    let mut table = Table::default();
    let ours = added(whole, bare);
    table.context("server: the bare service, per request", median(bare.clone()), "ns");
    table.context(
        "server: a handler that sets x-trace-id and server-timing itself",
        added(headers, bare),
        "ns",
    );
    table.at_most(
        "server: three layers, id, first byte, end, histogram and events recorded to a file",
        ours,
        "ns",
        300.0,
    );
    table.at_most(
        "server: FirstByteLayer alone, the same recorded",
        added(alone, bare),
        "ns",
        300.0,
    );
    table.at_most("server: a route that is not recorded", added(unrecorded, bare), "ns", 60.0);
    table.context(
        "server: tower-http request-id + TraceLayer, no subscriber",
        added(silent, bare),
        "ns",
    );
    let peer = "tower-http request-id + TraceLayer, JSON into a file";
    table.cheaper_by(
        "server: FirstByteLayer alone against the JSON stack",
        added(alone, bare),
        "ns",
        peer,
        added(json, bare),
        30.0,
    );
    table.cheaper_by(
        "server: three layers against the JSON stack",
        ours,
        "ns",
        peer,
        added(json, bare),
        30.0,
    );
    table.context(
        "server: the JSON stack with tracing-appender's non-blocking writer",
        added(appended, bare),
        "ns",
    );
    frames(&mut table)?;
    table.finish("server")
}

/// A body of many frames that are ready at once.
struct Frames(u32);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.0 == 0 {
            return Poll::Ready(None);
        }
        self.0 -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"data: {}\n\n")))))
    }
}

async fn stream(_: Request<Full<Bytes>>) -> Result<Response<Frames>, Infallible> {
    Ok(Response::new(Frames(FRAMES)))
}

const FRAMES: u32 = 10_000;

/// Polls the bodies of `operations` responses to their end and times only that; per frame.
fn poll_frames<S, B>(service: &mut S, operations: u64) -> Duration
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>>,
    B: Body<Data = Bytes>,
{
    let mut took = Duration::ZERO;
    for _ in 0..operations / u64::from(FRAMES) {
        let request = request(Uri::from_static("/update_weights"));
        let Some(Ok(response)) = service.call(request).now_or_never() else {
            panic!("nothing waits or fails")
        };
        let mut body = pin!(response.into_body());
        let mut context = Context::from_waker(Waker::noop());
        let start = Instant::now();
        while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut context) {
            black_box(frame.is_ok());
        }
        took += start.elapsed();
    }
    took
}

fn frames(table: &mut Table) -> io::Result<()> {
    let dir = tempfile::tempdir()?;
    let recorder = Recorder::builder()
        .text_file(dir.path().join("server.log"))
        .build()
        .map_err(io::Error::other)?;
    let mut bare = service_fn(stream);
    let mut ours = ServiceBuilder::new()
        .layer(FirstByteLayer::new(recorder.clone()))
        .service(service_fn(stream));
    let mut trace =
        ServiceBuilder::new().layer(TraceLayer::new_for_http()).service(service_fn(stream));
    let figures = interleave(
        &mut [
            Variant::new("bare", |n| poll_frames(&mut bare, n)),
            Variant::new("ours", |n| poll_frames(&mut ours, n)),
            Variant::new("trace", |n| poll_frames(&mut trace, n)),
        ],
        40,
        20 * u64::from(FRAMES),
    );
    recorder.shutdown(SOON);
    table.at_most("server: per body frame", added(&figures[1], &figures[0]), "ns", 5.0);
    table.context(
        "server: per body frame, TraceLayer without subscriber",
        added(&figures[2], &figures[0]),
        "ns",
    );
    Ok(())
}
