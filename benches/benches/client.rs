//! What the client's middleware adds to a call, and what a one-shot call costs, next to their peers.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use firstbyte_benches::{Table, Variant, added, interleave, median};
use firstbyte_client::{AdminClient, FirstByteMiddleware};
use firstbyte_core::Recorder;
use http::Extensions;
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use reqwest::{Request, Response};
use reqwest_middleware::{
    ClientBuilder, ClientWithMiddleware, Middleware, Next, Result as MiddlewareResult,
};
use reqwest_tracing::TracingMiddleware;
use tokio::{net::TcpListener, runtime::Builder};
use tracing::{Dispatch, Level, callsite::rebuild_interest_cache, dispatcher};
use tracing_subscriber::fmt::format::FmtSpan;

const BATCH: u64 = 500;
const SOON: Duration = Duration::from_secs(10);
const ANSWER: &[u8] = b"{\"status\":\"ok\",\"rpc_ms\":0.0}";

/// A middleware that does nothing: what the chain itself costs.
struct Noop;

#[async_trait]
impl Middleware for Noop {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> MiddlewareResult<Response> {
        next.run(request, extensions).await
    }
}

/// Answers at once, so that nanoseconds can be seen.
struct Null;

#[async_trait]
impl Middleware for Null {
    async fn handle(
        &self,
        _: Request,
        _: &mut Extensions,
        _: Next<'_>,
    ) -> MiddlewareResult<Response> {
        let answer =
            http::Response::builder().header("content-type", "application/json").body(ANSWER);
        Ok(Response::from(answer.expect("a valid response")))
    }
}

fn chain(middleware: impl Middleware) -> ClientWithMiddleware {
    ClientBuilder::new(reqwest::Client::new()).with(middleware).with(Null).build()
}

async fn calls(client: &ClientWithMiddleware, operations: u64, settle: impl Fn()) -> Duration {
    let mut took = Duration::ZERO;
    for _ in 0..operations / BATCH {
        let start = Instant::now();
        for _ in 0..BATCH {
            let response = client
                .post("http://127.0.0.1:8000/update_weights")
                .send()
                .await
                .expect("Null answers");
            response.bytes().await.expect("the body is there");
        }
        took += start.elapsed();
        settle();
    }
    took
}

fn middlewares(table: &mut Table) -> io::Result<()> {
    let dir = tempfile::tempdir()?;
    let recorder = Recorder::builder()
        .text_file(dir.path().join("client.log"))
        .build()
        .map_err(io::Error::other)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (noop, ours) = (chain(Noop), chain(FirstByteMiddleware::new(recorder.clone())));
    let tracing = chain(TracingMiddleware::default());
    let flush = || assert!(recorder.flush(SOON));
    let figures = interleave(
        &mut [
            Variant::new("no-op", |n| runtime.block_on(calls(&noop, n, || ()))),
            Variant::new("firstbyte", |n| runtime.block_on(calls(&ours, n, flush))),
            Variant::new("silent", |n| runtime.block_on(calls(&tracing, n, || ()))),
        ],
        40,
        4 * BATCH,
    );
    assert_eq!(recorder.shutdown(SOON).dropped(), 0);
    // A span is written when it closes: that is where its times are.
    let file = OpenOptions::new().create(true).append(true).open(dir.path().join("trace.json"))?;
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(Level::INFO)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(Mutex::new(file));
    let json = Dispatch::new(subscriber.finish());
    // The calls above had no subscriber, and their spans remember that.
    dispatcher::with_default(&json, rebuild_interest_cache);
    let written = interleave(
        &mut [
            Variant::new("no-op", |n| runtime.block_on(calls(&noop, n, || ()))),
            Variant::new("json", |n| {
                dispatcher::with_default(&json, || runtime.block_on(calls(&tracing, n, || ())))
            }),
        ],
        40,
        BATCH,
    );
    let spans = fs::read_to_string(dir.path().join("trace.json"))?.lines().count() as u64;
    assert_eq!(spans, 41 * BATCH, "every call of the peer was written");
    let over = |variant: usize| added(&figures[variant], &figures[0]) / 1e3;
    table.context(
        "client: a call through a no-op middleware and a null transport",
        median(figures[0].clone()) / 1e3,
        "us",
    );
    table.at_most(
        "client: middleware, recorded to a file, over a no-op middleware",
        over(1),
        "us",
        0.8,
    );
    table.context(
        "client: reqwest-tracing without subscriber, over a no-op middleware",
        over(2),
        "us",
    );
    table.context(
        "client: reqwest-tracing, JSON into a file, over a no-op middleware",
        added(&written[1], &written[0]) / 1e3,
        "us",
    );
    Ok(())
}

/// A hyper server in a thread of its own.
fn serve() -> io::Result<SocketAddr> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        runtime.block_on(async {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async {
                    let answer = service_fn(async |_: hyper::Request<Incoming>| {
                        Ok::<_, std::convert::Infallible>(hyper::Response::new(Full::new(
                            Bytes::from_static(ANSWER),
                        )))
                    });
                    _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
                });
            }
        });
    });
    Ok(address)
}

fn blocking_call(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.write_all(b"POST /update_weights HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")?;
    let mut response = Vec::with_capacity(512);
    stream.read_to_end(&mut response)?;
    assert!(response.ends_with(ANSWER));
    Ok(())
}

fn one_shot(table: &mut Table) -> io::Result<()> {
    let dir = tempfile::tempdir()?;
    let recorder = Recorder::builder()
        .text_file(dir.path().join("client.log"))
        .build()
        .map_err(io::Error::other)?;
    let address = serve()?;
    // One for each: reqwest closes its connection in a task of its own, which would run in our time.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let of_reqwest = Builder::new_current_thread().enable_all().build()?;
    let admin = AdminClient::builder(recorder.clone())
        .base_url(format!("http://{address}"))
        .build()
        .map_err(io::Error::other)?;
    let fresh =
        reqwest::Client::builder().pool_max_idle_per_host(0).build().map_err(io::Error::other)?;
    let url = format!("http://{address}/update_weights");
    let time = |call: &mut dyn FnMut()| {
        let start = Instant::now();
        call();
        start.elapsed()
    };
    let figures = interleave(
        &mut [
            Variant::new("socket", |_| {
                time(&mut || blocking_call(address).expect("the server answers"))
            }),
            Variant::new("reqwest", |_| {
                time(&mut || {
                    of_reqwest.block_on(async {
                        fresh
                            .post(&url)
                            .send()
                            .await
                            .expect("answered")
                            .bytes()
                            .await
                            .expect("whole");
                    });
                })
            }),
            Variant::new("firstbyte", |_| {
                time(&mut || {
                    runtime.block_on(async {
                        admin.post("/update_weights").send().await.expect("answered")
                    });
                })
            }),
        ],
        4000,
        1,
    );
    assert_eq!(recorder.shutdown(SOON).dropped(), 0);
    let [socket, reqwest, ours] =
        [0, 1, 2].map(|variant: usize| median(figures[variant].clone()) / 1e3);
    table.context("one-shot: blocking socket, connect and call, p50", socket, "us");
    table.context("one-shot: reqwest with a new connection, p50", reqwest, "us");
    table.at_most_times(
        "one-shot: AdminClient, recorded, p50",
        ours,
        "us",
        "reqwest with a new connection",
        reqwest,
        1.3,
    );
    table.at_most_times(
        "one-shot: AdminClient, recorded, p50",
        ours,
        "us",
        "blocking socket",
        socket,
        2.0,
    );
    Ok(())
}

fn main() -> io::Result<()> {
    let mut table = Table::default();
    middlewares(&mut table)?;
    one_shot(&mut table)?;
    table.finish("client")
}
