//! A caller that drops its call, at every point where it can.

use firstbyte_client::{AdminClient, ConnectionMode, FirstByteMiddleware, HyperTransport};
use firstbyte_core::field;
use firstbyte_testkit::{Script, ScriptedServer, TlsFixture, cancel_sweep, response_head};

use crate::support::{MS, Trace, text};

/// An answer that comes in pieces.
fn in_pieces() -> Script {
    Script::new()
        .read_request()
        .pause(2 * MS)
        .write(response_head(200, &[], 4))
        .pause(2 * MS)
        .write("ab")
        .pause(2 * MS)
        .write("cd")
}

async fn sweep(trace: &Trace, client: &AdminClient) {
    let rounds = cancel_sweep(
        || client.post("/update_weights").allow_overlap().send(),
        |polls, result| {
            let ends = trace.named("client.done").len() + trace.named("client.fail").len();
            assert_eq!(ends, polls, "each round but the unpolled one ended once");
            if let Some(result) = result {
                assert_eq!(&*result.unwrap().body, b"abcd");
            }
        },
    )
    .await;
    assert!(rounds >= 4, "{rounds}");
    let fails = trace.named("client.fail");
    assert_eq!((fails.len(), trace.named("client.done").len()), (rounds - 1, 1));
    assert!(fails.iter().all(|fail| text(fail, field::OUTCOME) == Some("cancelled")));
    let phases: Vec<_> = fails.iter().filter_map(|fail| text(fail, field::PHASE)).collect();
    assert!(phases.contains(&"connect") || phases.contains(&"wait"), "{phases:?}");
    assert!(phases.contains(&"receive"), "{phases:?}");
    assert!(client.in_flight().is_empty());
}

#[tokio::test]
async fn a_one_shot_call_ends_once_wherever_it_is_dropped() {
    let server = ScriptedServer::start(in_pieces()).await;
    let trace = Trace::new();
    sweep(&trace, &trace.client(&server.url(""))).await;
}

#[tokio::test]
async fn a_keep_alive_call_ends_once_and_gives_its_slot_back() {
    let server = ScriptedServer::start(in_pieces().keep_alive_loop()).await;
    let trace = Trace::new();
    let mode = ConnectionMode::KeepAlive { max_connections: 1 };
    let client = trace.builder(&server.url("")).connection_mode(mode).build().unwrap();
    sweep(&trace, &client).await;
}

#[tokio::test]
async fn a_tls_call_ends_once_wherever_it_is_dropped() {
    let tls = TlsFixture::new();
    let server = ScriptedServer::start_tls(in_pieces(), tls.server_config()).await;
    let trace = Trace::new();
    let builder = trace.builder(&server.url("")).root_certificate(tls.ca_pem());
    sweep(&trace, &builder.build().unwrap()).await;
}

#[tokio::test]
async fn a_traced_call_of_any_client_ends_once() {
    let server = ScriptedServer::start(in_pieces()).await;
    let trace = Trace::new();
    for own_transport in [false, true] {
        let plain = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut builder = reqwest_middleware::ClientBuilder::new(plain)
            .with(FirstByteMiddleware::new(trace.recorder.clone()));
        if own_transport {
            builder = builder.with(HyperTransport::builder().build().unwrap());
        }
        let client = builder.build();
        let before = trace.named("client.send").len();
        let url = server.url("/update_weights");
        cancel_sweep(
            || async { client.post(&url).send().await.unwrap().bytes().await.unwrap() },
            |polls, _| {
                let ends = trace.named("client.done").len() + trace.named("client.fail").len();
                assert_eq!(ends - before, polls);
            },
        )
        .await;
    }
}
