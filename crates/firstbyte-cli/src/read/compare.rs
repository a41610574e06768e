//! `firstbyte compare`: did it get better, worse, or is there nothing to say yet?

use std::{
    fmt::{self, Write as _},
    path::PathBuf,
};

use firstbyte_analysis::{
    Log, Options,
    check::{Evidence, Verdict, fix_validation},
    compare::{Change, Comparison, Margin, compare},
    json as to,
    measure::{Metric, Percentile},
};
use serde_json::{Value, json};

use super::preface;
use crate::{
    bars::plain,
    exit::{self, Error, Exit},
};

const EXAMPLES: &str = "Examples:
  firstbyte compare before.log after.log
  firstbyte compare 'before/*.log' 'after/*.log' --margin-ms 20
  firstbyte compare monday.log today.log --margin-share 0.05 || echo 'it got worse'

'same' means that any change is within the margin: two one-sided tests at 5 %. Not to find a difference is not the
same; then it says how many more calls are needed. Compare the same work: the same model, streams and servers.";

/// Compares the calls of two logs: medians, shift with its interval, and a verdict for each time
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub(crate) struct Args {
    /// Log before the change, or a quoted pattern of several
    before: PathBuf,
    /// Log after it
    after: PathBuf,
    /// A change of so many milliseconds does not matter
    #[arg(long, value_name = "MS", default_value_t = Margin::default().ms)]
    margin_ms: f64,
    /// Nor does one of this share of the median before; the larger of both counts
    #[arg(long, value_name = "SHARE", default_value_t = Margin::default().share)]
    margin_share: f64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Error> {
    let mut margin = Margin::default();
    (margin.ms, margin.share) = (args.margin_ms, args.margin_share);
    if !(margin.ms >= 0.0 && margin.share >= 0.0 && margin.ms + margin.share > 0.0) {
        return Err(Error::usage(
            "--margin-ms and --margin-share must not be negative, nor both 0",
        ));
    }
    let read = |path: &PathBuf| {
        Log::read(std::slice::from_ref(path), &Options::default()).map_err(Error::new)
    };
    let (before, after) = (read(&args.before)?, read(&args.after)?);
    let all = compare(&before, &after, margin);
    let fix = fix_validation(&before, &after, margin);
    if args.json {
        let all: Vec<_> = all.iter().map(to_json).collect();
        let fix = fix.as_deref().map(fix_json);
        exit::print(to::pretty(&json!({ "metrics": all, "fix_validation": fix })))?;
    } else {
        exit::print(format!(
            "before: {}after: {}{}{}",
            preface(&before),
            preface(&after),
            render(&all),
            fix.as_deref().map_or(String::new(), fix_sentence)
        ))?;
    }
    let is_worse = |comparison: &Comparison| {
        matches!(comparison.metric, Metric::Wall | Metric::Queue | Metric::Rpc)
            && comparison.change == Change::Worse
    };
    Ok(if all.iter().any(is_worse) { Exit::No } else { Exit::Ok })
}

fn render(all: &[Comparison]) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    _ = write_table(all, &mut out);
    out
}

fn write_table(all: &[Comparison], out: &mut String) -> fmt::Result {
    if all.is_empty() {
        return writeln!(out, "\nthere is no time that both have calls of");
    }
    writeln!(
        out,
        "\n{:<14}{:>13}{:>30}{:>30}{:>10} {:<22}{:>7}{:>6}  verdict",
        "milliseconds", "n", "median before", "median after", "shift", "95 % interval", "p", "A"
    )?;
    for c in all {
        let n = format!("{} / {}", c.before.n, c.after.n);
        let interval =
            c.interval_ms.map_or("-".to_owned(), |(low, high)| format!("[{low:+.1}, {high:+.1}]"));
        writeln!(
            out,
            "{:<14}{n:>13}{:>30}{:>30}{:>+10.1} {interval:<22}{:>7.3}{:>6.2}  {}",
            c.metric.as_str(),
            median(c.before.p50),
            median(c.after.p50),
            c.shift_ms,
            c.p,
            c.effect,
            verdict(c),
        )?;
    }
    Ok(())
}

fn fix_verdict(fix: &[Evidence]) -> &'static str {
    Verdict::of_all(fix.iter().map(Evidence::verdict)).as_str()
}

/// Whether a queue that was long is short now, and nothing was paid for it.
fn fix_sentence(fix: &[Evidence]) -> String {
    let parts =
        fix.iter().map(|part| format!("{}: {}", part.verdict().as_str(), plain(&part.to_string())));
    format!(
        "\nfix validation: {}\n  {}\n",
        fix_verdict(fix),
        parts.collect::<Vec<_>>().join("\n  ")
    )
}

fn fix_json(fix: &[Evidence]) -> Value {
    json!({"verdict": fix_verdict(fix), "evidence": fix.iter().map(to::evidence).collect::<Vec<_>>()})
}

fn median(median: Percentile) -> String {
    let interval = median.interval.map_or(String::new(), |i| format!(" [{}, {}]", i.low, i.high));
    format!("{}{interval}", median.value)
}

fn verdict(comparison: &Comparison) -> String {
    match comparison.change {
        Change::Better => "better".to_owned(),
        Change::Worse => "WORSE".to_owned(),
        Change::Same => format!("same, within {:.1} ms", comparison.margin_ms),
        Change::Undecided { more } => format!("not enough calls: about {more} more on either side"),
        _ => "unknown".to_owned(),
    }
}

fn to_json(c: &Comparison) -> Value {
    let (word, more) = to::change(c.change);
    let side = |summary: &firstbyte_analysis::measure::Summary| json!({"n": summary.n, "p50": summary.p50.value.as_millis_f64()});
    json!({
        "metric": c.metric.as_str(), "before": side(&c.before), "after": side(&c.after), "shift_ms": c.shift_ms,
        "interval_ms": c.interval_ms.map(|(low, high)| [low, high]), "p": c.p, "effect": c.effect,
        "margin_ms": c.margin_ms, "change": word, "more": more,
    })
}
