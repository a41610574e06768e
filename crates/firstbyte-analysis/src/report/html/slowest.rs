//! The slowest calls as waterfalls, and a table of them.

use firstbyte_core::Micros;

use super::{arms::class, page::Page, plot::percent};
use crate::{
    counted,
    report::{Report, SlowCall, captions},
    waterfall::Row,
};

pub(super) fn write(report: &Report, page: &mut Page) {
    if report.slowest.is_empty() {
        return;
    }
    page.ours("<section id=\"slowest\"><h2>Slowest calls</h2>");
    page.element(
        "p",
        &[("class", &"note")],
        format_args!(
            "{} {} of {}.",
            captions::SLOWEST,
            report.slowest.len(),
            counted(report.calls, "call")
        ),
    );
    table(report, page);
    page.ours("<div class=\"calls\">");
    for (n, call) in (1..).zip(&report.slowest) {
        waterfall(n, call, page);
    }
    page.ours("</div></section>");
}

fn table(report: &Report, page: &mut Page) {
    page.ours("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Slowest calls\"><table class=\"sortable\"><thead><tr>");
    for (head, class) in [
        ("trace id", ""),
        ("operation", ""),
        ("server", ""),
        ("wall ms", "n"),
        ("queue ms", "n"),
        ("rpc ms", "n"),
        ("largest part", ""),
        ("end", ""),
    ] {
        page.element("th", &[("scope", &"col"), ("class", &class)], head);
    }
    page.ours("</tr></thead><tbody>");
    for (n, call) in (1..).zip(&report.slowest) {
        page.open("tr", &[("data-call", &n)]);
        page.ours("<td><code>");
        page.element("a", &[("href", &format_args!("#call-{n}"))], &call.id);
        page.ours("</code></td>");
        for text in [&call.operation, &call.target] {
            page.ours("<td>");
            page.name(text.as_deref().unwrap_or("-"));
            page.ours("</td>");
        }
        for time in [Some(call.wall), call.queue, call.rpc] {
            page.element("td", &[("class", &"n")], captions::ms(time));
        }
        page.element(
            "td",
            &[],
            call.largest.map_or("-".to_owned(), |(part, time)| format!("{part} {time}")),
        );
        page.element("td", &[], &call.ending);
        page.ours("</tr>");
    }
    page.ours("</tbody></table></div>");
}

fn waterfall(n: u64, call: &SlowCall, page: &mut Page) {
    page.open(
        "article",
        &[("id", &format_args!("call-{n}")), ("data-call", &n), ("tabindex", &-1)],
    );
    page.ours("<h3>");
    page.name(call.operation.as_deref().unwrap_or("(unknown operation)"));
    if let Some(target) = &call.target {
        page.text(" on ");
        page.name(target);
    }
    page.ours("</h3><p class=\"note\"><code>");
    page.text(&call.id);
    page.ours("</code>");
    page.text(format_args!(", {}; {}", call.ending, sum(call)));
    page.ours("</p>");
    if !call.rows.is_empty() {
        page.ours("<table class=\"waterfall\"><thead><tr><th scope=\"col\">part</th><th scope=\"col\" class=\"n\">ms</th>");
        page.element(
            "th",
            &[("scope", &"col"), ("class", &"bar")],
            format_args!("0 to {} ms", call.wall),
        );
        page.ours("</tr></thead><tbody>");
        for row in &call.rows {
            write_row(row, call.wall, page);
        }
        page.ours("</tbody></table>");
    }
    page.close("article");
}

/// wall as it adds up, and what the server says beside.
fn sum(call: &SlowCall) -> String {
    let mut text = match (call.rpc, call.queue) {
        (Some(rpc), Some(queue)) => format!("wall {} ms = rpc {rpc} + queue {queue}", call.wall),
        _ => format!("wall {} ms, rpc and queue unknown", call.wall),
    };
    if let Some(until) = call.until_received {
        text += &format!("; {until} ms from client.send to server.recv, on one clock");
    }
    if let Some(in_flight) = call.in_flight {
        text += &format!("; {} in progress", counted(in_flight, "request"));
    }
    text
}

fn write_row(row: &Row, wall: Micros, page: &mut Page) {
    let share = |time: Micros| time.0 as f64 / wall.0.max(1) as f64;
    page.ours("<tr>");
    page.element(
        "th",
        &[("scope", &"row"), ("class", &format_args!("depth-{}", row.depth))],
        row.name,
    );
    page.element("td", &[("class", &"n")], row.length);
    page.ours("<td class=\"bar\"><svg class=\"area\" height=\"14\" aria-hidden=\"true\">");
    // A short part still shows, and a last one stays within the axis.
    let width = share(row.length).clamp(0.004, 1.0);
    let start = share(row.start).clamp(0.0, 1.0 - width);
    page.ours("<g>");
    page.element(
        "title",
        &[],
        format_args!(
            "{} ({}): {} ms, from {} ms on",
            row.name,
            captions::side(row.side),
            row.length,
            row.start
        ),
    );
    let name = if row.depth == 2 { "rpc" } else { row.name };
    page.empty(
        "rect",
        &[
            ("class", &class(name)),
            ("x", &percent(start)),
            ("width", &percent(width)),
            ("y", &1),
            ("height", &12),
        ],
    );
    page.ours("</g></svg></td></tr>");
}
