//! What is wrong, with its numbers, its evidence, its rivals and what to measure next.

use super::{page::Page, summary::class};
use crate::{
    diagnose::Finding,
    report::{Report, captions},
};

pub(super) fn write(report: &Report, page: &mut Page) {
    if report.findings.list.is_empty() {
        return;
    }
    page.ours("<section id=\"findings\"><h2>Findings</h2>");
    page.ours("<ol class=\"findings\">");
    for finding in &report.findings.list {
        write_finding(finding, page);
    }
    page.ours("</ol>");
    page.note(captions::left_out(report.findings.left_out, "findings"));
    page.ours("</section>");
}

fn write_finding(finding: &Finding, page: &mut Page) {
    let rule = &finding.rule;
    page.open("li", &[("class", &class(Some(finding.severity)))]);
    page.ours("<h3>");
    page.element("span", &[("class", &"severity")], finding.severity.as_str());
    page.text(&rule.title);
    page.ours("</h3>");
    for number in &finding.numbers {
        page.element("p", &[], number);
    }
    if !finding.evidence.is_empty() {
        page.ours("<ul class=\"evidence\">");
        for evidence in &finding.evidence {
            page.element("li", &[], evidence);
        }
        page.ours("</ul>");
    }
    page.ours("<dl class=\"about\">");
    about("Confidence", finding.confidence.to_string(), page);
    if !finding.rivals.is_empty() {
        about("Not excluded", finding.rivals.join("; "), page);
    }
    about("Measure next", rule.next.clone(), page);
    about("Runbook", format!("firstbyte runbook {}", rule.id), page);
    page.ours("</dl>");
    page.close("li");
}

fn about(name: &str, text: String, page: &mut Page) {
    page.element("dt", &[], name);
    page.element("dd", &[], text);
}
