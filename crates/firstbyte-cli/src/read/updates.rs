//! `firstbyte updates`: how long weight updates took, and who waited for whom.

mod block;
mod json;

use std::{
    cmp::Reverse,
    fmt::{self, Write as _},
};

use firstbyte_analysis::{
    Log,
    measure::Summary,
    updates::{Ledger, State, Update},
};
use firstbyte_core::Micros;

use super::{Inputs, preface};
use crate::{
    bars::plain,
    exit::{self, Error, Exit},
};

const EXAMPLES: &str = "Examples:
  firstbyte updates orchestrator.log trainer.log
  firstbyte updates --last 1 orchestrator.log
  firstbyte updates --slowest 3 'logs/*.log'
  firstbyte updates run.log --json | jq '.updates[] | select(.state == \"not resumed\")'

Calls are one update if they have a trace id in common (firstbyte.trace()), or else a step, or else follow each other
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
    let ledger = Ledger::of(&log);
    let mut chosen: Vec<(usize, &Update<'_>)> = (1..).zip(&ledger.updates).collect();
    if let Some(count) = args.last {
        chosen.drain(..chosen.len().saturating_sub(count));
    }
    if let Some(count) = args.slowest {
        chosen.sort_by_key(|(_, update)| Reverse(update.at_least()));
        chosen.truncate(count);
    }
    if args.json {
        exit::print(format!("{:#}\n", json::of(&ledger, &chosen)))?;
    } else {
        exit::print(render(&log, &ledger, &chosen))?;
    }
    Ok(Exit::Ok)
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
    let left_out = &ledger.left_out;
    for (count, why) in [
        (left_out.server_only, "have only a server's half: give the orchestrator's log as well"),
        (left_out.without_moment, "have no client.send, so that their moment is unknown"),
        (left_out.mixed_clocks, "are of a file with two boots: split it where the second begins"),
        (left_out.stray, "have no pause, start or load in front of them"),
    ] {
        if count > 0 {
            writeln!(out, "NOTICE: calls that are in no update: {count}, which {why}.")?;
        }
    }
    Ok(())
}

fn write_not_resumed(ledger: &Ledger<'_>, out: &mut String) -> fmt::Result {
    let numbered = (1..).zip(&ledger.updates);
    let parts = numbered.flat_map(|(n, update)| update.servers.iter().map(move |s| (n, s)));
    let paused: Vec<_> = parts.filter(|(_, server)| server.state() == State::NotResumed).collect();
    for (number, server) in paused.iter().take(WHOLE) {
        let n: usize = *number;
        writeln!(
            out,
            "WARNING: {} was paused by update {n} and no resume is known to have worked: it may still be paused, \
             unless the log ends before.",
            plain(&server.target)
        )?;
    }
    let more = paused.len().saturating_sub(WHOLE);
    if more > 0 {
        writeln!(out, "WARNING: and {more} more; --json has all of them.")?;
    }
    Ok(())
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
            "{number:>6}{step:>8}{at:>15}{:>8}{:>12}{:>12}{:>12}  {straggler:<32}{}",
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
    let states = [State::Complete, State::Failed, State::ResumedLater, State::NotResumed];
    let count = |state| ledger.updates.iter().filter(|update| update.state() == state).count();
    let told: Vec<_> = states
        .into_iter()
        .map(|state| (count(state), state))
        .filter(|(count, _)| *count > 0)
        .map(|(count, state)| format!("{count} {}", state.as_str()))
        .collect();
    let n = ledger.updates.len();
    let word = if n == 1 { "update" } else { "updates" };
    writeln!(out, "\n{n} {word}: {}\n", told.join(", "))?;
    super::stats::write_head("milliseconds", out)?;
    for (name, summary) in summaries(ledger) {
        super::stats::write_row(name, &summary, None, out)?;
    }
    Ok(())
}

/// What is told of all updates together, whichever are printed.
fn summaries(ledger: &Ledger<'_>) -> Vec<(&'static str, Summary)> {
    let servers = || ledger.updates.iter().flat_map(|update| &update.servers);
    let several = || ledger.updates.iter().filter(|update| update.servers.len() > 1);
    let rows: [(&str, Vec<Micros>); 4] = [
        ("duration", ledger.updates.iter().filter_map(Update::duration).collect()),
        ("server paused", servers().filter_map(|server| server.paused()?.exact()).collect()),
        ("straggler", several().filter_map(|update| Some(update.straggler()?.behind)).collect()),
        ("barrier cost", several().filter_map(|update| Some(update.barrier()?.cost)).collect()),
    ];
    rows.into_iter().filter_map(|(name, times)| Some((name, Summary::of(times)?))).collect()
}
