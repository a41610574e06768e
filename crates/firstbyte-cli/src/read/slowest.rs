//! `firstbyte slowest`: the calls that took longest, and what of them.

use std::{
    cmp::Reverse,
    fmt::{self, Write as _},
};

use clap::builder::RangedU64ValueParser;
use firstbyte_analysis::{
    Call, Log,
    correlate::ClientEnd,
    json as to,
    measure::Metric,
    waterfall::{largest_part, pieces},
};
use firstbyte_core::Micros;
use serde_json::{Map, Value, json};

use super::{Inputs, end, preface};
use crate::{
    bars::plain,
    exit::{self, Error, Exit},
};

const EXAMPLES: &str = "Examples:
  firstbyte slowest orchestrator.log server.log
  firstbyte slowest -n 3 --by queue 'logs/*.log'
  firstbyte slowest run.log --json | jq -r '.calls[].id'

'firstbyte trace ID LOG...' shows one of them whole.";

/// Lists the slowest calls of logs
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub(crate) struct Args {
    #[command(flatten)]
    inputs: Inputs,
    /// How many
    #[arg(short = 'n', value_name = "COUNT", default_value_t = 10, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    count: usize,
    /// By which time: wall, queue, rpc, or a part such as pool, kernel, handler
    #[arg(long, value_name = "TIME", default_value = "wall", value_parser = metric)]
    by: Metric,
    /// Print one JSON object; durations in milliseconds
    #[arg(long)]
    json: bool,
}

fn metric(name: &str) -> Result<Metric, String> {
    let all = Metric::all();
    let found = all.iter().find(|metric| metric.as_str() == name);
    found.copied().ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|metric| metric.as_str()).collect();
        format!("not one of {}", names.join(", "))
    })
}

pub(crate) fn run(args: &Args) -> Result<Exit, Error> {
    let log = args.inputs.read()?;
    let mut calls: Vec<_> =
        log.calls().filter_map(|call| Some((args.by.of(&call)?, call))).collect();
    calls.sort_by_key(|(time, _)| Reverse(*time));
    calls.truncate(args.count);
    let open = open(log, args.count);
    if args.json {
        let calls: Vec<_> = calls.iter().map(|(_, call)| to_json(call)).collect();
        let open: Vec<_> = open.iter().map(to_json).collect();
        let by = args.by.as_str();
        exit::print(to::pretty(
            &json!({"lines": to::lines(log), "by": by, "calls": calls, "without_end": open}),
        ))?;
    } else {
        exit::print(render(log, &calls, &open, args.by))?;
    }
    end(Exit::Ok, &[log])
}

/// Calls without an end, those that take longest first as far as they say so: they may be slower than any other.
fn open(log: &Log, count: usize) -> Vec<Call<'_>> {
    let is_open = |call: &Call<'_>| call.client.is_some_and(|half| half.end == ClientEnd::Open);
    let elapsed = |call: &Call<'_>| call.client?.waiting()?.elapsed;
    let mut open: Vec<_> = log.calls().filter(is_open).collect();
    open.sort_by_key(|call| Reverse(elapsed(call)));
    open.truncate(count);
    open
}

/// A call, as `firstbyte watch --json` has it.
fn to_json(call: &Call<'_>) -> Value {
    let ms = |metric: Metric| metric.of(call).map(Micros::as_millis_f64);
    let parts: Map<_, _> = pieces(call)
        .into_iter()
        .map(|(name, time, _)| (name.to_owned(), time.as_millis_f64().into()))
        .collect();
    json!({
        "id": call.id(), "op": call.operation(), "target": call.target(), "ok": call.ended_well(),
        "end": call.ending(), "wall": ms(Metric::Wall), "rpc": ms(Metric::Rpc), "queue": ms(Metric::Queue),
        "largest": largest_part(call).map(|(part, _)| part.as_str()), "parts": parts,
    })
}

fn render(log: &Log, calls: &[(Micros, Call<'_>)], open: &[Call<'_>], by: Metric) -> String {
    let mut out = preface(log);
    // Writing to a string cannot fail.
    _ = write_table(calls, by, &mut out).and_then(|()| write_open(open, &mut out));
    out
}

fn write_open(open: &[Call<'_>], out: &mut String) -> fmt::Result {
    if !open.is_empty() {
        writeln!(out, "\nwithout an end, so that nobody knows how long they take:")?;
    }
    open.iter().try_for_each(|call| {
        writeln!(
            out,
            "{:<18} {} on {}{}",
            plain(&call.id()),
            plain(call.operation().unwrap_or("-")),
            plain(call.target().unwrap_or("-")),
            call.last_seen().map_or(String::new(), |seen| format!(": {}", plain(&seen)))
        )
    })
}

fn write_table(calls: &[(Micros, Call<'_>)], by: Metric, out: &mut String) -> fmt::Result {
    if calls.is_empty() {
        return writeln!(out, "no call tells its {}", by.as_str());
    }
    writeln!(
        out,
        "\n{:<18}{:>10}{:>10}{:>10}  {:<24}{:<18}server",
        "trace id", "wall ms", "queue ms", "rpc ms", "largest part", "operation"
    )?;
    for (_, call) in calls {
        let time = |metric: Metric| metric.of(call).map_or("-".to_owned(), |time| time.to_string());
        let largest = largest_part(call)
            .map_or("-".to_owned(), |(part, time)| format!("{} {time} ms", part.as_str()));
        writeln!(
            out,
            "{:<18} {:>9} {:>9} {:>9}  {largest:<23} {:<17} {}{}",
            plain(&call.id()),
            time(Metric::Wall),
            time(Metric::Queue),
            time(Metric::Rpc),
            plain(call.operation().unwrap_or("-")),
            plain(call.target().unwrap_or("-")),
            // The time of a failure is no time of a call.
            if call.failed() {
                format!("  FAILED: {}", plain(&call.failure()))
            } else {
                String::new()
            },
        )?;
    }
    Ok(())
}
