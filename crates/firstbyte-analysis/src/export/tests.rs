use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use firstbyte_core::Micros;

use super::*;
use crate::{correlate::Log, ingest::Options, measure::Metric};

mod columnar;
mod fields;
mod spans;
mod tables;
mod traces;

/// A log of the corpus.
fn corpus(files: &[&str]) -> Log {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus");
    let paths: Vec<_> = files.iter().map(|file| folder.join(file)).collect();
    Log::read(&paths, &Options::default()).unwrap()
}

/// Text that tries whatever a reader of text may fall for.
const HOSTILE: &str = "\
[weights][-1] client.send url=http://h/a t=1.000000 op=%3D1+1%0A%22%2C%00%09%C2%9B target=@sum step=-4
[weights][-1] client.done wall_ms=5.0 rpc_ms=2.0 queue_ms=3.0
[weights][00f067aa0ba902b8] client.done wall_ms=5.0 rpc_ms=2.0 queue_ms=3.0 op=%FF%FE target=%2Dx
[weights][00f067aa0ba902b9] client.send url=http://h/a t=99999999999999.000000 op=%0D%0Ax,y%27%22
";

/// What a call of it has in a text column.
fn word(log: &Log, n: usize, name: &str) -> String {
    let columns = Table::Calls.columns();
    let column = columns.iter().find(|column| column.name == name).unwrap();
    match column.of(&Table::Calls.rows(log).nth(n).unwrap()) {
        Some(Value::Text(text)) => text.into_owned(),
        other => panic!("{name} is {other:?}"),
    }
}
