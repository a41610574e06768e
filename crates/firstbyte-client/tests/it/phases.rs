//! Known delays come out in the phase where they were.

use firstbyte_client::ConnectionMode;
use firstbyte_core::{Event, Phase, field};
use firstbyte_testkit::{Script, ScriptedServer, response, response_head};

use crate::support::{MS, Trace, micros, millis, ok, text};

/// Within 5 ms of what the server was told to take. A machine that is busy with other things delays
/// everybody, so each phase has several tries to be right.
async fn assert_right(test: impl AsyncFn() -> Vec<(Event, Phase, f64)>) {
    let mut wrong = Vec::new();
    for _ in 0..10 {
        let phases = test().await.into_iter().enumerate();
        let wrong_now = phases.filter(|(_, (event, phase, expected))| {
            let took = millis(event, phase.field()).unwrap_or_else(|| panic!("no {phase}"));
            !(*expected..expected + 5.0).contains(&took)
        });
        let wrong_now: Vec<_> = wrong_now.map(|(place, (event, ..))| (place, event)).collect();
        wrong = match wrong.as_slice() {
            [] => wrong_now,
            _ => wrong_now.into_iter().filter(|(n, _)| wrong.iter().any(|(m, _)| n == m)).collect(),
        };
        if wrong.is_empty() {
            return;
        }
    }
    let lines: Vec<_> = wrong
        .iter()
        .map(|(place, event)| (place, firstbyte_core::text::to_string(event)))
        .collect();
    panic!("never right: {lines:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_accept_head_and_body_are_told_apart() {
    assert_right(async || {
        let timing = "kernel;dur=300, handler;dur=0, rpc;dur=199, total;dur=199.5";
        let script = Script::new()
            .accept_delay(300 * MS)
            .read_request()
            .pause(200 * MS)
            .write(response_head(200, &[("server-timing", timing)], 2))
            .pause(100 * MS)
            .write("{}");
        let server = ScriptedServer::start(script).await;
        let trace = Trace::new();
        trace.client(&server.url("")).post("/update_weights").step(3).send().await.unwrap();
        let done = trace.only("client.done");
        for phase in [Phase::Pool, Phase::Dns, Phase::Tls] {
            assert_eq!(micros(&done, phase.field()), None, "{phase} never began");
        }
        assert_eq!(micros(&done, field::KERNEL), Some(300_000));
        assert_eq!(micros(&done, field::RPC), Some(199_000));
        assert_eq!(micros(&done, field::RESPOND), Some(500));
        let wait = micros(&done, field::WAIT).unwrap();
        assert_eq!(micros(&done, field::NETWORK), Some(wait - 499_500));
        assert_eq!(text(&done, field::FLAGS), None);
        let expected = [
            (Phase::Setup, 0.0),
            (Phase::Connect, 0.0),
            (Phase::Send, 0.0),
            (Phase::Wait, 500.0),
            (Phase::Receive, 100.0),
        ];
        expected.map(|(phase, expected)| (done.clone(), phase, expected)).to_vec()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_for_a_slot_is_the_pool_phase() {
    assert_right(async || {
        let slow = Script::new().read_request().pause(400 * MS).write(response(200, &[], "{}"));
        let server = ScriptedServer::start(slow.keep_alive_loop()).await;
        let trace = Trace::new();
        let mode = ConnectionMode::KeepAlive { max_connections: 1 };
        let client = trace.builder(&server.url("")).connection_mode(mode).build().unwrap();
        let first = client.post("/pause").send();
        let second = client.post("/update_weights").allow_overlap().send();
        let (first, second) = tokio::join!(first, second);
        first.and(second).unwrap();
        let [first, second] = trace.named("client.done").try_into().unwrap();
        assert_eq!(micros(&second, field::CONNECT), None, "the connection was used again");
        assert_eq!(server.connections(), 1);
        vec![
            (first, Phase::Pool, 0.0),
            (second.clone(), Phase::Pool, 400.0),
            (second, Phase::Wait, 400.0),
        ]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_only_announces_another_one_is_part_of_the_wait() {
    const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
    assert_right(async || {
        let answer = response_head(200, &[("server-timing", "rpc;dur=399")], 2);
        let alone = Script::new().read_request().pause(100 * MS).write(HINTS).pause(300 * MS);
        let together = [HINTS.as_bytes(), &answer].concat();
        let together = Script::new().read_request().pause(400 * MS).write(together);
        let mut seen = Vec::new();
        for script in [alone.write(answer), together] {
            let server = ScriptedServer::start(script.pause(100 * MS).write("{}")).await;
            let trace = Trace::new();
            trace.client(&server.url("")).post("/update_weights").send().await.unwrap();
            let done = trace.only("client.done");
            assert_eq!(text(&done, field::FLAGS), None);
            seen.extend([(done.clone(), Phase::Wait, 400.0), (done, Phase::Receive, 100.0)]);
        }
        seen
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_asks_for_the_body_does_not_end_the_sending() {
    let script = Script::new().read_head().write(response_head(100, &[], 0)).pause(200 * MS);
    let server = ScriptedServer::start(script.read_body().write(response(200, &[], "{}"))).await;
    let trace = Trace::new();
    let body = vec![0; 32 << 20];
    trace.client(&server.url("")).post("/update_weights").body(body).send().await.unwrap();
    let send = millis(&trace.only("client.done"), field::SEND).unwrap();
    assert!(send >= 195.0, "{send}");
}

#[tokio::test]
async fn a_host_name_adds_the_dns_phase() {
    let server = ScriptedServer::start(ok()).await;
    let trace = Trace::new();
    let url = format!("http://localhost:{}", server.addr().port());
    trace.client(&url).post("/pause").send().await.unwrap();
    let done = trace.only("client.done");
    assert!(micros(&done, field::DNS).is_some() && micros(&done, field::CONNECT).is_some());
    assert_eq!(text(&done, field::TARGET), Some(&url[7..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_the_server_takes_slowly_is_the_send_phase() {
    let script =
        Script::new().read_head().pause(200 * MS).read_body().write(response(200, &[], "{}"));
    let server = ScriptedServer::start(script).await;
    let trace = Trace::new();
    let body = vec![0; 32 << 20];
    trace.client(&server.url("")).post("/update_weights").body(body).send().await.unwrap();
    let done = trace.only("client.done");
    let send = millis(&done, field::SEND).unwrap();
    assert!(send >= 195.0, "{send}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_in_a_middleware_of_the_user_is_setup() {
    struct Slow;
    #[async_trait::async_trait]
    impl reqwest_middleware::Middleware for Slow {
        async fn handle(
            &self,
            request: reqwest::Request,
            extensions: &mut http::Extensions,
            next: reqwest_middleware::Next<'_>,
        ) -> reqwest_middleware::Result<reqwest::Response> {
            tokio::time::sleep(100 * MS).await;
            next.run(request, extensions).await
        }
    }
    assert_right(async || {
        let server = ScriptedServer::start(ok()).await;
        let trace = Trace::new();
        let client = trace.builder(&server.url("")).with(Slow).build().unwrap();
        client.post("/pause").send().await.unwrap();
        vec![(trace.only("client.done"), Phase::Setup, 100.0)]
    })
    .await;
}
