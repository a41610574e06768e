//! Parquet, read back by its own crate. `make test-export` reads it by DuckDB, Polars and PyArrow too.

use ::parquet::{
    file::reader::{FileReader as _, SerializedFileReader},
    record::Field,
};
use serde_json::Value as Json;

use super::*;

fn read(bytes: Vec<u8>) -> Vec<Json> {
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    let value = |field: &Field| match field {
        Field::Null => Json::Null,
        Field::Str(text) => text.as_str().into(),
        Field::Long(int) => (*int).into(),
        Field::Double(real) => (*real).into(),
        other => panic!("{other:?}"),
    };
    let row = |row: ::parquet::record::Row| {
        row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect()
    };
    rows.map(|found| row(found.unwrap())).collect()
}

fn rows(log: &Log, table: Table) -> (Vec<Json>, Vec<Json>) {
    let (mut parquet_out, mut json) = (Vec::new(), Vec::new());
    let exported = parquet(log, table, &mut parquet_out).unwrap();
    assert_eq!(exported, jsonl(log, table, &mut json).unwrap());
    let lines = String::from_utf8(json).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap());
    (read(parquet_out), lines.collect())
}

#[test]
fn parquet_has_the_same_rows_as_json() {
    let log = corpus(&["demo/client.log", "demo/server.log", "seed/checkpoint.log"]);
    for log in [log, Log::from_bytes(HOSTILE.as_bytes()), Log::from_bytes(b"")] {
        for table in [Table::Calls, Table::Events] {
            let (parquet, json) = rows(&log, table);
            assert_eq!(parquet, json);
        }
    }
}

#[test]
fn many_calls_are_several_row_groups() {
    let lines: String = (1..=70_000)
        .map(|n| format!("[weights][{n:016x}] client.done wall_ms={n}.0 rpc_ms=1.0 queue_ms=1.0\n"))
        .collect();
    let log = Log::from_bytes(lines.as_bytes());
    let mut out = Vec::new();
    assert_eq!(parquet(&log, Table::Calls, &mut out).unwrap().written, 70_000);
    let reader = SerializedFileReader::new(bytes::Bytes::from(out)).unwrap();
    let groups: Vec<_> = reader.metadata().row_groups().iter().map(|g| g.num_rows()).collect();
    assert_eq!(groups, [65_536, 4_464]);
    let mut total = 0;
    for (n, row) in (1..).zip(reader.get_row_iter(None).unwrap()) {
        let row = row.unwrap();
        let wall = row.get_column_iter().find(|(name, _)| *name == "wall_us").unwrap().1.clone();
        assert_eq!(wall, Field::Long(n * 1000));
        total = n;
    }
    assert_eq!(total, 70_000);
}
