//! The report as Markdown, in the dialect of GitHub.

mod calls;
mod updates;

use std::fmt::{self, Write as _};

use super::{Report, captions, visible};
use crate::{
    counted,
    diagnose::Finding,
    measure::{Percentile, Share, Summary},
};

/// The report as Markdown.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    _ = write_all(report, &mut out);
    out
}

fn write_all(report: &Report, out: &mut String) -> fmt::Result {
    writeln!(out, "# {}\n\n**{}**\n", escape(&report.title), escape(&report.verdict.sentence()))?;
    writeln!(out, "{} in {}\n", counted(report.calls, "call"), escape(&report.lines.to_string()))?;
    for file in &report.files.list {
        writeln!(out, "- {}", escape(file))?;
    }
    note(captions::left_out(report.files.left_out, "files"), out)?;
    writeln!(out)?;
    note(captions::window(report), out)?;
    for notice in &report.notices.list {
        writeln!(out, "> NOTICE: {}\n", escape(notice))?;
    }
    note(captions::left_out(report.notices.left_out, "notices"), out)?;
    write_arms(report, out)?;
    calls::write_clocks(report, out)?;
    updates::write(report, out)?;
    write_findings(report, out)?;
    calls::write_slowest(report, out)?;
    write_percentiles(report, out)?;
    if !report.timeline.is_empty() {
        writeln!(out, "## Beside the calls\n\n{}\n", captions::TIMELINE)?;
        write_head("", out)?;
        for (name, summary) in &report.timeline {
            write_row(name, summary, None, out)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn note(sentence: Option<String>, out: &mut String) -> fmt::Result {
    sentence.map_or(Ok(()), |sentence| writeln!(out, "{}\n", escape(&sentence)))
}

fn write_findings(report: &Report, out: &mut String) -> fmt::Result {
    if report.findings.list.is_empty() {
        return Ok(());
    }
    writeln!(out, "## Findings\n")?;
    for (n, finding) in (1..).zip(&report.findings.list) {
        write_finding(n, finding, out)?;
    }
    note(captions::left_out(report.findings.left_out, "findings"), out)
}

fn write_finding(n: usize, finding: &Finding, out: &mut String) -> fmt::Result {
    let (rule, severity) = (&finding.rule, finding.severity.as_str().to_uppercase());
    writeln!(out, "{n}. **{severity} {}**: {}", escape(&rule.id), escape(&rule.title))?;
    for sentence in finding.numbers.iter().chain(&finding.evidence) {
        writeln!(out, "   - {}", escape(sentence))?;
    }
    writeln!(out, "   - confidence: {}", finding.confidence)?;
    if !finding.rivals.is_empty() {
        writeln!(out, "   - not excluded: {}", escape(&finding.rivals.join("; ")))?;
    }
    writeln!(out, "   - next: {}\n", escape(&rule.next))
}

fn write_arms(report: &Report, out: &mut String) -> fmt::Result {
    let arms = &report.arms.list;
    writeln!(
        out,
        "## Where the time went, by {}\n\n{}\n",
        captions::arm(report.by),
        captions::PARTS
    )?;
    if arms.is_empty() {
        return writeln!(out, "There is no call.\n");
    }
    let parts = report.parts();
    write!(out, "| {} | n | wall", captions::arm(report.by))?;
    for part in &parts {
        let residual = if part.is_residual() { " (residual)" } else { "" };
        write!(out, " | {}{residual}", part.name)?;
    }
    writeln!(out, " |\n| :--- | ---: | ---:{} |", " | ---:".repeat(parts.len()))?;
    for arm in arms {
        let wall = captions::real(arm.wall_ms());
        write!(out, "| {} | {} | {wall}", escape(arm.name()), arm.n)?;
        for part in &parts {
            let found = arm.parts.iter().find(|other| other.name == part.name);
            write!(out, " | {}", captions::real(found.map(|part| part.mean_ms)))?;
        }
        writeln!(out, " |")?;
    }
    writeln!(out)?;
    note(captions::left_out(report.arms.left_out, "arms"), out)
}

fn write_percentiles(report: &Report, out: &mut String) -> fmt::Result {
    writeln!(out, "## Percentiles\n\n{}\n", captions::PERCENTILES)?;
    for arm in &report.arms.list {
        writeln!(out, "**{}**, {}\n", escape(arm.name()), arm.group.counts())?;
        if arm.group.rows.is_empty() {
            writeln!(out, "None of them tells a time.\n")?;
            continue;
        }
        write_head("of wall", out)?;
        for (metric, summary, share) in &arm.group.rows {
            write_row(metric.as_str(), summary, *share, out)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn write_head(last: &str, out: &mut String) -> fmt::Result {
    writeln!(
        out,
        "| ms | n | min | mean | max | stddev | p50 | 95 % interval | p95 | p99 | {last} |"
    )?;
    writeln!(out, "| :--- |{}", " ---: |".repeat(10))
}

fn write_row(name: &str, summary: &Summary, share: Option<Share>, out: &mut String) -> fmt::Result {
    let high = |percentile: Option<Percentile>| captions::ms(percentile.map(|p| p.value));
    writeln!(
        out,
        "| {name} | {} | {} | {:.1} | {} | {} | {} | {} | {} | {} | {} |",
        summary.n,
        summary.min,
        summary.mean_ms,
        summary.max,
        captions::real(summary.stddev_ms),
        summary.p50.value,
        escape(&captions::interval(summary.p50)),
        high(summary.p95),
        high(summary.p99),
        share.map_or(String::new(), |share| format!("{:.1} %", share.of_wall * 100.0)),
    )
}

/// A text in which nothing is Markdown, or HTML, or the end of a table's cell.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            // No entity, and no address that is made a link.
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' | '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' | '$' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out.replace("://", ":&#47;/").replace("www.", "www&#46;")
}
