//! `firstbyte diagnose`: what is wrong, how sure that is, and what to measure next.

use std::{
    fmt::{self, Write as _},
    fs,
    path::PathBuf,
};

use firstbyte_analysis::{
    diagnose::{Finding, Rules, Thresholds, diagnose},
    json as to,
};
use serde_json::json;

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
    #[command(flatten)]
    judging: Judging,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// From when on a call is slow, and what is looked for then.
#[derive(Debug, clap::Args)]
pub(crate) struct Judging {
    /// Size of the model, which decides from when on a call is slow
    #[arg(long, value_name = "SIZE", default_value = "medium")]
    model: String,
    /// TOML file whose rules and thresholds are added to the built-in ones, or replace them
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
}

impl Judging {
    pub(crate) fn rules(&self) -> Result<(Rules, Thresholds), Error> {
        let mut rules = Rules::default();
        if let Some(path) = &self.rules {
            let named =
                |error: &dyn fmt::Display| Error::usage(format!("{}: {error}", path.display()));
            let text = fs::read_to_string(path).map_err(|error| named(&error))?;
            rules = rules.extended(&text).map_err(|error| named(&error))?;
        }
        let thresholds = rules.thresholds(&self.model).ok_or_else(|| {
            let sizes: Vec<_> = rules.sizes().collect();
            Error::usage(format!("--model {}: not one of {}", self.model, sizes.join(", ")))
        })?;
        Ok((rules, thresholds))
    }
}

pub(crate) fn run(args: &Args) -> Result<Exit, Error> {
    let (rules, thresholds) = args.judging.rules()?;
    let log = args.inputs.read()?;
    let findings = diagnose(log, &rules, thresholds);
    if args.json {
        let findings: Vec<_> = findings.iter().map(to::finding).collect();
        exit::print(to::pretty(&json!({ "findings": findings })))?;
    } else {
        exit::print(preface(log) + &render(&findings, log.calls().count()))?;
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
        return match calls {
            0 => writeln!(
                out,
                "\nno calls, and no finding beside them: nothing can be said of calls"
            ),
            _ => writeln!(out, "\nno finding in {calls} calls: none is over its threshold"),
        };
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
