//! A server that was paused is resumed, whatever happens in between.

use std::panic::AssertUnwindSafe;

use firstbyte_client::AdminClient;
use firstbyte_testkit::{Script, ScriptedServer, cancel_sweep, response};
use futures_util::FutureExt as _;

use crate::support::{MS, Trace, ok};

fn paths(server: &ScriptedServer) -> Vec<String> {
    server.requests().into_iter().map(|request| request.path).collect()
}

async fn update(client: AdminClient) -> Result<(), firstbyte_client::ClientError> {
    client.post("/update_weights").send().await?.error_for_status().map(drop)
}

#[tokio::test]
async fn the_work_runs_between_pause_and_resume() {
    let server = ScriptedServer::start(ok()).await;
    let trace = Trace::new();
    let client = trace.client(&server.url(""));
    let paused = client.paused(client.post("/pause"), client.post("/resume"), update).await;
    let paused = paused.unwrap();
    assert!(paused.work.is_ok() && paused.resume.is_ok() && paused.pause.status.is_success());
    assert_eq!(paths(&server), ["/pause", "/update_weights", "/resume"]);
}

#[tokio::test]
async fn a_server_whose_resume_can_never_be_sent_is_not_paused() {
    let server = ScriptedServer::start(ok()).await;
    let trace = Trace::new();
    let client = trace.client(&server.url(""));
    for (pause, resume) in [("/pause", "resume"), ("pause", "/resume")] {
        let paused = client.paused(client.post(pause), client.post(resume), async |_| ());
        assert!(paused.await.unwrap_err().is_config());
    }
    assert_eq!(paths(&server), [""; 0]);
}

#[tokio::test]
async fn work_that_fails_is_followed_by_the_resume() {
    let lost = Script::new().read_request().reset();
    let server = ScriptedServer::start_each(vec![ok(), lost, ok()]).await;
    let trace = Trace::new();
    let client = trace.client(&server.url(""));
    let paused = client.paused(client.post("/pause"), client.post("/resume"), update).await;
    let paused = paused.unwrap();
    assert!(paused.work.unwrap_err().is_outcome_unknown());
    assert!(paused.resume.is_ok());
    assert_eq!(paths(&server), ["/pause", "/update_weights", "/resume"]);
    assert!(client.unknown().is_some(), "the resume settles nothing");
}

#[tokio::test]
async fn work_that_panics_is_followed_by_the_resume_and_goes_on_panicking() {
    let server = ScriptedServer::start(ok()).await;
    let trace = Trace::new();
    let client = trace.client(&server.url(""));
    let work = async |_: AdminClient| panic!("in the work");
    let paused = client.paused::<(), _, _>(client.post("/pause"), client.post("/resume"), work);
    let panic = AssertUnwindSafe(paused).catch_unwind().await.unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"in the work"));
    assert_eq!(paths(&server), ["/pause", "/resume"]);
}

#[tokio::test]
async fn a_failed_pause_is_resumed_unless_it_was_not_sent() {
    let lost = Script::new().read_request().reset();
    let refused = Script::new().read_request().write(response(500, &[], ""));
    for first in [lost, refused] {
        let server = ScriptedServer::start_each(vec![first, ok()]).await;
        let trace = Trace::new();
        let client = trace.client(&server.url(""));
        let work = async |_| panic!("must not begin");
        let paused = client.paused::<(), _, _>(client.post("/pause"), client.post("/resume"), work);
        assert!(!paused.await.unwrap_err().is_not_sent());
        assert_eq!(paths(&server), ["/pause", "/resume"]);
    }
    let trace = Trace::new();
    let client = trace.client("http://firstbyte.invalid");
    let paused = client.paused(client.post("/pause"), client.post("/resume"), async |_| ());
    assert!(paused.await.unwrap_err().is_not_sent());
    assert_eq!(trace.named("client.send").len(), 3, "three pauses, no resume");
}

#[tokio::test]
async fn a_resume_is_tried_once_wherever_the_future_is_dropped() {
    let slow = Script::new().read_request().pause(2 * MS).write(response(200, &[], "{}"));
    let server = ScriptedServer::start(slow).await;
    let trace = Trace::new();
    let client = trace.client(&server.url(""));
    // The resume of one round may still be in flight when the next one begins.
    let pause = || client.post("/pause").allow_overlap();
    let work = |client: AdminClient| client.post("/update_weights").allow_overlap().send();
    let polls = cancel_sweep(
        || client.paused(pause(), client.post("/resume"), work),
        |_, result| assert!(result.is_none_or(|paused| paused.unwrap().resume.is_ok())),
    )
    .await;
    assert!(polls >= 5, "connect and wait of both calls, and the resume: {polls}");
    let resumes = || paths(&server).iter().filter(|path| *path == "/resume").count();
    // The future that was never polled began nothing.
    let expected = polls;
    for _ in 0..500 {
        if resumes() == expected && client.in_flight().is_empty() {
            break;
        }
        tokio::time::sleep(10 * MS).await;
    }
    assert_eq!(resumes(), expected, "one per round that began");
    tokio::time::sleep(20 * MS).await;
}
