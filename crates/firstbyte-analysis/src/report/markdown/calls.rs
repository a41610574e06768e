//! Calls over time, and the slowest of them.

use std::fmt::{self, Write as _};

use super::{escape, note};
use crate::report::{Clock, Report, SlowCall, Spread, captions, columns::COLUMNS};

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What is drawn of a column.
type Height = fn(&Spread) -> f64;

const ROWS: [(&str, Height); 2] =
    [("largest", |spread| spread.max), ("median", |spread| spread.median)];

pub(super) fn write_clocks(report: &Report, out: &mut String) -> fmt::Result {
    if report.clocks.list.is_empty() && report.without_moment == 0 {
        return Ok(());
    }
    writeln!(out, "## Queue over time\n")?;
    for clock in &report.clocks.list {
        writeln!(out, "{}\n", escape(&captions::queue(clock)))?;
        write_chart(clock, out)?;
    }
    note(captions::left_out(report.clocks.left_out, "clocks"), out)?;
    note(captions::without_moment(report), out)
}

/// The largest and the median queue of each column, as bars of eight levels.
fn write_chart(clock: &Clock, out: &mut String) -> fmt::Result {
    let spreads = || clock.columns.iter().filter_map(|column| Some((column.place, column.queue?)));
    let Some(most) = spreads().map(|(_, spread)| spread.max).reduce(f64::max) else {
        return Ok(());
    };
    writeln!(out, "```text")?;
    for (name, of) in ROWS {
        let mut bars = [' '; COLUMNS];
        for (place, spread) in spreads() {
            let share = if most > 0.0 { of(&spread) / most } else { 0.0 };
            bars[place] = LEVELS[(share * (LEVELS.len() - 1) as f64).round() as usize];
        }
        writeln!(out, "{name:<8}{}|", bars.iter().collect::<String>())?;
    }
    writeln!(out, "{:8}0 s{:>width$.1} s\n```\n", "", clock.length_s, width = COLUMNS - 4)?;
    writeln!(
        out,
        "The largest and the median queue of the calls of each hundredth of {:.1} s; the highest bar is {most:.1} ms, a blank \
         has no call.\n",
        clock.length_s
    )
}

pub(super) fn write_slowest(report: &Report, out: &mut String) -> fmt::Result {
    if report.slowest.is_empty() {
        return Ok(());
    }
    writeln!(out, "## Slowest calls\n\n{}\n", captions::SLOWEST)?;
    writeln!(
        out,
        "| trace id | operation | server | wall ms | queue ms | rpc ms | largest part | end |"
    )?;
    writeln!(out, "| :--- | :--- | :--- | ---: | ---: | ---: | :--- | :--- |")?;
    for call in &report.slowest {
        write_slow(call, out)?;
    }
    writeln!(out)
}

fn write_slow(call: &SlowCall, out: &mut String) -> fmt::Result {
    let text = |text: &Option<String>| escape(text.as_deref().unwrap_or("-"));
    let largest = call.largest.map_or("-".to_owned(), |(part, time)| format!("{part} {time} ms"));
    writeln!(
        out,
        "| {} | {} | {} | {} | {} | {} | {largest} | {} |",
        escape(&call.id),
        text(&call.operation),
        text(&call.target),
        call.wall,
        captions::ms(call.queue),
        captions::ms(call.rpc),
        escape(&call.ending)
    )
}
