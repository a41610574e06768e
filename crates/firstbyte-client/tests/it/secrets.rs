//! No credential and no query value leaves through an event, an error or a debug form.

use std::{
    error::Error,
    fmt::Write as _,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use firstbyte_client::{AdminClient, ClientError, FirstByteMiddleware, HyperTransport, Timeouts};
use firstbyte_core::{Recorder, field};
use firstbyte_testkit::{
    Fault, FaultProxy, Script, ScriptedBody, ScriptedServer, TlsFixture, response,
};
use reqwest_middleware::{ClientBuilder, Middleware, Next};

use crate::support::{MS, Trace, ok, text};

const CANARY: &str = "c4n4ry";

/// Everything that an error says, down to its last cause.
fn all_of(error: &ClientError) -> String {
    let mut text = format!("{error:?} {error:#?}");
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(error) = cause {
        write!(text, " {error} {error:?}").unwrap();
        cause = error.source();
    }
    text
}

fn assert_clean(text: &str) {
    assert!(!text.to_lowercase().contains(CANARY), "{text}");
}

async fn call(client: &AdminClient) -> Result<(), ClientError> {
    let request = client
        .post(format!("/update_weights?token={CANARY}&{CANARY}#{CANARY}"))
        .header("x-secret", CANARY)
        .json(&serde_json::json!({ "password": CANARY }))
        .allow_overlap();
    assert_clean(&format!("{request:?} {client:?}"));
    let response = request.send().await?;
    assert_clean(&format!("{response:?}"));
    response.json::<Vec<u8>>().map(drop)?;
    response.error_for_status().map(drop)
}

/// Fails with an error of reqwest, whose text has the URL.
struct Elsewhere;

#[async_trait::async_trait]
impl Middleware for Elsewhere {
    async fn handle(
        &self,
        _: reqwest::Request,
        _: &mut http::Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Ok(client.get(format!("http://127.0.0.1:1/?{CANARY}")).send().await?)
    }
}

#[tokio::test]
async fn no_error_and_no_event_has_a_secret() {
    let answer = |status| response(status, &[("set-cookie", CANARY)], "[]");
    let script = Script::new().read_request().write(answer(500));
    let server = ScriptedServer::start(script).await;
    let proxy = FaultProxy::start(server.addr()).await;
    let trace = Trace::new();
    let timeouts =
        Timeouts { total: Some(100 * MS), still_waiting: 40 * MS, ..Timeouts::default() };
    let client = trace
        .builder(&format!("http://{CANARY}:{CANARY}@{}", proxy.addr()))
        .timeouts(timeouts)
        .build()
        .unwrap();
    let mut reasons = Vec::new();
    for fault in [
        Fault::None,
        Fault::RefuseConnections,
        Fault::ResetAfterRequestBytes(1),
        Fault::SwallowRequest,
        Fault::StallResponseAfter(10),
        Fault::TruncateResponseAfter(30),
    ] {
        proxy.set(fault).await;
        let error = call(&client).await.unwrap_err();
        assert_clean(&all_of(&error));
        reasons.push(error.reason());
    }
    assert!(reasons.contains(&"status") && reasons.contains(&"connect_refused"), "{reasons:?}");
    let sent = &server.requests()[0];
    assert!(sent.header("authorization").unwrap().starts_with("Basic "));

    let token = trace.builder(&server.url("")).bearer_token(CANARY).max_body(1).build().unwrap();
    assert_clean(&all_of(&call(&token).await.unwrap_err()));
    let sent = server.requests().last().unwrap().header("authorization");
    assert_eq!(sent.unwrap(), format!("Bearer {CANARY}"));

    let garbage = ScriptedServer::start(ok()).await;
    let unread = trace.client(&garbage.url(""));
    assert_eq!(call(&unread).await.unwrap_err().reason(), "decode");
    let lost = ScriptedServer::start(Script::new().read_request().reset()).await;
    let unknown = trace.client(&lost.url(""));
    unknown.post(format!("/update_weights?{CANARY}")).send().await.unwrap_err();
    let overlap = unknown.post(format!("/update_weights?{CANARY}")).send().await.unwrap_err();
    assert!(overlap.is_overlap());
    assert_clean(&all_of(&overlap));
    let failing = trace.builder(&lost.url("")).with(Elsewhere).build().unwrap();
    let error = call(&failing).await.unwrap_err();
    assert_eq!(error.reason(), "middleware");
    assert_clean(&all_of(&error));
    for line in trace.lines() {
        assert_clean(&line);
    }
    assert!(trace.names().contains(&"client.waiting"));
}

/// A file of the caller's that cannot be read.
struct BrokenFile;

impl http_body::Body for BrokenFile {
    type Data = bytes::Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, io::Error>>> {
        Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::ConnectionReset, CANARY))))
    }
}

#[tokio::test]
async fn the_words_of_a_callers_body_that_failed_are_on_no_line() {
    let scripted = ScriptedBody::new().data("some").pending().error(CANARY);
    let scripted = scripted.with_size_hint(http_body::SizeHint::default());
    for body in [reqwest::Body::wrap(scripted), reqwest::Body::wrap(BrokenFile)] {
        let server = ScriptedServer::start(ok()).await;
        let trace = Trace::new();
        let client = ClientBuilder::new(reqwest::Client::new())
            .with(FirstByteMiddleware::new(trace.recorder.clone()))
            .with(HyperTransport::builder().build().unwrap())
            .build();
        client.post(server.url("/update_weights")).body(body).send().await.unwrap_err();
        let fail = trace.only("client.fail");
        assert_eq!(text(&fail, field::ERROR), Some("request_body"));
        trace.lines().iter().for_each(|line| assert_clean(line));
    }
}

#[tokio::test]
async fn no_configuration_error_and_no_debug_form_has_a_secret() {
    let builder = || AdminClient::builder(Recorder::disabled());
    for (builder, word) in [
        (builder().base_url(format!("http//{CANARY}:{CANARY}@host")), "base_url"),
        (builder().base_url(format!("http://host:{CANARY}")), "base_url"),
        (builder().base_url(format!("ftp://{CANARY}@host")), "base_url"),
        (builder().base_url(format!("http://host?{CANARY}")), "base_url"),
        (builder().base_url("http://host").bearer_token(format!("{CANARY}\n")), "bearer_token"),
        (builder().base_url(format!("http://{CANARY}@host")).bearer_token(CANARY), "bearer_token"),
        (builder().base_url("http://host").identity(CANARY), "identity"),
        (builder().base_url("http://host").root_certificate(CANARY), "root_certificate"),
    ] {
        let error = builder.build().unwrap_err();
        assert!(error.is_config() && error.to_string().contains(word), "{error}");
        assert_clean(&all_of(&error));
    }
    let tls = TlsFixture::new();
    let builder = builder()
        .base_url(format!("https://u:{CANARY}@host/{}", "v1"))
        .root_certificate(tls.ca_pem())
        .identity(tls.client_identity_pem());
    assert_clean(&format!("{builder:?}"));
    let client = builder.build().unwrap();
    assert_clean(&format!("{client:?} {client:#?}"));
    let transport = HyperTransport::builder().identity(tls.client_identity_pem());
    assert!(!format!("{transport:?}").contains("BEGIN"));
    for (request, word) in [
        (client.post(format!("no-slash?{CANARY}")), "slash"),
        (client.post(format!("/p?{CANARY}")).header("x-mine", &format!("{CANARY}\r\n")), "x-mine"),
        // The colon was forgotten.
        (client.post("/p").header(&format!("{CANARY} x"), "value"), "the name of a header"),
    ] {
        let error = request.send().await.unwrap_err();
        assert!(error.is_config() && error.to_string().contains(word), "{error}");
        assert_clean(&all_of(&error));
    }
}
