//! The lines of the last traces, and of what happens beside the calls.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::finished::Key;
use crate::{
    correlate::{Builder, Log},
    ingest::{Options, take_line},
};

/// The most bytes of lines that are kept.
const MOST_BYTES: usize = 32 << 20;
/// The most lines of one trace: an update of hundreds of servers has fewer.
const MOST_OF_A_TRACE: usize = 4000;
/// For each trace, so many lines beside the calls.
const BESIDE: usize = 4;
/// For each file, so many lines that tell its boot: with two one sees that there are two.
const STARTS: usize = 2;

/// What is kept, in the order of the lines.
#[derive(Debug)]
pub(super) struct Kept {
    sources: Vec<String>,
    most: usize,
    lines: BTreeMap<u64, Line>,
    bytes: usize,
    next: u64,
    traces: HashMap<String, Trace>,
    /// Traces by their last line.
    by_age: BTreeMap<u64, String>,
    beside: VecDeque<u64>,
    starts: Vec<VecDeque<u64>>,
    /// How many traces are no longer kept.
    pub(super) forgotten: u64,
}

#[derive(Debug)]
struct Line {
    source: usize,
    /// `None` if it is of no call.
    id: Option<String>,
    text: Box<[u8]>,
}

#[derive(Debug, Default)]
struct Trace {
    lines: VecDeque<u64>,
    last: u64,
    /// The last `client.waiting`.
    waiting: Option<u64>,
    told: Vec<Key>,
}

impl Kept {
    pub(super) fn new(sources: Vec<String>, most: usize) -> Self {
        Self {
            starts: vec![VecDeque::new(); sources.len()],
            sources,
            most,
            lines: BTreeMap::new(),
            bytes: 0,
            next: 0,
            traces: HashMap::new(),
            by_age: BTreeMap::new(),
            beside: VecDeque::new(),
            forgotten: 0,
        }
    }

    /// How many traces are kept.
    pub(super) fn traces(&self) -> usize {
        self.traces.len()
    }

    pub(super) fn call(&mut self, id: &str, source: usize, text: &[u8], is_waiting: bool) {
        let place = self.add(source, Some(id.to_owned()), text);
        let trace = self.traces.entry(id.to_owned()).or_default();
        self.by_age.remove(&trace.last);
        self.by_age.insert(place, id.to_owned());
        trace.last = place;
        trace.lines.push_back(place);
        if is_waiting {
            trace.waiting = Some(place);
        }
        let over = if trace.lines.len() > MOST_OF_A_TRACE { trace.lines.pop_front() } else { None };
        self.remove(over);
    }

    pub(super) fn beside(&mut self, source: usize, text: &[u8], is_start: bool) {
        let place = self.add(source, None, text);
        let (ring, most) = match is_start {
            true => (&mut self.starts[source], STARTS),
            false => (&mut self.beside, self.most.saturating_mul(BESIDE)),
        };
        ring.push_back(place);
        let over = if ring.len() > most { ring.pop_front() } else { None };
        self.remove(over);
        while self.bytes > MOST_BYTES && !self.beside.is_empty() {
            let first = self.beside.pop_front();
            self.remove(first);
        }
    }

    /// The trace that has been silent for longest, if there is more than is kept.
    pub(super) fn over_limit(&self) -> Option<String> {
        let is_over = self.traces.len() > self.most || self.bytes > MOST_BYTES;
        self.by_age.first_key_value().filter(|_| is_over).map(|(_, id)| id.clone())
    }

    pub(super) fn forget(&mut self, id: &str) {
        let Some(trace) = self.traces.remove(id) else { return };
        self.by_age.remove(&trace.last);
        trace.lines.into_iter().for_each(|place| self.remove(Some(place)));
        self.forgotten += 1;
    }

    /// Whether this attempt of a trace has not been told; from now on it has.
    pub(super) fn is_news(&mut self, id: &str, key: Key) -> bool {
        let Some(trace) = self.traces.get_mut(id) else { return true };
        let is_news = !trace.told.contains(&key);
        if is_news {
            trace.told.push(key);
        }
        is_news
    }

    /// The last `client.waiting` of a trace.
    pub(super) fn waiting(&self, id: &str) -> Option<&[u8]> {
        let place = self.traces.get(id)?.waiting?;
        self.lines.get(&place).map(|line| &*line.text)
    }

    /// The lines joined: all, or those of these traces and of no trace.
    pub(super) fn log(&self, ids: Option<&BTreeSet<String>>) -> Log {
        let mut builder = Builder::new(&Options::default());
        for name in &self.sources {
            builder.source(name.clone());
        }
        for line in self.lines.values() {
            let is_wanted = ids.zip(line.id.as_ref()).is_none_or(|(ids, id)| ids.contains(id));
            if is_wanted {
                take_line(&line.text, line.source as u32, &mut builder);
            }
        }
        builder.finish()
    }

    fn add(&mut self, source: usize, id: Option<String>, text: &[u8]) -> u64 {
        self.next += 1;
        self.bytes += text.len();
        self.lines.insert(self.next, Line { source, id, text: text.into() });
        self.next
    }

    fn remove(&mut self, place: Option<u64>) {
        let line = place.and_then(|place| self.lines.remove(&place));
        self.bytes -= line.map_or(0, |line| line.text.len());
    }
}

#[cfg(test)]
impl Kept {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn lines_of(&self, id: &str) -> usize {
        self.traces[id].lines.len()
    }
}
