//! Percentiles of every arm, and of what happens beside the calls.

use super::page::Page;
use crate::{
    measure::{Percentile, Share, Summary},
    report::{Arm, Report, captions},
};

pub(super) fn write(report: &Report, page: &mut Page) {
    if !report.arms.list.is_empty() {
        page.ours("<section id=\"percentiles\"><h2>Percentiles</h2>");
        page.element("p", &[("class", &"note")], captions::PERCENTILES);
        for (place, arm) in report.arms.list.iter().enumerate() {
            write_arm(place, arm, page);
        }
        page.ours("</section>");
    }
    if !report.timeline.is_empty() {
        page.ours("<section id=\"timeline\"><h2>Beside the calls</h2>");
        page.element("p", &[("class", &"note")], captions::TIMELINE);
        let rows = report.timeline.iter().map(|(name, summary)| (*name, summary, None));
        table("Beside the calls", rows, page);
        page.ours("</section>");
    }
}

fn write_arm(place: usize, arm: &Arm, page: &mut Page) {
    let group = &arm.group;
    page.open("div", &[("data-arm", &place)]);
    page.ours("<h3>");
    page.name(arm.name());
    page.ours("</h3>");
    page.note(Some(format!("{}.", arm.group.counts())));
    let rows = group.rows.iter().map(|(metric, summary, share)| (metric.as_str(), summary, *share));
    if group.rows.is_empty() {
        page.ours("<p class=\"note\">None of them tells a time.</p>");
    } else {
        table(&format!("Percentiles of {}", arm.name()), rows, page);
    }
    page.close("div");
}

pub(super) fn table<'a>(
    label: &str,
    rows: impl Iterator<Item = (&'a str, &'a Summary, Option<Share>)>,
    page: &mut Page,
) {
    page.open(
        "div",
        &[("class", &"scroll"), ("tabindex", &0), ("role", &"region"), ("aria-label", &label)],
    );
    page.ours("<table class=\"sortable\"><thead><tr><th scope=\"col\">ms</th>");
    for head in
        ["n", "min", "mean", "max", "stddev", "p50", "95 % interval", "p95", "p99", "of wall"]
    {
        page.element("th", &[("scope", &"col"), ("class", &"n")], head);
    }
    page.ours("</tr></thead><tbody>");
    for (name, summary, share) in rows {
        page.ours("<tr>");
        page.element("th", &[("scope", &"row")], name);
        let high = |percentile: Option<Percentile>| captions::ms(percentile.map(|p| p.value));
        let share = share.map_or(String::new(), |share| format!("{:.1} %", share.of_wall * 100.0));
        for cell in [
            summary.n.to_string(),
            summary.min.to_string(),
            captions::real(Some(summary.mean_ms)),
            summary.max.to_string(),
            captions::real(summary.stddev_ms),
            summary.p50.value.to_string(),
            captions::interval(summary.p50),
            high(summary.p95),
            high(summary.p99),
            share,
        ] {
            page.element("td", &[("class", &"n")], cell);
        }
        page.ours("</tr>");
    }
    page.ours("</tbody></table></div>");
}
