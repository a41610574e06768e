//! `firstbyte stats --field KEY`.

use std::{fmt::Write as _, path::PathBuf};

use firstbyte_analysis::{
    counted, cut_short,
    field::{FieldStats, Numeric, Values},
    json as to, left_out, torn,
};
use firstbyte_core::schema::FIELDS;

use super::{beside, write_head, write_row};
use crate::{
    bars::plain,
    exit::{self, Error, Exit},
    read::end_with,
};

pub(super) fn run(key: &str, logs: &[PathBuf], as_json: bool) -> Result<Exit, Error> {
    let field = Numeric::from_key(key).ok_or_else(|| {
        let numeric = FIELDS.iter().filter(|field| Numeric::from_key(field.key).is_some());
        let known: Vec<_> = numeric.map(|field| field.key).collect();
        let key = plain(key);
        Error::usage(format!(
            "--field {key}: no field with a number; there are {}",
            known.join(", ")
        ))
    })?;
    let stats = FieldStats::read(logs, field).map_err(Error::new)?;
    if as_json {
        exit::print(to::pretty(&to::field(&stats)))?;
    } else {
        exit::print(render(field.key(), &stats))?;
    }
    end_with(Exit::Ok, stats.unread.iter())
}

fn render(key: &'static str, stats: &FieldStats) -> String {
    let mut out = format!("{}; {key} of each record that has it\n", counted(stats.lines, "line"));
    // Writing to a string cannot fail.
    for why in &stats.unread {
        _ = writeln!(out, "NOTICE: {}", plain(&left_out(why)));
    }
    for why in &stats.broken {
        _ = writeln!(out, "NOTICE: {}", plain(&cut_short(why)));
    }
    if stats.torn > 0 {
        _ = writeln!(out, "NOTICE: {}", torn(stats.torn));
    }
    if stats.others > 0 {
        _ = writeln!(
            out,
            "NOTICE: lines that have this word in them and no value of it: {}.",
            stats.others
        );
    }
    if stats.rows.is_empty() {
        out += "\nno line has it\n";
    }
    for row in &stats.rows {
        _ = writeln!(out, "\n{}", row.name());
        _ = match &row.values {
            Values::Millis(summary) => write_head("milliseconds", &mut out)
                .and_then(|()| write_row(key, summary, None, &mut out)),
            Values::Amounts(unit, amounts) => beside::write(&[(key, *unit, *amounts)], &mut out),
            _ => Ok(()),
        };
    }
    out
}
