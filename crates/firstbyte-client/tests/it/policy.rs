//! What is sent again, what is refused, and which clock ends what.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use firstbyte_client::{
    ClientError, ConnectionMode, HyperTransport, OperationClass, Probed, RetryPolicy, Timeouts,
};
use firstbyte_core::{Phase, TraceId, field};
use firstbyte_testkit::{Script, ScriptedServer, response};

use crate::support::{MS, Trace, count, ok, text};

/// Takes the request and resets the connection.
fn lost() -> Script {
    Script::new().read_request().reset()
}

#[tokio::test]
async fn an_idempotent_call_is_sent_again_when_its_answer_is_lost() {
    let server = ScriptedServer::start_each(vec![lost(), lost(), ok()]).await;
    let trace = Trace::new();
    let client = trace.client(&server.url(""));
    let response = client.get("/is_paused").send().await.unwrap();
    assert_eq!((response.attempts, server.connections()), (3, 3));
    let attempts: Vec<_> =
        trace.named("client.send").iter().map(|send| count(send, field::ATTEMPT)).collect();
    assert_eq!(attempts, [Some(1), Some(2), Some(3)]);
}

#[tokio::test]
async fn a_get_that_acts_is_no_read() {
    for path in ["/release_memory_occupation", "/flush_cache", "/start_profile"] {
        let server = ScriptedServer::start_each(vec![lost(), ok()]).await;
        let trace = Trace::new();
        let client = trace.client(&server.url(""));
        assert!(client.get(path).send().await.unwrap_err().is_outcome_unknown());
        assert!(client.get(path).send().await.unwrap_err().is_overlap());
        assert_eq!(server.connections(), 1, "{path} is not sent twice");
        let again = client.get(path).operation_class(OperationClass::Idempotent);
        again.send().await.expect("whoever calls knows better");
    }
}

#[tokio::test]
async fn three_attempts_are_the_most() {
    let server = ScriptedServer::start(lost()).await;
    let trace = Trace::new();
    let error = trace.client(&server.url("")).get("/is_paused").send().await.unwrap_err();
    assert!(error.is_outcome_unknown(), "{error}");
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn busy_statuses_are_retried_for_idempotent_calls_only() {
    let busy = || Script::new().read_request().write(response(503, &[], ""));
    let trace = Trace::new();
    let server = ScriptedServer::start_each(vec![busy(), ok()]).await;
    let client = trace.client(&server.url(""));
    assert_eq!(client.get("/is_paused").send().await.unwrap().attempts, 2);
    let server = ScriptedServer::start_each(vec![busy(), ok()]).await;
    let client = trace.client(&server.url(""));
    assert_eq!(client.post("/update_weights").send().await.unwrap().status, 503);
    assert_eq!(server.posts(), 1);
}

#[tokio::test]
async fn a_doubt_of_the_first_attempt_outlives_a_refusal_of_the_second() {
    let mut server = Some(ScriptedServer::start(lost()).await);
    let url = server.as_ref().unwrap().url("");
    let trace = Trace::new();
    let retry = RetryPolicy { first_pause: 200 * MS, ..RetryPolicy::default() };
    let client = trace.builder(&url).retry(retry).build().unwrap();
    let call = client.get("/is_paused").send();
    let (result, ()) = tokio::join!(call, async {
        server.as_ref().unwrap().wait_for_requests(1).await;
        tokio::time::sleep(50 * MS).await;
        server.take();
    });
    let error = result.unwrap_err();
    assert_eq!(text(&trace.named("client.fail")[1], field::OUTCOME), Some("not_sent"));
    assert!(error.is_outcome_unknown(), "the first attempt may have happened: {error}");
}

#[tokio::test]
async fn a_doubt_is_remembered_whatever_became_of_the_attempts_after_it() {
    for is_dropped in [false, true] {
        let mut server = Some(ScriptedServer::start(lost()).await);
        let url = server.as_ref().unwrap().url("");
        let trace = Trace::new();
        let retry = RetryPolicy { first_pause: 200 * MS, ..RetryPolicy::default() };
        let client = trace.builder(&url).retry(retry).build().unwrap();
        let update = client.post("/update_weights").operation_class(OperationClass::Idempotent);
        let refused = async {
            server.as_ref().unwrap().wait_for_requests(1).await;
            tokio::time::sleep(50 * MS).await;
            server.take();
            while trace.named("client.fail").len() < 2 {
                tokio::time::sleep(MS).await;
            }
        };
        if is_dropped {
            tokio::select! {
                _ = update.send() => panic!("a third attempt is to come"),
                () = refused => {}
            }
        } else {
            let (result, ()) = tokio::join!(update.send(), refused);
            assert!(result.unwrap_err().is_outcome_unknown());
        }
        assert!(client.unknown().is_some(), "dropped: {is_dropped}");
        assert!(client.post("/update_weights").send().await.unwrap_err().is_overlap());
    }
}

#[tokio::test]
async fn a_convergent_call_asks_its_probe() {
    let trace = Trace::new();
    let asked = Arc::new(AtomicUsize::new(0));
    for (probed, posts, ok_after) in [("applied", 1, true), ("not", 2, true), ("unclear", 1, false)]
    {
        let server = ScriptedServer::start_each(vec![lost(), ok()]).await;
        let client = trace.client(&server.url(""));
        let asked = Arc::clone(&asked);
        let call = client.post("/update_weights").probe(move |client| {
            asked.fetch_add(1, Relaxed);
            async move {
                match probed {
                    "applied" => Probed::Applied(client.get("/weight_info").send().await.unwrap()),
                    "not" => Probed::NotApplied,
                    _ => Probed::Unclear,
                }
            }
        });
        let result = call.send().await;
        assert_eq!(result.is_ok(), ok_after, "{probed}: {result:?}");
        assert_eq!(server.posts(), posts, "{probed}");
        assert_eq!(client.unknown().is_some(), probed == "unclear");
    }
    assert_eq!(asked.load(Relaxed), 3);
}

#[tokio::test]
async fn a_convergent_call_without_a_probe_is_not_sent_again() {
    let server = ScriptedServer::start(lost()).await;
    let trace = Trace::new();
    let call = trace.client(&server.url("")).post("/update_weights");
    let error = call.operation_class(OperationClass::Convergent).send().await.unwrap_err();
    assert!(error.is_outcome_unknown());
    assert_eq!(server.posts(), 1);
}

#[tokio::test]
async fn after_an_unknown_outcome_a_second_update_must_be_allowed() {
    let server = ScriptedServer::start_each(vec![lost(), ok()]).await;
    let trace = Trace::new();
    let client = trace.client(&server.url(""));
    let lost = client.post("/update_weights").send().await.unwrap_err();
    assert_eq!(client.unknown(), lost.trace_id());

    let refused = client.post("/update_weights").send().await.unwrap_err();
    assert!(refused.is_overlap() && !refused.is_not_sent(), "{refused}");
    assert_eq!(refused.trace_id(), lost.trace_id());
    client.get("/is_paused").send().await.unwrap();
    client.post("/resume").send().await.expect("a resume is never refused");
    assert_eq!(client.unknown(), lost.trace_id(), "a resume says nothing about the update");
}

#[tokio::test]
async fn an_unknown_outcome_is_settled_by_an_allowed_success_or_by_the_caller() {
    let server = ScriptedServer::start_each(vec![lost(), ok(), lost(), ok()]).await;
    let trace = Trace::new();
    let client = trace.client(&server.url(""));
    client.post("/update_weights").send().await.unwrap_err();
    client.post("/update_weights").allow_overlap().send().await.unwrap();
    client.post("/update_weights").send().await.unwrap_err();
    assert!(client.post("/update_weights").send().await.unwrap_err().is_overlap());
    client.forget_unknown();
    client.post("/update_weights").send().await.unwrap();
    assert_eq!(server.posts(), 4);
}

#[tokio::test]
async fn one_operation_at_a_time() {
    let slow = Script::new().read_request().pause(100 * MS).write(response(200, &[], ""));
    let server = ScriptedServer::start(slow).await;
    let trace = Trace::new();
    let client = trace.client(&server.url(""));
    let (first, second, third) = tokio::join!(
        client.post("/update_weights").send(),
        client.post("/update_weights").send(),
        client.get("/is_paused").send(),
    );
    assert!(second.unwrap_err().is_overlap());
    assert!(first.is_ok() && third.is_ok());
    assert_eq!(server.posts(), 1);
    client.post("/update_weights").send().await.expect("the first one is over");
}

#[tokio::test]
async fn a_dropped_call_that_had_begun_leaves_its_outcome_unknown() {
    let server = ScriptedServer::start(Script::new().read_request().hold()).await;
    let trace = Trace::new();
    let client = trace.client(&server.url(""));
    tokio::select! {
        _ = client.post("/update_weights").send() => panic!("the server holds"),
        () = server.wait_for_requests(1) => {}
    }
    assert!(client.unknown().is_some());
    assert!(client.post("/update_weights").send().await.unwrap_err().is_overlap());
}

#[tokio::test]
async fn the_send_clock_ends_a_request_that_is_not_taken() {
    let server = ScriptedServer::start(Script::new().read_head().hold()).await;
    let trace = Trace::new();
    let timeouts = Timeouts { send: 200 * MS, ..Timeouts::default() };
    let client = trace.builder(&server.url("")).timeouts(timeouts).build().unwrap();
    let error = client.post("/update_weights").body(vec![0; 32 << 20]).send().await.unwrap_err();
    assert!(error.is_outcome_unknown() && error.is_timeout(), "{error}");
    assert_eq!((error.reason(), error.phase()), ("send_timeout", Some(Phase::Send)));
    assert!((1..32 << 20).contains(&error.bytes_sent()), "{error}");
}

#[tokio::test]
async fn the_connect_clock_covers_the_tls_handshake() {
    let server = ScriptedServer::start(Script::new().hold()).await;
    let trace = Trace::new();
    let timeouts = Timeouts { connect: 100 * MS, ..Timeouts::default() };
    let url = format!("https://{}", server.addr());
    let client = trace.builder(&url).timeouts(timeouts).build().unwrap();
    let error = client.post("/update_weights").send().await.unwrap_err();
    assert!(error.is_not_sent() && error.is_timeout(), "{error}");
    assert_eq!((error.reason(), error.phase()), ("connect_timeout", Some(Phase::Tls)));
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn the_total_clock_covers_all_attempts_and_pauses() {
    let server = ScriptedServer::start(lost()).await;
    let trace = Trace::new();
    let retry = RetryPolicy { first_pause: 600 * MS, ..RetryPolicy::default() };
    let client = trace.builder(&server.url("")).retry(retry).build().unwrap();
    let started = tokio::time::Instant::now();
    let error = client.get("/is_paused").timeout(300 * MS).send().await.unwrap_err();
    assert!(error.is_outcome_unknown());
    assert!(started.elapsed() < 300 * MS, "no time for another attempt after the pause");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn without_time_nothing_is_sent() {
    let server = ScriptedServer::start(ok().keep_alive_loop()).await;
    let trace = Trace::new();
    let error =
        trace.client(&server.url("")).post("/update_weights").timeout(Duration::ZERO).send().await;
    assert!(error.unwrap_err().is_config());
    // A client whose connection is there already.
    let mode = ConnectionMode::KeepAlive { max_connections: 1 };
    let client = HyperTransport::builder().connection_mode(mode).build().unwrap().client();
    client.get(server.url("/health")).send().await.unwrap().bytes().await.unwrap();
    let late = client.post(server.url("/update_weights")).timeout(Duration::ZERO).send().await;
    let late = late.unwrap_err();
    let error = ClientError::find(&late).unwrap();
    assert!(error.is_not_sent() && error.is_timeout(), "{error}");
    assert_eq!(server.posts(), 0);
}

#[tokio::test]
async fn a_header_can_be_given_twice_but_not_break_the_message() {
    let server = ScriptedServer::start(ok()).await;
    let trace = Trace::new();
    let client = trace.client(&server.url(""));
    let request = || client.post("/update_weights");
    let sent = request().append_header("a", "1").append_header("a", "2").header("b", "1");
    sent.header("b", "2").header("host", "virtual").send().await.unwrap();
    let head = server.requests().remove(0);
    let text = String::from_utf8(head.head.to_vec()).unwrap();
    assert!(text.contains("a: 1\r\na: 2\r\n"), "{text}");
    assert_eq!(
        (head.header("b").as_deref(), head.header("host").as_deref()),
        (Some("2"), Some("virtual"))
    );
    for name in ["Content-Length", "transfer-encoding", "connection", "upgrade"] {
        for request in [request().header(name, "3"), request().append_header(name, "3")] {
            assert!(request.send().await.unwrap_err().is_config(), "{name}");
        }
    }
    assert!(request().header("host", "a").append_header("Host", "b").check().is_err());
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_middleware_that_repeats_requests_is_refused() {
    struct Again;
    #[async_trait::async_trait]
    impl reqwest_middleware::Middleware for Again {
        async fn handle(
            &self,
            request: reqwest::Request,
            extensions: &mut http::Extensions,
            next: reqwest_middleware::Next<'_>,
        ) -> reqwest_middleware::Result<reqwest::Response> {
            let copy = request.try_clone().unwrap();
            _ = next.clone().run(request, extensions).await;
            next.run(copy, extensions).await
        }
    }
    let server = ScriptedServer::start(lost()).await;
    let trace = Trace::new();
    let client = trace.builder(&server.url("")).with(Again).build().unwrap();
    let error = client.post("/update_weights").send().await.unwrap_err();
    assert!(error.to_string().contains("RetryPolicy"), "{error}");
    assert_eq!(server.posts(), 1);
}

#[tokio::test]
async fn the_callers_id_is_the_calls_id() {
    let server = ScriptedServer::start(ok()).await;
    let trace = Trace::new();
    let client = trace.client(&server.url(""));
    let id: TraceId = "00f067aa0ba902b7".parse().unwrap();
    assert_eq!(client.post("/pause").trace_id(id).send().await.unwrap().trace_id, id);
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let response = client.post("/pause").header("traceparent", parent).send().await.unwrap();
    assert_eq!(response.trace_id.to_string(), "a3ce929d0e0e4736");
    let requests = server.requests();
    assert_eq!(requests[0].header("x-trace-id").unwrap(), id.to_string());
    let sent = requests[0].header("traceparent").unwrap();
    assert!(sent.starts_with("00-000000000000000000f067aa0ba902b7-"), "{sent}");
    assert_eq!(requests[1].header("traceparent").unwrap(), parent);
    assert_eq!(requests[1].header("x-trace-id").unwrap(), "a3ce929d0e0e4736");
}
