//! The tables of docs/wire.md are those of the schema. `make reference` writes them anew.

use std::{fmt::Write, fs, path::Path};

use firstbyte_core::schema::{FIELDS, RECORDS, Unit};

const BEGIN: &str = "<!-- generated: make reference -->\n";
const END: &str = "<!-- end -->";

fn tables() -> String {
    let mut out = String::from(
        "\n| tag | name | required, in order | appended where known | when |\n| --- | --- | --- | --- | --- |\n",
    );
    for record in RECORDS {
        let keys: Vec<_> = record.fields.iter().map(|field| field.info().key).collect();
        let (required, appended) = keys.split_at(record.required);
        let (tag, name) = (record.tag.as_str(), record.name.unwrap_or("(no name)"));
        writeln!(
            out,
            "| {tag} | {name} | {} | {} | {} |",
            required.join(" "),
            appended.join(" "),
            record.doc
        )
        .expect("a String takes everything");
    }
    out.push_str("\n| field | in JSON | written as | meaning |\n| --- | --- | --- | --- |\n");
    for field in FIELDS {
        let unit = match field.unit {
            Unit::Moment => "seconds, monotonic, six decimals; nanoseconds in JSON",
            Unit::Millis => "milliseconds, one decimal; microseconds in JSON",
            Unit::Unix => "seconds since the epoch, six decimals; nanoseconds in JSON",
            Unit::Count => "integer",
            Unit::Real => "number, one decimal in text",
            Unit::Text => "text",
            other => panic!("describe {other:?}"),
        };
        writeln!(out, "| {} | {} | {unit} | {} |", field.key, field.json_key, field.doc)
            .expect("a String takes everything");
    }
    out.push('\n');
    out
}

#[test]
fn the_reference_in_the_docs_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/wire.md");
    let page = fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once(BEGIN).expect("the page has a place for the tables");
    let (written, tail) = rest.split_once(END).expect("the place has an end");
    let tables = tables();
    if std::env::var_os("FIRSTBYTE_WRITE_REFERENCE").is_some() {
        fs::write(&path, format!("{head}{BEGIN}{tables}{END}{tail}")).unwrap();
        return;
    }
    assert!(written == tables, "docs/wire.md is stale: run `make reference`");
}

#[test]
fn every_field_is_described_once_and_used() {
    for (i, field) in FIELDS.iter().enumerate() {
        assert!(
            FIELDS[..i]
                .iter()
                .all(|other| other.key != field.key && other.json_key != field.json_key)
        );
        assert!(
            RECORDS.iter().any(|record| record.fields.iter().any(|f| f.info().key == field.key)),
            "{}",
            field.key
        );
    }
}
