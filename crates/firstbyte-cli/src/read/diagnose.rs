//! `firstbyte diagnose`: what is wrong, how sure that is, and what to measure next.

use std::{
    fmt::{self, Write as _},
    fs,
    path::PathBuf,
};

use firstbyte_analysis::{
    diagnose::{Diagnosis, Finding, Rules, Thresholds, diagnose},
    json as to, notices,
};
use serde_json::json;

use super::{Inputs, end, preface};
use crate::{
    bars::plain,
    exit::{self, Error, Exit},
};

const EXAMPLES: &str = "Examples:
  firstbyte diagnose orchestrator.log server.log
  firstbyte diagnose --model small 'logs/*.log'
  firstbyte diagnose --rules ours.toml run.log --json

Give it the logs of both sides if you can: with wall and rpc alone it can only name what could be the cause. Rules and \
thresholds are in TOML; --rules adds yours. 'firstbyte runbook ID' says what to do about a finding.";

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
    let found = diagnose(log, &rules, thresholds);
    let calls = log.calls().count();
    if args.json {
        exit::print(to::pretty(&json!({
            "lines": to::lines(log),
            "notices": notices(log),
            "calls": { "all": calls, "judged": found.judged.calls, "slow": found.judged.slow },
            "model": args.judging.model,
            "thresholds_ms": { "wall": thresholds.wall, "queue": thresholds.queue, "rpc": thresholds.rpc },
            "findings": found.findings.iter().map(to::finding).collect::<Vec<_>>(),
        })))?;
    } else {
        let model = &args.judging.model;
        exit::print(preface(log) + &render(&found, calls, model, thresholds))?;
    }
    end(Exit::Ok, &[log])
}

fn render(found: &Diagnosis, calls: usize, model: &str, limits: Thresholds) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    _ = write_judged(found, calls, model, limits, &mut out)
        .and_then(|()| write_all(&found.findings, &mut out));
    out
}

/// Of how many calls something can be said, and what they were held against.
fn write_judged(
    Diagnosis { judged, findings, .. }: &Diagnosis,
    calls: usize,
    model: &str,
    limits: Thresholds,
    out: &mut String,
) -> fmt::Result {
    let Thresholds { wall, queue, rpc, .. } = limits;
    writeln!(
        out,
        "calls: {calls}, judged {}, slow {}; by --model {}: queue over {queue} ms or rpc over {rpc} ms; without rpc, a wait over {} ms \
         or wall over {wall} ms",
        judged.calls,
        judged.slow,
        plain(model),
        limits.wait()
    )?;
    if !findings.is_empty() {
        return Ok(());
    }
    match (calls, judged.calls) {
        (0, _) => {
            writeln!(out, "\nno calls, and no finding beside them: nothing can be said of calls")
        }
        (_, 0) => {
            writeln!(out, "\nno call tells enough to be judged, and there is no other finding")
        }
        _ => writeln!(out, "\nno finding: no judged call is over its threshold"),
    }
}

fn write_all(findings: &[Finding], out: &mut String) -> fmt::Result {
    if findings.is_empty() {
        return Ok(());
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
        if !finding.rivals.is_empty() {
            writeln!(out, "   not excluded: {}", plain(&finding.rivals.join("; ")))?;
        }
        writeln!(out, "   next: {}", plain(&rule.next))?;
    }
    writeln!(out, "\n'firstbyte runbook ID' says what to do about each.")
}
