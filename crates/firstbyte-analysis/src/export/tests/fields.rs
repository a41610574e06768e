//! Nothing is written that nobody reads: each field of each record is in a column, or it is said here why not.

use firstbyte_core::schema::{RECORDS, Record};

use super::*;

/// Columns that are named otherwise than the field, by record and field.
const RENAMED: &[(&str, &str, &str)] = &[
    ("client.send", "url", "path"),
    ("client.send", "t", "sent_t_ns"),
    ("client.fail", "phase", "failed_in"),
    ("server.recv", "t", "recv_t_ns"),
    ("server.recv", "inflight", "in_flight"),
    ("rpc.start", "t", "rpc_start_t_ns"),
    ("rpc.done", "t", "rpc_done_t_ns"),
    ("rpc.done", "error", "server_error"),
    ("server.first_byte", "t", "first_byte_t_ns"),
    ("server.done", "t", "server_done_t_ns"),
    ("server.done", "dur_ms", "server_us"),
    ("server.done", "outcome", "server_outcome"),
    ("write.done", "write_ms", "duration_us"),
    ("wait.done", "target_step", "step"),
    ("wait.done", "wait_ms", "duration_us"),
    ("batch.done", "dur_ms", "duration_us"),
    ("batch.done", "inflight", "in_flight"),
    ("rollout", "trunc_pct", "truncated_pct"),
    ("rollout", "current_step", "step"),
    ("step.done", "dur_ms", "duration_us"),
    ("batch.flush", "wait_ms", "duration_us"),
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

/// Whether a column of either table holds this field.
fn has_a_column(record: &Record, key: &str) -> bool {
    let renamed = RENAMED.iter().find(|(of, field, _)| (*of, *field) == (name(record), key));
    let usual = key.strip_suffix("_ms").map_or_else(|| key.to_owned(), |name| format!("{name}_us"));
    let column = renamed.map_or(usual.as_str(), |(.., column)| column);
    let is_it = |table: Table| table.columns().iter().any(|known| known.name == column);
    is_it(Table::Calls) || is_it(Table::Events)
}

fn is_without(record: &Record, key: &str) -> bool {
    let of_record = WITHOUT.iter().filter(|(of, ..)| *of == name(record));
    of_record.into_iter().any(|(_, keys, _)| keys.contains(&"*") || keys.contains(&key))
}

#[test]
fn every_field_is_in_a_column_or_it_is_said_why_not() {
    for record in RECORDS {
        for field in record.fields {
            let key = field.info().key;
            assert!(
                has_a_column(record, key) || is_without(record, key),
                "{} {key} is written and nobody reads it",
                name(record)
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
    for (of, key, _) in RENAMED {
        assert!(is_there(of, key), "{of} {key}");
    }
    for (of, keys, _) in WITHOUT {
        assert!(keys.iter().all(|key| is_there(of, key)), "{of}");
    }
}
