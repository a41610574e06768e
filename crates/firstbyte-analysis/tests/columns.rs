//! The tables of docs/reader.md are those of the declared columns. `make reference` writes them anew.

#![allow(clippy::unwrap_used, reason = "what helps tests is a test")]

use std::{fmt::Write as _, fs, path::Path};

use firstbyte_analysis::export::Table;

const BEGIN: &str = "<!-- generated: make reference -->\n";
const END: &str = "<!-- end -->";

fn tables() -> String {
    let mut out = String::new();
    for (name, table) in [("calls", Table::Calls), ("events", Table::Events)] {
        write!(out, "\n| column of {name} | holds | meaning |\n| --- | --- | --- |\n").unwrap();
        for column in table.columns() {
            let kind = column.kind.as_str();
            writeln!(out, "| {} | {kind} | {} |", column.name, column.doc).unwrap();
        }
    }
    out + "\n"
}

#[test]
fn the_columns_in_the_docs_are_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reader.md");
    let page = fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once(BEGIN).expect("the page has a place for the tables");
    let (written, tail) = rest.split_once(END).expect("the place has an end");
    let tables = tables();
    if std::env::var_os("FIRSTBYTE_WRITE_REFERENCE").is_some() {
        fs::write(&path, format!("{head}{BEGIN}{tables}{END}{tail}")).unwrap();
        return;
    }
    assert!(written == tables, "docs/reader.md is stale: run `make reference`");
}
