//! The `firstbyte` command, for whatever starts it: the program of this crate, or the Python package.
//!
//! One module per subcommand; everything that measures is in the libraries.
#![forbid(unsafe_code)]

mod bars;
mod call;
mod demo;
mod exit;
mod mock;
mod progress;
mod read;
mod runbook;
mod runtime;
mod signal;

use std::ffi::OsString;

use clap::{Parser, Subcommand};

/// Where did each millisecond of a control-plane call go?
#[derive(Debug, Parser)]
#[command(name = "firstbyte", version, propagate_version = true, after_help = exit::HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Mock(mock::Args),
    Call(call::Args),
    Stats(read::stats::Args),
    Slowest(read::slowest::Args),
    Trace(read::trace::Args),
    Diagnose(read::diagnose::Args),
    Compare(read::compare::Args),
    Check(read::check::Args),
    Changepoint(read::changepoint::Args),
    Updates(read::updates::Args),
    Watch(read::watch::Args),
    Report(read::report::Args),
    Export(read::export::Args),
    Claims(read::claims::Args),
    Runbook(runbook::Args),
}

/// Runs a command to its end, on this process's standard streams, and returns its exit code.
///
/// `program` are the words that start this command once more (a path, or an interpreter and its
/// arguments), `arguments` the words that follow them. Ctrl-C and SIGTERM are handled here while it runs.
#[must_use]
pub fn run(program: Vec<OsString>, arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let words = std::iter::once("firstbyte".into()).chain(arguments);
    let command = match Cli::try_parse_from(words) {
        Ok(cli) => cli.command,
        Err(error) => {
            // Help and version are errors of this kind too. There is no one left to tell if it fails.
            _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
    };
    exit::report(match command {
        Command::Demo(args) => demo::run(args, program),
        Command::Mock(args) => mock::run(&args),
        Command::Call(args) => call::run(&args),
        Command::Stats(args) => read::stats::run(&args),
        Command::Slowest(args) => read::slowest::run(&args),
        Command::Trace(args) => read::trace::run(&args),
        Command::Diagnose(args) => read::diagnose::run(&args),
        Command::Compare(args) => read::compare::run(&args),
        Command::Check(args) => read::check::run(&args),
        Command::Changepoint(args) => read::changepoint::run(&args),
        Command::Updates(args) => read::updates::run(&args),
        Command::Watch(args) => read::watch::run(&args),
        Command::Report(args) => read::report::run(&args),
        Command::Export(args) => read::export::run(&args),
        Command::Claims(args) => read::claims::run(&args),
        Command::Runbook(args) => runbook::run(&args),
    })
}
