//! `firstbyte check`: do the logs meet the criteria?

use std::{
    fmt::{self, Write as _},
    fs,
    path::PathBuf,
};

use firstbyte_analysis::{
    Log,
    check::{Criteria, Outcome, Verdict},
    json as to,
};
use serde_json::{Value, json};

use super::{Inputs, end, preface};
use crate::{
    bars::{Style, plain},
    exit::{self, Error, Exit},
};

const EXAMPLES: &str = "Examples:
  firstbyte check examples/criteria.toml orchestrator.log server.log
  firstbyte check ours.toml 'after/*.log' --baseline 'before/*.log'
  firstbyte check ours.toml run.log --json > check.json || echo \"not all met: exit code $?\"

A criterion is a limit of a number (queue p95, failed_share, ...), that a time did not get worse \
since --baseline, or that a fix of a queue shortened it and cost nothing. What the lines do not \
tell is no pass: 'cannot tell'.";

/// Tests logs against criteria in TOML: for CI, and to validate a fix
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub(crate) struct Args {
    /// TOML file of criteria; docs/reader.md has the keys, examples/criteria.toml is one to start from
    criteria: PathBuf,
    #[command(flatten)]
    inputs: Inputs,
    /// Logs from before, for criteria that compare
    #[arg(long, value_name = "LOG", num_args = 1..)]
    baseline: Vec<PathBuf>,
    /// Print one JSON object; durations in milliseconds
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Error> {
    let criteria = read(args)?;
    let log = args.inputs.read()?;
    let before = match args.baseline.as_slice() {
        [] => None,
        logs => Some(Log::read(logs, &args.inputs.options()).map_err(Error::new)?),
    };
    let outcomes = criteria.check(log, before.as_ref());
    let verdict = Verdict::of_all(outcomes.iter().map(Outcome::verdict));
    if args.json {
        let json = to_json(&outcomes, verdict, log, before.as_ref());
        exit::print(to::pretty(&json))?;
    } else {
        let (colour, mut out) = (Style::of_stdout().colour, String::new());
        if let Some(before) = &before {
            out = format!("before: {}after: ", preface(before));
        }
        out.push_str(&preface(log));
        // Writing to a string cannot fail.
        _ = write(&outcomes, colour, &mut out);
        exit::print(out)?;
    }
    let exit = match verdict {
        Verdict::Met => Exit::Ok,
        Verdict::NotMet => Exit::No,
        _ => Exit::CannotTell,
    };
    let logs: Vec<&Log> = before.iter().chain([log]).collect();
    end(exit, &logs)
}

fn read(args: &Args) -> Result<Criteria, Error> {
    let path = args.criteria.display();
    let named = |error: &dyn fmt::Display| Error::usage(format!("{path}: {error}"));
    let text = fs::read_to_string(&args.criteria).map_err(|error| named(&error))?;
    let criteria = Criteria::parse(&text).map_err(|error| named(&error))?;
    let compares = criteria.entries().iter().find(|criterion| criterion.needs_before());
    match compares.filter(|_| args.baseline.is_empty()) {
        None => Ok(criteria),
        Some(criterion) => Err(named(&format!(
            "line {}: criterion {:?} compares; give the logs from before by --baseline",
            criterion.line, criterion.name
        ))),
    }
}

fn write(outcomes: &[Outcome<'_>], colour: bool, out: &mut String) -> fmt::Result {
    writeln!(out)?;
    for outcome in outcomes {
        let (word, code) = word(outcome.verdict());
        let name = plain(&outcome.criterion.name);
        match colour {
            true => writeln!(out, "\x1b[{code}m{word:<11}\x1b[0m  {name}")?,
            false => writeln!(out, "{word:<11}  {name}")?,
        }
        for evidence in &outcome.evidence {
            // Of several it has to be seen which one decided.
            let own = match outcome.evidence.len() {
                1 => String::new(),
                _ => format!("{}: ", evidence.verdict().as_str()),
            };
            writeln!(out, "{:13}{own}{}", "", plain(&evidence.to_string()))?;
        }
        for call in &outcome.worst {
            writeln!(out, "{:13}- {} {}", "", plain(&call.id), plain(&call.what))?;
        }
    }
    let count = |verdict| outcomes.iter().filter(|outcome| outcome.verdict() == verdict).count();
    writeln!(
        out,
        "\ncriteria: {}; met {}, not met {}, cannot tell {}",
        outcomes.len(),
        count(Verdict::Met),
        count(Verdict::NotMet),
        count(Verdict::CannotTell)
    )
}

/// A verdict as it stands out, and its colour.
const fn word(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Met => ("met", "32"),
        Verdict::NotMet => ("NOT MET", "31"),
        _ => ("cannot tell", "33"),
    }
}

fn to_json(outcomes: &[Outcome<'_>], verdict: Verdict, log: &Log, before: Option<&Log>) -> Value {
    let one = |outcome: &Outcome<'_>| {
        let worst = outcome.worst.iter();
        json!({
            "name": outcome.criterion.name, "line": outcome.criterion.line,
            "verdict": outcome.verdict().as_str(),
            "evidence": outcome.evidence.iter().map(to::evidence).collect::<Vec<_>>(),
            "worst": worst.map(|call| json!({"id": call.id, "what": call.what})).collect::<Vec<_>>(),
        })
    };
    json!({
        "verdict": verdict.as_str(), "lines": to::lines(log), "lines_before": before.map(to::lines),
        "criteria": outcomes.iter().map(one).collect::<Vec<_>>(),
    })
}
