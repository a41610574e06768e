//! `client.done` of a call whose caller goes on elsewhere.

use firstbyte_core::field;
use firstbyte_testkit::ScriptedServer;

use crate::support::{MS, Trace, micros, ok};

#[tokio::test]
async fn the_time_until_the_caller_went_on_is_added_to_the_last_event() {
    let server = ScriptedServer::start(ok()).await;
    let trace = Trace::new();
    let request = trace.client(&server.url("")).post("/update_weights").hold_done();
    let response = request.send().await.unwrap();
    assert_eq!(trace.named("client.done").len(), 0, "it waits for its caller");
    tokio::time::sleep(MS * 50).await;
    let resume = response.done.as_ref().unwrap().resumed().unwrap();
    assert!(resume.0 >= 50_000, "{resume}");
    assert_eq!(response.done.as_ref().unwrap().resumed(), None, "once only");
    let done = trace.only("client.done");
    assert_eq!(micros(&done, field::RESUME), Some(resume.0));
    assert!(micros(&done, field::WALL).unwrap() < 50_000, "it is no part of wall");
}

#[tokio::test]
async fn a_caller_that_never_goes_on_loses_no_event() {
    let server = ScriptedServer::start(ok()).await;
    let trace = Trace::new();
    let request = trace.client(&server.url("")).post("/update_weights").hold_done();
    drop(request.send().await.unwrap());
    assert_eq!(micros(&trace.only("client.done"), field::RESUME), None);
}

#[tokio::test]
async fn a_call_that_began_elsewhere_counts_from_there() {
    let server = ScriptedServer::start(ok()).await;
    let trace = Trace::new();
    let request = trace.client(&server.url("")).post("/update_weights");
    let request = request.started_at(trace.recorder.clock().now());
    tokio::time::sleep(MS * 50).await;
    request.send().await.unwrap();
    assert!(micros(&trace.only("client.done"), field::SETUP).unwrap() >= 50_000);
}
