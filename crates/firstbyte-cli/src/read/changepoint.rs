//! `firstbyte changepoint`: from which step on steps take another time.

use std::fmt::{self, Write as _};

use firstbyte_analysis::{
    Log,
    diagnose::{FEWEST_FOR_A_CHANGE, change_points},
};

use super::{Inputs, preface};
use crate::exit::{self, Error, Exit};

const EXAMPLES: &str = "Examples:
  firstbyte changepoint trainer.log

Reads '[step] step.done step= dur_ms=' lines. E-divisive with 999 permutations, p <= 0.05, at least two steps on either
side and eight in all; of more than 500 steps, means of neighbours.";

/// Finds the training steps from which on step times are others
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub(crate) struct Args {
    #[command(flatten)]
    inputs: Inputs,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Error> {
    let log = args.inputs.read()?;
    let mut out = preface(log);
    // Writing to a string cannot fail.
    _ = write_changes(log, &mut out);
    exit::print(out)?;
    Ok(Exit::Ok)
}

fn write_changes(log: &Log, out: &mut String) -> fmt::Result {
    let steps = log.timeline().steps();
    let seconds: Vec<f64> = steps.iter().map(|(_, time)| time.as_millis_f64() / 1e3).collect();
    let changes = change_points(&seconds);
    if steps.len() < FEWEST_FOR_A_CHANGE {
        return writeln!(
            out,
            "\nnot enough steps: {} of the {FEWEST_FOR_A_CHANGE} that a change takes to be told from chance",
            steps.len()
        );
    }
    if changes.is_empty() {
        return writeln!(out, "\nno change in {} steps", steps.len());
    }
    let mean = |from: usize, to: usize| seconds[from..to].iter().sum::<f64>() / (to - from) as f64;
    writeln!(out)?;
    for change in changes {
        writeln!(
            out,
            "from step {} on: mean {:.1} s (n {}) instead of {:.1} s (n {}), p {:.3}",
            steps[change.at].0,
            mean(change.at, change.to),
            change.to - change.at,
            mean(change.from, change.at),
            change.at - change.from,
            change.p
        )?;
    }
    Ok(())
}
