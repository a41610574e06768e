//! A JSON object per line.

use std::io::{self, Write};

use super::{
    Exported, Table,
    json::{self, Members},
};
use crate::correlate::Log;

/// Writes a table as JSON lines: every row has every column, and `null` where it is unknown.
///
/// # Errors
///
/// Those of `out`.
pub fn jsonl(log: &Log, table: Table, mut out: impl Write) -> io::Result<Exported> {
    let mut exported = table.exported(log);
    for row in table.rows(log) {
        let columns = table.columns().iter();
        json::write(&mut out, &Members(columns.map(|column| (column.name, column.of(&row)))))?;
        out.write_all(b"\n")?;
        exported.written += 1;
    }
    out.flush()?;
    Ok(exported)
}
