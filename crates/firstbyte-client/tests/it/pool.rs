//! Connections that are kept, and connections that are not.

use std::time::Duration;

use firstbyte_client::{ConnectionMode, HyperTransport};
use firstbyte_core::field;
use firstbyte_testkit::{Script, ScriptedServer, response, response_head};

use crate::support::{MS, Trace, micros, ok};

fn keep(max_connections: usize) -> ConnectionMode {
    ConnectionMode::KeepAlive { max_connections }
}

#[tokio::test]
async fn one_shot_calls_have_connections_of_their_own() {
    let server = ScriptedServer::start(ok().keep_alive_loop()).await;
    let trace = Trace::new();
    let client = trace.client(&server.url(""));
    for _ in 0..3 {
        client.post("/pause").send().await.unwrap();
    }
    assert_eq!(server.connections(), 3);
    assert_eq!(server.requests()[0].header("connection").as_deref(), Some("close"));
}

#[tokio::test]
async fn a_kept_connection_is_used_again_until_the_server_closes_it() {
    let twice = ok().read_request().write(response(200, &[], "{}")).pause(10 * MS).close();
    let server = ScriptedServer::start(twice).await;
    let trace = Trace::new();
    let client = trace.builder(&server.url("")).connection_mode(keep(1)).build().unwrap();
    for _ in 0..6 {
        let response = client.post("/pause").send().await.unwrap();
        assert_eq!(response.attempts, 1, "the closed connection was not even tried");
        // The FIN must have arrived; a server that closes at the very moment is another matter.
        tokio::time::sleep(40 * MS).await;
    }
    assert_eq!((server.connections(), server.posts()), (3, 6));
    assert_eq!(server.requests()[0].header("connection"), None);
}

#[tokio::test]
async fn a_body_that_is_dropped_early_gives_its_slot_back_and_closes_its_connection() {
    let script =
        Script::new().read_request().write(response_head(200, &[], 9)).write("some").hold();
    let server = ScriptedServer::start(script).await;
    let transport = HyperTransport::builder().connection_mode(keep(1)).build().unwrap();
    for _ in 0..3 {
        let mut response =
            transport.client().post(server.url("/v1/completions")).send().await.unwrap();
        assert_eq!(&*response.chunk().await.unwrap().unwrap(), b"some");
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_body_that_ended_gives_its_slot_back_although_the_response_lives_on() {
    let sized = response(200, &[], "ok");
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    for (answer, chunks) in [(sized, 1), (chunked.into(), 2)] {
        let script = Script::new().read_request().write(answer).keep_alive_loop();
        let server = ScriptedServer::start(script).await;
        let transport = HyperTransport::builder().connection_mode(keep(1)).build().unwrap();
        let client = transport.client();
        let mut first = client.get(server.url("/health")).send().await.unwrap();
        // That a sized body is over is known with its last byte, of a chunked one a read later.
        for _ in 0..chunks {
            first.chunk().await.unwrap();
        }
        let second = client.get(server.url("/health")).send();
        let second = tokio::time::timeout(Duration::from_secs(5), second).await;
        second.expect("the slot is free").unwrap();
        assert_eq!(server.connections(), 1);
        assert_eq!(first.url().path(), "/health");
    }
}

#[tokio::test]
async fn an_answer_without_a_body_frees_the_slot_at_once() {
    let script = Script::new().read_request().write(response(204, &[], "")).keep_alive_loop();
    let server = ScriptedServer::start(script).await;
    let transport = HyperTransport::builder().connection_mode(keep(1)).build().unwrap();
    let client = transport.client();
    let _held = client.get(server.url("/health")).send().await.unwrap();
    let second =
        tokio::time::timeout(Duration::from_secs(5), client.get(server.url("/health")).send());
    assert_eq!(second.await.expect("the slot is free").unwrap().status(), 204);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn slots_are_given_in_the_order_of_asking() {
    let script = Script::new().read_request().pause(10 * MS).write(response(200, &[], ""));
    let server = ScriptedServer::start(script.keep_alive_loop()).await;
    let transport = HyperTransport::builder().connection_mode(keep(2)).build().unwrap();
    let client = transport.client();
    let calls = (0..10).map(|number| {
        let call = client.post(server.url(&format!("/{number}"))).send();
        async { call.await.unwrap().bytes().await.unwrap() }
    });
    futures_util::future::join_all(calls).await;
    let order: Vec<_> = server.requests().iter().map(|request| request.path.clone()).collect();
    // Two run side by side: each comes within one place of its turn.
    for (place, path) in order.iter().enumerate() {
        let number: usize = path[1..].parse().unwrap();
        assert!(number.abs_diff(place) <= 1, "{order:?}");
    }
    assert!(server.connections() <= 2);
}

#[tokio::test]
async fn idle_connections_to_one_server_do_not_keep_others_out() {
    let script = ok().keep_alive_loop();
    let (a, b) = (ScriptedServer::start(script.clone()).await, ScriptedServer::start(script).await);
    let transport = HyperTransport::builder().connection_mode(keep(1)).build().unwrap();
    let client = transport.client();
    for server in [&a, &b, &a, &b] {
        client.get(server.url("/health")).send().await.unwrap().bytes().await.unwrap();
    }
    assert_eq!((a.connections(), b.connections()), (2, 2), "one connection at a time");
}

#[tokio::test]
async fn a_large_streamed_body_arrives_whole_and_in_order() {
    let body: Vec<u8> = (0..300_000_u32).flat_map(u32::to_be_bytes).collect();
    let script = Script::new().read_request().write(response(200, &[], &body)).keep_alive_loop();
    let server = ScriptedServer::start(script).await;
    let trace = Trace::new();
    let builder = trace.builder(&server.url("")).connection_mode(keep(1)).max_body(2 << 20);
    let client = builder.build().unwrap();
    for _ in 0..3 {
        assert!(client.post("/pause").send().await.unwrap().body == body);
    }
    assert_eq!(server.connections(), 1);
    assert!(micros(&trace.named("client.done")[0], field::RECEIVE).unwrap() > 0);
}

#[test]
fn no_connection_at_all_is_refused_when_building() {
    let transport = HyperTransport::builder().connection_mode(keep(0)).build();
    assert!(transport.unwrap_err().is_config());
}
