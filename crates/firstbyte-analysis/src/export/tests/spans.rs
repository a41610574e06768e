//! Spans, by the rules of OTLP/JSON. `make test-export` reads them by OpenTelemetry's own protobuf too.

use serde_json::{Value as Json, json};

use super::*;

/// All spans, with the name of their service.
fn spans(log: &Log) -> (Vec<(String, Json)>, Exported) {
    let mut out = Vec::new();
    let exported = otlp(log, &mut out).unwrap();
    let mut spans = Vec::new();
    for line in String::from_utf8(out).unwrap().lines() {
        let line: Json = serde_json::from_str(line).unwrap();
        for resource in line["resourceSpans"].as_array().unwrap() {
            let service = &resource["resource"]["attributes"][0]["value"]["stringValue"];
            for span in resource["scopeSpans"][0]["spans"].as_array().unwrap() {
                spans.push((service.as_str().unwrap().to_owned(), span.clone()));
            }
        }
    }
    (spans, exported)
}

fn attribute<'a>(span: &'a Json, key: &str) -> Option<&'a Json> {
    let attributes = span["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|attribute| attribute["key"] == key)?;
    found["value"].as_object().unwrap().values().next()
}

fn nanos(span: &Json, key: &str) -> u64 {
    span[key].as_str().unwrap().parse().unwrap()
}

#[test]
fn a_call_is_a_client_span_with_the_server_and_the_phases_in_it() {
    let log = corpus(&["demo/client.log", "demo/server.log"]);
    let (spans, exported) = spans(&log);
    assert_eq!((exported.written, exported.left_out.len()), (spans.len() as u64, 0));
    let of = |kind: i64| spans.iter().filter(move |(_, span)| span["kind"] == kind);
    assert_eq!((of(3).count(), of(2).count()), (18, 18));
    let (service, client) = of(3).next().unwrap();
    assert_eq!((service.as_str(), &client["name"]), ("client", &json!("reload_weights")));
    assert_eq!(client["traceId"], "00000000000000003340fdff4d70c40a");
    assert_eq!(nanos(client, "startTimeUnixNano"), 1_795_546_838_200_285_000);
    assert_eq!(nanos(client, "endTimeUnixNano"), 1_795_546_838_252_085_000);
    assert!(client.get("parentSpanId").is_none() && client.get("status").is_none());
    for (key, value) in [
        ("url.path", json!("/reload_weights")),
        ("server.address", json!("127.0.0.1")),
        ("server.port", json!("43909")),
        ("http.response.status_code", json!("200")),
        ("firstbyte.queue_us", json!("700")),
        ("firstbyte.network_us", json!("200")),
    ] {
        assert_eq!(attribute(client, key), Some(&value), "{key}");
    }
    for unknown in
        ["http.request.method", "http.request.resend_count", "error.type", "firstbyte.dns_us"]
    {
        assert_eq!(attribute(client, unknown), None);
    }
    let children = |of: &Json| {
        let id = of["spanId"].clone();
        let children = spans.iter().filter(move |(_, span)| span["parentSpanId"] == id);
        children.map(|(_, span)| span["name"].as_str().unwrap()).collect::<Vec<_>>()
    };
    let phases = ["setup", "pool", "connect", "send", "wait", "receive", "reload_weights"];
    assert_eq!(children(client), phases);
    let (_, server) = of(2).find(|(_, span)| span["parentSpanId"] == client["spanId"]).unwrap();
    assert_eq!(children(server), ["rpc"]);
    assert_eq!(server["events"][0]["name"], "server.first_byte");
    assert_eq!(attribute(server, "firstbyte.kernel_us"), Some(&json!("200")));
    assert_eq!(attribute(server, "server.address"), None);
}

#[test]
fn ids_are_unique_and_parents_are_there() {
    let log = corpus(&["demo/client.log", "demo/server.log"]);
    let (spans, _) = spans(&log);
    let ids: BTreeSet<_> = spans.iter().map(|(_, span)| span["spanId"].to_string()).collect();
    assert_eq!(ids.len(), spans.len());
    for (_, span) in &spans {
        assert!(nanos(span, "startTimeUnixNano") <= nanos(span, "endTimeUnixNano"));
        if let Some(parent) = span.get("parentSpanId") {
            let (_, parent) = spans.iter().find(|(_, other)| other["spanId"] == *parent).unwrap();
            assert_eq!(span["traceId"], parent["traceId"]);
            if span["kind"] == 1 {
                let (start, end) = ("startTimeUnixNano", "endTimeUnixNano");
                assert!(nanos(parent, start) <= nanos(span, start));
                assert!(nanos(span, end) <= nanos(parent, end));
            }
        }
    }
    // Alone, the server's spans have the same ids and no parent that is nowhere.
    let (alone, _) = super::spans::spans(&corpus(&["demo/server.log"]));
    assert!(alone.iter().all(|(_, span)| ids.contains(&span["spanId"].to_string())));
    assert!(alone.iter().all(|(_, span)| span["kind"] == 1 || span.get("parentSpanId").is_none()));
}

#[test]
fn a_failure_is_an_error_and_what_no_span_can_be_of_is_counted() {
    let start =
        "[firstbyte] process.start pid=1 boot=a host=h version=1 t=1.000000 unix=1000.000000\n";
    let lines = "\
        [weights][00f067aa0ba902b7] client.send url=http://h/a%1B?q t=5.000000 op=a target=[::1]:80 attempt=2\n\
        [weights][00f067aa0ba902b7] client.fail wall_ms=9.0 phase=wait outcome=unknown error=reset attempt=2\n\
        [weights][00f067aa0ba902b8] client.send url=http://h/a t=6.000000 op=a target=gw:8000/a:1\n\
        [weights][00f067aa0ba902b8] client.done wall_ms=999999999999999.0 rpc_ms=1.0 queue_ms=1.0 status=503\n\
        [weights][00f067aa0ba902b9] client.send url=http://h/a t=7.000000\n\
        [weights][step-7] client.send url=http://h/a t=7.000000\n\
        [weights][step-7] client.done wall_ms=1.0 rpc_ms=1.0 queue_ms=0.0\n\
        [weights][00f067aa0ba902ba] client.done wall_ms=1.0 rpc_ms=1.0 queue_ms=0.0\n";
    let (found, exported) = spans(&Log::from_bytes(format!("{start}{lines}").as_bytes()));
    let expected = [(LeftOut::NoMoment, 1), (LeftOut::NoEnd, 1), (LeftOut::NoTraceId, 1)];
    assert_eq!(exported.left_out, BTreeMap::from(expected));
    let (reset, status) = (&found[0].1, &found[1].1);
    assert_eq!(reset["status"], json!({ "code": 2, "message": "reset" }));
    assert_eq!(attribute(reset, "error.type"), Some(&json!("reset")));
    assert_eq!(attribute(reset, "http.request.resend_count"), Some(&json!("1")));
    assert_eq!(attribute(reset, "server.address"), Some(&json!("::1")));
    assert_eq!(attribute(reset, "firstbyte.failed_phase"), Some(&json!("wait")));
    assert_eq!(attribute(status, "error.type"), Some(&json!("503")));
    assert_eq!(attribute(status, "server.address"), Some(&json!("gw")));
    assert_eq!(attribute(status, "server.port"), Some(&json!("8000")));
    assert_eq!(nanos(status, "endTimeUnixNano"), u64::MAX);
    let (none, exported) = spans(&Log::from_bytes(lines.as_bytes()));
    assert_eq!((none.len(), exported.left_out.get(&LeftOut::NoWallClock)), (0, Some(&3)));
}
