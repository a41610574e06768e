//! Nothing is written that nobody reads: each field of each record is in a column, or it is said here why not.

use firstbyte_core::{
    Tag,
    schema::{FieldInfo, RECORDS, Record},
};

use super::*;

/// Columns that say whose the field is, by record and field: what several records have, or what names little alone.
const QUALIFIED: &[(&str, &str, &str)] = &[
    ("client.send", "t", "sent_t_ns"),
    ("client.fail", "phase", "failed_phase"),
    ("server.recv", "t", "recv_t_ns"),
    ("rpc.start", "t", "rpc_start_t_ns"),
    ("rpc.done", "t", "rpc_done_t_ns"),
    ("rpc.done", "error", "server_error"),
    ("server.first_byte", "t", "first_byte_t_ns"),
    ("server.done", "t", "server_done_t_ns"),
    ("server.done", "dur_ms", "server_dur_us"),
    ("server.done", "outcome", "server_outcome"),
];

/// Columns that put fields of several names together.
const MERGED: &[(&str, &str, &str)] = &[
    ("client.send", "url", "path"),
    ("write.done", "write_ms", "dur_us"),
    ("wait.done", "target_step", "step"),
    ("wait.done", "wait_ms", "dur_us"),
    ("rollout", "current_step", "step"),
    ("batch.flush", "wait_ms", "dur_us"),
];

/// Fields without a column; those of a record that has none are all of it.
const WITHOUT: &[(&str, &[&str], &str)] = &[
    (
        "client.waiting",
        &["*"],
        "of a call that has not ended: trace, slowest, watch and diagnose tell where it is stuck",
    ),
    ("client.fail", &["cause"], "words for people; 'error' is what can be counted"),
    ("rpc.done", &["call_id"], "it joins the engine's line, whose times have columns"),
    ("server.first_byte", &["ttfb_ms"], "it follows from the moments, and finds the exchange"),
    ("server.done", &["bytes", "frames"], "of a control call's answer, which is a few bytes"),
    ("call.done", &["call_id", "op", "t", "error"], "rpc.done of the same call has them"),
    ("write.start", &["*"], "the line of the end has the same step"),
    ("wait.start", &["*"], "the line of the end has the same step"),
    (
        "batch.start",
        &["inflight"],
        "it tells calls apart by what generation did: queue while generating",
    ),
    ("process.start", &["*"], "of the file, not of a row: clocks and boots"),
    ("dropped", &["*"], "a NOTICE counts them"),
    ("process.end", &["*"], "what the recorder counted; 'dropped' tells what was lost"),
];

fn name(record: &Record) -> &'static str {
    record.name.unwrap_or(record.tag.as_str())
}

/// Whether a column of its table holds this field, which has the field's name in JSON lines but for these.
fn has_a_column(record: &Record, field: &FieldInfo) -> bool {
    let mut others = QUALIFIED.iter().chain(MERGED);
    let other = others.find(|(of, key, _)| (*of, *key) == (name(record), field.key));
    let column = other.map_or(field.json_key, |(.., column)| column);
    let is_of_a_call = matches!(record.tag, Tag::Weights | Tag::Engine);
    let table = if is_of_a_call { Table::Calls } else { Table::Events };
    table.columns().iter().any(|known| known.name == column)
}

fn is_without(record: &Record, key: &str) -> bool {
    let of_record = WITHOUT.iter().filter(|(of, ..)| *of == name(record));
    of_record.into_iter().any(|(_, keys, _)| keys.contains(&"*") || keys.contains(&key))
}

#[test]
fn every_field_is_in_a_column_or_it_is_said_why_not() {
    for record in RECORDS {
        for field in record.fields {
            let field = field.info();
            assert!(
                has_a_column(record, field) || is_without(record, field.key),
                "{} {} is written and nobody reads it",
                name(record),
                field.key
            );
        }
    }
}

#[test]
fn what_is_said_here_is_of_fields_that_there_are() {
    let is_there = |of: &str, key: &str| {
        let has = |record: &&&Record| record.fields.iter().any(|field| field.info().key == key);
        let mut these = RECORDS.iter().filter(|record| name(record) == of);
        these.clone().next().is_some() && (key == "*" || these.any(|record| has(&record)))
    };
    for (of, key, _) in QUALIFIED.iter().chain(MERGED) {
        assert!(is_there(of, key), "{of} {key}");
    }
    for (of, keys, _) in WITHOUT {
        assert!(keys.iter().all(|key| is_there(of, key)), "{of}");
    }
}

#[test]
fn a_column_of_one_field_ends_with_the_name_that_it_has_in_json_lines() {
    for (of, key, column) in QUALIFIED {
        let mut fields = RECORDS.iter().flat_map(|record| record.fields).map(|field| field.info());
        let field = fields.find(|field| field.key == *key).unwrap();
        let whose = column.strip_suffix(field.json_key);
        assert!(whose.is_some_and(|whose| whose.ends_with('_')), "{of} {key} is in {column}");
    }
}
