//! Where the time went: a bar of the mean wall for each arm, and the same as numbers.

use super::{axis::Axis, page::Page, plot::percent};
use crate::report::{Arm, Part, Report, captions};

/// Of a bar on a narrow screen, in pixels, and of a letter: a name stands in a piece that has room for it everywhere.
const NARROW_BAR: f64 = 200.0;
const LETTER: f64 = 6.5;
/// More numbers do not fit below such a bar.
const MOST_TICKS: usize = 4;

pub(super) fn write(report: &Report, page: &mut Page) {
    let arms = &report.arms.list;
    if arms.is_empty() {
        return;
    }
    let arm = captions::arm(report.by);
    page.ours("<section id=\"parts\"><h2>");
    page.text(format_args!("Where the time went, by {arm}"));
    page.ours("</h2><figure>");
    legend(&report.parts(), page);
    bars(arms, arm, page);
    page.element(
        "figcaption",
        &[],
        format_args!("{} The thin bar shows the same in shares.", captions::PARTS),
    );
    page.ours("</figure>");
    numbers(report, arm, page);
    page.note(captions::left_out(report.arms.left_out, "arms"));
    page.ours("</section>");
}

fn legend(parts: &[Part], page: &mut Page) {
    page.ours("<ul class=\"legend\">");
    for part in parts {
        page.ours("<li><svg class=\"swatch\" width=\"14\" height=\"14\" aria-hidden=\"true\">");
        page.empty("rect", &[("class", &class(part.name)), ("width", &14), ("height", &14)]);
        page.ours("</svg>");
        page.text(part.name);
        if part.is_residual() {
            page.ours(" <small>residual</small>");
        }
        page.ours("</li>");
    }
    page.ours("</ul>");
}

/// The class that fills a part's shape.
pub(super) fn class(part: &str) -> String {
    format!("part p-{part}")
}

/// Begins the row of an arm: its name, how many calls, their mean wall.
fn open_row(place: usize, arm: &Arm, page: &mut Page) {
    page.open("tr", &[("data-arm", &place)]);
    page.ours("<th scope=\"row\">");
    page.name(arm.name());
    page.ours("</th>");
    page.element("td", &[("class", &"n")], arm.n);
    page.element("td", &[("class", &"n")], captions::real(arm.wall_ms()));
}

fn bars(arms: &[Arm], kind: &str, page: &mut Page) {
    let axis = Axis::linear(arms.iter().map(Arm::parts_ms).fold(0.0, f64::max));
    page.ours("<table class=\"bars\"><thead><tr>");
    page.element("th", &[("scope", &"col")], kind);
    page.ours("<th scope=\"col\" class=\"n\">n</th><th scope=\"col\" class=\"n\">wall ms</th><th scope=\"col\" class=\"bar\">mean, ms</th></tr></thead><tbody>");
    for (place, arm) in arms.iter().enumerate() {
        open_row(place, arm, page);
        page.ours("<td class=\"bar\">");
        bar(arm, axis.place(arm.parts_ms()), 22, page);
        bar(arm, 1.0, 6, page);
        page.ours("</td></tr>");
    }
    page.ours("</tbody><tfoot aria-hidden=\"true\"><tr><td></td><td></td><td></td><td class=\"bar\"><svg class=\"area\" height=\"18\">");
    for (value, written) in axis.ticks(MOST_TICKS) {
        let place = axis.place(value);
        let anchor = if place > 0.9 {
            "end"
        } else if place > 0.05 {
            "middle"
        } else {
            "start"
        };
        page.element(
            "text",
            &[("x", &percent(place)), ("y", &13), ("text-anchor", &anchor)],
            written,
        );
    }
    page.ours("</svg></td></tr></tfoot></table>");
}

/// The parts of an arm beside each other, together so long.
fn bar(arm: &Arm, length: f64, height: u32, page: &mut Page) {
    let whole = arm.parts_ms();
    page.open("svg", &[("class", &"area"), ("height", &height), ("aria-hidden", &"true")]);
    let mut start = 0.0;
    for part in arm.parts.iter().filter(|part| part.mean_ms > 0.0) {
        let share = part.mean_ms / whole;
        let width = share * length;
        page.ours("<g>");
        page.element(
            "title",
            &[],
            format_args!(
                "{}: mean {:.1} ms, {:.1} % of wall, {} calls have it",
                part.name,
                part.mean_ms,
                share * 100.0,
                part.calls
            ),
        );
        page.empty(
            "rect",
            &[
                ("class", &class(part.name)),
                ("x", &percent(start)),
                ("width", &percent(width)),
                ("height", &height),
            ],
        );
        if height > 20 && width * NARROW_BAR > part.name.len() as f64 * LETTER + 10.0 {
            page.element(
                "text",
                &[
                    ("class", &format!("in-{}", part.name)),
                    ("x", &percent(start)),
                    ("dx", &5),
                    ("y", &15),
                ],
                part.name,
            );
        }
        page.ours("</g>");
        start += width;
    }
    page.close("svg");
}

/// The bars as numbers.
fn numbers(report: &Report, kind: &str, page: &mut Page) {
    let parts = report.parts();
    page.ours("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Mean of each part\"><table class=\"sortable\"><thead><tr>");
    page.element("th", &[("scope", &"col")], kind);
    page.ours("<th scope=\"col\" class=\"n\">n</th><th scope=\"col\" class=\"n\">wall</th>");
    for part in &parts {
        page.element("th", &[("scope", &"col"), ("class", &"n")], part.name);
    }
    page.ours("</tr></thead><tbody>");
    for (place, arm) in report.arms.list.iter().enumerate() {
        open_row(place, arm, page);
        for part in &parts {
            let found = arm.parts.iter().find(|other| other.name == part.name);
            page.element("td", &[("class", &"n")], captions::real(found.map(|part| part.mean_ms)));
        }
        page.ours("</tr>");
    }
    page.ours("</tbody></table></div>");
}
