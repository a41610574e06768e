//! `firstbyte compare`: did it get better, worse, or is there nothing to say yet?

use std::{
    fmt::{self, Write as _},
    path::PathBuf,
};

use firstbyte_analysis::{
    Log, Options,
    check::{Evidence, Verdict, fix_validation},
    compare::{Change, Compared, Comparison, Failures, Margin, Operation, Proportion, compare},
    json as to,
    measure::{Percentile, Summary},
};
use serde_json::{Value, json};

use super::{end, preface};
use crate::{
    bars::plain,
    exit::{self, Error, Exit},
};

const EXAMPLES: &str = "Examples:
  firstbyte compare before.log after.log
  firstbyte compare 'before/*.log' 'after/*.log' --margin-ms 20
  firstbyte compare monday.log today.log --margin-share 0.05 || echo 'it got worse'

'same' means that any change is within the margin: two one-sided tests at 5 %. Not to find a difference is not the \
same; then it says how many more calls are needed. The more operations, the surer each verdict has to be: all of them \
together hold with 95 %. Compare the same work: the same model, streams and servers.";

/// Compares the calls of two logs by operation: medians, shift with its interval, failures, and a verdict for each
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
    let compared = compare(&before, &after, margin);
    let fix = fix_validation(&before, &after, margin);
    if args.json {
        let mut json = to_json(&compared);
        (json["lines"], json["lines_before"]) = (to::lines(&after), to::lines(&before));
        json["fix_validation"] = json!(fix.as_deref().map(fix_json));
        exit::print(to::pretty(&json))?;
    } else {
        exit::print(format!(
            "before: {}after: {}{}{}",
            preface(&before),
            preface(&after),
            render(&compared),
            fix.as_deref().map_or(String::new(), fix_sentence)
        ))?;
    }
    end(verdict_of_all(&compared).1, &[&before, &after])
}

/// What is said of both logs as a whole: something got worse, or not as far as can be told, or nothing can be told.
fn verdict_of_all(compared: &Compared) -> (String, Exit) {
    let named = |is: fn(&Change) -> bool| {
        let these = compared.decisive().filter(|(.., change)| is(change));
        these.map(|(op, what, _)| format!("{} {what}", plain(op))).collect::<Vec<_>>()
    };
    let worse = named(|change| *change == Change::Worse);
    let open = named(|change| matches!(change, Change::Undecided { .. }));
    let all = compared.decisive().count();
    if !worse.is_empty() {
        (format!("WORSE: {}", worse.join(", ")), Exit::No)
    } else if open.len() == all {
        (
            "cannot tell: there is nothing of which both logs have enough calls".to_owned(),
            Exit::CannotTell,
        )
    } else if open.is_empty() {
        (format!("not worse: all of {all}"), Exit::Ok)
    } else {
        let (told, open) = (all - open.len(), open.join(", "));
        (format!("not worse: {told} of {all}; cannot tell: {open}"), Exit::Ok)
    }
}

fn render(compared: &Compared) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    _ = write_tables(compared, &mut out);
    out
}

fn write_tables(compared: &Compared, out: &mut String) -> fmt::Result {
    for (side, only) in [("before", &compared.only_before), ("after", &compared.only_after)] {
        if !only.is_empty() {
            let names: Vec<_> =
                only.iter().map(|(name, calls)| format!("{} ({calls})", plain(name))).collect();
            writeln!(out, "NOTICE: calls of only the log {side}: {}", names.join(", "))?;
        }
    }
    for operation in &compared.operations {
        write_table(operation, out)?;
    }
    if compared.tests > 1 {
        writeln!(
            out,
            "\n{} tests decide: wall, queue, rpc and failed calls of each operation. Better and WORSE are so sure that with \
             95 % none of them all is by chance.",
            compared.tests
        )?;
    }
    writeln!(out, "\nverdict: {}", verdict_of_all(compared).0)
}

fn write_table(operation: &Operation, out: &mut String) -> fmt::Result {
    writeln!(
        out,
        "\n{}\n{:<14}{:>15}{:>30}{:>30}{:>10} {:<22}{:>7}{:>6}  verdict",
        plain(&operation.name),
        "milliseconds",
        "n",
        "median before",
        "median after",
        "shift",
        "95 % interval",
        "p",
        "A"
    )?;
    for c in &operation.times {
        let n = format!("{} / {}", c.before.n, c.after.n);
        let interval =
            c.interval_ms.map_or("-".to_owned(), |(low, high)| format!("[{low:+.1}, {high:+.1}]"));
        writeln!(
            out,
            "{:<14}{n:>15}{:>30}{:>30}{:>+10.1} {interval:<22}{:>7.3}{:>6.2}  {}",
            c.metric.as_str(),
            median(c.before.p50),
            median(c.after.p50),
            c.shift_ms,
            c.p,
            c.effect,
            verdict(c.change, &format!("{:.1} ms", c.margin_ms)),
        )?;
    }
    match &operation.failures {
        Some(failures) => write_failures(failures, out),
        None => Ok(()),
    }
}

/// The share of failed calls, in the columns of the times.
fn write_failures(failures: &Failures, out: &mut String) -> fmt::Result {
    let Failures { before, after, shift, interval: (low, high), p, margin, .. } = failures;
    let n = format!("{} / {}", before.n, after.n);
    let share = |side: &Proportion| format!("{} = {:.1} %", side.failed, side.share() * 100.0);
    let interval = format!("[{:+.1}, {:+.1}]", low * 100.0, high * 100.0);
    writeln!(
        out,
        "{:<14}{n:>15}{:>30}{:>30}{:>+8.1} % {interval:<22}{p:>7.3}{:>6}  {}",
        "failed",
        share(before),
        share(after),
        shift * 100.0,
        "",
        verdict(failures.change, &format!("{:.1} % of the calls", margin * 100.0)),
    )
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

fn verdict(change: Change, margin: &str) -> String {
    match change {
        Change::Better => "better".to_owned(),
        Change::Worse => "WORSE".to_owned(),
        Change::Same => format!("same, within {margin}"),
        Change::Undecided { more } => format!("not enough calls: about {more} more on either side"),
        _ => "unknown".to_owned(),
    }
}

fn to_json(compared: &Compared) -> Value {
    let operations = || compared.operations.iter();
    let times = operations().flat_map(|operation| {
        operation.times.iter().map(|comparison| time_json(&operation.name, comparison))
    });
    let failures = operations().filter_map(|operation| {
        operation.failures.as_ref().map(|failures| failures_json(&operation.name, failures))
    });
    let only = |only: &[(String, usize)]| {
        only.iter().map(|(op, calls)| json!({"op": op, "calls": calls})).collect::<Vec<_>>()
    };
    let verdict = match verdict_of_all(compared).1 {
        Exit::No => "worse",
        Exit::CannotTell => "cannot tell",
        _ => "not worse",
    };
    json!({
        "verdict": verdict, "tests": compared.tests,
        "metrics": times.collect::<Vec<_>>(), "failed": failures.collect::<Vec<_>>(),
        "only_before": only(&compared.only_before), "only_after": only(&compared.only_after),
    })
}

fn time_json(op: &str, c: &Comparison) -> Value {
    let (word, more) = to::change(c.change);
    let side =
        |summary: &Summary| json!({"n": summary.n, "p50": summary.p50.value.as_millis_f64()});
    json!({
        "op": op, "metric": c.metric.as_str(), "decides": c.decides(), "before": side(&c.before), "after": side(&c.after),
        "shift_ms": c.shift_ms, "interval_ms": c.interval_ms.map(|(low, high)| [low, high]), "p": c.p, "effect": c.effect,
        "margin_ms": c.margin_ms, "change": word, "more": more,
    })
}

fn failures_json(op: &str, failures: &Failures) -> Value {
    let (word, more) = to::change(failures.change);
    let side =
        |side: Proportion| json!({"n": side.n, "failed": side.failed, "share": side.share()});
    let (low, high) = failures.interval;
    json!({
        "op": op, "before": side(failures.before), "after": side(failures.after), "shift": failures.shift,
        "interval": [low, high], "p": failures.p, "margin": failures.margin, "change": word, "more": more,
    })
}
