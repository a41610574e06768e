//! `firstbyte report`: everything that can be said of a run, as one file to show around.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use firstbyte_analysis::{
    measure::{Edge, GroupBy, Window},
    report::{Options, Report, html, json, markdown},
};

use super::{Inputs, diagnose::Judging, end, output};
use crate::{
    bars::plain,
    exit::{self, Error, Exit},
};

const EXAMPLES: &str = "Examples:
  firstbyte report orchestrator.log server.log -o report.html
  firstbyte report 'logs/*.log.gz' -o report.md --model large --by target
  firstbyte report run.log -o - --format json | jq .verdict.sentence

The HTML is one file without any address in it: it can be mailed, archived, opened from a disk, printed. An existing \
file is replaced at once or not at all. docs/reader.md says what each part shows.";

/// Writes a report of logs: verdict, phases, queue over time, percentiles, slowest calls, findings
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub(crate) struct Args {
    #[command(flatten)]
    inputs: Inputs,
    /// Where to write it: report.html, report.md or report.json; - is the standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Its format, if the name of the file does not say it
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// What calls are put together by [default: the first that tells them apart]
    #[arg(long, value_enum)]
    by: Option<By>,
    /// Its heading
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Only calls that were sent from then on: a time with its zone, such as 2026-11-28T10:00:00Z, or a second of the
    /// monotonic clock (t= in the lines)
    #[arg(long, value_name = "TIME")]
    since: Option<Edge>,
    /// Only calls that were sent before this
    #[arg(long, value_name = "TIME")]
    until: Option<Edge>,
    #[command(flatten)]
    judging: Judging,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    Op,
    Target,
    File,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Html,
    Md,
    Json,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Error> {
    let format = format(args)?;
    let (rules, thresholds) = args.judging.rules()?;
    let log = args.inputs.read()?;
    let mut options = Options::default();
    options.by = args.by.map(|by| match by {
        By::Op => GroupBy::Op,
        By::Target => GroupBy::Target,
        By::File => GroupBy::File,
    });
    options.window = Window::new(args.since, args.until);
    if let Some(title) = &args.title {
        options.title.clone_from(title);
    }
    let report = Report::of(log, &rules, thresholds, &options);
    let text = match format {
        Format::Html => html(&report),
        Format::Md => markdown(&report),
        Format::Json => json(&report),
    };
    if args.output == Path::new("-") {
        exit::print(text)?;
        return end(Exit::Ok, &[log]);
    }
    let inputs: Vec<_> = log.sources().iter().map(|source| source.name.clone()).collect();
    output::write(&args.output, &inputs, |out| out.write_all(text.as_bytes()))?;
    let path = plain(&args.output.display().to_string());
    exit::print(format!("{path}: {}\n", plain(&report.verdict.sentence())))?;
    end(Exit::Ok, &[log])
}

fn format(args: &Args) -> Result<Format, Error> {
    let extension = args.output.extension().and_then(|extension| extension.to_str());
    let by_name = extension.and_then(|extension| Format::from_str(extension, true).ok());
    args.format.or(by_name).ok_or_else(|| {
        Error::usage(format!(
            "-o {}: the name does not say the format; let it end with .html, .md or .json, or add --format",
            args.output.display()
        ))
    })
}
