//! The ledger of weight updates: a table, the summary, and the critical path of the slowest.

use firstbyte_core::Micros;

use super::{arms::class, page::Page, plot::percent, tables};
use crate::report::{Piece, Report, SlowUpdate, UpdateRow, captions};

pub(super) fn write(report: &Report, page: &mut Page) {
    let Some(updates) = &report.updates else { return };
    page.ours("<section id=\"updates\"><h2>Weight updates</h2>");
    for warning in &updates.warnings.list {
        page.ours("<p class=\"notice critical\"><span class=\"severity\">Warning</span>");
        page.text(warning);
        page.ours("</p>");
    }
    page.note(captions::left_out(updates.warnings.left_out, "warnings"));
    for note in &updates.notes {
        page.element("p", &[("class", &"notice")], format_args!("Notice: {note}"));
    }
    if updates.n > 0 {
        let caption = format_args!("{} {}", captions::updates(updates), captions::UPDATES);
        page.element("p", &[("class", &"note")], caption);
        table(&updates.rows.list, page);
        page.note(captions::left_out(updates.rows.left_out, captions::MORE_UPDATES));
    }
    if !updates.summaries.is_empty() {
        let rows = updates.summaries.iter().map(|(name, summary)| (*name, summary, None));
        tables::table("Durations of all updates", rows, page);
    }
    if let Some(slowest) = &updates.slowest {
        write_path(slowest, page);
    }
    page.ours("</section>");
}

fn table(rows: &[UpdateRow], page: &mut Page) {
    page.ours("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Weight updates\"><table class=\"sortable\"><thead><tr>");
    let class = |is_number: bool| if is_number { "n" } else { "" };
    for (head, is_number) in captions::UPDATE_COLUMNS {
        page.element("th", &[("scope", &"col"), ("class", &class(is_number))], head);
    }
    page.ours("</tr></thead><tbody>");
    for row in rows {
        page.open("tr", &[("class", &if row.is_bad() { "critical" } else { "" })]);
        for (cell, (_, is_number)) in captions::update(row).iter().zip(captions::UPDATE_COLUMNS) {
            page.open("td", &[("class", &class(is_number))]);
            page.name(cell);
            page.close("td");
        }
        page.ours("</tr>");
    }
    page.ours("</tbody></table></div>");
}

fn write_path(slowest: &SlowUpdate, page: &mut Page) {
    page.ours("<article><h3>");
    page.text(format_args!("Critical path of update {}", slowest.number));
    page.ours("</h3>");
    page.element("p", &[("class", &"note")], captions::path(slowest));
    page.ours("<table class=\"waterfall\"><thead><tr><th scope=\"col\">piece</th><th scope=\"col\" class=\"n\">ms</th>");
    page.element(
        "th",
        &[("scope", &"col"), ("class", &"bar")],
        format_args!("0 to {} ms", slowest.duration),
    );
    page.ours("</tr></thead><tbody>");
    for piece in &slowest.pieces.list {
        write_piece(piece, slowest.duration, page);
    }
    page.ours("</tbody></table>");
    page.note(captions::left_out(slowest.pieces.left_out, "pieces"));
    page.ours("</article>");
}

fn write_piece(piece: &Piece, duration: Micros, page: &mut Page) {
    let share = |time: Micros| time.0 as f64 / duration.0.max(1) as f64;
    page.ours("<tr><th scope=\"row\" class=\"long\">");
    page.name(&piece.name);
    page.ours("</th>");
    page.element("td", &[("class", &"n")], piece.length());
    page.ours("<td class=\"bar\"><svg class=\"area\" height=\"14\" aria-hidden=\"true\">");
    let mut start = piece.start;
    for (name, length) in captions::split(piece.split) {
        // A short part still shows, and a last one stays within the axis.
        let width = share(length).clamp(0.004, 1.0);
        let place = share(start).clamp(0.0, 1.0 - width);
        start = start + length;
        page.ours("<g>");
        page.element("title", &[], format_args!("{}: {name} {length} ms", piece.name));
        page.empty(
            "rect",
            &[
                ("class", &class(name)),
                ("x", &percent(place)),
                ("width", &percent(width)),
                ("y", &1),
                ("height", &12),
            ],
        );
        page.ours("</g>");
    }
    page.ours("</svg></td></tr>");
}
