//! What servers say of the engine's time, true or not.

use firstbyte_core::field;
use firstbyte_testkit::{Script, ScriptedServer, response};

use crate::support::{Trace, micros, text};

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn an_rpc_time_that_cannot_be_is_left_out_and_flagged() {
    for (headers, body, flags) in [
        (vec![JSON], r#"{"status":"ok"}"#, "rpc_missing"),
        (vec![JSON], r#"{"rpc_ms": 99999999}"#, "rpc_exceeds_wall"),
        (vec![JSON], r#"{"rpc_ms": -1.5}"#, "rpc_invalid"),
        (vec![JSON], r#"{"rpc_ms": NaN}"#, "rpc_invalid"),
        (vec![JSON], r#"{"rpc_ms": "fast"}"#, "rpc_invalid"),
        (vec![("content-type", "text/plain")], r#"{"rpc_ms": 0.001}"#, "rpc_missing"),
        (vec![JSON, ("server-timing", "rpc;dur=NaN")], "{}", "rpc_invalid"),
        (vec![JSON, ("server-timing", "rpc;dur=99999999")], "{}", "rpc_exceeds_wall"),
        (vec![], "", "rpc_missing"),
    ] {
        let script = Script::new().read_request().write(response(200, &headers, body));
        let server = ScriptedServer::start(script).await;
        let trace = Trace::new();
        let client = trace.client(&server.url(""));
        let response = client.post("/update_weights").send().await.unwrap();
        assert_eq!((response.split.rpc, response.split.queue()), (None, None), "{body}");
        let done = trace.only("client.done");
        assert_eq!(text(&done, field::FLAGS), Some(flags), "{body}");
        assert_eq!((micros(&done, field::RPC), micros(&done, field::QUEUE)), (None, None));
    }
}

#[tokio::test]
async fn a_true_rpc_time_comes_from_the_header_or_else_from_the_body() {
    for (headers, body, rpc) in [
        (vec![JSON], r#"{"rpc_ms": 0.002}"#, 2),
        (vec![JSON, ("server-timing", "rpc;dur=0.003")], r#"{"rpc_ms": 0.002}"#, 3),
        (vec![JSON, ("server-timing", "cache;dur=1")], r#"{"rpc_ms": 0.002}"#, 2),
    ] {
        let script = Script::new().read_request().write(response(200, &headers, body));
        let server = ScriptedServer::start(script).await;
        let trace = Trace::new();
        trace.client(&server.url("")).post("/update_weights").send().await.unwrap();
        let done = trace.only("client.done");
        assert_eq!(micros(&done, field::RPC), Some(rpc), "{body}");
        let wall = micros(&done, field::WALL).unwrap();
        assert_eq!(micros(&done, field::QUEUE), Some(wall - rpc));
    }
}
