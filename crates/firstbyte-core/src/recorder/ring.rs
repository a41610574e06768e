//! The queue between the callers and the writer: bounded, without locks, many producers, one consumer.
//!
//! A ring of cache lines. An event takes as many neighbouring lines as it needs, so that a short one
//! costs one line and a long text still has a bound. Its first word is never zero and is stored last:
//! that publishes it. The consumer leaves the first word of every line zero.
//!
//! Words are atomics, so all of this is safe code; a relaxed store of a word is an ordinary store.
//! Events are written word by word right where they are read: no copy of an event is ever moved.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// Words of a cache line.
const LINE: usize = 8;

/// The room of an ordinary event: 256 bytes hold a `client.done`, 64 most server events.
const LINES_PER_EVENT: usize = 4;

/// More than the longest event takes, so that an empty ring refuses none.
const MIN_LINES: usize = 128;

#[repr(align(64))]
struct Line([AtomicU64; LINE]);

/// A word that is written often, in a cache line of its own.
#[repr(align(128))]
struct Alone(AtomicU64);

/// Why a ring took no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It holds as many events as it may.
    Full,
    /// It has fewer lines left than the event needs.
    NoRoom,
    /// It was closed.
    Closed,
}

pub(super) struct Ring {
    lines: Box<[Line]>,
    max_events: u32,
    /// Where the next event begins, and how many have begun.
    tail: Alone,
    /// Where the oldest event begins, and how many have been taken.
    head: Alone,
}

/// A place in the ring and a number of events, both modulo their range, and whether it is closed:
/// one word, so that they change together.
#[derive(Clone, Copy)]
struct Mark(u64);

impl Mark {
    const CLOSED: u64 = 1 << 63;
    const EVENTS: u32 = 0x7fff_ffff;

    fn new(events: u32, line: u32) -> Self {
        Self(u64::from(events & Self::EVENTS) << 32 | u64::from(line))
    }

    const fn is_closed(self) -> bool {
        self.0 & Self::CLOSED != 0
    }

    const fn events(self) -> u32 {
        (self.0 >> 32) as u32 & Self::EVENTS
    }

    const fn line(self) -> u32 {
        self.0 as u32
    }

    const fn events_since(self, earlier: Self) -> u32 {
        self.events().wrapping_sub(earlier.events()) & Self::EVENTS
    }

    const fn lines_since(self, earlier: Self) -> u32 {
        self.line().wrapping_sub(earlier.line())
    }
}

/// Room for one event, to be filled in from its second word on and then published.
pub(super) struct Room<'a> {
    ring: &'a Ring,
    first: &'a AtomicU64,
    /// The line of the next word, and its place in there.
    line: &'a Line,
    number: u32,
    place: usize,
    /// Whether it is time to wake a consumer that sleeps.
    pub(super) wake: bool,
}

/// While a ring fills up, every so many-th part of it that is used wakes a consumer that sleeps.
const WAKES_PER_LAP: u32 = 16;

impl Ring {
    /// A ring for so many events, and for four lines each.
    pub(super) fn new(max_events: usize) -> Self {
        let lines = (max_events * LINES_PER_EVENT).next_power_of_two().max(MIN_LINES);
        let zero = || Line(std::array::from_fn(|_| AtomicU64::new(0)));
        Self {
            lines: std::iter::repeat_with(zero).take(lines).collect(),
            max_events: u32::try_from(max_events).unwrap_or(Mark::EVENTS),
            tail: Alone(AtomicU64::new(0)),
            head: Alone(AtomicU64::new(0)),
        }
    }

    /// Takes room for an event of so many words. It must be published: the ring waits for it.
    #[inline]
    pub(super) fn reserve(&self, words: usize) -> Result<Room<'_>, Refused> {
        let wanted = words.div_ceil(LINE) as u32;
        let mut tail = Mark(self.tail.0.load(Relaxed));
        loop {
            if tail.is_closed() {
                return Err(Refused::Closed);
            }
            // Whoever sees the head sees that the lines before it are clean.
            let head = Mark(self.head.0.load(Acquire));
            let (events, used) = (tail.events_since(head), tail.lines_since(head));
            // A tail that is out of date may lie before the head: then the difference is huge.
            if events >= self.max_events || used.saturating_add(wanted) > self.lines.len() as u32 {
                let now = Mark(self.tail.0.load(Relaxed));
                if now.0 == tail.0 {
                    let full = events >= self.max_events;
                    return Err(if full { Refused::Full } else { Refused::NoRoom });
                }
                tail = now;
                continue;
            }
            let next = Mark::new(tail.events() + 1, tail.line().wrapping_add(wanted));
            match self.tail.0.compare_exchange_weak(tail.0, next.0, Relaxed, Relaxed) {
                Ok(_) => {
                    let lines = self.lines.len() as u32;
                    let filling = events >= self.max_events / 4 || used > lines / 4;
                    let part = (lines / WAKES_PER_LAP).min(self.max_events / 4).max(1);
                    let wake = filling && tail.line() / part != next.line() / part;
                    let line = self.line(tail.line());
                    let first = &line.0[0];
                    let number = tail.line();
                    return Ok(Room { ring: self, first, line, number, place: 1, wake });
                }
                Err(now) => tail = Mark(now),
            }
        }
    }

    /// Takes no event from now on.
    pub(super) fn close(&self) {
        self.tail.0.fetch_or(Mark::CLOSED, Relaxed);
    }

    /// Events that were reserved and not yet taken.
    pub(super) fn len(&self) -> u64 {
        let head = Mark(self.head.0.load(Acquire));
        Mark(self.tail.0.load(Relaxed)).events_since(head).into()
    }

    #[inline]
    fn line(&self, number: u32) -> &Line {
        &self.lines[number as usize & (self.lines.len() - 1)]
    }

    #[inline]
    fn word(&self, first: u32, index: usize) -> &AtomicU64 {
        &self.line(first.wrapping_add((index / LINE) as u32)).0[index % LINE]
    }
}

impl Room<'_> {
    /// Sets the next word; the first one so set is the event's second.
    #[inline]
    pub(super) fn push(&mut self, word: u64) {
        if self.place == LINE {
            self.number = self.number.wrapping_add(1);
            (self.line, self.place) = (self.ring.line(self.number), 0);
        }
        self.line.0[self.place].store(word, Relaxed);
        self.place += 1;
    }

    /// Sets the first word, which must not be zero: the event is complete.
    #[inline]
    pub(super) fn publish(self, word: u64) {
        debug_assert!(word != 0, "zero means that there is nothing");
        self.first.store(word, Release);
    }
}

/// The consumer's place. There is one per ring.
pub(super) struct Consumer {
    head: Mark,
}

impl Consumer {
    pub(super) const fn new() -> Self {
        Self { head: Mark(0) }
    }

    /// The first word of the next event, if it is complete.
    #[inline]
    pub(super) fn peek(&self, ring: &Ring) -> Option<u64> {
        let word = ring.word(self.head.line(), 0).load(Acquire);
        (word != 0).then_some(word)
    }

    /// A word of the event that [`Consumer::peek`] has seen.
    #[inline]
    pub(super) fn word(&self, ring: &Ring, index: usize) -> u64 {
        ring.word(self.head.line(), index).load(Relaxed)
    }

    /// Goes on to the next event; this one had so many words.
    #[inline]
    pub(super) fn advance(&mut self, ring: &Ring, words: usize) {
        let lines = words.div_ceil(LINE);
        for line in 0..lines {
            ring.word(self.head.line(), line * LINE).store(0, Relaxed);
        }
        self.head = Mark::new(self.head.events() + 1, self.head.line().wrapping_add(lines as u32));
    }

    /// Gives the room of the events that were taken back to the producers.
    pub(super) fn release(&self, ring: &Ring) {
        ring.head.0.store(self.head.0, Release);
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, thread};

    use super::*;

    /// Takes the next event: its first word says how many words it has.
    fn take(consumer: &mut Consumer, ring: &Ring) -> Option<Vec<u64>> {
        let words = consumer.peek(ring)? as usize;
        let event = (1..words).map(|index| consumer.word(ring, index)).collect();
        consumer.advance(ring, words);
        consumer.release(ring);
        Some(event)
    }

    fn put(ring: &Ring, words: usize, value: u64) -> Result<(), Refused> {
        let mut room = ring.reserve(words)?;
        (1..words).for_each(|index| room.push(value + index as u64));
        room.publish(words as u64);
        Ok(())
    }

    #[test]
    fn events_of_all_lengths_come_out_as_they_went_in_over_many_laps() {
        let (ring, mut consumer) = (Ring::new(16), Consumer::new());
        for n in 0..2_000 {
            let words = 1 + n % 100;
            put(&ring, words, n as u64).unwrap();
            let expected: Vec<_> = (1..words).map(|index| (n + index) as u64).collect();
            assert_eq!(take(&mut consumer, &ring), Some(expected));
            assert_eq!((take(&mut consumer, &ring), ring.len()), (None, 0));
        }
    }

    #[test]
    fn it_refuses_what_does_not_fit_and_says_why() {
        let (ring, mut consumer) = (Ring::new(3), Consumer::new());
        (0..3).for_each(|_| put(&ring, 4, 1).unwrap());
        assert_eq!(put(&ring, 4, 1), Err(Refused::Full));
        assert!(take(&mut consumer, &ring).is_some());
        assert_eq!(put(&ring, MIN_LINES * LINE, 1), Err(Refused::NoRoom));
        put(&ring, 4, 1).unwrap();
        ring.close();
        assert!(take(&mut consumer, &ring).is_some());
        assert_eq!((put(&ring, 4, 1), ring.len()), (Err(Refused::Closed), 2));
    }

    #[test]
    fn a_consumer_that_sleeps_is_woken_before_the_ring_is_full() {
        for max_events in [8, 64, 1000, 8192] {
            for words in [4, 20, 400] {
                let ring = Ring::new(max_events);
                let mut woken = None;
                let mut taken = 0;
                while let Ok(mut room) = ring.reserve(words) {
                    taken += 1;
                    if room.wake && woken.is_none() {
                        woken = Some(taken);
                    }
                    (1..words).for_each(|_| room.push(1));
                    room.publish(words as u64);
                }
                let woken = woken.expect("it was woken");
                // Half of the events are still to come, or at least two of a very small ring.
                assert!(woken * 2 <= taken + 4, "{max_events} x {words}: {woken} of {taken}");
            }
        }
    }

    #[test]
    fn an_event_that_is_not_published_holds_back_those_behind_it() {
        let (ring, mut consumer) = (Ring::new(8), Consumer::new());
        let mut slow = ring.reserve(9).unwrap();
        put(&ring, 2, 7).unwrap();
        assert_eq!((take(&mut consumer, &ring), ring.len()), (None, 2));
        (1..9).for_each(|_| slow.push(0));
        slow.publish(9);
        assert_eq!(take(&mut consumer, &ring), Some(vec![0; 8]));
        assert_eq!(take(&mut consumer, &ring), Some(vec![8]));
    }

    #[test]
    fn producers_on_several_threads_lose_and_mix_nothing() {
        let rounds = 30_000;
        let (ring, mut consumer) = (Ring::new(32), Consumer::new());
        let mut seen: HashMap<u64, u64> = HashMap::new();
        thread::scope(|scope| {
            for producer in 0..3_u64 {
                let ring = &ring;
                scope.spawn(move || {
                    for n in 0..rounds {
                        let value = producer << 40 | n << 8;
                        while put(ring, 2 + (n % 30) as usize, value).is_err() {
                            thread::yield_now();
                        }
                    }
                });
            }
            while seen.values().sum::<u64>() < 3 * rounds {
                let Some(event) = take(&mut consumer, &ring) else {
                    thread::yield_now();
                    continue;
                };
                let (producer, n) = (event[0] >> 40, event[0] >> 8 & 0xffff_ffff);
                let next = seen.entry(producer).or_default();
                assert_eq!((n, event.len() as u64), (*next, 1 + n % 30), "in order, whole");
                let value = event[0] - 1;
                assert!(event.iter().zip(1..).all(|(word, index)| *word == value + index));
                *next += 1;
            }
        });
        assert_eq!(ring.len(), 0);
    }
}
