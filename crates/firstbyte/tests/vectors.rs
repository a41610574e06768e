//! The conformance vectors of `tests/vectors`, which Python meets as well.
#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::{fs, path::Path};

use firstbyte::{
    Event, Micros, Phase, PhaseTimer, Process, RouteTable, Timestamp, Value,
    client::RpcReport,
    field,
    header::TraceHeaders,
    json, record, redact_url,
    schema::{FieldId, Record, Unit},
    text,
};
use http::{HeaderMap, HeaderName};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value as Json};

fn vectors<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors").join(name);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[derive(Deserialize)]
struct Line {
    tag: String,
    name: Option<String>,
    trace_id: Option<String>,
    fields: Map<String, Json>,
    text: String,
    json: Map<String, Json>,
}

#[test]
fn lines() {
    for line in vectors::<Line>("lines.json") {
        let record = Record::find(&line.tag, line.name.as_deref()).unwrap();
        let mut event = Event::new(record, Timestamp::from_nanos(1));
        if let Some(id) = &line.trace_id {
            event = event.trace_id(id.parse().unwrap());
        }
        for (key, value) in &line.fields {
            set(&mut event, FieldId::from_key(key).unwrap(), value);
        }
        assert_eq!(text::to_string(&event), line.text);

        let mut bytes = Vec::new();
        json::write(&event, &json::Context::new(&Process::current(), None, 1), &mut bytes);
        let mut object: Map<String, Json> = serde_json::from_slice(&bytes).unwrap();
        for known in ["v", "pid", "boot", "tag", "tid", "name", "t_ns", "unix_ns"] {
            object.remove(known);
        }
        assert_eq!(object, line.json, "{}", line.text);
    }
}

/// As a caller with untyped values would: what is no value of the field is left out.
fn set(event: &mut Event, field: FieldId, value: &Json) {
    let value = match (field.info().unit, value) {
        (Unit::Millis, value) => {
            value.as_f64().and_then(Micros::from_millis_f64).map(Value::Millis)
        }
        (Unit::Count, value) => value.as_i64().map(Value::Count),
        (Unit::Real, value) => value.as_f64().map(Value::Real),
        (_, Json::String(text)) => Some(Value::Text(text)),
        _ => None,
    };
    if let Some(value) = value {
        assert!(event.set_value(field, value));
    }
}

#[derive(Deserialize)]
struct Call {
    about: String,
    enter: Vec<(String, u64)>,
    head: u64,
    status: i64,
    server_timing: Option<String>,
    content_type: Option<String>,
    body: Option<String>,
    #[serde(default)]
    unread: bool,
    done: u64,
    text: String,
}

#[test]
fn calls() {
    for call in vectors::<Call>("calls.json") {
        let at = |micros: u64| Timestamp::from_nanos(1_000_000 + micros * 1_000);
        let mut timer = PhaseTimer::start(at(0));
        for (phase, micros) in &call.enter {
            let phase = Phase::ALL.into_iter().find(|known| known.as_str() == phase).unwrap();
            timer.enter(phase, at(*micros));
        }
        timer.enter(Phase::Receive, at(call.head));
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("server-timing", &call.server_timing), ("content-type", &call.content_type)]
        {
            if let Some(value) = value {
                headers.insert(name, value.parse().unwrap());
            }
        }
        let mut report = RpcReport::of(&headers);
        if let Some(body) = &call.body {
            report.take(&body.clone().into());
        }
        let phases = timer.finish(at(call.done));
        let split = if call.unread { report.split_unread(phases) } else { report.split(phases) };
        let mut event = Event::new(&record::CLIENT_DONE, at(call.done));
        split.set_on(&mut event);
        let event = event
            .with(field::STATUS, call.status)
            .with(field::ATTEMPT, 1)
            .with(field::OP, "update_weights")
            .with(field::TARGET, "h:1");
        assert_eq!(text::to_string(&event), format!("[weights] {}", call.text), "{}", call.about);
    }
}

#[derive(Deserialize)]
struct Ids {
    headers: Vec<(String, String)>,
    id: Option<String>,
}

#[test]
fn ids() {
    for ids in vectors::<Ids>("ids.json") {
        let mut map = HeaderMap::new();
        for (name, value) in &ids.headers {
            map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let id = TraceHeaders::read(&map).id().map(|id| id.to_string());
        assert_eq!(id, ids.id, "{:?}", ids.headers);
    }
}

#[derive(Deserialize)]
struct Routed {
    method: String,
    path: String,
    operation: Option<String>,
    tag: Option<String>,
}

#[test]
fn routes() {
    let table = RouteTable::builtin();
    for routed in vectors::<Routed>("routes.json") {
        let route = table.find(&routed.method, &routed.path);
        let (operation, tag) = (route.map(|r| &*r.operation), route.map(|r| r.tag.as_str()));
        assert_eq!(operation, routed.operation.as_deref(), "{} {}", routed.method, routed.path);
        assert_eq!(tag, routed.tag.as_deref(), "{} {}", routed.method, routed.path);
    }
}

#[derive(Deserialize)]
struct Redacted {
    url: String,
    field: String,
}

#[test]
fn urls() {
    for redacted in vectors::<Redacted>("urls.json") {
        let event = Event::new(&record::CLIENT_SEND, Timestamp::default());
        let line = text::to_string(&event.with(field::URL, &redact_url(&redacted.url)));
        let field = line.split_once("url=").unwrap().1.split(' ').next().unwrap();
        assert_eq!(field, redacted.field, "{}", redacted.url);
    }
}
