//! `firstbyte claims`: are the derived numbers of a document right?

use std::{
    fmt::{self, Write as _},
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use firstbyte_analysis::{
    claims::{Claims, Finding, Format, Severity},
    json as to,
};
use serde_json::{Value, json};

use crate::{
    bars::{Style, plain},
    exit::{self, Error, Exit},
};

const EXAMPLES: &str = "Examples:
  firstbyte claims REPORT.md
  firstbyte claims findings.md result.json || echo 'a number is wrong'
  firstbyte claims --json REPORT.md
  gh pr view --json body --jq .body | firstbyte claims -

Sums, shares, ratios, the order of statistics, queue = wall - rpc, times for a volume: what does not hold beyond half a \
unit of the last printed digit is wrong. Code blocks are skipped, and numbers whose meaning is not clear not checked.";

/// The most that a document may have; it takes up to 60 times that in memory.
const MOST_MIB: u64 = 8;
const RED: &str = "31";
const YELLOW: &str = "33";

/// Computes the derived numbers of Markdown or JSON documents anew, and says which are wrong
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub(crate) struct Args {
    /// Documents: JSON if the name ends with .json, else Markdown; - is the standard input, in either
    #[arg(required = true, value_name = "REPORT")]
    reports: Vec<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Error> {
    let mut all = Vec::with_capacity(args.reports.len());
    for path in &args.reports {
        all.push((path.display().to_string(), read(path)?));
    }
    if args.json {
        let all: Vec<_> = all.iter().map(|(name, claims)| to_json(name, claims)).collect();
        exit::print(to::pretty(&json!({ "reports": all })))?;
    } else {
        exit::print(render(&all, &Style::of_stdout()))?;
    }
    let is_wrong = all.iter().any(|(_, claims)| claims.is_wrong());
    Ok(if is_wrong { Exit::No } else { Exit::Ok })
}

fn read(path: &Path) -> Result<Claims, Error> {
    let named = |error: &dyn fmt::Display| Error::new(format!("{}: {error}", path.display()));
    let is_standard_input = path == Path::new("-");
    let mut bytes = Vec::new();
    let input: Box<dyn Read> = if is_standard_input {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(|error| named(&error))?)
    };
    input.take((MOST_MIB << 20) + 1).read_to_end(&mut bytes).map_err(|error| named(&error))?;
    if bytes.len() as u64 > MOST_MIB << 20 {
        return Err(named(&format!("more than {MOST_MIB} MiB; split it")));
    }
    let text = std::str::from_utf8(&bytes).map_err(|error| named(&error))?;
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    // It has no name to tell: what can be read as JSON is that.
    if is_standard_input
        && text.trim_start().starts_with(['{', '['])
        && let Ok(claims) = Claims::of(text, Format::Json)
    {
        return Ok(claims);
    }
    let format = if is_json { Format::Json } else { Format::Markdown };
    Claims::of(text, format).map_err(|error| named(&error))
}

fn render(all: &[(String, Claims)], style: &Style) -> String {
    let mut out = String::new();
    for (name, claims) in all {
        // Writing to a string cannot fail.
        _ = write_one(name, claims, style, &mut out);
    }
    out
}

fn write_one(name: &str, claims: &Claims, style: &Style, out: &mut String) -> fmt::Result {
    let name = plain(name);
    for finding in &claims.findings {
        let Finding { line, severity, check, message, formula, .. } = finding;
        let word = severity.as_str();
        let colour = if *severity == Severity::Wrong { RED } else { YELLOW };
        let word =
            if style.colour { format!("\x1b[{colour}m{word}\x1b[0m") } else { word.to_owned() };
        writeln!(out, "{name}:{line}: {word} ({check}): {}", plain(message))?;
        writeln!(out, "    {}", plain(formula))?;
    }
    let wrong = claims.findings.iter().filter(|finding| finding.severity == Severity::Wrong);
    let wrong = wrong.count();
    writeln!(
        out,
        "{name}: {} numbers = {} checked + {} not checked; {wrong} wrong, {} noted",
        claims.numbers,
        claims.checked,
        claims.numbers - claims.checked,
        claims.findings.len() - wrong
    )
}

fn to_json(name: &str, claims: &Claims) -> Value {
    let findings = claims.findings.iter().map(|finding| {
        json!({
            "line": finding.line, "severity": finding.severity.as_str(), "check": finding.check,
            "message": finding.message, "formula": finding.formula,
        })
    });
    json!({
        "report": name, "numbers": claims.numbers, "checked": claims.checked,
        "findings": findings.collect::<Vec<_>>(),
    })
}
