//! What is going on, as the lines of a screen.

use firstbyte_analysis::{
    counted,
    diagnose::Finding,
    live::{Finished, RECENT_S, View},
    measure::Summary,
    waterfall::Side,
};
use firstbyte_core::Micros;

use super::terminal::Size;
use crate::bars::{self, Style, plain};

/// More calls in progress, servers and notices are told by their number.
pub(super) const MOST: usize = 5;
/// Columns of a call's numbers, and what is in front of its bar at most; a bar has at least so many.
const NUMBERS: usize = 50;
const LABEL: usize = 94;
const BAR: usize = 26;

/// What is above the calls.
pub(super) struct Head<'a> {
    pub(super) files: usize,
    pub(super) per_second: Option<f64>,
    pub(super) notices: &'a [String],
    /// How many notices were before these.
    pub(super) earlier: usize,
}

pub(super) fn lines(head: &Head<'_>, view: &View, recent: &[&Finished], size: Size) -> Vec<String> {
    let mut lines = top(head, view);
    lines.push(String::new());
    lines.extend(times(view, recent.len()));
    lines.push(String::new());
    lines.extend(in_progress(view));
    lines.push(String::new());
    lines.extend(servers(view));
    lines.push(String::new());
    for line in &mut lines {
        *line = cut(line, size.width);
    }
    lines.extend(calls(recent, size.width, size.height.saturating_sub(lines.len())));
    lines
}

fn top(head: &Head<'_>, view: &View) -> Vec<String> {
    let rate = head.per_second.map_or(String::new(), |rate| format!(", {rate:.1} lines/s"));
    let (kept, forgotten) = view.traces;
    let mut lines = vec![
        format!("firstbyte watch: {}; q quits", counted(head.files, "file")),
        format!("{}{rate}", view.tally),
        format!("numbers are of the last {}; {forgotten} older forgotten", counted(kept, "trace")),
    ];
    if head.earlier > 0 {
        lines.push(format!("{} before these", counted(head.earlier, "notice")));
    }
    lines.extend(head.notices.iter().map(|notice| format!("NOTICE: {notice}")));
    lines.extend(findings(view));
    lines
}

/// What is wrong now, and what was before.
fn findings(view: &View) -> Vec<String> {
    let recent = counted(view.recent_calls, "call");
    let within = format!("within the last {} min", RECENT_S / 60);
    let mut lines = vec![match worst(&view.findings) {
        None => format!("no finding in {recent} that ended {within}"),
        Some(worst) => worst,
    }];
    if let Some((worst, age)) = worst(&view.older).zip(view.older_s) {
        lines.push(format!("older, {:.0} min ago: {worst}", age / 60.0));
    }
    lines
}

/// The first one with its last number, and how many others there are.
fn worst(findings: &[Finding]) -> Option<String> {
    let worst = findings.first()?;
    let severity = worst.severity.as_str().to_uppercase();
    let numbers = worst.numbers.last().map_or("", String::as_str);
    let more = match findings.len() - 1 {
        0 => String::new(),
        more => format!(" ({more} more)"),
    };
    let rule = &worst.rule;
    Some(format!(
        "{severity} {}{more}: {}: {}",
        plain(&rule.id),
        plain(&rule.title),
        plain(numbers)
    ))
}

fn times(view: &View, ended: usize) -> Vec<String> {
    let span = view.span_s.map_or(String::new(), |span| match span {
        ..120.0 => format!(" within {span:.1} s"),
        _ => format!(" within {:.1} min", span / 60.0),
    });
    let title = format!("all {}{span}", counted(ended, "ended call"));
    let mut lines = vec![
        format!("{:<8}{:>30}    {title}", "ms", "last minute of the log"),
        format!(
            "{:<8}{:>10}{:>10}{:>10}    {:>10}{:>10}{:>10}",
            "", "n", "p50", "p95", "n", "p50", "p95"
        ),
    ];
    for (metric, all) in &view.all {
        let minute = view.minute.iter().find(|(other, _)| other == metric);
        let minute = cells(minute.map(|(_, summary)| summary));
        lines.push(format!("{:<8}{minute}    {}", metric.as_str(), cells(Some(all))));
    }
    lines
}

fn cells(summary: Option<&Summary>) -> String {
    let n = summary.map_or(0, |summary| summary.n);
    let p50 = or_dash(summary.map(|summary| summary.p50.value));
    let p95 = or_dash(summary.and_then(|summary| Some(summary.p95?.value)));
    format!(" {n:>9} {p50:>9} {p95:>9}")
}

fn in_progress(view: &View) -> Vec<String> {
    let calls = &view.in_progress;
    let mut lines = vec![format!("in progress: {}", calls.len())];
    for call in calls.iter().take(MOST) {
        let time = call.at_least.map_or("-".to_owned(), |time| format!(">{time} ms"));
        lines.push(format!(
            "  {:<18}{time:>14}  {} on {}{}",
            plain(&call.id),
            text(call.operation.as_deref()),
            text(call.target.as_deref()),
            call.state.as_ref().map_or(String::new(), |state| format!(": {}", plain(state))),
        ));
    }
    lines.extend(more(calls.len()));
    lines
}

fn servers(view: &View) -> Vec<String> {
    let mut lines =
        vec!["servers, with the requests in progress that the last call found".to_owned()];
    for server in view.servers.iter().take(MOST) {
        let in_flight = server.in_flight.map_or("-".to_owned(), |n| n.to_string());
        lines.push(format!(
            "  {:<32}{in_flight:>4} in progress, {} without an end",
            plain(&server.target),
            counted(server.open, "call"),
        ));
    }
    lines.extend(more(view.servers.len()));
    lines
}

fn more(all: usize) -> Option<String> {
    (all > MOST).then(|| format!("  and {} more", all - MOST))
}

/// The last calls, as many as there is room for, with bars on one axis.
fn calls(recent: &[&Finished], width: usize, room: usize) -> Vec<String> {
    let style = Style::of_stdout();
    let shown = &recent[..recent.len().min(room.saturating_sub(1))];
    let label = width.saturating_sub(BAR).clamp(NUMBERS, LABEL);
    let longest = shown.iter().filter_map(|call| call.wall).max().unwrap_or_default();
    let head = format!(
        "{:<18}{:>10}{:>10}{:>10}  {:<what$}to {longest} ms: {} client {} server {} residual",
        "last calls",
        "wall ms",
        "queue ms",
        "rpc ms",
        "operation, server",
        glyph(Side::Client),
        glyph(Side::Server),
        glyph(Side::Residual),
        what = label - NUMBERS,
    );
    let mut lines = vec![cut(&head, width)];
    for call in shown {
        let what = format!("{} {}", text(call.operation.as_deref()), text(call.target.as_deref()));
        let what = if call.is_done { what } else { format!("FAILED {what}") };
        let text = format!(
            "{:<18} {:>9} {:>9} {:>9}  {what}",
            cut(&plain(&call.id), 17),
            or_dash(call.wall),
            or_dash(call.queue),
            or_dash(call.rpc)
        );
        let text = format!("{:<label$}", cut(&text, (label - 1).min(width)));
        let bar = bar(call, longest, width.saturating_sub(label), &style);
        lines.push(text + &bar);
    }
    lines
}

/// The parts of a call, as wide as its share of the longest.
fn bar(call: &Finished, longest: Micros, width: usize, style: &Style) -> String {
    let cell = |time: u64| (time as f64 / longest.0.max(1) as f64 * width as f64).round() as usize;
    let (mut bar, mut time) = (String::new(), 0_u64);
    for (_, length, side) in &call.pieces {
        let from = cell(time).min(width);
        time = time.saturating_add(length.0);
        let piece = glyph(*side).repeat(cell(time).min(width) - from);
        bar += &bars::painted(&piece, *side, style);
    }
    bar
}

const fn glyph(side: Side) -> &'static str {
    match side {
        Side::Client => "▒",
        Side::Server => "█",
        _ => "·",
    }
}

fn text(text: Option<&str>) -> String {
    text.map_or("-".to_owned(), plain)
}

fn or_dash(time: Option<Micros>) -> String {
    time.map_or("-".to_owned(), |time| time.to_string())
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}
