//! Calls over time, and the slowest of them.

use std::fmt::{self, Write as _};

use firstbyte_core::Micros;

use super::{escape, note};
use crate::report::{Clock, Report, SlowCall, captions};

/// Columns of the chart of queue over time.
const COLUMNS: usize = 60;
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

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

/// The largest queue of each column, as a bar of eight levels.
fn write_chart(clock: &Clock, out: &mut String) -> fmt::Result {
    let mut columns: [Option<Micros>; COLUMNS] = [None; COLUMNS];
    for point in clock.points.iter().filter(|point| point.queue.is_some()) {
        let place = (point.at_s / clock.length_s.max(1e-9) * COLUMNS as f64) as usize;
        let column = &mut columns[place.min(COLUMNS - 1)];
        *column = (*column).max(point.queue);
    }
    let Some(most) = columns.iter().flatten().max() else { return Ok(()) };
    let level = |queue: Micros| {
        LEVELS[(queue.0 as f64 / most.0.max(1) as f64 * (LEVELS.len() - 1) as f64).round() as usize]
    };
    let drawn: String = columns.iter().map(|queue| queue.map_or(' ', level)).collect();
    writeln!(
        out,
        "```text\n{drawn}|\n0 s{:>width$.1} s\n```\n",
        clock.length_s,
        width = COLUMNS - 4
    )?;
    writeln!(
        out,
        "The largest queue of each sixtieth of {:.1} s; the highest bar is {most} ms, a blank has no call.\n",
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
