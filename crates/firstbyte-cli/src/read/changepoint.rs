//! `firstbyte changepoint`: from which step on steps take another time.

use std::fmt::{self, Write as _};

use firstbyte_analysis::{
    Log,
    correlate::Run,
    diagnose::{ChangePoint, FEWEST_FOR_A_CHANGE, change_points, neighbours},
    json as to,
};
use serde_json::{Value, json};

use super::{Inputs, end, preface};
use crate::{
    bars::plain,
    exit::{self, Error, Exit},
};

const EXAMPLES: &str = "Examples:
  firstbyte changepoint trainer.log
  firstbyte changepoint trainer.log --json

Reads '[step] step.done step= dur_ms=' lines. E-divisive with 999 permutations, p <= 0.05, at least two steps on either \
side and eight in all; of more than 5,000 steps, means of neighbours, and each step for the place. A run whose numbers \
begin anew is looked at by itself.";

/// Finds the training steps from which on step times are others
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub(crate) struct Args {
    #[command(flatten)]
    inputs: Inputs,
    /// Print one JSON object; durations in milliseconds
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Error> {
    let log = args.inputs.read()?;
    let (runs, short): (Vec<_>, Vec<_>) =
        log.runs().into_iter().map(Series::of).partition(|series| series.is_long_enough());
    if args.json {
        let all = runs.iter().chain(&short);
        let runs = all.map(|series| series.to_json(log)).collect::<Vec<_>>();
        exit::print(to::pretty(&json!({"lines": to::lines(log), "runs": runs})))?;
        return end(Exit::Ok, &[log]);
    }
    let mut out = preface(log);
    // Writing to a string cannot fail.
    _ = write_runs(log, &runs, &short, &mut out);
    exit::print(out)?;
    end(Exit::Ok, &[log])
}

/// A run, and where its steps change.
struct Series {
    run: Run,
    /// By step.
    millis: Vec<f64>,
    changes: Vec<ChangePoint>,
}

/// Neighbouring steps.
struct Stretch {
    first: i64,
    last: i64,
    n: usize,
    mean_ms: f64,
}

impl Series {
    fn of(run: Run) -> Self {
        let millis: Vec<f64> = run.steps.iter().map(|(_, time)| time.as_millis_f64()).collect();
        let changes = change_points(&millis);
        Self { run, millis, changes }
    }

    fn n(&self) -> usize {
        self.millis.len()
    }

    fn is_long_enough(&self) -> bool {
        self.n() >= FEWEST_FOR_A_CHANGE
    }

    fn stretch(&self, from: usize, to: usize) -> Stretch {
        let n = to - from;
        Stretch {
            first: self.run.steps[from].0,
            last: self.run.steps[to - 1].0,
            n,
            mean_ms: self.millis[from..to].iter().sum::<f64>() / n as f64,
        }
    }

    /// Of each change the stretches before and after it.
    fn stretches(&self) -> impl Iterator<Item = (Stretch, Stretch, f64)> {
        self.changes.iter().map(|change| {
            let ChangePoint { from, at, to, p, .. } = *change;
            (self.stretch(from, at), self.stretch(at, to), p)
        })
    }

    fn to_json(&self, log: &Log) -> Value {
        let side = |side: &Stretch| json!({"first": side.first, "last": side.last, "n": side.n, "mean": side.mean_ms});
        let changes = self.stretches().map(|(before, after, p)| {
            json!({"step": after.first, "before": side(&before), "after": side(&after), "p": p})
        });
        let whole = self.stretch(0, self.n());
        json!({
            "file": log.sources()[self.run.source as usize].name, "first": whole.first, "last": whole.last, "n": whole.n,
            "is_long_enough": self.is_long_enough(), "averaged": neighbours(self.n()),
            "changes": changes.collect::<Vec<_>>(),
        })
    }
}

fn write_runs(log: &Log, runs: &[Series], short: &[Series], out: &mut String) -> fmt::Result {
    for series in runs {
        if runs.len() + short.len() > 1 {
            let whole = series.stretch(0, series.n());
            let file = plain(&log.sources()[series.run.source as usize].name);
            write!(out, "\nrun of {file}, steps {} to {}:", whole.first, whole.last)?;
        }
        write_run(series, out)?;
    }
    match short {
        [] if !runs.is_empty() => Ok(()),
        [] => not_enough(0, out),
        [only] if runs.is_empty() => not_enough(only.n(), out),
        _ => writeln!(
            out,
            "\nruns of less than the {FEWEST_FOR_A_CHANGE} steps that a change takes to be told from chance: {}",
            short.len()
        ),
    }
}

fn not_enough(steps: usize, out: &mut String) -> fmt::Result {
    writeln!(
        out,
        "\nnot enough steps: {steps} of the {FEWEST_FOR_A_CHANGE} that a change takes to be told from chance"
    )
}

fn write_run(series: &Series, out: &mut String) -> fmt::Result {
    let n = series.n();
    if series.changes.is_empty() {
        writeln!(out, "\nno change in {n} steps")?;
    } else {
        writeln!(out)?;
    }
    for (before, after, p) in series.stretches() {
        let side = |side: &Stretch| {
            format!(
                "mean {:.1} s (steps {} to {}, n {})",
                side.mean_ms / 1e3,
                side.first,
                side.last,
                side.n
            )
        };
        writeln!(
            out,
            "from step {} on: {} instead of {}, p {p:.3}",
            after.first,
            side(&after),
            side(&before)
        )?;
    }
    match neighbours(n) {
        1 => Ok(()),
        neighbours => writeln!(
            out,
            "{n} steps are many: means of {neighbours} neighbours were looked at, and each step for the place of a change \
             and close to either end"
        ),
    }
}
