//! What is one server and what are two, and that all clients of a process agree on it.

use firstbyte_client::{AdminClient, AdminFleet, Outcome, SingleFlight};
use firstbyte_core::{Recorder, field};
use firstbyte_testkit::{Script, ScriptedServer};

use crate::support::{MS, Trace, ok, text};

fn lost() -> Script {
    Script::new().read_request().reset()
}

#[tokio::test]
async fn a_server_behind_a_prefix_has_the_same_operations() {
    let server = ScriptedServer::start_each(vec![lost(), ok()]).await;
    let trace = Trace::new();
    let client = trace.client(&server.url("/replica-3/"));
    client.post("/update_weights").send().await.unwrap_err();
    client.post("/resume").send().await.expect("a resume is never refused");
    assert_eq!(server.requests()[1].path, "/replica-3/resume");
    let target = format!("{}/replica-3", server.addr());
    assert_eq!(client.target(), target);
    for (line, op) in trace.events().iter().zip(["update_weights", "update_weights", "resume"]) {
        assert_eq!(text(line, field::OP), Some(op), "{:?}", trace.lines());
        assert_eq!(text(line, field::TARGET), Some(target.as_str()));
    }
    assert!(trace.lines().iter().all(|line| line.starts_with("[weights]")));
}

#[tokio::test]
async fn servers_behind_one_gateway_are_different_targets() {
    let server = ScriptedServer::start_each(vec![lost(), ok()]).await;
    let trace = Trace::new();
    let (a, b) = (trace.client(&server.url("/a")), trace.client(&server.url("/b")));
    a.post("/update_weights").send().await.unwrap_err();
    assert!(a.post("/update_weights").send().await.unwrap_err().is_overlap());
    b.post("/update_weights").send().await.expect("another server");

    let fleet = AdminFleet::new([a, b]).unwrap();
    let result = fleet.each(|client| client.post("/update_weights").send()).await;
    let outcomes: Vec<_> = result.targets.iter().map(|target| target.outcome).collect();
    assert_eq!(outcomes, [Outcome::NotSent, Outcome::Done]);
    assert!(result.targets[0].target.ends_with("/a") && result.targets[1].target.ends_with("/b"));
}

#[tokio::test]
async fn clients_of_one_server_protect_it_from_each_other() {
    let slow = Script::new().read_request().pause(100 * MS).reset();
    let server = ScriptedServer::start_each(vec![slow, ok()]).await;
    let client = |url| AdminClient::builder(Recorder::disabled()).base_url(url).build().unwrap();
    let (first, second) = (client(server.url("")), client(server.url("/")));
    let (lost, refused) = tokio::join!(first.post("/update_weights").send(), async {
        server.wait_for_requests(1).await;
        second.post("/update_weights").send().await
    });
    let lost = lost.unwrap_err();
    assert!(lost.is_outcome_unknown() && refused.unwrap_err().is_overlap(), "{lost}");
    drop(first);
    assert_eq!(second.unknown(), lost.trace_id(), "it outlives the client that left it");
    assert!(second.post("/update_weights").send().await.unwrap_err().is_overlap());
    let builder = AdminClient::builder(Recorder::disabled()).base_url(server.url(""));
    let apart = builder.single_flight(SingleFlight::new()).build().unwrap();
    apart.post("/update_weights").send().await.expect("it knows nothing of the others");
    second.forget_unknown();
    second.post("/update_weights").send().await.unwrap();
    assert_eq!(server.posts(), 3);
}
