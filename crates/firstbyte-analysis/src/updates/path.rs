//! The chain of calls that determined when an update ended.

use firstbyte_core::{Micros, Timestamp};

use super::{Update, UpdateCall, between};

/// A wall time is rounded to a tenth of a millisecond, so that a call may seem to end by so much later.
const ROUNDING: u128 = 50_000;

/// The critical path of an update, from its begin to its end without a gap.
///
/// Backwards from the call that ended last: in front of each call is the one that had ended last when it was
/// sent, on whatever server, and the time between both is the orchestrator's own. The links add up to the
/// duration exactly: where the rounding of a wall time makes two calls overlap, by 50 us at most, the overlap counts
/// once.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CriticalPath<'a> {
    /// The calls, in order.
    pub links: Vec<Link<'a>>,
}

/// A call of the critical path.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Link<'a> {
    /// The call.
    pub call: UpdateCall<'a>,
    /// The orchestrator's time before it.
    pub gap: Micros,
    /// Its part of the path: its wall time, but for the rounding.
    pub took: Micros,
}

/// What a critical path is made of; adds up to the duration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Split {
    /// The engines' work.
    pub rpc: Micros,
    /// Calls without the engine's work.
    pub queue: Micros,
    /// Between calls: the orchestrator's.
    pub gap: Micros,
    /// Calls that do not tell the engine's work.
    pub unsplit: Micros,
}

/// Calls of one operation to one server that follow each other on a path.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PathStage<'a> {
    /// The operation.
    pub op: &'a str,
    /// Host and port, and the path of the base URL, if it has one, as the client says.
    pub target: Option<&'a str>,
    /// How many calls.
    pub calls: usize,
    /// What it is made of, the orchestrator's time before and between the calls included.
    pub split: Split,
}

impl PathStage<'_> {
    /// The calls' part of the path, without the orchestrator's time.
    #[must_use]
    pub fn took(&self) -> Micros {
        self.split.rpc + self.split.queue + self.split.unsplit
    }
}

impl Split {
    fn of(links: &[Link<'_>]) -> Self {
        let mut split = Self::default();
        for link in links {
            split.gap = split.gap + link.gap;
            match link.call.call.rpc() {
                Some(rpc) => {
                    let rpc = rpc.min(link.took);
                    split.rpc = split.rpc + rpc;
                    split.queue = split.queue + Micros(link.took.0 - rpc.0);
                }
                None => split.unsplit = split.unsplit + link.took,
            }
        }
        split
    }
}

impl<'a> CriticalPath<'a> {
    /// What it is made of.
    #[must_use]
    pub fn split(&self) -> Split {
        Split::of(&self.links)
    }

    /// Its stages, in order.
    #[must_use]
    pub fn stages(&self) -> Vec<PathStage<'a>> {
        let place = |link: &Link<'a>| (link.call.op, link.call.call.target());
        self.links
            .chunk_by(|one, next| place(one) == place(next))
            .map(|links| {
                let (op, target) = place(&links[0]);
                PathStage { op, target, calls: links.len(), split: Split::of(links) }
            })
            .collect()
    }

    /// The sum of all links: the duration of the update.
    #[must_use]
    pub fn total(&self) -> Micros {
        Micros(self.links.iter().map(|link| link.gap.0 + link.took.0).sum())
    }
}

pub(super) fn critical<'a>(update: &Update<'a>) -> Option<CriticalPath<'a>> {
    let begin = update.begin()?;
    let ended = update.calls().map(|call| Some((*call, call.ended_at?)));
    let mut calls: Vec<(UpdateCall<'a>, Timestamp)> = ended.collect::<Option<_>>()?;
    calls.sort_by_key(|(call, end)| (call.sent_at, *end));
    let before = before(&calls);
    let mut links = Vec::new();
    // The last of those that ended last.
    let mut next = (0..calls.len()).max_by_key(|place| calls[*place].1);
    let mut end = calls[next?].1;
    while let Some(place) = next {
        let (call, _) = calls[place];
        next = before[place];
        // Where the path comes from: the end of the call before.
        let from = next.map_or(begin, |next| calls[next].1.min(call.sent_at));
        let at = |moment| between(begin, moment).0;
        let gap = Micros(at(call.sent_at) - at(from));
        let took = Micros(at(end).saturating_sub(at(call.sent_at)));
        links.push(Link { call, gap, took });
        end = from;
    }
    links.reverse();
    Some(CriticalPath { links })
}

/// For each call the one that had ended last when it was sent, and was sent before it.
fn before(calls: &[(UpdateCall<'_>, Timestamp)]) -> Vec<Option<usize>> {
    // From when on a call can be in front of another: never of itself, so that a path has an end.
    let since = |place: usize| {
        let (call, end) = &calls[place];
        let ended = u128::from(end.as_nanos()).saturating_sub(ROUNDING);
        ended.max(u128::from(call.sent_at.as_nanos()) + 1)
    };
    let mut order: Vec<usize> = (0..calls.len()).collect();
    order.sort_by_key(|place| since(*place));
    let mut ended = order.into_iter().peekable();
    let mut last: Option<usize> = None;
    let mut before = Vec::with_capacity(calls.len());
    for (call, _) in calls {
        while let Some(place) =
            ended.next_if(|place| since(*place) <= u128::from(call.sent_at.as_nanos()))
        {
            if last.is_none_or(|last| calls[last].1 <= calls[place].1) {
                last = Some(place);
            }
        }
        before.push(last);
    }
    before
}
