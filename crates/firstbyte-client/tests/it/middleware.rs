//! The middleware in the stacks of others.

use firstbyte_client::{FirstByteMiddleware, HyperTransport};
use firstbyte_core::field;
use firstbyte_testkit::{Script, ScriptedServer, response, response_head};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};

use crate::support::{MS, Trace, micros, millis, ok, text};

fn foreign(middleware: FirstByteMiddleware) -> ClientWithMiddleware {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    ClientBuilder::new(client).with(middleware).build()
}

#[tokio::test]
async fn on_a_foreign_transport_wait_and_receive_are_known() {
    let script = Script::new()
        .read_request()
        .pause(100 * MS)
        .write(response_head(200, &[("server-timing", "rpc;dur=90")], 2))
        .pause(50 * MS)
        .write("{}");
    let server = ScriptedServer::start(script).await;
    let trace = Trace::new();
    let client = foreign(FirstByteMiddleware::new(trace.recorder.clone()));
    let response = client.post(server.url("/update_weights")).send().await.unwrap();
    assert_eq!(response.url().path(), "/update_weights");
    assert_eq!(response.content_length(), Some(2));
    assert_eq!(response.text().await.unwrap(), "{}");
    let done = trace.only("client.done");
    assert!(millis(&done, field::WAIT).unwrap() >= 100.0);
    assert!(millis(&done, field::RECEIVE).unwrap() >= 45.0);
    assert_eq!(micros(&done, field::RPC), Some(90_000));
    for phase in [field::POOL, field::DNS, field::CONNECT, field::TLS, field::SEND] {
        assert_eq!(micros(&done, phase), None);
    }
}

#[tokio::test]
async fn over_our_transport_every_phase_is_known() {
    let script = Script::new().read_request().write(response(200, &[], "{}"));
    let server = ScriptedServer::start(script).await;
    let trace = Trace::new();
    let client = ClientBuilder::new(reqwest::Client::new())
        .with(FirstByteMiddleware::new(trace.recorder.clone()))
        .with(HyperTransport::builder().build().unwrap())
        .build();
    let response = client.post(server.url("/update_weights")).send().await.unwrap();
    assert_eq!(response.url().path(), "/update_weights");
    response.bytes().await.unwrap();
    let done = trace.only("client.done");
    for phase in [field::SETUP, field::CONNECT, field::SEND, field::WAIT, field::RECEIVE] {
        assert!(micros(&done, phase).is_some());
    }
}

#[tokio::test]
async fn what_is_no_control_call_passes_untouched() {
    let script = Script::new().read_request().write(response(200, &[], "{}"));
    let server = ScriptedServer::start(script).await;
    let trace = Trace::new();
    let middleware = FirstByteMiddleware::new(trace.recorder.clone());
    foreign(middleware.clone()).post(server.url("/v1/completions")).send().await.unwrap();
    assert_eq!(server.requests()[0].header("x-trace-id"), None);
    assert!(trace.names().is_empty());

    let url = server.url("/v1/completions?key=secret");
    foreign(middleware.trace_all()).post(url).send().await.unwrap().bytes().await.unwrap();
    assert!(server.requests()[1].header("x-trace-id").is_some());
    let lines = trace.lines();
    assert!(lines[0].starts_with("[admin]") && lines[0].contains("/v1/completions?key=***"));
    assert!(!lines[0].contains("op="), "{lines:?}");
}

#[tokio::test]
async fn a_body_that_is_not_read_is_flagged() {
    let script = Script::new().read_request().write(response(200, &[], "unread"));
    let server = ScriptedServer::start(script).await;
    let trace = Trace::new();
    let client = foreign(FirstByteMiddleware::new(trace.recorder.clone()));
    drop(client.post(server.url("/pause")).send().await.unwrap());
    let done = trace.only("client.done");
    assert_eq!(text(&done, field::FLAGS), Some("rpc_missing,body_unread"));
}

#[tokio::test]
async fn frames_pass_one_by_one_as_they_come() {
    let script = Script::new()
        .read_request()
        .write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        .pause(50 * MS)
        .write("3\r\ntwo\r\n0\r\n\r\n");
    let server = ScriptedServer::start(script).await;
    let trace = Trace::new();
    let client = foreign(FirstByteMiddleware::new(trace.recorder.clone()));
    let mut response = client.post(server.url("/pause")).send().await.unwrap();
    assert_eq!(response.content_length(), None);
    assert_eq!(&*response.chunk().await.unwrap().unwrap(), b"one");
    assert!(trace.named("client.done").is_empty(), "it has not ended yet");
    assert_eq!(&*response.chunk().await.unwrap().unwrap(), b"two");
    assert_eq!(response.chunk().await.unwrap(), None);
    trace.only("client.done");
}

#[tokio::test]
async fn failures_of_a_foreign_transport_keep_their_type_and_are_told() {
    let trace = Trace::new();
    let client = foreign(FirstByteMiddleware::new(trace.recorder.clone()));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = client.post(format!("http://{free}/pause")).send().await.unwrap_err();
    assert!(error.is_connect());
    let fail = trace.only("client.fail");
    assert_eq!(text(&fail, field::OUTCOME), Some("not_sent"));
    assert_eq!(text(&fail, field::PHASE), Some("wait"));

    let server = ScriptedServer::start(Script::new().read_request().reset()).await;
    client.post(server.url("/pause")).send().await.unwrap_err();
    let fails = trace.named("client.fail");
    assert_eq!(text(&fails[1], field::OUTCOME), Some("unknown"));
}

/// Gets a token from somewhere else before every request.
struct Refresh(ClientWithMiddleware, String);

#[async_trait::async_trait]
impl Middleware for Refresh {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        self.0.post(&self.1).send().await?.bytes().await?;
        next.run(request, extensions).await
    }
}

#[tokio::test]
async fn a_request_that_a_middleware_sends_meanwhile_is_not_taken_for_the_call() {
    let tokens = ScriptedServer::start(ok()).await;
    let transport = HyperTransport::builder().build().unwrap();
    let trace = Trace::new();
    let client = ClientBuilder::new(reqwest::Client::new())
        .with(FirstByteMiddleware::new(trace.recorder.clone()))
        .with(Refresh(transport.client(), tokens.url("/token")))
        .with(transport)
        .build();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    client.post(format!("http://{free}/pause")).send().await.unwrap_err();
    let fail = trace.only("client.fail");
    assert_eq!(text(&fail, field::OUTCOME), Some("not_sent"), "{:?}", trace.lines());
    assert_eq!(text(&fail, field::PHASE), Some("connect"));
}
