//! What the middleware makes of a call on reqwest's own transport: nothing but its two headers.

use firstbyte_client::FirstByteMiddleware;
use firstbyte_testkit::ScriptedBody;
use http_body::SizeHint;
use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{Config, TestRunner},
};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::support::Trace;

const CALLS: u32 = 2_000;
/// The headers that we declare to set.
const OURS: [&str; 2] = ["x-trace-id: ", "traceparent: "];

#[derive(Clone, Debug)]
struct Exchange {
    method: &'static str,
    path: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: RequestBody,
    answer: Answer,
    /// The caller reads the answer, and does not drop it.
    reads: bool,
}

#[derive(Clone, Debug)]
enum RequestBody {
    None,
    Sized(usize),
    Streamed(Vec<usize>),
}

#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    framing: Framing,
    pieces: Vec<usize>,
    /// The last byte is missing.
    cut: bool,
}

#[derive(Clone, Copy, Debug)]
enum Framing {
    Sized,
    Chunked,
    ToTheEnd,
}

fn exchanges() -> impl Strategy<Value = Exchange> {
    let body = prop_oneof![
        Just(RequestBody::None),
        (0..3_000_usize).prop_map(RequestBody::Sized),
        vec(1..200_usize, 0..4).prop_map(RequestBody::Streamed),
    ];
    let header = select(vec![
        ("x-trace-id", "00f067aa0ba902b7"),
        ("x-trace-id", "no id"),
        ("traceparent", "00-000000000000000000f067aa0ba902b7-00f067aa0ba902b7-01"),
        ("accept", "text/event-stream"),
        ("x-a", "1"),
        ("x-a", "2"),
    ]);
    let answer = (
        select(vec![200, 404, 500]),
        select(vec![Framing::Sized, Framing::Chunked, Framing::ToTheEnd]),
        vec(1..2_000_usize, 0..4),
        prop::bool::weighted(0.2),
    );
    let answer =
        answer.prop_map(|(status, framing, pieces, cut)| Answer { status, framing, pieces, cut });
    (
        select(vec!["POST", "PUT", "GET", "HEAD"]),
        select(vec!["/pause", "/update_weights?step=7", "/v1/completions"]),
        vec(header, 0..4),
        body,
        answer,
        prop::bool::weighted(0.8),
    )
        .prop_map(|(method, path, headers, body, answer, reads)| Exchange {
            method,
            path,
            headers,
            body,
            answer,
            reads,
        })
}

impl Answer {
    fn bytes(&self) -> Vec<u8> {
        let body: usize = self.pieces.iter().sum();
        let mut bytes = format!("HTTP/1.1 {} x\r\nserver-timing: rpc;dur=1\r\n", self.status);
        bytes += &match self.framing {
            Framing::Sized => format!("content-length: {body}\r\n\r\n"),
            Framing::Chunked => "transfer-encoding: chunked\r\n\r\n".to_owned(),
            Framing::ToTheEnd => "connection: close\r\n\r\n".to_owned(),
        };
        for length in &self.pieces {
            let data = "d".repeat(*length);
            match self.framing {
                Framing::Chunked => bytes += &format!("{length:x}\r\n{data}\r\n"),
                _ => bytes += &data,
            }
        }
        if let Framing::Chunked = self.framing {
            bytes += "0\r\n\r\n";
        }
        bytes.truncate(bytes.len() - usize::from(self.cut));
        bytes.into_bytes()
    }
}

/// What the server receives, and what the caller does: status, headers, body, and whether that was whole.
async fn observe(
    client: &ClientWithMiddleware,
    listener: &TcpListener,
    exchange: &Exchange,
) -> (String, Option<(u16, String, usize, bool)>) {
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !is_whole(&request) {
            assert!(stream.read_buf(&mut request).await.unwrap() > 0, "a request to its end");
        }
        _ = stream.write_all(&exchange.answer.bytes()).await;
        without_ours(&request)
    };
    let call = async {
        let url = format!("http://{}{}", listener.local_addr().unwrap(), exchange.path);
        let mut request = client.request(exchange.method.parse().unwrap(), url);
        for (name, value) in &exchange.headers {
            request = request.header(*name, *value);
        }
        request = match &exchange.body {
            RequestBody::None => request,
            RequestBody::Sized(length) => request.body(vec![b's'; *length]),
            RequestBody::Streamed(pieces) => {
                let body = pieces.iter().fold(ScriptedBody::new(), |body, length| {
                    body.data(vec![b'c'; *length]).pending()
                });
                request.body(reqwest::Body::wrap(body.with_size_hint(SizeHint::default())))
            }
        };
        let mut response = request.send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), format!("{:?}", response.headers()));
        if !exchange.reads {
            return Some((status, headers, 0, false));
        }
        let mut bytes = 0;
        loop {
            match response.chunk().await {
                Ok(Some(data)) => bytes += data.len(),
                end => return Some((status, headers, bytes, end.is_ok())),
            }
        }
    };
    tokio::join!(server, call)
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    match length {
        Some(length) => body.len() >= length.parse().unwrap(),
        None => !head.contains("\r\ntransfer-encoding: chunked") || body.ends_with("0\r\n\r\n"),
    }
}

fn without_ours(request: &[u8]) -> String {
    let text = String::from_utf8_lossy(request);
    let is_ours = |line: &&str| OURS.iter().any(|header| line.starts_with(header));
    text.split_inclusive('\n').filter(|line| !is_ours(line)).collect()
}

#[test]
fn a_generated_call_is_the_same_with_and_without_the_middleware() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let trace = Trace::new();
    let client = || {
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
        ClientBuilder::new(client.build().unwrap())
    };
    let bare = client().build();
    let traced = client().with(FirstByteMiddleware::new(trace.recorder.clone())).build();
    let config = Config { cases: CALLS, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&exchanges(), |exchange| {
        let (bare, traced) = runtime.block_on(async {
            let bare = observe(&bare, &listener, &exchange).await;
            (bare, observe(&traced, &listener, &exchange).await)
        });
        prop_assert_eq!(bare, traced);
        Ok(())
    });
    result.unwrap_or_else(|difference| panic!("{difference}"));
    assert!(trace.names().len() > 100);
}
