//! `firstbyte diagnose`: what is wrong, how sure that is, and what to measure next.

use std::{
    fmt::{self, Write as _},
    fs,
    path::PathBuf,
};

use firstbyte_analysis::diagnose::{Finding, Rules, diagnose};
use serde_json::{Value, json};

use super::{Inputs, preface};
use crate::{
    bars::plain,
    exit::{self, Error, Exit},
};

const EXAMPLES: &str = "Examples:
  firstbyte diagnose orchestrator.log server.log
  firstbyte diagnose --model small 'logs/*.log'
  firstbyte diagnose --rules ours.toml run.log --json

Give it the logs of both sides if you can: with wall and rpc alone it can only name what could be the cause. Rules and
thresholds are in TOML; --rules adds yours. docs/runbook.md has a section for each finding.";

/// Names what slow calls wait for, with evidence, rival causes and the next measurement
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub(crate) struct Args {
    #[command(flatten)]
    inputs: Inputs,
    /// Size of the model, which decides from when on a call is slow
    #[arg(long, value_name = "SIZE", default_value = "medium")]
    model: String,
    /// TOML file whose rules and thresholds are added to the built-in ones, or replace them
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Error> {
    let mut rules = Rules::default();
    if let Some(path) = &args.rules {
        let named = |error: &dyn fmt::Display| Error::usage(format!("{}: {error}", path.display()));
        let text = fs::read_to_string(path).map_err(|error| named(&error))?;
        rules = rules.extended(&text).map_err(|error| named(&error))?;
    }
    let thresholds = rules.thresholds(&args.model).ok_or_else(|| {
        let sizes: Vec<_> = rules.sizes().collect();
        Error::usage(format!("--model {}: not one of {}", args.model, sizes.join(", ")))
    })?;
    let log = args.inputs.read()?;
    let findings = diagnose(&log, &rules, thresholds);
    if args.json {
        let findings: Vec<_> = findings.iter().map(to_json).collect();
        exit::print(format!("{:#}\n", json!({ "findings": findings })))?;
    } else {
        exit::print(preface(&log) + &render(&findings, log.calls().count()))?;
    }
    Ok(Exit::Ok)
}

fn render(findings: &[Finding], calls: usize) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    _ = write_all(findings, calls, &mut out);
    out
}

fn write_all(findings: &[Finding], calls: usize, out: &mut String) -> fmt::Result {
    if findings.is_empty() {
        return writeln!(out, "\nno finding in {calls} calls: none is over its threshold");
    }
    for (n, finding) in (1..).zip(findings) {
        let rule = &finding.rule;
        let severity = finding.severity.as_str().to_uppercase();
        writeln!(out, "\n{n}. {severity} {}: {}", plain(&rule.id), plain(&rule.title))?;
        for number in &finding.numbers {
            writeln!(out, "   {}", plain(number))?;
        }
        for evidence in &finding.evidence {
            writeln!(out, "   - {}", plain(evidence))?;
        }
        writeln!(out, "   confidence: {}", finding.confidence)?;
        if !rule.rivals.is_empty() {
            writeln!(out, "   not excluded: {}", plain(&rule.rivals.join("; ")))?;
        }
        writeln!(out, "   next: {}", plain(&rule.next))?;
    }
    writeln!(out, "\ndocs/runbook.md has a section for each.")
}

/// A finding as a JSON object.
#[must_use]
pub fn to_json(finding: &Finding) -> Value {
    json!({
        "id": finding.rule.id, "title": finding.rule.title, "severity": finding.severity.as_str(),
        "confidence": finding.confidence.to_string(), "numbers": finding.numbers, "evidence": finding.evidence,
        "rivals": finding.rule.rivals, "next": finding.rule.next,
    })
}
