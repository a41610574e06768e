//! `firstbyte runbook`: what to do about a finding.

use crate::exit::{self, Error, Exit};

/// Of the crate, so that the wheel and the package have it too.
const RUNBOOK: &str = include_str!("../runbook.md");

const EXAMPLES: &str = "Examples:
  firstbyte runbook
  firstbyte runbook client-pool";

/// Prints what to do about a finding: what was seen, how to be sure, what to do
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub(crate) struct Args {
    /// The finding, as 'firstbyte diagnose' names it [default: all of them]
    id: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Error> {
    let Some(id) = &args.id else { return exit::print(RUNBOOK).map(|()| Exit::Ok) };
    let section = section(id).ok_or_else(|| {
        let ids: Vec<_> =
            sections().filter_map(|section| Some(section.split_once('\n')?.0)).collect();
        Error::usage(format!("{id}: no such finding; there are {}", ids.join(", ")))
    })?;
    exit::print(format!("## {}\n", section.trim_end())).map(|()| Exit::Ok)
}

/// The sections, each from its name on.
fn sections() -> impl Iterator<Item = &'static str> {
    RUNBOOK.split("\n## ").skip(1)
}

fn section(id: &str) -> Option<&'static str> {
    sections().find(|section| section.split_once('\n').is_some_and(|(name, _)| name == id))
}
