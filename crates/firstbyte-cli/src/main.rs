//! `firstbyte`: where did each millisecond of a control-plane call go?
//!
//! One module per subcommand; everything that measures is in the libraries.
#![forbid(unsafe_code)]

mod call;
mod demo;
mod exit;
mod mock;
mod progress;
mod signal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Where did each millisecond of a control-plane call go?
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, after_help = exit::HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Mock(mock::Args),
    Call(call::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Demo(args) => demo::run(args),
        Command::Mock(args) => mock::run(&args),
        Command::Call(args) => call::run(&args),
    };
    exit::report(result)
}
