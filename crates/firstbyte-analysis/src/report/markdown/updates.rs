//! The ledger of weight updates.

use std::fmt::{self, Write as _};

use super::{escape, note, write_head, write_row};
use crate::report::{Report, SlowUpdate, UpdateRow, captions};

/// Columns of a bar.
const CELLS: usize = 30;

pub(super) fn write(report: &Report, out: &mut String) -> fmt::Result {
    let Some(updates) = &report.updates else { return Ok(()) };
    writeln!(out, "## Weight updates\n")?;
    for warning in &updates.warnings.list {
        writeln!(out, "> **WARNING:** {}\n", escape(warning))?;
    }
    note(captions::left_out(updates.warnings.left_out, "warnings"), out)?;
    for sentence in &updates.notes {
        writeln!(out, "> NOTICE: {}\n", escape(sentence))?;
    }
    if updates.n > 0 {
        writeln!(out, "{} {}\n", captions::updates(updates), escape(captions::UPDATES))?;
        write_table(&updates.rows.list, out)?;
        note(captions::left_out(updates.rows.left_out, captions::MORE_UPDATES), out)?;
    }
    if !updates.summaries.is_empty() {
        write_head("", out)?;
        for (name, summary) in &updates.summaries {
            write_row(name, summary, None, out)?;
        }
        writeln!(out)?;
    }
    updates.slowest.as_ref().map_or(Ok(()), |slowest| write_path(slowest, out))
}

fn write_table(rows: &[UpdateRow], out: &mut String) -> fmt::Result {
    let heads = captions::UPDATE_COLUMNS.map(|(head, _)| head).join(" | ");
    let ruler =
        captions::UPDATE_COLUMNS.map(|(_, is_number)| if is_number { "---:" } else { ":---" });
    writeln!(out, "| {heads} |\n| {} |", ruler.join(" | "))?;
    for row in rows {
        let cells = captions::update(row).map(|cell| escape(&cell)).join(" | ");
        let (state, loud) = (row.state.as_str(), format!("**{}**", row.state.as_str()));
        let cells = if row.is_bad() { cells.replacen(state, &loud, 1) } else { cells };
        writeln!(out, "| {cells} |")?;
    }
    writeln!(out)
}

fn write_path(slowest: &SlowUpdate, out: &mut String) -> fmt::Result {
    writeln!(
        out,
        "### Critical path of update {}\n\n{}\n",
        slowest.number,
        captions::path(slowest)
    )?;
    writeln!(
        out,
        "| piece | made of | ms | 0 to {} ms |\n| :--- | :--- | ---: | :--- |",
        slowest.duration
    )?;
    for piece in &slowest.pieces.list {
        let cell = |time: firstbyte_core::Micros| {
            (time.0 as f64 / slowest.duration.0.max(1) as f64 * CELLS as f64).round() as usize
        };
        let (from, to) = (cell(piece.start), cell(piece.start + piece.length()));
        let (blank, drawn) = ("·".repeat(from.min(CELLS - 1)), "█".repeat((to - from).max(1)));
        let parts = captions::split(piece.split).map(|(name, time)| format!("{name} {time}"));
        let parts = parts.collect::<Vec<_>>().join(" + ");
        writeln!(
            out,
            "| {} | {parts} | {} | {blank}{drawn} |",
            escape(&piece.name),
            piece.length()
        )?;
    }
    writeln!(out)?;
    note(captions::left_out(slowest.pieces.left_out, "pieces"), out)
}
