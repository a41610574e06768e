//! Everything that can go wrong between a client and a server, and that nothing is sent twice.

use std::time::Duration;

use firstbyte_client::{ClientError, HyperTransport, Timeouts};
use firstbyte_core::{Phase, field};
use firstbyte_testkit::{
    Fault, FaultProxy, Script, ScriptedBody, ScriptedServer, response, response_head,
};
use http_body::SizeHint;
use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{MS, Trace, count, ok, text};

/// Makes one POST through a proxy with this fault; the error, and how many POSTs the server saw.
async fn post_through(fault: Fault, script: Script, posts: usize) -> (ClientError, usize, Trace) {
    let server = ScriptedServer::start(script).await;
    let proxy = FaultProxy::start(server.addr()).await;
    proxy.set(fault).await;
    let trace = Trace::new();
    let timeouts = Timeouts { total: Some(400 * MS), ..Timeouts::default() };
    let client = trace.builder(&proxy.url("")).timeouts(timeouts).build().unwrap();
    let body = vec![b'x'; 2000];
    let error = client.post("/update_weights").body(body).send().await.unwrap_err();
    // The server may see the last of them after the client has given up.
    _ = tokio::time::timeout(Duration::from_secs(5), server.wait_for_requests(posts)).await;
    tokio::time::sleep(10 * MS).await;
    (error, server.posts(), trace)
}

#[tokio::test]
async fn after_the_first_byte_no_post_is_sent_twice() {
    let large = || Script::new().read_request().write(response(200, &[], vec![b'y'; 5000]));
    for (fault, posts, reason, phase) in [
        (Fault::ResetAfterRequestBytes(1), 0, "reset", Phase::Wait),
        (Fault::ResetAfterRequestBytes(1500), 1, "reset", Phase::Wait),
        (Fault::StallRequestAfter(1500), 1, "total_timeout", Phase::Wait),
        (Fault::SwallowRequest, 0, "total_timeout", Phase::Wait),
        (Fault::HalfOpen, 1, "total_timeout", Phase::Wait),
        (Fault::StallResponseAfter(0), 1, "total_timeout", Phase::Wait),
        (Fault::StallResponseAfter(10), 1, "total_timeout", Phase::Receive),
        (Fault::StallResponseAfter(2000), 1, "total_timeout", Phase::Receive),
        (Fault::TruncateResponseAfter(0), 1, "closed", Phase::Wait),
        (Fault::TruncateResponseAfter(10), 1, "closed", Phase::Receive),
        (Fault::TruncateResponseAfter(2000), 1, "body_truncated", Phase::Receive),
        (Fault::ResetAfterResponseBytes(10), 1, "reset", Phase::Receive),
        (Fault::ResetAfterResponseBytes(2000), 1, "reset", Phase::Receive),
    ] {
        let (error, seen, trace) = post_through(fault, large(), posts).await;
        assert_eq!(seen, posts, "{fault:?}");
        assert!(error.is_outcome_unknown() && !error.is_not_sent(), "{fault:?}: {error}");
        assert_eq!((error.reason(), error.phase()), (reason, Some(phase)), "{fault:?}");
        assert!(error.bytes_sent() > 2000, "{fault:?}: {error}");
        let fail = trace.only("client.fail");
        assert_eq!(text(&fail, field::OUTCOME), Some("unknown"), "{fault:?}");
        assert_eq!(text(&fail, field::ERROR), Some(reason), "{fault:?}");
        assert_eq!(text(&fail, field::PHASE), Some(phase.as_str()), "{fault:?}");
        assert_eq!(fail.id(), error.trace_id(), "{fault:?}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_tried_three_times_and_is_not_sent() {
    let (error, posts, trace) = post_through(Fault::RefuseConnections, ok(), 0).await;
    assert!(error.is_not_sent() && !error.is_outcome_unknown(), "{error}");
    assert_eq!((error.reason(), error.bytes_sent(), posts), ("connect_refused", 0, 0));
    assert_eq!(error.phase(), Some(Phase::Connect));
    let attempts: Vec<_> =
        trace.named("client.fail").iter().map(|fail| count(fail, field::ATTEMPT)).collect();
    assert_eq!(attempts, [Some(1), Some(2), Some(3)]);
    let ids: Vec<_> = trace.events().iter().map(|event| event.id()).collect();
    assert!(ids.iter().all(|id| *id == error.trace_id()), "one id for all attempts");
}

#[tokio::test]
async fn a_server_that_comes_back_gets_the_call_that_was_not_sent() {
    let server = ScriptedServer::start(ok()).await;
    let proxy = FaultProxy::start(server.addr()).await;
    proxy.set(Fault::RefuseConnections).await;
    let trace = Trace::new();
    let retry = firstbyte_client::RetryPolicy {
        first_pause: 200 * MS,
        ..firstbyte_client::RetryPolicy::default()
    };
    let client = trace.builder(&proxy.url("")).retry(retry).build().unwrap();
    let (response, ()) = tokio::join!(client.post("/update_weights").send(), async {
        tokio::time::sleep(50 * MS).await;
        proxy.set(Fault::None).await;
    });
    assert_eq!(response.unwrap().attempts, 2);
    assert_eq!(server.posts(), 1);
    assert_eq!(trace.names(), ["client.send", "client.fail", "client.send", "client.done"]);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_not_sent() {
    let trace = Trace::new();
    let client = trace.client("http://firstbyte.invalid:8000");
    let error = client.post("/pause").send().await.unwrap_err();
    assert!(error.is_not_sent(), "{error}");
    assert_eq!((error.reason(), error.phase()), ("dns", Some(Phase::Dns)));
}

#[tokio::test]
async fn a_server_that_restarts_in_the_middle_leaves_the_outcome_unknown() {
    let script = Script::new().read_request().pause(50 * MS).reset();
    let server = ScriptedServer::start(script).await;
    let trace = Trace::new();
    let error = trace.client(&server.url("")).post("/update_weights").send().await.unwrap_err();
    assert!(error.is_outcome_unknown(), "{error}");
    assert_eq!((error.reason(), error.phase()), ("reset", Some(Phase::Wait)));
    assert_eq!(server.posts(), 1);
}

#[tokio::test]
async fn a_peer_that_vanishes_is_found_dead() {
    // A filter that drops every packet makes the server's kernel as silent as a dead host.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let trace = Trace::new();
    let timeouts = Timeouts { peer_dead: Duration::from_secs(2), ..Timeouts::default() };
    let client = trace.builder(&url).timeouts(timeouts).build().unwrap();
    let drop_all = [socket2::SockFilter::new(0x06, 0, 0, 0)];
    for acknowledges_first in [false, true] {
        let call = client.post("/update_weights").allow_overlap().send();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            if acknowledges_first {
                stream.read_u8().await.unwrap();
                tokio::time::sleep(100 * MS).await;
            }
            socket2::SockRef::from(&stream).attach_filter(&drop_all).unwrap();
            stream
        };
        let started = tokio::time::Instant::now();
        let (result, _stream) = tokio::join!(call, server);
        let error = result.unwrap_err();
        assert!(error.is_outcome_unknown(), "{error}");
        assert_eq!((error.reason(), error.phase()), ("peer_dead", Some(Phase::Wait)));
        assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn errors_of_the_server_are_responses() {
    for status in [429, 500, 503, 404] {
        let script = Script::new().read_request().write(response(status, &[], "busy"));
        let server = ScriptedServer::start(script).await;
        let trace = Trace::new();
        let response = trace.client(&server.url("")).post("/update_weights").send().await.unwrap();
        assert_eq!((response.status.as_u16(), &*response.body), (status, &b"busy"[..]));
        assert_eq!(server.posts(), 1, "a POST that was answered is not repeated");
        let error = response.error_for_status().unwrap_err();
        assert!(error.is_status() && !error.is_outcome_unknown(), "{error}");
        assert_eq!(error.status().map(|status| status.as_u16()), Some(status));
        assert_eq!(count(&trace.only("client.done"), field::STATUS), Some(i64::from(status)));
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let elsewhere = ScriptedServer::start(ok()).await;
    let location = elsewhere.url("/update_weights");
    let script =
        Script::new().read_request().write(response(307, &[("location", location.as_str())], ""));
    let server = ScriptedServer::start(script).await;
    let trace = Trace::new();
    let client = trace.client(&server.url(""));
    for request in [client.post("/update_weights"), client.get("/is_paused")] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status, 307);
        assert!(response.error_for_status().unwrap_err().is_status());
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_body_above_the_limit_is_given_up_and_its_status_is_known() {
    for script in [
        Script::new().read_request().write(response(200, &[], vec![b'x'; 1001])),
        Script::new()
            .read_request()
            .write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .write(format!("3e9\r\n{}\r\n", "x".repeat(1001)))
            .hold(),
    ] {
        let server = ScriptedServer::start(script).await;
        let trace = Trace::new();
        let client = trace.builder(&server.url("")).max_body(1000).build().unwrap();
        let error = client.post("/update_weights").send().await.unwrap_err();
        assert!(error.is_body() && !error.is_outcome_unknown(), "{error}");
        assert_eq!(error.status().unwrap(), 200);
        assert_eq!(text(&trace.only("client.fail"), field::ERROR), Some("body_too_large"));
        assert!(client.post("/update_weights").send().await.unwrap_err().is_body(), "not refused");
    }
    let script = Script::new().read_request().write(response(200, &[], vec![b'x'; 1000]));
    let server = ScriptedServer::start(script).await;
    let trace = Trace::new();
    let client = trace.builder(&server.url("")).max_body(1000).build().unwrap();
    assert_eq!(client.post("/update_weights").send().await.unwrap().body.len(), 1000);
}

#[tokio::test]
async fn a_truncated_body_leaves_the_outcome_unknown() {
    let script = Script::new().read_request().write(response_head(200, &[], 100)).write("half");
    let server = ScriptedServer::start(script.close()).await;
    let trace = Trace::new();
    let error = trace.client(&server.url("")).post("/update_weights").send().await.unwrap_err();
    assert!(error.is_outcome_unknown() && error.is_body(), "{error}");
    assert_eq!((error.status().unwrap().as_u16(), error.reason()), (200, "body_truncated"));
    assert!(error.to_string().ends_with("; the answer had status 200 OK"), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_told_as_such() {
    let script = Script::new().read_request().write("SSH-2.0-OpenSSH_9.6\r\n\r\n").hold();
    let server = ScriptedServer::start(script).await;
    let trace = Trace::new();
    let error = trace.client(&server.url("")).post("/update_weights").send().await.unwrap_err();
    assert!(error.is_outcome_unknown(), "{error}");
    assert_eq!(error.reason(), "protocol");
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_not_taken_for_a_lost_connection() {
    let head = |lines: String| format!("HTTP/1.1 200 OK\r\n{lines}content-length: 0\r\n\r\n");
    let many = (0..300).map(|number| format!("x-{number}: 1\r\n")).collect();
    let long = format!("x-long: {}\r\n", "x".repeat(2 << 20));
    let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\nab\r\n0\r\n\r\n";
    for (answer, reason, phase) in [
        (head(many), "head_too_large", Phase::Receive),
        (head(long), "head_too_large", Phase::Receive),
        (chunks.to_owned(), "protocol", Phase::Receive),
    ] {
        let script = Script::new().read_request().write(answer).hold();
        let server = ScriptedServer::start(script).await;
        let trace = Trace::new();
        let error = trace.client(&server.url("")).get("/is_paused").send().await.unwrap_err();
        assert!(error.is_outcome_unknown(), "{error}");
        assert_eq!((error.reason(), error.phase()), (reason, Some(phase)));
        assert_eq!(server.connections(), 1, "it would be no better the next time");
    }
}

#[test]
fn a_host_without_file_descriptors_is_told_as_such() {
    const ALONE: &str = "FIRSTBYTE_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        // In a process of its own, which nobody else needs file descriptors of.
        let this = std::env::current_exe().unwrap();
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""]).arg(this).env(ALONE, "1");
        let test = "faults::a_host_without_file_descriptors_is_told_as_such";
        let output = command.args(["--exact", test]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = ScriptedServer::start(ok()).await;
        let trace = Trace::new();
        let client = trace.client(&server.url(""));
        let all: Vec<_> = std::iter::repeat_with(|| std::fs::File::open("/dev/null"))
            .map_while(Result::ok)
            .collect();
        let error = client.post("/update_weights").send().await.unwrap_err();
        drop(all);
        assert!(error.is_not_sent(), "{error}");
        assert_eq!((error.reason(), error.phase()), ("local", Some(Phase::Connect)));
        client.post("/update_weights").send().await.unwrap();
    });
}

#[tokio::test]
async fn a_request_that_cannot_be_carried_is_not_called_a_bad_answer() {
    let client = firstbyte_client::HyperTransport::builder().build().unwrap().client();
    let error = client.get("ftp://127.0.0.1/x").send().await.unwrap_err();
    let error = ClientError::find(&error).unwrap();
    assert!(error.is_not_sent(), "{error}");
    assert_eq!(error.reason(), "request");
}

#[tokio::test]
async fn a_request_is_plain_and_its_answer_is_not_decompressed() {
    let script = Script::new().read_request().write(response(
        200,
        &[("content-encoding", "gzip")],
        b"\x1f\x8b not gzip at all",
    ));
    let server = ScriptedServer::start(script).await;
    let trace = Trace::new();
    let response = trace.client(&server.url("")).post("/pause").send().await.unwrap();
    assert_eq!(&*response.body, b"\x1f\x8b not gzip at all");
    let head = &server.requests()[0];
    assert_eq!(head.header("accept-encoding"), None);
    assert_eq!(
        (head.path.as_str(), head.header("connection").as_deref()),
        ("/pause", Some("close"))
    );
    assert_eq!(head.header("host"), Some(server.addr().to_string()));
    assert_eq!(head.header("content-length").as_deref(), Some("0"));
}

#[test]
fn a_proxy_in_the_environment_is_ignored() {
    // Only a process of its own can have an environment of its own.
    let this = std::env::current_exe().unwrap();
    let mut command = std::process::Command::new(this);
    for variable in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env(variable, "http://127.0.0.1:1");
    }
    let test = "faults::a_request_is_plain_and_its_answer_is_not_decompressed";
    let output = command.args(["--exact", test]).env_remove("no_proxy").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Every byte more than this waits for the server to read: larger than what its kernel takes.
#[cfg(target_os = "linux")]
const MORE_THAN_A_WINDOW: usize = 2_000_000;

/// A server whose kernel has no room for the rest of the request; the peer counts as dead after a second.
#[cfg(target_os = "linux")]
async fn too_busy_to_read() -> (tokio::net::TcpListener, Trace, firstbyte_client::AdminClient) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let trace = Trace::new();
    let timeouts = Timeouts { peer_dead: Duration::from_secs(1), ..Timeouts::default() };
    let client = trace.builder(&url).timeouts(timeouts).build().unwrap();
    (listener, trace, client)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_that_is_too_busy_to_read_is_not_dead() {
    // It may have begun to answer before that.
    let answer = response(200, &[], "{}");
    for early in [0, answer.len() - 1] {
        let (listener, _trace, client) = too_busy_to_read().await;
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(&answer[..early]).await.unwrap();
            // Meanwhile its kernel answers every question whether there is room.
            tokio::time::sleep(Duration::from_secs(5)).await;
            let (mut left, mut buffer) = (MORE_THAN_A_WINDOW, vec![0; 1 << 16]);
            while left > 0 {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => return stream,
                    Ok(bytes) => left = left.saturating_sub(bytes),
                }
            }
            stream.write_all(&answer[early..]).await.unwrap();
            stream
        };
        let call = client.post("/update_weights").body(vec![0; MORE_THAN_A_WINDOW]).send();
        let (result, _stream) = tokio::join!(call, server);
        assert_eq!(result.unwrap().status, 200, "{early} bytes came early");
    }
}

#[tokio::test]
async fn a_body_that_nobody_asks_for_is_not_waited_for() {
    // hyper sends none that is empty, and of a GET none of an unknown length.
    let unknown = ScriptedBody::new().data("never sent").with_size_hint(SizeHint::default());
    for (method, body) in [(Method::POST, ScriptedBody::new().end()), (Method::GET, unknown)] {
        let script = Script::new().read_head().pause(300 * MS).write(response(200, &[], "{}"));
        let server = ScriptedServer::start(script).await;
        let timeouts = Timeouts { send: 100 * MS, ..Timeouts::default() };
        let client = HyperTransport::builder().timeouts(timeouts).build().unwrap().client();
        let request = client.request(method, server.url("/")).body(reqwest::Body::wrap(body));
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_early_answer_does_not_stop_the_clock_of_the_request() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let trace = Trace::new();
    let timeouts = Timeouts { send: 300 * MS, ..Timeouts::default() };
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = trace.builder(&url).timeouts(timeouts).build().unwrap();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(&response_head(200, &[], 2)).await.unwrap();
        stream
    };
    let call = client.post("/update_weights").body(vec![0; 3 * MORE_THAN_A_WINDOW]).send();
    let call = tokio::time::timeout(Duration::from_secs(30), call);
    let (result, _stream) = tokio::join!(call, server);
    let error = result.expect("in time").unwrap_err();
    assert_eq!((error.reason(), error.is_outcome_unknown()), ("send_timeout", true));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_that_dies_while_it_is_too_busy_to_read_is_dead() {
    let (listener, _trace, client) = too_busy_to_read().await;
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        // From now on it drops every packet.
        let drop = socket2::SockFilter::new(0x06, 0, 0, 0);
        socket2::SockRef::from(&stream).attach_filter(&[drop]).unwrap();
        stream
    };
    let call = client.post("/update_weights").body(vec![0; MORE_THAN_A_WINDOW]).send();
    let call = tokio::time::timeout(Duration::from_secs(30), call);
    let (result, _stream) = tokio::join!(call, server);
    let error = result.expect("in time").unwrap_err();
    assert_eq!((error.reason(), error.is_outcome_unknown()), ("peer_dead", true));
}
