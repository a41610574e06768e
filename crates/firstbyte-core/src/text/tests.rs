use proptest::prelude::*;

use super::*;
use crate::{
    Micros, ParsedValue, Skipped, Tag, Timestamp, TraceId, field, record,
    schema::{FieldId, RECORDS, Unit},
};

fn at(micros: u64) -> Timestamp {
    Timestamp::from_nanos(micros * 1000)
}

#[test]
fn the_lines_have_the_form_that_the_seeds_print() {
    let id = TraceId::new(0xab12).unwrap();
    let done = Event::new(&record::CLIENT_DONE, at(0))
        .trace_id(id)
        .with(field::QUEUE, Micros(3_322_900))
        .with(field::WALL, Micros(3_556_149))
        .with(field::RPC, Micros(233_150))
        .with(field::STATUS, 200);
    assert_eq!(
        to_string(&done),
        "[weights][000000000000ab12] client.done wall_ms=3556.1 rpc_ms=233.2 queue_ms=3322.9 status=200"
    );
    let send = Event::new(&record::CLIENT_SEND, at(1_234_567_890))
        .trace_id(id)
        .with(field::URL, "http://[::1]:8000/update_weights?x=***");
    assert_eq!(
        to_string(&send),
        "[weights][000000000000ab12] client.send url=http://[::1]:8000/update_weights?x=*** t=1234.567890"
    );
    let rollout = Event::new(&record::ROLLOUT, at(0))
        .with(field::TRUNC, 0.26)
        .with(field::CURRENT_STEP, 7)
        .with(field::CKPT_STEP, 9)
        .with(field::STALENESS, -2);
    assert_eq!(
        to_string(&rollout),
        "[rollout] trunc_pct=0.3 current_step=7 ckpt_step=9 staleness=-2"
    );
    let other =
        Event::new(&record::SERVER_RECV, at(1)).tag(Tag::Admin).with(field::PATH, "/is_paused");
    assert_eq!(to_string(&other), "[admin] server.recv path=/is_paused t=0.000001");
}

#[test]
fn every_record_is_found_by_what_it_prints() {
    for record in RECORDS {
        let line = format!(
            "[{}]{} x=1",
            record.tag.as_str(),
            record.name.map_or(String::new(), |n| format!(" {n}"))
        );
        let parsed = parse(line.as_bytes()).unwrap();
        assert!(std::ptr::eq(parsed.record().unwrap(), *record), "{line}");
    }
}

#[test]
fn any_prefix_colour_and_line_end_is_read_over() {
    let record = "[ckpt] wait.done target_step=3 wait_ms=5432.1";
    for line in [
        format!("{record}\r\n"),
        format!("(APIServer pid=1) INFO 11-22 03:18:35 [launcher.py:37] {record}"),
        format!("2026-11-22 03:18:35 | \x1b[1mINFO\x1b[0m | \x1b[32m{record}\x1b[0m"),
        format!("[info] [2026-11-22T03:18:35Z] [pid 7] {record}"),
        format!("{record}   "),
    ] {
        let parsed = parse(line.as_bytes()).unwrap();
        assert_eq!(parsed.micros("wait_ms"), Some(Micros(5_432_100)), "{line:?}");
        assert_eq!(parsed.count("target_step"), Some(3), "{line:?}");
    }
}

#[test]
fn a_line_that_ray_shows_for_several_is_itself() {
    let record = "(Server pid=7, ip=10.0.0.2) [ckpt] wait.done target_step=3 wait_ms=5432.1";
    let hint = "(Ray deduplicates logs by default. Set RAY_DEDUP_LOGS=0 to disable log deduplication, or see \
                https://docs.ray.io/en/master/ray-observability/ray-logging.html#log-deduplication for more options.)";
    for mark in [
        " [repeated 3x across cluster]".to_owned(),
        "\x1b[32m [repeated 31x across cluster]\x1b[0m\r\n".to_owned(),
        format!("\x1b[32m [repeated 3x across cluster] {hint}\x1b[0m"),
        // Torn.
        " [".to_owned(),
        " [rep".to_owned(),
        " [repeated".to_owned(),
        "\x1b[32m [repeated 3x across cluster] (Ray".to_owned(),
    ] {
        let line = format!("{record}{mark}");
        let parsed = parse(line.as_bytes()).unwrap();
        assert_eq!(parsed.micros("wait_ms"), Some(Micros(5_432_100)), "{line:?}");
        assert_eq!(parsed.fields.len(), 2, "{line:?}");
    }
    for other in [
        " [repeated x across cluster]",
        " [repeated 3x across cluster] more",
        " [repeated 3x across town",
        " [repeated 3x across cluster] [repeated 3x across cluster]",
    ] {
        let line = format!("{record}{other}");
        assert_eq!(parse(line.as_bytes()), Err(Skipped::NoRecord), "{line:?}");
    }
}

#[test]
fn the_quote_around_a_line_is_no_part_of_its_last_value() {
    let line = "[weights][ab12] client.done wall_ms=3.0 queue_ms=1.0 target=h:8000";
    for quoted in [
        format!(r#"time=10:00 level=info msg="{line}" logger=root"#),
        format!(r#"level=info msg="10:00 INFO {line}""#),
        format!(r"{{'msg': '{line}', 'level': 'INFO'}}"),
        format!(r#"["10:00", "{line}"]"#),
        format!(r#"out="{{\"msg\":\"{line}\"}}" a=1"#),
        format!(r"b'{line}\n'"),
        format!(r#""{{\"log\":\"{line}\\n\"}}""#),
        format!("`{line}`"),
    ] {
        let parsed = parse(quoted.as_bytes()).unwrap();
        assert_eq!(parsed.text("target"), Some("h:8000"), "{quoted}");
        assert_eq!((parsed.micros("queue_ms"), parsed.fields.len()), (Some(Micros(1000)), 3));
    }
    // Of who quotes values.
    let parsed = parse(br#"[weights][ab12] rpc.done op="pause" rpc_ms=2.0"#).unwrap();
    assert_eq!(
        (parsed.text("op"), parsed.micros("rpc_ms")),
        (Some("\"pause\""), Some(Micros(2000)))
    );
}

#[test]
fn what_is_unknown_is_kept() {
    let parsed =
        parse(b"[future][A_b-9] new.event thing=%41 wall_ms=NaN rpc_ms=-1 status=x").unwrap();
    assert_eq!(parsed.record().map(|r| r.doc), None);
    assert_eq!(parsed.text("thing"), Some("A"));
    assert_eq!(parsed.misfits().collect::<Vec<_>>(), ["wall_ms", "rpc_ms", "status"]);
}

#[test]
fn what_is_no_record_is_skipped_with_a_reason() {
    for (line, reason) in [
        (&b""[..], Skipped::Empty),
        (b" \r\n", Skipped::Empty),
        (b"INFO: 127.0.0.1 - \"POST /pause HTTP/1.1\" 200", Skipped::NoRecord),
        (b"[weights]", Skipped::NoRecord),
        (b"[weights][", Skipped::NoRecord),
        (b"[weights][bad id] client.done wall_ms=1", Skipped::NoRecord),
        (b"[Weights] client.done wall_ms=1", Skipped::NoRecord),
        (b"[weights] client.done wall_ms=1 and more", Skipped::NoRecord),
        (b"\x00\xff[\xfe", Skipped::NoRecord),
    ] {
        assert_eq!(parse(line), Err(reason), "{:?}", String::from_utf8_lossy(line));
    }
}

#[test]
fn no_scalar_in_a_value_breaks_the_line() {
    for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
        let text = format!("a{c}=[b]");
        let line = to_string(&Event::new(&record::RPC_START, at(0)).with(field::OP, &text));
        assert!(line.bytes().all(|b| b.is_ascii_graphic() || b == b' '), "{c:?}: {line}");
        assert_eq!(line.matches(' ').count(), 3, "{c:?}: {line}");
        assert_eq!(parse(line.as_bytes()).unwrap().text("op"), Some(text.as_str()), "{c:?}");
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    let texts = proptest::collection::vec(any::<String>(), 8);
    (
        0..RECORDS.len(),
        any::<u64>(),
        any::<u64>(),
        any::<u32>(),
        texts,
        proptest::collection::vec(any::<u64>(), 32),
    )
        .prop_map(|(record, id, at, mask, texts, numbers)| {
            build(RECORDS[record], id, at, mask, &texts, &numbers)
        })
}

/// Fills in an event of any record through the public setters.
fn build(
    record: &'static crate::schema::Record,
    id: u64,
    at: u64,
    mask: u32,
    texts: &[String],
    numbers: &[u64],
) -> Event {
    let mut event = Event::new(record, Timestamp::from_nanos(at));
    if let Some(id) = TraceId::new(id) {
        event = event.trace_id(id);
    }
    // A record without a name is one by its fields: at least the second, which is a count.
    let mask = if record.name.is_none() { mask | 2 } else { mask };
    for (i, field) in record.fields.iter().enumerate() {
        if mask & 1 << i != 0 {
            event.set_any(*field, &texts[i % texts.len()], numbers[i]);
        }
    }
    event
}

impl Event {
    fn set_any(&mut self, id: FieldId, text: &str, number: u64) {
        use crate::schema::{Count, Field, Millis, Real, Text, Unix};
        match id.info().unit {
            Unit::Moment => {}
            Unit::Millis => self.set(Field::<Millis>::new(id), Micros(number)),
            Unit::Count => self.set(Field::<Count>::new(id), number.cast_signed()),
            Unit::Real => self.set(Field::<Real>::new(id), f64::from_bits(number)),
            Unit::Unix => self.set(Field::<Unix>::new(id), number),
            Unit::Text => self.set(Field::<Text>::new(id), text),
        }
    }
}

proptest! {
    #[test]
    fn an_event_survives_text_up_to_rounding(event in any_event()) {
        let line = to_string(&event);
        let parsed = parse(line.as_bytes()).unwrap_or_else(|e| panic!("{e}: {line}"));
        prop_assert_eq!(parsed.tag.as_ref(), event.filed_under().as_str());
        prop_assert_eq!(parsed.name.as_deref(), event.record().name);
        let id = event.id().map(|id| id.to_string());
        prop_assert_eq!(parsed.trace_id.as_deref(), id.as_deref());
        for (field, value) in event.values() {
            let key = field.info().key;
            match value {
                Value::Moment(at) => prop_assert_eq!(parsed.at.unwrap().as_nanos() / 1000, at.as_nanos() / 1000),
                Value::Millis(Micros(n)) => {
                    let read = parsed.micros(key);
                    // Past 2^64 ns / 10 the text has more digits than the reader's integer.
                    prop_assert!(read.is_none_or(|read| read.0.abs_diff(n) <= 50), "{}", line);
                    prop_assert!(read.is_some() || n > u64::MAX / 2, "{}", line);
                }
                Value::Count(n) => prop_assert_eq!(parsed.count(key), Some(n)),
                Value::Real(x) => match parsed.get(key) {
                    Some(ParsedValue::Real(read)) => prop_assert!((read - x).abs() <= 0.051 + x.abs() * 1e-9),
                    other => prop_assert!(false, "{:?} in {}", other, line),
                },
                Value::Unix(n) => prop_assert_eq!(parsed.get(key), Some(&ParsedValue::Unix(n / 1000 * 1000))),
                Value::Text(text) => prop_assert_eq!(parsed.text(key), Some(text)),
            }
        }
    }

    #[test]
    fn an_event_survives_json_exactly(event in any_event(), seq in any::<Option<u64>>()) {
        let process = crate::Process { pid: 7, boot: Some("b\u{85}".into()), host: None };
        let mut line = Vec::new();
        crate::json::write(&event, &crate::json::Context::new(&process, seq, 9), &mut line);
        prop_assert!(line.iter().all(|b| (b' '..0x7f).contains(b)));
        let parsed = crate::json::parse(&line).unwrap();
        prop_assert_eq!(parsed.seq, seq);
        prop_assert_eq!(parsed.at, Some(event.at()));
        for (field, value) in event.values() {
            let key = field.info().key;
            if matches!(key, "pid" | "boot") { continue; }
            match value {
                Value::Millis(n) => prop_assert_eq!(parsed.micros(key), Some(n)),
                Value::Count(n) => prop_assert_eq!(parsed.count(key), Some(n)),
                Value::Real(x) => prop_assert_eq!(parsed.get(key), Some(&ParsedValue::Real(x))),
                Value::Text(text) => prop_assert_eq!(parsed.text(key), Some(text)),
                Value::Moment(_) | Value::Unix(_) => {}
            }
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(line in proptest::collection::vec(any::<u8>(), 0..300)) {
        _ = parse(&line);
        _ = crate::json::parse(&line);
    }

    #[test]
    fn nothing_near_a_line_makes_a_reader_panic(line in r"(\x1b\[|\[weights\]|\[a1\]| client\.done| wall_ms=|[0-9.]{0,25}|%[0-9a-f]{0,2}|\PC){0,12}") {
        if let Ok(parsed) = parse(line.as_bytes()) {
            prop_assert!(!parsed.tag.is_empty());
        }
    }
}

/// Each of these took the square of its length.
#[test]
fn a_line_of_brackets_is_gone_through_once() {
    let lines = [
        format!("[a]{}", "[".repeat(1_000_000)),
        format!("[a] k=[{} junk", "a] k=[".repeat(200_000)),
        "[a] ".repeat(250_000),
        "[a][".repeat(250_000),
        format!("{} [x", "[a] n k=1".repeat(100_000)),
    ];
    for line in lines {
        assert_eq!(parse(line.as_bytes()), Err(Skipped::NoRecord));
    }
}

#[test]
fn the_first_record_that_is_whole_counts_wherever_it_begins() {
    for line in [
        "[a] k=1 [weights][ab] client.done wall_ms=1.0",
        "[a] k=1 junk [weights][ab] client.done wall_ms=1.0",
        "[a] k=[weights][ab] client.done wall_ms=1.0",
        "[x][weights][ab] client.done wall_ms=1.0",
        "[[weights][ab] client.done wall_ms=1.0",
        "[a] n k=1 n2[weights][ab] client.done wall_ms=1.0",
        "[weights][a b] [weights][ab]  client.done   wall_ms=1.0 ",
    ] {
        let parsed = parse(line.as_bytes()).unwrap();
        assert_eq!((parsed.trace_id.as_deref(), &*parsed.tag), (Some("ab"), "weights"), "{line}");
        assert_eq!(parsed.micros("wall_ms"), Some(Micros(1000)), "{line}");
    }
}
