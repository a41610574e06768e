//! `firstbyte updates`: how long weight updates took, and who waited for whom.

mod block;
mod json;

use std::{
    cmp::Reverse,
    fmt::{self, Write as _},
};

use firstbyte_analysis::{
    Log, counted, json as to,
    updates::{Ledger, Update},
};

use super::{Inputs, end, preface};
use crate::{
    bars::plain,
    exit::{self, Error, Exit},
};

const EXAMPLES: &str = "Examples:
  firstbyte updates orchestrator.log trainer.log
  firstbyte updates --last 1 orchestrator.log
  firstbyte updates --slowest 3 'logs/*.log'
  firstbyte updates run.log --json | jq '.updates[] | select(.state == \"not resumed\")'

Calls are one update if they have a trace id in common (firstbyte.trace()), or else a step, or else follow each other \
between a pause and its resume; servers overlap in time. Up to five updates are printed whole, more as a table.";

/// So many updates are printed whole.
const WHOLE: usize = 5;

/// Lists weight updates: duration, time paused, straggler, barrier cost and critical path
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub(crate) struct Args {
    #[command(flatten)]
    inputs: Inputs,
    /// Only so many updates: the last ones
    #[arg(long, value_name = "COUNT", conflicts_with = "slowest")]
    last: Option<usize>,
    /// Only so many updates: those that took longest, the longest first
    #[arg(long, value_name = "COUNT")]
    slowest: Option<usize>,
    /// Print one JSON object; durations in milliseconds
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Error> {
    let log = args.inputs.read()?;
    let ledger = Ledger::of(log);
    let mut chosen: Vec<(usize, &Update<'_>)> = (1..).zip(&ledger.updates).collect();
    if let Some(count) = args.last {
        chosen.drain(..chosen.len().saturating_sub(count));
    }
    if let Some(count) = args.slowest {
        chosen.sort_by_key(|(_, update)| Reverse(update.at_least()));
        chosen.truncate(count);
    }
    if args.json {
        let mut json = json::of(&ledger, &chosen);
        json["lines"] = to::lines(log);
        exit::print(to::pretty(&json))?;
    } else {
        exit::print(render(log, &ledger, &chosen))?;
    }
    end(Exit::Ok, &[log])
}

fn render(log: &Log, ledger: &Ledger<'_>, chosen: &[(usize, &Update<'_>)]) -> String {
    let mut out = preface(log);
    // Writing to a string cannot fail.
    _ = write_all(ledger, chosen, &mut out);
    out
}

fn write_all(
    ledger: &Ledger<'_>,
    chosen: &[(usize, &Update<'_>)],
    out: &mut String,
) -> fmt::Result {
    write_left_out(ledger, out)?;
    if ledger.updates.is_empty() {
        return writeln!(out, "\nno update: no pause, start or load with its client.send");
    }
    write_not_resumed(ledger, out)?;
    if chosen.len() <= WHOLE {
        for (number, update) in chosen {
            block::write(*number, update, out)?;
        }
    } else {
        write_table(chosen, out)?;
    }
    write_summary(ledger, out)
}

fn write_left_out(ledger: &Ledger<'_>, out: &mut String) -> fmt::Result {
    ledger.left_out.sentences().iter().try_for_each(|sentence| writeln!(out, "NOTICE: {sentence}"))
}

fn write_not_resumed(ledger: &Ledger<'_>, out: &mut String) -> fmt::Result {
    let mut warnings = ledger.warnings();
    for warning in warnings.by_ref().take(WHOLE) {
        writeln!(out, "WARNING: {}", plain(&warning))?;
    }
    match warnings.count() {
        0 => Ok(()),
        more => writeln!(out, "WARNING: and {more} more; --json has all of them."),
    }
}

fn write_table(chosen: &[(usize, &Update<'_>)], out: &mut String) -> fmt::Result {
    writeln!(
        out,
        "\n{:>6}{:>8}{:>15}{:>8}{:>12}{:>12}{:>12}  {:<32}state",
        "update", "step", "t s", "servers", "duration ms", "paused ms", "barrier ms", "straggler"
    )?;
    for (number, update) in chosen {
        let step = update.step.map_or("-".to_owned(), |step| step.to_string());
        let at = update.begin().map_or("-".to_owned(), block::seconds);
        let barrier = update.barrier().filter(|barrier| barrier.servers > 1);
        let paused = update.servers.iter().filter_map(|server| server.paused()?.exact()).max();
        let straggler = update.straggler().map_or("-".to_owned(), |straggler| {
            format!("{} +{}", plain(straggler.target), straggler.behind)
        });
        writeln!(
            out,
            "{number:>6} {step:>7} {at:>14} {:>7} {:>11} {:>11} {:>11}  {straggler:<31} {}",
            update.servers.len(),
            block::duration(update),
            block::or_dash(paused),
            block::or_dash(barrier.map(|barrier| barrier.cost)),
            block::state(update.state()),
        )?;
    }
    writeln!(
        out,
        "paused: the longest of its servers; barrier: server-milliseconds; >: at least, an end is not known"
    )
}

fn write_summary(ledger: &Ledger<'_>, out: &mut String) -> fmt::Result {
    let told: Vec<_> = ledger
        .states()
        .into_iter()
        .map(|(state, count)| format!("{count} {}", state.as_str()))
        .collect();
    let n = ledger.updates.len();
    writeln!(out, "\n{}: {}\n", counted(n, "update"), told.join(", "))?;
    super::stats::write_head("milliseconds", out)?;
    for (name, summary) in ledger.summaries() {
        super::stats::write_row(name, &summary, None, out)?;
    }
    Ok(())
}
