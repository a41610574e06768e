use firstbyte_core::{
    Event, Process, field, json, record,
    schema::{RECORDS, Unit},
    text,
};
use proptest::prelude::*;

use super::*;

/// All that an entry tells, to be compared.
fn told(entry: &Entry<'_>) -> Vec<String> {
    let mut told = vec![format!(
        "{:?} {:?} {} {:?} {:?} {:?} {}",
        entry.record.tag,
        entry.record.name,
        entry.is_admin,
        entry.id,
        entry.at,
        entry.boot,
        entry.misfits
    )];
    for field in entry.record.fields {
        let value = match (entry.value(*field), field.info().unit) {
            (Some(word), Unit::Text) => entry.words[word as usize].text().into_owned(),
            (value, _) => format!("{value:?}"),
        };
        told.push(format!("{}={value}", field.info().key));
    }
    told
}

fn tolerant(line: &[u8]) -> Option<Vec<String>> {
    text::parse(line).ok().as_ref().and_then(Entry::of).map(|entry| told(&entry))
}

/// What the quick reader tells of a line that other lines follow.
fn quickly(line: &[u8]) -> Option<Vec<String>> {
    let lines = [line, b"\n[gen] the next line, which is no part of it"].concat();
    let mut entry = Entry::new();
    let length = quick(&lines, &mut entry)?;
    assert_eq!(length, line.len() + 1);
    Some(told(&entry))
}

fn assert_quick(line: &[u8]) {
    let quick = quickly(line);
    assert!(quick.is_some(), "{}", String::from_utf8_lossy(line));
    assert_eq!(quick, tolerant(line), "{}", String::from_utf8_lossy(line));
}

#[test]
fn what_firstbyte_writes_is_read_quickly() {
    for line in [
        "[weights][00f067aa0ba902b7] client.send url=http://h:1/pause t=10.000001 op=pause target=h:1 attempt=1",
        "[weights][00f067aa0ba902b7] client.done wall_ms=3556.1 rpc_ms=233.2 queue_ms=3322.9",
        "[admin][00f067aa0ba902b7] client.done wall_ms=3.0 setup_ms=0.1 status=200 flags=rpc_missing",
        "[weights][00f067aa0ba902b7] rpc.done op=a%20b t=1.5 rpc_ms=2.0\r",
        "[ckpt] write.done step=7 write_ms=1.0 bytes=12",
        "[rollout] trunc_pct=0.5 current_step=4 ckpt_step=3 staleness=1",
        "[firstbyte] process.start pid=7 boot=b host=h version=0.1.0 t=1.000000 unix=2.000000",
        "[weights][00f067aa0ba902b7] client.done",
    ] {
        assert_quick(line.as_bytes());
    }
}

#[test]
fn every_record_is_found() {
    for record in RECORDS.iter().filter(|record| record.name.is_some()) {
        let event = Event::new(record, Timestamp::from_nanos(1_000));
        assert_quick(text::to_string(&event).as_bytes());
    }
}

#[test]
fn what_is_unusual_is_left_to_the_tolerant_reader() {
    for line in [
        &b"INFO [gen] batch.start inflight=1 target_batch=2"[..],
        b"[weights][short] client.done wall_ms=1.0",
        b"[weights][00F067AA0BA902B7] client.done wall_ms=1.0",
        b"[weights][00f067aa0ba902b7] client.done wall_ms=NaN",
        b"[weights][00f067aa0ba902b7] client.done wall_ms=-1.0",
        b"[weights][00f067aa0ba902b7] client.done wall_ms=1.0 new_field=2",
        b"[weights][00f067aa0ba902b7] client.done wall_ms=1.0 wall_ms=2.0",
        b"[weights][00f067aa0ba902b7] client.done  wall_ms=1.0",
        b"[weights][00f067aa0ba902b7] server.recv path=/\x1b[0m t=1.0",
        b"[weights][00f067aa0ba902b7] server.recv path=/\xff t=1.0",
        b"[weights][00f067aa0ba902b7] rpc.done op=a'",
        b"[unknown] thing a=1",
        b"",
    ] {
        assert!(quickly(line).is_none(), "{}", String::from_utf8_lossy(line));
    }
}

fn json_quickly(line: &[u8]) -> Option<Vec<String>> {
    let lines = [line, b"\n{\"v\":1,\"the next line\": \"is no part of it\"}"].concat();
    let mut entry = Entry::new();
    quick_json(&lines, &mut entry).map(|()| told(&entry))
}

fn json_tolerant(line: &[u8]) -> Option<Vec<String>> {
    json::parse(line).ok().as_ref().and_then(Entry::of).map(|entry| told(&entry))
}

#[test]
fn json_lines_are_read_quickly() {
    let process = Process::current();
    for record in RECORDS {
        let mut event = Event::new(record, Timestamp::from_nanos(81_234_567_890))
            .trace_id("00f067aa0ba902b7".parse().unwrap());
        if record.position(field::OP.id()).is_some() {
            event.set(field::OP, "update_weights");
        }
        if record.position(field::WALL.id()).is_some() {
            event.set(field::WALL, Micros(3_556_123));
        }
        if record.position(field::INFLIGHT.id()).is_some() {
            event.set(field::INFLIGHT, -3);
        }
        let mut line = Vec::new();
        json::write(
            &event,
            &json::Context::new(&process, Some(3), 1_790_000_000_000_000_000),
            &mut line,
        );
        let quick = json_quickly(&line);
        assert_eq!(quick.is_some(), record.tag != Tag::Firstbyte && record.name.is_some());
        if quick.is_some() {
            assert_eq!(quick, json_tolerant(&line), "{}", String::from_utf8_lossy(&line));
        }
    }
}

#[test]
fn the_wall_clock_of_a_json_line_is_known() {
    let line = br#"{"v":1,"pid":7,"boot":"b","tag":"firstbyte","name":"process.start","t_ns":5,"unix_ns":6}"#;
    let parsed = json::parse(line).unwrap();
    let entry = Entry::of(&parsed).unwrap();
    assert_eq!((entry.at, entry.unix(field::UNIX)), (Some(Timestamp::from_nanos(5)), Some(6)));
}

#[test]
fn the_first_value_of_a_field_counts() {
    let parsed = text::parse(b"[gen] batch.start inflight=1 inflight=2").unwrap();
    assert_eq!(Entry::of(&parsed).unwrap().count(field::INFLIGHT), Some(1));
}

#[test]
fn a_value_that_does_not_fit_is_unknown_and_counted() {
    let parsed =
        text::parse(b"[weights][a] client.done wall_ms=NaN rpc_ms=-3.0 queue_ms=1.0").unwrap();
    let entry = Entry::of(&parsed).unwrap();
    assert_eq!((entry.millis(field::WALL), entry.millis(field::RPC)), (None, None));
    assert_eq!(entry.millis(field::QUEUE), Some(Micros(1000)));
    assert_eq!(entry.misfits, 2);
    assert!(entry.is(&record::CLIENT_DONE));
}

proptest! {
    /// Whatever the quick reader reads, it reads as the tolerant one.
    #[test]
    fn the_quick_reader_never_differs(
        words in proptest::collection::vec(
            prop_oneof![
                Just("[weights]"), Just("[00f067aa0ba902b7]"), Just("[gen]"), Just("[rollout]"), Just("["), Just("]"),
                Just(" "), Just("  "), Just("client.done"), Just("server.recv"), Just("batch.done"), Just("rpc.done"),
                Just(" wall_ms=1.5"), Just(" rpc_ms="), Just("233.2"), Just(" path=/a%2"), Just(" t=1.25"), Just(" t="),
                Just(" inflight=3"), Just(" dur_ms=2"), Just(" trunc_pct=1e3"), Just(" op=x"), Just("="), Just("\r"),
                Just("\u{1b}[31m"), Just("\u{e9}"), Just("NaN"), Just("\t"), Just("-1"), Just("\""), Just("'"), Just("\\"),
            ],
            0..12,
        )
    ) {
        let line = words.concat();
        if let Some(told) = quickly(line.as_bytes()) {
            prop_assert_eq!(Some(told), tolerant(line.as_bytes()));
        }
    }

    /// The same of JSON lines.
    #[test]
    fn the_quick_reader_of_json_never_differs(
        members in proptest::collection::vec(
            prop_oneof![
                Just(",\"seq\":0"), Just(",\"pid\":7"), Just(",\"boot\":\"b c\""), Just(",\"tag\":\"weights\""), Just(",\"tag\":\"admin\""),
                Just(",\"tid\":\"00f067aa0ba902b7\""), Just(",\"tid\":\"short\""), Just(",\"name\":\"client.done\""),
                Just(",\"t_ns\":5"), Just(",\"unix_ns\":1790000000000000000"), Just(",\"wall_us\":007"), Just(",\"wall_us\":12"),
                Just(",\"rpc_us\":-1"), Just(",\"status\":-0"), Just(",\"status\":200"), Just(",\"attempt\":1.5"), Just(",\"flags\":\"a,b\""),
                Just(",\"op\":\"a\\\"b\""), Just(",\"op\":\"\u{e9}\""), Just(",\"op\":7"), Just(",\"queue_us\":99999999999999999999"), Just(" "),
            ],
            0..9,
        ),
        is_usual in any::<bool>(),
    ) {
        let head = ",\"pid\":7,\"tag\":\"weights\",\"name\":\"client.done\",\"t_ns\":5,\"unix_ns\":6";
        let line = format!("{{\"v\":1{}{}}}", if is_usual { head } else { "" }, members.concat());
        if let Some(told) = json_quickly(line.as_bytes()) {
            prop_assert_eq!(Some(told), json_tolerant(line.as_bytes()), "{}", line);
        }
    }

    /// A record that begins within a line is the one that the tolerant reader finds.
    #[test]
    fn a_record_after_a_prefix_is_the_same(
        prefix in "(\\[|\\]|[a-z]{1,3}|[ =.A{]|\u{1b}|\u{1b}\\[0m|\u{e9}|gen|\\[gen\\] |a=1){0,8}",
        record in prop_oneof![
            Just("[rollout] trunc_pct=1.0"),
            Just("[gen] batch.start inflight=1\u{1b}[0m"),
            Just("[weights][00f067aa0ba902b7] rpc.done op=a t=1.5 rpc_ms=2.0\r"),
        ],
    ) {
        let line = prefix + record;
        if let Some(Candidate { tag: Some(at), .. }) = candidates(line.as_bytes()).next()
            && let Some(told) = quickly(&line.as_bytes()[at..])
        {
            prop_assert_eq!(Some(told), tolerant(line.as_bytes()));
        }
    }

    /// No line with a record is taken for one without, whatever lines are around it.
    #[test]
    fn nothing_is_overlooked(
        lines in prop::collection::vec(
            "(\\[|\\]|\\{|[a-z]{1,3}|[ =.A]|\u{1b}\\[0m|gen|\\[gen\\] batch.start a=1|\\{\"v\":1,\"tag\":\"gen\",\"t_ns\":5\\}|\\{\"msg\":\"|\"\\}){0,12}",
            1..4,
        ),
    ) {
        let text = lines.join("\n");
        let found: Vec<_> = candidates(text.as_bytes()).collect();
        let mut start = 0;
        for line in &lines {
            let here = found.iter().find(|candidate| candidate.line == start);
            let alone = candidates(line.as_bytes()).next();
            prop_assert_eq!(here.map(|it| it.end), alone.map(|it| start + it.end));
            prop_assert_eq!(here.map(|it| it.tag), alone.map(|it| it.tag.map(|tag| start + tag)));
            prop_assert!(alone.is_some() || parse(line.as_bytes()).is_err(), "{}", line);
            start += line.len() + 1;
        }
    }
}

#[test]
fn an_object_that_nobody_knows_is_no_record_whose_last_value_ends_with_a_quote() {
    let line = "[weights][ab] client.done wall_ms=1.5 status=200";
    let object = format!(r#"{{"time":"x","body":"{line}"}}"#);
    assert_eq!(parse(object.as_bytes()).map(|_| ()), Err(Skipped::BadJson));
    for prefix in ["{", "{app} ", "{\"a\":1} ", "app {\"a\":1} ", "app {\"v\":2,\"tag\":\"x\"}"] {
        let line = format!("{prefix}{line}");
        assert_eq!(parse(line.as_bytes()).unwrap().count("status"), Some(200), "{line}");
    }
    let behind = format!("{line} target=h extra={{\"a\":1}}");
    assert_eq!(parse(behind.as_bytes()).unwrap().count("status"), Some(200), "{behind}");
}

#[test]
fn what_stands_in_front_of_an_object_changes_nothing() {
    let line = "[weights][ab] client.done wall_ms=1.5 status=200 target=h:8000";
    for prefix in ["2026-11-01T00:00:00Z stdout F ", "app-1  | ", "[info] ", "\u{feff}"] {
        let target = |member: &str| {
            let object = format!(r#"{prefix}{{"level":"info","{member}":"{line}"}}"#);
            let log = crate::Log::from_bytes(object.as_bytes());
            let call = log.calls().next()?;
            Some(log.name(call.client?.target?).to_owned())
        };
        for member in ["message", "msg", "log"] {
            assert_eq!(target(member).as_deref(), Some("h:8000"), "{prefix}{member}");
        }
        assert_eq!(target("body"), None, "{prefix}");
    }
    let json =
        r#"app-1 | {"a":1,"log":"{\"v\":1,\"tag\":\"gen\",\"name\":\"batch.done\",\"t_ns\":5}\n"}"#;
    let log = crate::Log::from_bytes(json.as_bytes());
    assert_eq!((log.tally().parsed, log.tally().unknown), (1, 0));
    // Nothing of ours is in it, so that nobody has to read it.
    assert_eq!(candidates(br#"app-1 | {"a":[1,"[x"],"b":{"c":{}}}"#).next(), None);
}
