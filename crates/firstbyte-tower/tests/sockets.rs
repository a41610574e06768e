//! The server's faults on real sockets: axum, plain hyper and tonic, HTTP/1 and HTTP/2.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{convert::Infallible, future::pending, net::SocketAddr, pin::Pin, time::Duration};

use axum::{
    Extension, Router,
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
    routing::{any, post},
};
use bytes::Bytes;
use firstbyte_core::{Recorder, RouteTable, TraceId};
use firstbyte_testkit::ScriptedBody;
use firstbyte_tower::{ClientLayer, FirstByteLayer, PropagateTraceIdLayer, Rpc, SetTraceIdLayer};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use support::Log;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    addr
}

fn layers(recorder: &Recorder) -> FirstByteLayer {
    let mut routes = RouteTable::builtin();
    routes.extend("HEAD /pause pause\nGET /upgrade upgrade admin\nPOST /no_content x").unwrap();
    FirstByteLayer::new(recorder.clone()).routes(routes)
}

/// A server with one handler for every way to answer.
async fn server(log: &Log) -> SocketAddr {
    let app = Router::new()
        .route(
            "/pause",
            any(|Extension(rpc): Extension<Rpc>, body: Bytes| async move {
                let timer = rpc.start("pause");
                tokio::task::yield_now().await;
                timer.done();
                format!("{} bytes", body.len())
            }),
        )
        .route(
            "/resume",
            post(|| async {
                let trailers = HeaderMap::from_iter([(http::header::ETAG, "x".parse().unwrap())]);
                // Like a stream of frames: it does not know that nothing follows its trailers.
                let body = ScriptedBody::new().data("a").pending().data("b").trailers(trailers);
                Body::new(body.end().with_size_hint(Default::default()))
            }),
        )
        .route("/update_weights", post(pending::<()>))
        .route(
            "/reload_weights",
            post(|| async {
                if true {
                    panic!("on purpose")
                }
            }),
        )
        .route("/load_lora_adapter", post(endless))
        .route(
            "/unload_lora_adapter",
            post(|| async {
                let body = ScriptedBody::new().data("some").pending().error("broken");
                // Of unknown length: of a known one, nothing would be missing after the first frame.
                Body::new(body.with_size_hint(Default::default()))
            }),
        )
        .route("/no_content", post(|| async { StatusCode::NO_CONTENT }))
        .route("/upgrade", any(upgrade))
        .route(
            "/v1/load_lora_adapter",
            post(|| async { (StatusCode::NOT_MODIFIED, "never sent") }),
        );
    serve(app.layer(layers(&log.recorder))).await
}

async fn endless() -> Response {
    struct Endless;
    impl http_body::Body for Endless {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
            let data = Bytes::from_static(&[b'x'; 65_536]);
            std::task::Poll::Ready(Some(Ok(http_body::Frame::data(data))))
        }
    }
    Body::new(Endless).into_response()
}

async fn upgrade(request: Request) -> Response {
    tokio::spawn(async move {
        let upgraded = hyper::upgrade::on(request).await.unwrap();
        let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded));
        tokio::io::copy(&mut read, &mut write).await.unwrap();
    });
    let response = Response::builder().status(101).header("connection", "upgrade");
    response.header("upgrade", "echo").body(Body::empty()).unwrap()
}

/// Sends raw bytes, reads until the server closes, and returns what came.
async fn raw(addr: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn h2(addr: SocketAddr) -> http2::SendRequest<Full<Bytes>> {
    let io = TokioIo::new(TcpStream::connect(addr).await.unwrap());
    let (client, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    client
}

fn post_to(path: &str) -> http::Request<Full<Bytes>> {
    http::Request::post(format!("http://localhost{path}")).body(Full::default()).unwrap()
}

#[tokio::test]
async fn http_1_1_with_100_continue_and_http_1_0() {
    let log = Log::new();
    let addr = server(&log).await;
    let answer = raw(
        addr,
        b"POST /pause HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\
          connection: close\r\nx-trace-id: 00f067aa0ba902b7\r\n\r\nabc",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("x-trace-id: 00f067aa0ba902b7") && answer.ends_with("3 bytes"),
        "{answer}"
    );
    assert!(answer.contains("server-timing: handler;dur="), "{answer}");
    let answer = raw(addr, b"POST /pause HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200 OK") && answer.ends_with("0 bytes"), "{answer}");
    assert_eq!(log.wait_for_ends(2).await, ["ok", "ok"]);
}

#[tokio::test]
async fn responses_without_a_body_are_whole() {
    let log = Log::new();
    let addr = server(&log).await;
    for (request, status) in
        [("HEAD /pause", "200"), ("POST /no_content", "204"), ("POST /v1/load_lora_adapter", "304")]
    {
        let head = format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = raw(addr, head.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }
    assert_eq!(log.wait_for_ends(3).await, ["ok"; 3]);
}

#[tokio::test]
async fn trailers_arrive_over_both_protocols() {
    let log = Log::new();
    let addr = server(&log).await;
    let answer =
        raw(addr, b"POST /resume HTTP/1.1\r\nhost: x\r\nte: trailers\r\nconnection: close\r\n\r\n")
            .await;
    assert!(answer.ends_with("ab") || answer.contains("\r\nb\r\n0\r\n"), "{answer}");
    let body = h2(addr).await.send_request(post_to("/resume")).await.unwrap().into_body();
    let body = body.collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["etag"], "x");
    assert_eq!(body.to_bytes(), "ab");
    assert_eq!(log.wait_for_ends(2).await, ["ok", "ok"]);
}

#[tokio::test]
async fn a_client_that_leaves_before_the_head_cancels_and_mid_body_drops_early() {
    for http2 in [false, true] {
        let log = Log::new();
        let addr = server(&log).await;
        for path in ["/update_weights", "/load_lora_adapter"] {
            let begun = log.lines().len();
            if http2 {
                let mut client = h2(addr).await;
                let response = client.send_request(post_to(path));
                if path == "/update_weights" {
                    _ = tokio::time::timeout(Duration::from_millis(50), response)
                        .await
                        .unwrap_err();
                } else {
                    response.await.unwrap().into_body().frame().await.unwrap().unwrap();
                }
            } else {
                let mut stream = TcpStream::connect(addr).await.unwrap();
                let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n\r\n");
                stream.write_all(head.as_bytes()).await.unwrap();
                if path == "/update_weights" {
                    while log.lines().len() == begun {
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                } else {
                    _ = stream.read_exact(&mut [0; 100_000]).await.unwrap();
                }
            }
        }
        assert_eq!(log.wait_for_ends(2).await, ["cancelled", "early_drop"], "http2: {http2}");
    }
}

#[tokio::test]
async fn a_handler_that_panics_and_a_body_that_fails_end_their_calls() {
    for http2 in [false, true] {
        let log = Log::new();
        let addr = server(&log).await;
        for (ended, path) in ["/reload_weights", "/unload_lora_adapter"].into_iter().enumerate() {
            // h2 leaves a stream open whose task has panicked: the client would wait for ever.
            let client = tokio::spawn(async move {
                if http2 {
                    _ = h2(addr)
                        .await
                        .send_request(post_to(path))
                        .await?
                        .into_body()
                        .collect()
                        .await;
                } else {
                    raw(addr, format!("POST {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await;
                }
                Ok::<_, hyper::Error>(())
            });
            log.wait_for_ends(ended + 1).await;
            client.abort();
        }
        assert_eq!(log.wait_for_ends(2).await, ["panic", "error"], "http2: {http2}");
    }
}

#[tokio::test]
async fn an_upgraded_connection_works() {
    let log = Log::new();
    let addr = server(&log).await;
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let head = b"GET /upgrade HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"));
    stream.write_all(b"ping").await.unwrap();
    let mut echo = [0; 4];
    stream.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo, b"ping");
    assert_eq!(log.outcome(), "ok");
}

#[tokio::test]
async fn two_thousand_calls_on_one_connection() {
    let log = Log::new();
    let addr = server(&log).await;
    let io = TokioIo::new(TcpStream::connect(addr).await.unwrap());
    let (mut client, connection) = http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    for _ in 0..2_000 {
        let request = http::Request::post("/pause").header("host", "x").body(Empty::<Bytes>::new());
        client.ready().await.unwrap();
        let response = client.send_request(request.unwrap()).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
    assert_eq!(log.wait_for_ends(2_000).await, vec!["ok"; 2_000]);
}

#[tokio::test]
async fn hostile_ids_reach_no_log_and_no_response() {
    let log = Log::new();
    let addr = server(&log).await;
    let long = "a".repeat(8_192);
    let hostile =
        ["", "\x1b[31mred\x1b[0m", "a\0b", "é", "x\ty", "x\rforged: 1", "1\nforged: 1", &long];
    for value in hostile {
        let head = format!(
            "POST /pause HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-trace-id: {value}\r\n\r\n"
        );
        let answer = raw(addr, head.as_bytes()).await;
        if !value.is_empty() {
            assert!(!answer.contains(value), "{answer}");
        }
    }
    for line in log.lines() {
        assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
        assert!(!line.contains("forged"), "{line}");
    }
}

#[tokio::test]
async fn plain_hyper_serves_both_protocols() {
    let log = Log::new();
    let service = FirstByteLayer::new(log.recorder.clone()).layer(service_fn(
        |request: http::Request<hyper::body::Incoming>| async move {
            let id = Rpc::of(request.extensions()).unwrap().trace_id();
            Ok::<_, Infallible>(http::Response::new(Full::<Bytes>::from(id.to_string())))
        },
    ));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            let server = auto::Builder::new(TokioExecutor::new());
            tokio::spawn(async move {
                server.serve_connection(TokioIo::new(stream), service).await.is_ok()
            });
        }
    });
    let answer = raw(addr, b"POST /pause HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let response = h2(addr).await.send_request(post_to("/pause")).await.unwrap();
    let id = response.headers()["x-trace-id"].clone();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), id.as_bytes());
    assert_eq!(log.wait_for_ends(2).await, ["ok", "ok"]);
}

#[tokio::test]
async fn tonic_services_and_their_trailers_pass() {
    let log = Log::new();
    let mut routes = RouteTable::empty();
    routes.extend("POST /grpc.health.v1.Health/Check health admin").unwrap();
    let (_, health) = tonic_health::server::health_reporter();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let layer = FirstByteLayer::new(log.recorder.clone()).routes(routes);
    let app = tonic::service::Routes::new(health).prepare().into_axum_router().layer(layer);
    tokio::spawn(async move { axum::serve(listener, app).await });

    let channel = tonic::transport::Endpoint::from_shared(format!("http://{addr}")).unwrap();
    let channel = channel.connect().await.unwrap();
    let mut client = tonic_health::pb::health_client::HealthClient::new(channel);
    let request = || tonic_health::pb::HealthCheckRequest { service: String::new() };
    let answer = client.check(request()).await.unwrap();
    assert_eq!(answer.get_ref().status, 1, "serving");
    assert!(answer.metadata().contains_key("server-timing"));
    let unknown = tonic_health::pb::HealthCheckRequest { service: "none".into() };
    assert_eq!(client.check(unknown).await.unwrap_err().code(), tonic::Code::NotFound);
    assert_eq!(log.wait_for_ends(2).await, ["ok", "ok"]);
}

#[tokio::test]
async fn layers_of_tower_http_see_the_id_and_compose() {
    use tower_http::{
        catch_panic::CatchPanicLayer,
        request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer},
        trace::TraceLayer,
    };
    #[derive(Clone, Copy)]
    struct Never;
    impl MakeRequestId for Never {
        fn make_request_id<B>(&mut self, _: &http::Request<B>) -> Option<RequestId> {
            panic!("the id is there already")
        }
    }
    let log = Log::new();
    let name = http::HeaderName::from_static("x-trace-id");
    let layers = ServiceBuilder::new()
        .layer(SetTraceIdLayer::new())
        .layer(SetRequestIdLayer::new(name.clone(), Never))
        .layer(TraceLayer::new_for_http())
        .layer(PropagateTraceIdLayer::new())
        .layer(PropagateRequestIdLayer::new(name))
        .layer(CatchPanicLayer::new())
        .layer(FirstByteLayer::new(log.recorder.clone()))
        .layer(CatchPanicLayer::new());
    let app = Router::new()
        .route("/pause", post(|Extension(id): Extension<TraceId>| async move { id.to_string() }))
        .route(
            "/resume",
            post(|| async {
                if true {
                    panic!("on purpose")
                }
            }),
        );
    let mut client = h2(serve(app.layer(layers)).await).await;
    let response = client.send_request(post_to("/pause")).await.unwrap();
    let ids: Vec<_> = response.headers().get_all("x-trace-id").iter().cloned().collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), ids[0].as_bytes());
    let response = client.send_request(post_to("/resume")).await.unwrap();
    assert_eq!(response.status(), 500);
    response.into_body().collect().await.unwrap();
    assert_eq!(log.wait_for_ends(2).await, ["ok", "ok"], "the panic was caught inside");
}

#[tokio::test]
async fn client_and_server_of_one_call_share_its_id() {
    let log = Log::new();
    let addr = server(&log).await;
    let connection = service_fn(move |request: http::Request<Full<Bytes>>| async move {
        let mut client = h2(addr).await;
        client.send_request(request).await
    });
    let mut client = ClientLayer::new(log.recorder.clone()).layer(connection);
    let response = client.ready().await.unwrap().call(post_to("/pause")).await.unwrap();
    response.into_body().collect().await.unwrap();
    log.wait_for_ends(2).await;
    let lines = log.lines();
    let id = &lines[0][..26];
    assert!(lines.iter().all(|line| line.starts_with(id)), "{lines:#?}");
    let done = lines.iter().find(|line| line.contains("client.done")).unwrap();
    assert!(done.contains(" rpc_ms=") && done.contains(" unattributed_ms="), "{done}");
}
