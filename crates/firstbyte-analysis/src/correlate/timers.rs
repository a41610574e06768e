//! The engine's timers of one exchange: mostly one, sometimes one within another, or one after the other.

use firstbyte_core::{Micros, Timestamp};

use super::half::{Known, is_close};

/// So many timers of an exchange are told from each other. Each line is compared with all of them.
const MOST: usize = 16;

/// The timers in the order in which their first lines came, which may be any.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    first: Timer,
    more: Option<Box<More>>,
}

#[derive(Clone, Debug, Default)]
struct More {
    timers: Vec<Timer>,
    /// The sum of those beyond.
    beyond: Micros,
}

/// From `rpc.start` to `rpc.done`, of which either may be missing; without both there is no timer.
#[derive(Clone, Copy, Debug)]
struct Timer {
    start: Option<Timestamp>,
    done: Option<Timestamp>,
    rpc: Known,
}

impl Default for Timer {
    fn default() -> Self {
        Self { start: None, done: None, rpc: Known::NO }
    }
}

impl Timer {
    const fn is_some(&self) -> bool {
        self.start.is_some() || !self.is_open()
    }

    const fn is_open(&self) -> bool {
        self.done.is_none() && self.rpc.get().is_none()
    }

    /// Whether it goes on, and began at this moment.
    fn has_begun(&self, begin: Timestamp) -> bool {
        self.is_open() && is_near(self.start, begin)
    }

    /// When it began: as its line says, or as its end does.
    fn begin(&self) -> Option<Timestamp> {
        self.start.or_else(|| begin(self.done, self.rpc.get()))
    }

    fn is_within(&self, outer: &Self) -> bool {
        let ends = |timer: &Self| timer.begin().zip(timer.done);
        let (Some(inner), Some(outer)) = (ends(self), ends(outer)) else { return false };
        outer.0 <= inner.0 && inner.1 <= outer.1
    }
}

impl Timers {
    pub(super) fn is_empty(&self) -> bool {
        !self.first.is_some()
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = &Timer> {
        let more = self.more.iter().flat_map(|more| &more.timers);
        Some(&self.first).into_iter().filter(|timer| timer.is_some()).chain(more)
    }

    fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Timer> {
        let more = self.more.iter_mut().flat_map(|more| &mut more.timers);
        Some(&mut self.first).into_iter().filter(|timer| timer.is_some()).chain(more)
    }

    /// The moment of the first `rpc.start`.
    pub(super) fn started_at(&self) -> Option<Timestamp> {
        self.iter().filter_map(|timer| timer.start).min()
    }

    /// The moment of the last `rpc.done`.
    pub(super) fn done_at(&self) -> Option<Timestamp> {
        self.iter().filter_map(|timer| timer.done).max()
    }

    /// The sum of all timers. Of timers within each other, such as a handler's around a plugin's, the outer one counts.
    pub(super) fn rpc(&self) -> Option<Micros> {
        let Some(more) = &self.more else { return self.first.rpc.get() };
        let is_outer = |(place, timer): &(usize, &Timer)| {
            !self.iter().enumerate().any(|(other, outer)| {
                let is_the_same = outer.is_within(timer) && other > *place;
                other != *place && timer.is_within(outer) && !is_the_same
            })
        };
        let outer = self.iter().enumerate().filter(is_outer);
        let sum = outer.filter_map(|(_, timer)| timer.rpc.get()).reduce(|sum, rpc| sum + rpc);
        sum.map(|sum| sum + more.beyond)
    }

    /// Whether a timer begins at this moment.
    pub(super) fn begins(&self, at: Option<Timestamp>) -> bool {
        self.iter().any(|timer| same_moment(timer.start, at))
    }

    /// Whether a timer ends at this moment, after this time.
    pub(super) fn ends(&self, at: Option<Timestamp>, rpc: Option<Micros>) -> bool {
        self.iter().any(|timer| same_moment(timer.done, at) && is_close(timer.rpc.get(), rpc))
    }

    /// Whether a timer that ends at this moment after this time has begun here.
    pub(super) fn awaits(&self, at: Option<Timestamp>, rpc: Option<Micros>) -> bool {
        begin(at, rpc).is_some_and(|begin| self.iter().any(|timer| timer.has_begun(begin)))
    }

    pub(super) fn start(&mut self, at: Option<Timestamp>) {
        let ended = self.iter_mut().find(|timer| {
            let begin = begin(timer.done, timer.rpc.get());
            timer.start.is_none() && begin.is_some_and(|begin| is_near(at, begin))
        });
        match ended {
            Some(timer) => timer.start = at,
            None => self.push(Timer { start: at, ..Timer::default() }),
        }
    }

    pub(super) fn done(&mut self, at: Option<Timestamp>, rpc: Option<Micros>) {
        // By its own time it is known which one ends, even if that is still to come; without, it is the innermost.
        let is_open = |timer: &Timer| {
            timer.is_open() && timer.start.zip(at).is_none_or(|(start, at)| start <= at)
        };
        let begun = match (begin(at, rpc), at.and(rpc)) {
            (Some(begin), _) => self.iter_mut().find(|timer| timer.has_begun(begin)),
            (None, Some(_)) => None,
            (None, None) => self.iter_mut().rev().find(|timer| is_open(timer)),
        };
        match begun {
            Some(timer) => (timer.done, timer.rpc) = (at, rpc.into()),
            None => self.push(Timer { start: None, done: at, rpc: rpc.into() }),
        }
    }

    fn push(&mut self, timer: Timer) {
        if !timer.is_some() {
            return;
        }
        if self.is_empty() {
            self.first = timer;
            return;
        }
        let more = self.more.get_or_insert_default();
        if more.timers.len() + 1 < MOST {
            more.timers.push(timer);
        } else {
            more.beyond = more.beyond + timer.rpc.get().unwrap_or_default();
        }
    }

    /// Whether a timer that begins in one of both ends in the other.
    pub(super) fn go_on_in(&self, other: &Self) -> bool {
        let ends_in = |begun: &Self, ended: &Self| {
            ended.iter().any(|end| end.start.is_none() && begun.awaits(end.done, end.rpc.get()))
        };
        ends_in(self, other) || ends_in(other, self)
    }

    /// Takes those of another piece of the same exchange.
    pub(super) fn join(&mut self, others: &Self) {
        for other in others.iter() {
            match (other.start, other.is_open()) {
                (start, true) => self.start(start),
                (None, false) => self.done(other.done, other.rpc.get()),
                (Some(_), false) => self.push(*other),
            }
        }
        if let Some(others) = &others.more {
            let more = self.more.get_or_insert_default();
            more.beyond = more.beyond + others.beyond;
        }
    }
}

/// When began what ended at this moment and took so long.
pub(super) fn begin(end: Option<Timestamp>, duration: Option<Micros>) -> Option<Timestamp> {
    end?.as_nanos().checked_sub(duration?.0.checked_mul(1000)?).map(Timestamp::from_nanos)
}

/// Whether a moment is one that was worked out from a time that a text line rounds to a tenth of a millisecond, or cuts.
pub(super) fn is_near(at: Option<Timestamp>, worked_out: Timestamp) -> bool {
    at.is_some_and(|at| at.as_nanos().abs_diff(worked_out.as_nanos()) <= 110_000)
}

/// Whether both are the same moment, as a text line and a JSON line tell it: the one cuts to microseconds.
pub(super) fn same_moment(a: Option<Timestamp>, b: Option<Timestamp>) -> bool {
    a.zip(b).is_some_and(|(a, b)| a.as_nanos() / 1000 == b.as_nanos() / 1000)
}
