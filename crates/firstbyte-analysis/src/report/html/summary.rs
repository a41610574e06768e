//! The head of the page: what is at fault, of which lines, and what to know before any number is believed.

use super::page::Page;
use crate::{
    diagnose::Severity,
    ingest::Reason,
    report::{Report, captions},
};

/// The sections that a report has, by their ids.
fn sections(report: &Report) -> Vec<(&'static str, &'static str)> {
    [
        ("parts", "Where the time went", !report.arms.list.is_empty()),
        ("time", "Over time", !report.clocks.list.is_empty()),
        ("updates", "Weight updates", report.updates.is_some()),
        ("findings", "Findings", !report.findings.list.is_empty()),
        ("slowest", "Slowest calls", !report.slowest.is_empty()),
        ("distribution", "Distribution", !report.distributions.is_empty()),
        ("percentiles", "Percentiles", !report.arms.list.is_empty()),
        ("timeline", "Beside the calls", !report.timeline.is_empty()),
    ]
    .into_iter()
    .filter_map(|(id, name, is_there)| is_there.then_some((id, name)))
    .collect()
}

pub(super) fn write(report: &Report, page: &mut Page) {
    page.ours("<header>");
    page.element("h1", &[], &report.title);
    let verdict = &report.verdict;
    let class = if verdict.is_judged { class(verdict.severity) } else { "open" };
    page.open("p", &[("class", &format!("verdict {class}"))]);
    if let Some(severity) = verdict.severity {
        page.element("span", &[("class", &"severity")], severity.as_str());
    }
    page.element("strong", &[], format_args!("{}:", verdict.fault));
    page.text(format_args!(" {}.", verdict.grounds));
    page.close("p");
    lines(report, page);
    page.note(captions::window(report));
    for notice in &report.notices.list {
        page.element("p", &[("class", &"notice")], format_args!("Notice: {notice}"));
    }
    page.note(captions::left_out(report.notices.left_out, "notices"));
    page.ours("<nav aria-label=\"Sections\">");
    for (id, name) in sections(report) {
        page.element("a", &[("href", &format_args!("#{id}"))], name);
        page.text(" ");
    }
    page.ours("</nav></header>");
}

pub(super) const fn class(severity: Option<Severity>) -> &'static str {
    match severity {
        Some(severity) => severity.as_str(),
        None => "none",
    }
}

/// The balance of the lines, and the files.
fn lines(report: &Report, page: &mut Page) {
    let tally = &report.lines;
    page.ours("<dl class=\"facts\">");
    let fact = |page: &mut Page, name: &str, text: String| {
        page.open("div", &[]);
        page.element("dt", &[], name);
        page.element("dd", &[], text);
        page.close("div");
    };
    fact(page, "calls", report.calls.to_string());
    fact(page, "lines", tally.total().to_string());
    fact(page, "= parsed", tally.parsed.to_string());
    fact(page, "+ skipped", tally.skipped().to_string());
    for reason in Reason::ALL.into_iter().filter(|reason| tally.skipped_by(*reason) > 0) {
        fact(page, reason.as_str(), tally.skipped_by(reason).to_string());
    }
    if tally.unknown > 0 {
        fact(page, "parsed, of unknown records", tally.unknown.to_string());
    }
    page.ours("</dl><p class=\"note\">");
    page.text(if report.files.list.len() == 1 { "File: " } else { "Files: " });
    for (n, file) in report.files.list.iter().enumerate() {
        page.text(if n > 0 { ", " } else { "" });
        page.name(file);
    }
    page.ours("</p>");
    page.note(captions::left_out(report.files.left_out, "files"));
}
