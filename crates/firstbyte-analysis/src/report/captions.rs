//! What is said beside each part of a report, in every format: what it shows, its unit, its n.

use firstbyte_core::Micros;

use super::{Clock, Distribution, Report, SlowUpdate, UpdateRow, Updates};
use crate::{
    counted,
    measure::{GroupBy, Percentile},
    updates::Split,
    waterfall::Side,
};

/// What an arm is.
pub(super) const fn arm(by: GroupBy) -> &'static str {
    match by {
        GroupBy::Nothing => "calls",
        GroupBy::Op => "operation",
        GroupBy::Target => "server",
        GroupBy::File => "file",
    }
}

/// Whose time a part is.
pub(super) const fn side(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
        Side::Residual => "residual",
    }
}

/// Which calls the report is of, if not of all.
pub(super) fn window(report: &Report) -> Option<String> {
    let window = report.window;
    if window.since.is_none() && window.until.is_none() {
        return None;
    }
    let since = window.since.map_or(String::new(), |since| format!(" from {since} on"));
    let until = window.until.map_or(String::new(), |until| format!(" before {until}"));
    Some(format!(
        "Of the calls only those that were sent{since}{until}, and the updates whose first call is one of them; what happens beside the calls is whole."
    ))
}

pub(super) const PARTS: &str = "Mean of each part of wall in milliseconds, over the n calls of the arm that ended well \
    and tell their wall; the parts add up to the mean wall. A residual is what remains of a whole: nobody measured it.";

pub(super) const PERCENTILES: &str = "Milliseconds, of calls that ended well and tell the time. Percentiles by nearest \
    rank; p95 from 20 calls on, p99 from 100. The interval is one of 95 % for the median. Of wall: the part's share.";

pub(super) const SLOWEST: &str = "The slowest calls by wall, each on an axis from 0 to its own wall. Where a residual \
    really was within the wait is not known; it is drawn first.";

pub(super) const TIMELINE: &str = "Milliseconds, of all lines in the files.";

pub(super) const UPDATES: &str = "t: the monotonic clock's second of the first client.send; duration: until the last end, \
    > at least, as an end is not known; straggler: the server that was done last, behind the median of the others; barrier: \
    server-milliseconds that paused servers waited for the slowest; largest piece: of the critical path, and its share of \
    the duration.";

pub(super) const MORE_UPDATES: &str = "updates, which are complete or shorter than those above,";

/// The columns of the table of updates, and whether they are numbers.
pub(super) const UPDATE_COLUMNS: [(&str, bool); 11] = [
    ("update", true),
    ("step", true),
    ("state", false),
    ("t s", true),
    ("duration ms", true),
    ("servers", true),
    ("straggler", false),
    ("behind ms", true),
    ("barrier ms", true),
    ("largest piece", false),
    ("its share", true),
];

/// The cells of an update.
pub(super) fn update(row: &UpdateRow) -> [String; 11] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let at_least = || or_dash(row.at_least.map(|least| format!(">{least}")));
    let (straggler, largest) = (row.straggler.as_ref(), row.largest.as_ref());
    [
        row.number.to_string(),
        or_dash(row.step.map(|step| step.to_string())),
        row.state.as_str().to_owned(),
        or_dash(row.begin_s.map(|at| format!("{at:.3}"))),
        row.duration.map_or_else(at_least, |duration| duration.to_string()),
        row.servers.to_string(),
        or_dash(straggler.map(|(target, _)| target.clone())),
        ms(straggler.map(|(_, behind)| *behind)),
        ms(row.barrier),
        or_dash(largest.map(|(name, _)| name.clone())),
        or_dash(largest.map(|(_, share)| format!("{:.1} %", share * 100.0))),
    ]
}

/// How many updates, and how they ended.
pub(super) fn updates(updates: &Updates) -> String {
    let states = updates.states.iter().map(|(state, count)| format!("{count} {}", state.as_str()));
    let states = states.collect::<Vec<_>>().join(", ");
    format!("{}: {states}.", counted(updates.n, "update"))
}

pub(super) fn path(slowest: &SlowUpdate) -> String {
    format!(
        "The longest update whose end is known took {} ms. Its pieces follow each other without a gap and add up to \
         that; where queue was within the calls of a piece is not known, it is drawn first.",
        slowest.duration
    )
}

/// What a piece of a critical path is made of, by the names of parts.
pub(super) fn split(split: Split) -> impl Iterator<Item = (&'static str, Micros)> {
    let parts = [
        ("orchestrator", split.gap),
        ("queue", split.queue),
        ("rpc", split.rpc),
        ("wall", split.unsplit),
    ];
    parts.into_iter().filter(|(_, time)| time.0 > 0)
}

/// What is left out of a list, if anything is.
pub(super) fn left_out(left_out: usize, what: &str) -> Option<String> {
    (left_out > 0).then(|| format!("Not shown: {left_out} more of these {what}."))
}

pub(super) fn queue(clock: &Clock) -> String {
    format!(
        "Queue (wall - rpc) in milliseconds at the moment the call was sent, in seconds since t = {:.3} s of {}. Calls that \
         ended well and tell their queue: {} of {}.",
        clock.start_s,
        on(clock),
        clock.with_queue,
        clock.calls,
    )
}

pub(super) fn in_flight(clock: &Clock) -> String {
    format!(
        "Requests in progress on the server when the call arrived, at the moment the call was sent; calls that tell it: \
         {} of {}.",
        clock.with_in_flight, clock.calls
    )
}

pub(super) fn bands(clock: &Clock) -> Option<String> {
    (clock.updates > 0).then(|| {
        format!(
            "Shaded: one of {} was in progress, from its first client.send to the last end that is known.",
            counted(clock.updates, "weight update")
        )
    })
}

/// How the calls are drawn.
pub(super) fn points(clock: &Clock) -> String {
    if !clock.has_columns() {
        return "Each of these is a point.".to_owned();
    }
    let slowest = match clock.points.len() {
        0 => String::new(),
        1 => "; the slowest call is a point".to_owned(),
        n => format!("; the {n} slowest calls are points"),
    };
    format!(
        "All {} calls, by hundredths of the time: a thin line from the smallest to the largest of each, a bar that has the \
         middle half, a mark at the median{slowest}.",
        clock.calls
    )
}

/// The clock, by its files.
fn on(clock: &Clock) -> String {
    match clock.files.as_slice() {
        [file] => format!("the clock of {file}"),
        files => format!("the clock that {} share", files.join(", ")),
    }
}

pub(super) fn without_moment(report: &Report) -> Option<String> {
    (report.without_moment > 0).then(|| {
        format!(
            "Calls that are on no axis of time: {}. Their moment is unknown, or their file is of several boots.",
            report.without_moment
        )
    })
}

pub(super) fn distribution(distribution: &Distribution) -> String {
    format!(
        "Share of calls whose {} took at most so long, on a logarithmic axis of milliseconds.",
        distribution.metric.as_str()
    )
}

/// A duration with one decimal, or a dash where it is unknown.
pub(super) fn ms(time: Option<Micros>) -> String {
    time.map_or("-".to_owned(), |time| time.to_string())
}

/// A mean or a spread with one decimal, or a dash where there is none.
pub(super) fn real(ms: Option<f64>) -> String {
    ms.map_or("-".to_owned(), |ms| format!("{ms:.1}"))
}

/// The ends of a percentile's interval, or nothing.
pub(super) fn interval(percentile: Percentile) -> String {
    percentile.interval.map_or(String::new(), |ends| format!("[{}, {}]", ends.low, ends.high))
}
