//! Calls side by side: by operation, by server, or by file.

use std::collections::{BTreeMap, HashMap, HashSet};

use firstbyte_core::{Micros, Phase};
use foldhash::fast::RandomState;

use super::{Distribution, Shown, cut_name, distribution};
use crate::{
    correlate::{Call, Log, Server},
    measure::{Group, GroupBy, Metric, UNKNOWN},
    waterfall::{Side, pieces},
};

/// More do not fit side by side.
const MOST: usize = 12;

/// The calls of one operation, server or file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Arm {
    /// Its name and its numbers.
    pub group: Group,
    /// How many calls the parts are of: those that ended well and tell their wall.
    pub n: usize,
    /// What the mean wall is made of, in the order in which it passes. The means add up to that of wall but for
    /// rounding.
    pub parts: Vec<Part>,
}

/// A part of the mean wall.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Part {
    /// Its name: a phase, a part of the wait, or what is not divided (`queue`, `wait`, `wall`).
    pub name: &'static str,
    /// Whose time it is.
    pub side: Side,
    /// Its sum over the calls that have it, by all `n` calls, in milliseconds.
    pub mean_ms: f64,
    /// How many of the calls have it.
    pub calls: usize,
    /// Its place in the order in which a call passes through the parts.
    pub(super) place: usize,
}

impl Part {
    /// Whether it is what remains of a whole.
    #[must_use]
    pub fn is_residual(&self) -> bool {
        self.side == Side::Residual
    }
}

impl Arm {
    /// Its name as it is shown; that of all calls together is `all`.
    #[must_use]
    pub fn name(&self) -> &str {
        if self.group.name.is_empty() { "all" } else { &self.group.name }
    }

    /// The mean of wall in milliseconds; `None` if no call tells it.
    #[must_use]
    pub fn wall_ms(&self) -> Option<f64> {
        let wall = self.group.rows.iter().find(|(metric, ..)| *metric == Metric::Wall);
        wall.map(|(_, summary, _)| summary.mean_ms)
    }

    /// The sum of the parts' means in milliseconds.
    #[must_use]
    pub fn parts_ms(&self) -> f64 {
        self.parts.iter().map(|part| part.mean_ms).sum()
    }
}

/// What tells calls apart: the first of operation, server and file with more than one name.
pub(super) fn telling(log: &Log, calls: &[Call<'_>]) -> GroupBy {
    let several = |by: &GroupBy| {
        let mut names: HashSet<&str, RandomState> = HashSet::default();
        let mut told = calls.iter().map(|call| by.name(log, call)).filter(|name| *name != UNKNOWN);
        told.any(|name| names.insert(name) && names.len() > 1)
    };
    let by = [GroupBy::Op, GroupBy::Target, GroupBy::File];
    by.into_iter().find(several).unwrap_or(GroupBy::Op)
}

/// The arms of these groups, and how their times are distributed.
pub(super) fn of(
    log: &Log,
    calls: &[Call<'_>],
    by: GroupBy,
    groups: Vec<Group>,
) -> (Shown<Arm>, Vec<Distribution>) {
    let groups = Shown::first(MOST, groups);
    let names = groups.list.iter().map(|group| group.name.as_str());
    let places: HashMap<&str, usize, RandomState> = names.zip(0..).collect();
    let mut gathered: Vec<Gathered> = Vec::new();
    gathered.resize_with(groups.list.len(), Gathered::default);
    for call in calls.iter().filter(|call| call.ended_well()) {
        if let Some(place) = places.get(by.name(log, call)) {
            gathered[*place].take(call);
        }
    }
    let of_wall = gathered.iter_mut().map(|arm| std::mem::take(&mut arm.wall)).collect();
    let of_queue = gathered.iter_mut().map(|arm| std::mem::take(&mut arm.queue)).collect();
    let distributions = [(Metric::Wall, of_wall), (Metric::Queue, of_queue)];
    let distributions =
        distributions.into_iter().filter_map(|(metric, values)| distribution::of(metric, values));
    let arms = groups.list.into_iter().zip(gathered).map(|(group, sums)| sums.arm(group));
    (Shown { list: arms.collect(), left_out: groups.left_out }, distributions.collect())
}

/// An arm in the making.
#[derive(Default)]
struct Gathered {
    n: usize,
    parts: BTreeMap<usize, (&'static str, Side, u128, usize)>,
    wall: Vec<Micros>,
    queue: Vec<Micros>,
}

impl Gathered {
    fn take(&mut self, call: &Call<'_>) {
        self.wall.extend(Metric::Wall.of(call));
        self.queue.extend(call.queue());
        let pieces = pieces(call);
        self.n += usize::from(!pieces.is_empty());
        for (name, time, side) in pieces {
            let (.., sum, calls) = self.parts.entry(order(name)).or_insert((name, side, 0, 0));
            *sum += u128::from(time.0);
            *calls += 1;
        }
    }

    fn arm(self, mut group: Group) -> Arm {
        group.name = cut_name(&group.name);
        let mean_ms = |sum: u128| sum as f64 / self.n as f64 / 1e3;
        let part = |(place, (name, side, sum, calls))| Part {
            name,
            side,
            mean_ms: mean_ms(sum),
            calls,
            place,
        };
        Arm { group, n: self.n, parts: self.parts.into_iter().map(part).collect() }
    }
}

/// The place of a part in the order in which a call passes through them.
fn order(name: &str) -> usize {
    let before = Phase::ALL.iter().take_while(|phase| **phase != Phase::Wait);
    let server = [Server::Network, Server::Unattributed, Server::Kernel, Server::Handler];
    let known = before
        .map(|phase| phase.as_str())
        .chain(["wall", "queue", "wait"])
        .chain(server.map(|part| Metric::Server(part).as_str()))
        .chain(["rpc", "respond", "receive"]);
    let mut known = known.enumerate();
    known.find(|(_, known)| *known == name).map_or(usize::MAX, |(place, _)| place)
}
