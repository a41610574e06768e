//! `firstbyte stats`: how long calls took, and which of their parts.

mod baselines;
mod beside;
mod field;
mod real;

use std::{
    fmt::{self, Write as _},
    path::PathBuf,
};

use clap::ValueEnum;
use firstbyte_analysis::{
    Log,
    baselines::Gap,
    json as to,
    measure::{Edge, Group, GroupBy, Interval, Percentile, Share, Stats, Summary, Window},
    notices_within,
};

use super::{Inputs, end, preface_with};
use crate::{
    bars::plain,
    exit::{self, Error, Exit},
};

const EXAMPLES: &str = "Examples:
  firstbyte stats orchestrator.log server.log
  firstbyte stats 'logs/*.log.gz' --by op
  firstbyte stats run.log --baselines examples/baselines.toml
  firstbyte stats run.log --since 2026-11-28T10:00:00Z --until 2026-11-28T10:05:00Z
  firstbyte stats --field queue_ms run.log
  kubectl logs vllm-0 | firstbyte stats orchestrator.log -
  firstbyte stats run.log --json | jq '.groups[0].metrics.queue.p50'

A percentile is by nearest rank, and not told where it would be the maximum (p95 from 20 calls, p99 from 100). \
Its interval is one of 95 % confidence, if there are enough calls for one. Failed calls have no place in the \
times. 'of wall' is the share of a part in the wall time of the calls that tell it.";

/// Summarises the calls of logs: wall, queue, rpc and every phase
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub(crate) struct Args {
    #[command(flatten)]
    inputs: Inputs,
    /// A table for each operation, or for each server
    #[arg(long, value_enum)]
    by: Option<By>,
    /// Only calls that were sent from then on: a time with its zone, such as 2026-11-28T10:00:00Z, or a second of the
    /// monotonic clock (t= in the lines)
    #[arg(long, value_name = "TIME")]
    since: Option<Edge>,
    /// Only calls that were sent before this
    #[arg(long, value_name = "TIME")]
    until: Option<Edge>,
    /// TOML file of numbers that were expected, each with its source, to compare with
    #[arg(long, value_name = "FILE")]
    baselines: Option<PathBuf>,
    /// Only this field, such as queue_ms, of every line that has it: no join, many times as fast
    #[arg(long, value_name = "KEY", conflicts_with_all = ["by", "since", "until", "baselines"])]
    field: Option<String>,
    /// Print one JSON object; durations in milliseconds
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    Op,
    Target,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Error> {
    if let Some(key) = &args.field {
        return field::run(key, &args.inputs.logs, args.json);
    }
    let baselines = args.baselines.as_deref().map(baselines::read).transpose()?;
    let log = args.inputs.read()?;
    let by = match args.by {
        None => GroupBy::Nothing,
        Some(By::Op) => GroupBy::Op,
        Some(By::Target) => GroupBy::Target,
    };
    let window = Window::new(args.since, args.until);
    let stats = Stats::of(log, by, window);
    let expected = baselines.as_ref().map_or(Vec::new(), |known| known.compare(log, window));
    if args.json {
        let mut json = to::stats(log, &stats);
        json["baselines"] = baselines::to_json(&expected);
        exit::print(to::pretty(&json))?;
    } else {
        exit::print(render(log, &stats, &expected))?;
    }
    end(Exit::Ok, &[log])
}

fn render(log: &Log, stats: &Stats, expected: &[Gap<'_>]) -> String {
    let mut out = preface_with(log, &notices_within(log, stats.window));
    // Writing to a string cannot fail.
    _ = write_all(stats, &mut out);
    _ = baselines::write(expected, &mut out);
    out
}

fn write_all(stats: &Stats, out: &mut String) -> fmt::Result {
    if stats.groups.is_empty() {
        writeln!(out, "\nno calls")?;
    }
    for group in &stats.groups {
        write_group(group, out)?;
    }
    if !stats.timeline.is_empty() {
        writeln!(out)?;
        write_head("beside the calls", out)?;
        for (name, summary) in &stats.timeline {
            write_row(name, summary, None, out)?;
        }
    }
    beside::write(&stats.amounts, out)
}

fn write_group(group: &Group, out: &mut String) -> fmt::Result {
    let name =
        if group.name.is_empty() { String::new() } else { format!("{}: ", plain(&group.name)) };
    writeln!(out, "\n{name}{}\n", group.counts())?;
    if group.rows.is_empty() {
        return writeln!(out, "none of them tells a time");
    }
    write_head("milliseconds", out)?;
    for (metric, summary, share) in &group.rows {
        write_row(metric.as_str(), summary, *share, out)?;
    }
    if let Some(trend) = group.rpc_trend {
        let verdict = if trend.p < 0.01 { "changes with time" } else { "shows no trend" };
        let slope = trend.slope_per_s * 60.0;
        writeln!(
            out,
            "\nrpc {verdict}: {slope:+.1} ms per minute (Theil-Sen), n {}, p {:.2}",
            trend.n, trend.p
        )?;
    }
    if let Some(relation) = group.queue_and_in_flight {
        writeln!(
            out,
            "queue against requests in progress at arrival: Spearman's rho {:+.2}, n {}, p {:.2}",
            relation.rho, relation.n, relation.p
        )?;
    }
    beside::write_generation(group, out)
}

pub(super) fn write_head(name: &str, out: &mut String) -> fmt::Result {
    write!(out, "{name:<16}{:>7}", "n")?;
    for head in ["min", "mean", "max", "stddev", "p50"] {
        write!(out, "{head:>10}")?;
    }
    writeln!(out, " {:<21}{:>9}{:>10}{:>9}", "95 % interval", "p95", "p99", "of wall")
}

pub(super) fn write_row(
    name: &str,
    summary: &Summary,
    share: Option<Share>,
    out: &mut String,
) -> fmt::Result {
    let Summary { n, min, max, mean_ms, stddev_ms, p50, p95, p99, .. } = summary;
    // Wide values push the others aside, and never touch them.
    write!(out, "{name:<16} {n:>6} {min:>9} {mean_ms:>9.1} {max:>9}")?;
    write!(out, " {:>9}", stddev_ms.map_or("-".to_owned(), |ms| format!("{ms:.1}")))?;
    let interval =
        p50.interval.map_or(String::new(), |Interval { low, high, .. }| format!("[{low}, {high}]"));
    write!(out, " {:>9} {interval:<21}", p50.value)?;
    let high = |percentile: &Option<Percentile>| {
        percentile.map_or("-".to_owned(), |p| p.value.to_string())
    };
    write!(out, " {:>8} {:>9}", high(p95), high(p99))?;
    match share {
        Some(share) => writeln!(out, " {:>6.1} %", share.of_wall * 100.0),
        None => writeln!(out),
    }
}
