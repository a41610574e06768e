use super::*;
use crate::{TraceId, field, record};

#[test]
fn a_line_has_the_members_of_the_schema_and_nothing_rounded() {
    let process = Process { pid: 7, boot: Some("0f".into()), host: None };
    let event = Event::new(&record::RPC_DONE, Timestamp::from_nanos(81_234_567_890))
        .trace_id(TraceId::new(0xb7).unwrap())
        .with(field::OP, "a\"b\\\n\u{7f}é")
        .with(field::RPC, Micros(233_249));
    let mut line = Vec::new();
    write(&event, &Context::new(&process, Some(3), 17), &mut line);
    assert_eq!(
        String::from_utf8(line).unwrap(),
        r#"{"v":1,"seq":3,"pid":7,"boot":"0f","tag":"weights","tid":"00000000000000b7","name":"rpc.done","t_ns":81234567890,"unix_ns":17,"op":"a\u0022b\u005c\u000a\u007f\u00e9","rpc_us":233249}"#
    );
}

#[test]
fn the_first_line_of_a_process_names_it_once() {
    let process = Process { pid: 7, boot: Some("0f".into()), host: None };
    let event = Event::new(&record::PROCESS_START, Timestamp::from_nanos(5))
        .with(field::PID, 7)
        .with(field::BOOT, "0f")
        .with(field::UNIX, 17);
    let mut line = Vec::new();
    write(&event, &Context::new(&process, None, 17), &mut line);
    let line = String::from_utf8(line).unwrap();
    for key in ["pid", "boot", "unix_ns", "t_ns"] {
        assert_eq!(line.matches(&format!("\"{key}\":")).count(), 1, "{line}");
    }
    let parsed = parse(line.as_bytes()).unwrap();
    assert_eq!((parsed.pid, parsed.unix_nanos, parsed.seq), (Some(7), Some(17), None));
}

#[test]
fn what_is_not_ours_is_skipped_with_a_reason() {
    for (line, reason) in [
        ("", Skipped::Empty),
        ("{", Skipped::BadJson),
        ("[1]", Skipped::BadJson),
        ("{\"tag\":1}", Skipped::BadJson),
        ("{\"tag\":\"A B\"}", Skipped::BadJson),
        ("{\"tag\":\"weights\"} x", Skipped::BadJson),
        ("{\"v\":2,\"tag\":\"weights\"}", Skipped::OtherVersion),
        ("{\"v\":\"1\",\"tag\":\"weights\"}", Skipped::OtherVersion),
        ("{\"v\":2,\"level\":\"info\"}", Skipped::BadJson),
    ] {
        assert_eq!(parse(line.as_bytes()), Err(reason), "{line}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(parse(deep.as_bytes()), Err(Skipped::BadJson));
}

#[test]
fn a_line_within_the_object_of_a_container_or_of_journald_is_read() {
    let text = r"[weights][ab] client.done wall_ms=1.5\n";
    let json = r#"{\"v\":1,\"tag\":\"weights\",\"tid\":\"ab\",\"name\":\"client.done\",\"wall_us\":1500}\n"#;
    for line in [text, json] {
        for object in [
            format!(r#"{{"log":"{line}","stream":"stdout","time":"2026-11-24T18:35:12Z"}}"#),
            format!(r#"{{"_PID":"7","MESSAGE":"{line}"}}"#),
            format!(
                r#"{{"@timestamp":"x","log":{{"level":"INFO"}},"message":"{line}","level":"INFO"}}"#
            ),
            format!(r#"{{"level":"info","ts":1.5,"msg":"{line}"}}"#),
            format!(r#"{{"event":"{line}","level":"info"}}"#),
            format!(r#"{{"insertId":"1","textPayload":"{line}"}}"#),
            format!(r#"{{"insertId":"1","jsonPayload":{{"message":"{line}","level":"INFO"}}}}"#),
            format!(r#"{{"labels":{{}},"line":"{line}","timestamp":"x"}}"#),
            format!(r#"{{"text":"{line}","record":{{"message":"{line}"}}}}"#),
        ] {
            let parsed = parse(object.as_bytes()).unwrap();
            assert_eq!(
                (parsed.trace_id.as_deref(), parsed.micros("wall_ms")),
                (Some("ab"), Some(Micros(1500)))
            );
        }
    }
    let twice = r#"{"log":"{\"log\":\"[weights][ab] client.done wall_ms=1.5\"}"}"#;
    assert_eq!(parse(twice.as_bytes()), Err(Skipped::BadJson));
    assert_eq!(parse(br#"{"log":"nothing of ours"}"#), Err(Skipped::NoRecord));
}

#[test]
fn what_journald_has_as_bytes_is_read_and_what_is_not_utf_8_is_a_replacement() {
    let message = b"\x1b[32mINFO\x1b[0m [weights][ab] client.done wall_ms=1.5 target=h\xff";
    let object = serde_json::json!({"_PID": "7", "MESSAGE": message.to_vec()}).to_string();
    let raw = [&b"{\"msg\":\"[weights][ab] client.done wall_ms=1.5 target=h\xff\"}"[..]].concat();
    for line in [object.as_bytes(), &raw] {
        let parsed = parse(line).unwrap();
        assert_eq!(parsed.micros("wall_ms"), Some(Micros(1500)));
        assert_eq!(parsed.text("target"), Some("h\u{fffd}"));
    }
    for none in [r#"{"MESSAGE":[91,256]}"#, r#"{"MESSAGE":["[a] x=1"]}"#, r#"{"MESSAGE":null}"#] {
        assert_eq!(parse(none.as_bytes()), Err(Skipped::BadJson), "{none}");
    }
}

#[test]
fn a_line_of_a_logger_within_what_a_carrier_has_and_beside_other_texts_is_read() {
    for object in [
        // A container whose process logs JSON.
        r#"{"log":"{\"msg\":\"[weights][ab] client.done wall_ms=1.5\",\"level\":\"info\"}\n","stream":"stdout"}"#,
        r#"{"_PID":"7","MESSAGE":"{\"event\":\"[weights][ab] client.done wall_ms=1.5\"}"}"#,
        // Other members have names that others use for the line.
        r#"{"log":"my.logger","message":"[weights][ab] client.done wall_ms=1.5"}"#,
        r#"{"message":"a call ended","event":"[weights][ab] client.done wall_ms=1.5"}"#,
        // loguru with `serialize=True`.
        r#"{"text":"12:00:00 | INFO | app:emit:7 - [weights][ab] client.done wall_ms=1.5\n","record":{"message":"..."}}"#,
    ] {
        let parsed = parse(object.as_bytes()).expect(object);
        assert_eq!(parsed.micros("wall_ms"), Some(Micros(1500)), "{object}");
    }
}

#[test]
fn values_that_do_not_fit_are_kept_as_text() {
    let line =
        br#"{"tag":"weights","wall_us":-1,"status":"x","extra":{"a":[1]},"tid":"a b","t_ns":-1}"#;
    let parsed = parse(line).unwrap();
    assert_eq!(parsed.micros("wall_ms"), None);
    assert_eq!(parsed.text("status"), Some("x"));
    assert_eq!(parsed.text("extra"), Some(r#"{"a":[1]}"#));
    assert_eq!((parsed.trace_id.as_deref(), parsed.at), (None, None));
}
