//! The tables of `firstbyte stats`.

use std::collections::BTreeMap;

use firstbyte_core::Micros;

use super::{
    Amounts, Correlation, Metric, Summary, Trend, Unit, Window, beside,
    generating::{self, ByGeneration},
    window::{moment, seconds},
};
use crate::{
    correlate::{Call, ClientEnd, Log, ServerHalf},
    counted, parallel,
};

/// The name of the group of those whose own is not told.
pub(crate) const UNKNOWN: &str = "(unknown)";

/// What calls are put together by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupBy {
    /// All calls are one group.
    #[default]
    Nothing,
    /// The operation.
    Op,
    /// The server.
    Target,
    /// The file of the client's line, or of the server's where there is none.
    File,
}

impl GroupBy {
    /// The name of the group that a call is in.
    pub(crate) fn name<'a>(self, log: &'a Log, call: &Call<'a>) -> &'a str {
        let file = || call.client.map(|half| half.source).or(call.server.map(|half| half.source));
        match self {
            Self::Nothing => "",
            Self::Op => call.operation().unwrap_or(UNKNOWN),
            Self::Target => call.target().unwrap_or(UNKNOWN),
            Self::File => file().map_or(UNKNOWN, |file| &log.sources()[file as usize].name),
        }
    }
}

/// All that is said of the calls of one group.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Group {
    /// The operation or target; empty for all calls together.
    pub name: String,
    /// How many calls.
    pub calls: u64,
    /// Of them: those with both halves, however they ended.
    pub whole: u64,
    /// Of them: those with the client's half only.
    pub client_only: u64,
    /// Of them: those with the server's half only.
    pub server_only: u64,
    /// Of them: those that failed.
    pub failed: u64,
    /// Of them: those that have not ended.
    pub open: u64,
    /// A row for each metric that at least one call tells.
    pub rows: Vec<(Metric, Summary, Option<Share>)>,
    /// How rpc changes with time, of the calls on the clock that most are on.
    pub rpc_trend: Option<Trend>,
    /// How queue goes along with the requests in progress on the server.
    pub queue_and_in_flight: Option<Correlation>,
    /// How queue goes along with the generation requests in progress on the client.
    pub queue_and_generation: Option<Correlation>,
    /// queue while a generation batch was open, and while none was.
    pub queue_by_generation: ByGeneration,
}

/// A part's share of wall: both sums over the calls that tell both.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Share {
    /// From 0 to 1.
    pub of_wall: f64,
    /// How many calls it is of.
    pub n: usize,
}

/// The summary of a log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// Which calls they are of.
    pub window: Window,
    /// The groups, the one with the most calls first; of equally many, the one whose calls took the most time.
    pub groups: Vec<Group>,
    /// Durations and sizes beside the calls, by name: `ckpt.write`, `ckpt.wait`, `gen.batch`, `step`,
    /// `infer.batch`, `queue.wait`.
    pub timeline: Vec<(&'static str, Summary)>,
    /// What the lines beside the calls tell that is no duration, by name.
    pub amounts: Vec<(&'static str, Unit, Amounts)>,
}

impl Group {
    /// How many calls it has of which kind, in words.
    #[must_use]
    pub fn counts(&self) -> String {
        format!(
            "{}: {} with both halves, {} with the client's only, {} with the server's only; {} failed, {} without an end",
            counted(self.calls, "call"),
            self.whole,
            self.client_only,
            self.server_only,
            self.failed,
            self.open
        )
    }

    /// The sum of its walls, or of what is told without one.
    fn time(&self) -> Micros {
        self.rows.first().map_or(Micros(0), |(_, summary, _)| summary.sum)
    }
}

impl Stats {
    /// Measures the calls of a log.
    #[must_use]
    pub fn of(log: &Log, by: GroupBy, window: Window) -> Self {
        let stretches = log.stretches(|calls| {
            let mut groups = Groups::new();
            for call in calls.filter(|call| window.has(call)) {
                let name = (by != GroupBy::Nothing).then(|| by.name(log, &call));
                groups.entry(name).or_default().take(&call);
            }
            groups
        });
        let groups = stretches.into_iter().reduce(join).unwrap_or_default();
        let groups = groups
            .into_iter()
            .map(|(name, gathered)| gathered.group(name.unwrap_or_default(), log));
        let mut groups: Vec<Group> = groups.collect();
        groups.sort_by_key(|group| std::cmp::Reverse((group.calls, group.time())));
        let (timeline, amounts) = (beside::durations(log), beside::amounts(log));
        Self { window, groups, timeline, amounts }
    }
}

/// By their names, without one where all calls are one group: comparing empty texts costs 120 ns on some processors, where a
/// masked read of no byte at an address that is none is an exception.
type Groups<'a> = BTreeMap<Option<&'a str>, Gathered>;

fn join<'a>(mut groups: Groups<'a>, others: Groups<'a>) -> Groups<'a> {
    for (name, gathered) in others {
        groups.entry(name).or_default().join(gathered);
    }
    groups
}

/// What is known of a group while calls are gone through, which is done once: they are many.
#[derive(Default)]
struct Gathered {
    calls: u64,
    whole: u64,
    client_only: u64,
    server_only: u64,
    failed: u64,
    open: u64,
    columns: Columns,
    /// Second and milliseconds, by the file that the second is of.
    rpc: BTreeMap<u32, Vec<(f64, f64)>>,
    /// Requests in progress and milliseconds.
    queue: Vec<(f64, f64)>,
    generation: generating::Gathered,
}

impl Gathered {
    fn take(&mut self, call: &Call<'_>) {
        self.calls += 1;
        self.client_only += u64::from(call.server.is_none());
        self.server_only += u64::from(call.client.is_none());
        self.whole += u64::from(call.client.is_some() && call.server.is_some());
        if call.failed() {
            self.failed += 1;
        } else if call.client.is_some_and(|half| half.end == ClientEnd::Open) {
            self.open += 1;
        }
        if call.ended_well() {
            self.take_times(call);
        }
    }

    /// Failed calls have no place in the times.
    fn take_times(&mut self, call: &Call<'_>) {
        self.columns.take(call);
        if let (Some((at, source)), Some(rpc)) = (moment(call), call.rpc()) {
            self.rpc.entry(source).or_default().push((seconds(at), rpc.as_millis_f64()));
        }
        let Some(queue) = call.queue() else { return };
        self.generation.take(call, queue);
        if let Some(in_flight) = call.server.and_then(ServerHalf::in_flight) {
            self.queue.push((f64::from(in_flight), queue.as_millis_f64()));
        }
    }

    /// Takes what is known of later calls.
    fn join(&mut self, later: Self) {
        self.calls += later.calls;
        self.whole += later.whole;
        self.client_only += later.client_only;
        self.server_only += later.server_only;
        self.failed += later.failed;
        self.open += later.open;
        for (column, later) in self.columns.0.iter_mut().zip(later.columns.0) {
            column.join(later);
        }
        for (source, points) in later.rpc {
            self.rpc.entry(source).or_default().extend(points);
        }
        self.queue.extend(later.queue);
        self.generation.join(later.generation);
    }

    fn group(self, name: &str, log: &Log) -> Group {
        let columns = self.columns.0;
        let rows = if self.calls > parallel::WORTH_A_THREAD as u64 {
            parallel::map(columns, Column::row).into_iter().flatten().collect()
        } else {
            columns.into_iter().filter_map(Column::row).collect()
        };
        Group {
            name: name.to_owned(),
            calls: self.calls,
            whole: self.whole,
            client_only: self.client_only,
            server_only: self.server_only,
            failed: self.failed,
            open: self.open,
            rows,
            rpc_trend: Trend::of(&of_one_clock(self.rpc, log)),
            queue_and_in_flight: Correlation::of(&self.queue),
            queue_and_generation: self.generation.correlation(),
            queue_by_generation: self.generation.queue(),
        }
    }
}

/// The rows of all metrics in the making.
struct Columns(Vec<Column>);

impl Default for Columns {
    fn default() -> Self {
        Self(Metric::all().into_iter().map(Column::new).collect())
    }
}

impl Columns {
    fn take(&mut self, call: &Call<'_>) {
        let wall = Metric::Wall.of(call);
        for column in &mut self.0 {
            if let Some(value) = column.metric.of(call) {
                column.push(value, wall);
            }
        }
    }
}

/// A row in the making.
pub(crate) struct Column {
    metric: Metric,
    values: Vec<Micros>,
    /// Of the calls that tell wall too.
    part: u128,
    wall: u128,
    n: usize,
}

impl Column {
    pub(crate) const fn new(metric: Metric) -> Self {
        Self { metric, values: Vec::new(), part: 0, wall: 0, n: 0 }
    }

    pub(crate) fn push(&mut self, value: Micros, wall: Option<Micros>) {
        self.values.push(value);
        if let Some(wall) = wall {
            self.part += u128::from(value.0);
            self.wall += u128::from(wall.0);
            self.n += 1;
        }
    }

    fn join(&mut self, later: Self) {
        self.values.extend(later.values);
        self.part += later.part;
        self.wall += later.wall;
        self.n += later.n;
    }

    pub(crate) fn row(self) -> Option<(Metric, Summary, Option<Share>)> {
        let is_share = self.metric.is_part_of_wall() && self.wall > 0;
        let share = Share { of_wall: self.part as f64 / self.wall as f64, n: self.n };
        Some((self.metric, Summary::of(self.values)?, is_share.then_some(share)))
    }
}

/// The points of the clock that most of them are of: seconds of two clocks are in no order. A file of several boots has none.
fn of_one_clock(by_source: BTreeMap<u32, Vec<(f64, f64)>>, log: &Log) -> Vec<(f64, f64)> {
    let mut clocks: Vec<(u32, Vec<(f64, f64)>)> = Vec::new();
    for (source, points) in by_source {
        if !log.share_a_clock(source, source) {
            continue;
        }
        match clocks.iter_mut().find(|(other, _)| log.share_a_clock(*other, source)) {
            Some((_, known)) => known.extend(points),
            None => clocks.push((source, points)),
        }
    }
    // Of equally many, the first.
    let most = clocks.into_iter().rev().max_by_key(|(_, points)| points.len());
    most.map_or(Vec::new(), |(_, points)| points)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// Twelve calls of a process, with the same rpc.
    fn process(boot: &str, from: u32, rpc: u32, status: u16) -> String {
        let mut lines = format!(
            "[firstbyte] process.start pid=1 boot={boot} host=h version=0 t={from}.000000 unix=1.000000\n"
        );
        for n in from..from + 12 {
            let (queue, in_flight) = (10 + n % 3, n % 5);
            let wall = rpc + queue;
            writeln!(
                lines,
                "[weights][{n:016x}] client.send url=http://h/pause t={n}.000000\n\
                 [weights][{n:016x}] client.done wall_ms={wall}.0 rpc_ms={rpc}.0 queue_ms={queue}.0 status={status}\n\
                 [weights][{n:016x}] server.recv path=/pause t={n}.001000 inflight={in_flight}"
            )
            .unwrap();
        }
        lines
    }

    fn of(lines: &str) -> Group {
        let log = Log::from_bytes(lines.as_bytes());
        Stats::of(&log, GroupBy::Nothing, Window::default()).groups.remove(0)
    }

    #[test]
    fn a_trend_is_of_one_clock() {
        let one = of(&process("a", 9000, 100, 200)).rpc_trend.unwrap();
        assert!(one.n == 12 && one.p > 0.1, "{one:?}");
        // The host was booted anew: what came later has the smaller seconds.
        let lines = process("a", 9000, 100, 200) + &process("b", 50, 400, 200);
        assert_eq!(of(&lines).rpc_trend, None);
    }

    #[test]
    fn of_servers_with_equally_many_calls_the_slowest_is_first() {
        // Of 16 servers a report shows twelve.
        let call = |n: u32| {
            let wall = if n == 9 { 900 } else { 100 + n };
            format!("[weights][{n:016x}] client.done wall_ms={wall}.0 op=pause target=h{n:02}:80\n")
        };
        let lines: String = (0..16).map(call).collect();
        let stats =
            Stats::of(&Log::from_bytes(lines.as_bytes()), GroupBy::Target, Window::default());
        let names: Vec<_> = stats.groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!((names[0], names[1], names[15]), ("h09:80", "h15:80", "h00:80"));
    }

    #[test]
    fn failed_calls_have_no_place_in_trend_and_correlation() {
        let lines = process("a", 9000, 100, 200) + &process("a", 9100, 1, 503);
        let group = of(&lines);
        assert_eq!((group.calls, group.whole, group.failed), (24, 24, 12));
        assert_eq!(group.rpc_trend.unwrap().n, 12);
        assert_eq!(group.queue_and_in_flight.unwrap().n, 12);
    }
}
