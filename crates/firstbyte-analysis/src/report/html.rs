//! The report as one HTML file: no network, no script needed, charts as SVG.

mod arms;
mod axis;
mod clocks;
mod distribution;
mod findings;
mod page;
mod plot;
mod slowest;
mod summary;
mod tables;
mod updates;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

use self::page::Page;
use super::Report;

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");

/// The report as one HTML file.
///
/// It asks for nothing from anywhere, and its policy allows no style and no script but the two in it, by their hashes.
/// Without scripts it says the same; with them its tables can be sorted and arms be hidden.
#[must_use]
pub fn html(report: &Report) -> String {
    let mut page = Page::default();
    page.ours("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    page.open("meta", &[("http-equiv", &"Content-Security-Policy"), ("content", &policy())]);
    page.ours("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    page.ours("<meta name=\"color-scheme\" content=\"light dark\">");
    page.element("title", &[], &report.title);
    page.file("style", STYLE);
    page.ours("</head>\n<body>");
    page.ours(PATTERNS);
    summary::write(report, &mut page);
    page.ours("<main>");
    arms::write(report, &mut page);
    clocks::write(report, &mut page);
    updates::write(report, &mut page);
    findings::write(report, &mut page);
    slowest::write(report, &mut page);
    distribution::write(report, &mut page);
    tables::write(report, &mut page);
    page.ours("</main>\n<footer><p>firstbyte ");
    page.text(env!("CARGO_PKG_VERSION"));
    page.ours(": where did each millisecond of a control-plane call go? Definitions: docs/reader.md; what to do about a finding: firstbyte runbook.</p></footer>");
    page.file("script", SCRIPT);
    page.ours("</body></html>\n");
    page.finish()
}

/// Nothing may be loaded, and only what has these hashes may be applied or run.
fn policy() -> String {
    let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// How residuals are filled: hatched, each in its own way.
const PATTERNS: &str = "<svg class=\"patterns\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>\
    <pattern id=\"rising\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><rect class=\"ground\" width=\"6\" height=\"6\"/><path class=\"hatch\" d=\"M-1 1L1 -1M0 6L6 0M5 7L7 5\"/></pattern>\
    <pattern id=\"falling\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><rect class=\"ground\" width=\"6\" height=\"6\"/><path class=\"hatch\" d=\"M-1 5L1 7M0 0L6 6M5 -1L7 1\"/></pattern>\
    <pattern id=\"crossed\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><rect class=\"ground\" width=\"6\" height=\"6\"/><path class=\"hatch\" d=\"M0 0L6 6M0 6L6 0\"/></pattern>\
    </defs></svg>";
