use firstbyte_core::{
    Event, field, record,
    schema::{RECORDS, Unit},
    text,
};
use proptest::prelude::*;

use super::*;

/// All that an entry tells, to be compared.
fn told(entry: &Entry<'_>) -> Vec<String> {
    let mut told = vec![format!(
        "{:?} {:?} {} {:?} {:?} {}",
        entry.record.tag, entry.record.name, entry.is_admin, entry.id, entry.at, entry.misfits
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
        b"[unknown] thing a=1",
        b"",
    ] {
        assert!(quickly(line).is_none(), "{}", String::from_utf8_lossy(line));
    }
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
                Just("\u{1b}[31m"), Just("\u{e9}"), Just("NaN"), Just("\t"), Just("-1"),
            ],
            0..12,
        )
    ) {
        let line = words.concat();
        if let Some(told) = quickly(line.as_bytes()) {
            prop_assert_eq!(Some(told), tolerant(line.as_bytes()));
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
        if let Candidate::At(at) = candidate(line.as_bytes())
            && let Some(told) = quickly(&line.as_bytes()[at..])
        {
            prop_assert_eq!(Some(told), tolerant(line.as_bytes()));
        }
    }

    /// No line with a record is taken for one without.
    #[test]
    fn nothing_is_overlooked(line in "(\\[|\\]|[a-z]{1,3}|[ =.A]|\u{1b}\\[0m|gen|\\[gen\\] batch.start a=1){0,12}") {
        if text::parse(line.as_bytes()).is_ok() {
            prop_assert!(!matches!(candidate(line.as_bytes()), Candidate::Nowhere(_)));
        }
    }
}
