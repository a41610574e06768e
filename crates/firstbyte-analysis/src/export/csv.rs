//! Comma-separated values, RFC 4180 with line feeds.

use std::io::{self, Write};

use super::{Exported, Table, Value};
use crate::correlate::Log;

/// What makes a cell a formula, or moves it into the next one, where a spreadsheet opens the file.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Writes a table as CSV with a head line. A cell is empty where it is unknown.
///
/// Text that begins as a formula does gets an apostrophe in front, which spreadsheets take as 'this is text':
/// a log must not make a spreadsheet compute. Numbers are left as they are.
///
/// # Errors
///
/// Those of `out`.
pub fn csv(log: &Log, table: Table, out: impl Write) -> io::Result<Exported> {
    write(log, table, out).map_err(|error| match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        kind => io::Error::other(format!("{kind:?}")),
    })
}

fn write(log: &Log, table: Table, out: impl Write) -> csv::Result<Exported> {
    let mut exported = table.exported(log);
    let mut out = csv::Writer::from_writer(out);
    out.write_record(table.columns().iter().map(|column| column.name))?;
    for row in table.rows(log) {
        for column in table.columns() {
            match column.of(&row) {
                Some(Value::Text(text)) if text.starts_with(FORMULA) => {
                    out.write_field(format!("'{text}"))
                }
                Some(Value::Text(text)) => out.write_field(&*text),
                Some(Value::Int(int)) => out.write_field(int.to_string()),
                Some(Value::Real(real)) => out.write_field(format!("{real:?}")),
                None => out.write_field(""),
            }?;
        }
        out.write_record(None::<&[u8]>)?;
        exported.written += 1;
    }
    out.flush()?;
    Ok(exported)
}
