//! `firstbyte export`: the calls of logs, for other tools.

use std::{
    io::{self, IsTerminal as _, Write},
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use firstbyte_analysis::{
    Log, counted,
    export::{self, Exported},
};

use super::{Inputs, end, output, preface};
use crate::{
    bars::plain,
    exit::{self, Error, Exit},
    progress::Progress,
};

const EXAMPLES: &str = "Examples:
  firstbyte export orchestrator.log server.log --to csv -o calls.csv
  firstbyte export 'logs/*.log' --to jsonl -o - | jq 'select(.pool_us > 1000000)'
  firstbyte export 'logs/*.log' --to perfetto -o calls.json     # open it at ui.perfetto.dev
  firstbyte export 'logs/*.log' --to parquet -o calls.parquet
  firstbyte export trainer.log --to csv --table events -o steps.csv

docs/reader.md describes every column. FILE is written whole or not at all.";

/// Writes the calls of logs for other tools
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub(crate) struct Args {
    #[command(flatten)]
    inputs: Inputs,
    /// Format of the file
    #[arg(long, value_enum)]
    to: Format,
    /// What there is a row for, in csv, jsonl and parquet
    #[arg(long, value_enum)]
    table: Option<Table>,
    /// File to write; - is the standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Comma-separated values with a head line
    Csv,
    /// A JSON object per line
    Jsonl,
    /// Apache Parquet, compressed by Snappy
    Parquet,
    /// A trace for ui.perfetto.dev and chrome://tracing
    Perfetto,
    /// Spans of OpenTelemetry as OTLP/JSON, a batch per line
    Otlp,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Table {
    /// Each call (the default)
    Calls,
    /// Each line beside the calls: checkpoints, batches, steps
    Events,
}

impl Format {
    const fn is_table(self) -> bool {
        matches!(self, Self::Csv | Self::Jsonl | Self::Parquet)
    }

    fn write(
        self,
        log: &Log,
        table: export::Table,
        out: &mut (dyn Write + Send),
    ) -> io::Result<Exported> {
        match self {
            Self::Csv => export::csv(log, table, out),
            Self::Jsonl => export::jsonl(log, table, out),
            Self::Parquet => export::parquet(log, table, out),
            Self::Perfetto => export::perfetto(log, out),
            Self::Otlp => export::otlp(log, out),
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<Exit, Error> {
    if args.table.is_some() && !args.to.is_table() {
        return Err(Error::usage("--table is for csv, jsonl and parquet"));
    }
    if args.to == Format::Parquet && args.output == Path::new("-") && io::stdout().is_terminal() {
        return Err(Error::usage("parquet is nothing for a terminal; name a file with -o FILE"));
    }
    let table = match args.table {
        None | Some(Table::Calls) => export::Table::Calls,
        Some(Table::Events) => export::Table::Events,
    };
    let progress = io::stderr().is_terminal().then(Progress::new);
    let say = |step: &str| progress.iter().for_each(|progress| progress.say(step.to_owned()));
    say("reading");
    let log = args.inputs.read();
    say("writing");
    let written = log.and_then(|log| Ok((write(log, args, table)?, log)));
    progress.iter().for_each(Progress::clear);
    let (exported, log) = written?;
    if let Some(exported) = exported {
        // There is no one left to tell if this fails.
        _ = io::stderr().write_all(summary(log, &exported, args).as_bytes());
    }
    end(Exit::Ok, &[log])
}

/// `None` if the reader went away.
fn write(log: &Log, args: &Args, table: export::Table) -> Result<Option<Exported>, Error> {
    let inputs: Vec<_> = log.sources().iter().map(|source| source.name.clone()).collect();
    output::write(&args.output, &inputs, |out| args.to.write(log, table, out))
}

/// On the standard error stream, as the other one may be the export's.
fn summary(log: &Log, exported: &Exported, args: &Args) -> String {
    let mut text = preface(log);
    for (why, count) in &exported.left_out {
        let why = why.as_str();
        text +=
            &format!("NOTICE: halves of calls, or events, that are left out: {count}; {why}.\n");
    }
    let beside = log.timeline().moments().len();
    if args.to.is_table() && args.table.is_none() && exported.written == 0 && beside > 0 {
        text += &format!(
            "NOTICE: there is no call in these lines; {} beside the calls: --table events.\n",
            counted(beside, "line")
        );
    }
    text + &format!("{}: {} written\n", plain(&output::name(&args.output)), exported.written)
}
