//! The lines of the last traces, and of what happens beside the calls.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::finished::Key;
use crate::{
    correlate::{Builder, Log},
    ingest::{Options, take_line},
};

/// The most bytes of lines that are kept.
const MOST_BYTES: usize = 32 << 20;
/// With so many lines a trace is full, and begins anew: an update of hundreds of servers has fewer.
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
    /// A trace with too many lines.
    full: Option<String>,
    beside: VecDeque<u64>,
    starts: Vec<VecDeque<u64>>,
    /// The first boots of each file, as many as there are starts.
    boots: Vec<Vec<String>>,
    /// How many traces are no longer kept.
    pub(super) forgotten: u64,
}

#[derive(Debug)]
struct Line {
    source: usize,
    text: Box<[u8]>,
}

#[derive(Debug, Default)]
struct Trace {
    lines: Vec<u64>,
    last: u64,
    told: HashSet<Key>,
}

impl Kept {
    pub(super) fn new(sources: Vec<String>, most: usize) -> Self {
        Self {
            starts: vec![VecDeque::new(); sources.len()],
            boots: vec![Vec::new(); sources.len()],
            sources,
            most,
            lines: BTreeMap::new(),
            bytes: 0,
            next: 0,
            traces: HashMap::new(),
            by_age: BTreeMap::new(),
            full: None,
            beside: VecDeque::new(),
            forgotten: 0,
        }
    }

    /// How many traces are kept.
    pub(super) fn traces(&self) -> usize {
        self.traces.len()
    }

    pub(super) fn call(&mut self, id: &str, source: usize, text: &[u8]) {
        let place = self.add(source, text);
        let trace = self.traces.entry(id.to_owned()).or_default();
        self.by_age.remove(&trace.last);
        self.by_age.insert(place, id.to_owned());
        trace.last = place;
        trace.lines.push(place);
        if trace.lines.len() >= MOST_OF_A_TRACE {
            self.full = Some(id.to_owned());
        }
    }

    /// Whether no line beside the calls of this file had this boot; from now on one has. With [`STARTS`] of them it is
    /// known that there are several, and a further one is no news.
    pub(super) fn is_new(&mut self, source: usize, boot: &str) -> bool {
        let boots = &mut self.boots[source];
        let is_new = boots.len() < STARTS && boots.iter().all(|known| known != boot);
        if is_new {
            boots.push(boot.to_owned());
        }
        is_new
    }

    pub(super) fn beside(&mut self, source: usize, text: &[u8], is_start: bool) {
        let place = self.add(source, text);
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

    /// Traces that cannot be kept: one with too many lines, and, if there are so many `more` than are kept, those that have
    /// been silent for longest.
    pub(super) fn over_limit(&mut self, more: usize) -> BTreeSet<String> {
        let mut over: BTreeSet<String> = self.full.take().into_iter().collect();
        let (mut traces, mut bytes) = (self.traces.len(), self.bytes);
        if traces <= self.most.saturating_add(more) && bytes <= MOST_BYTES {
            return over;
        }
        for id in self.by_age.values() {
            if traces <= self.most && bytes <= MOST_BYTES {
                break;
            }
            traces -= 1;
            bytes -= self.bytes_of(id);
            over.insert(id.clone());
        }
        over
    }

    fn bytes_of(&self, id: &str) -> usize {
        let lines = self.traces.get(id).into_iter().flat_map(|trace| &trace.lines);
        lines.filter_map(|place| self.lines.get(place)).map(|line| line.text.len()).sum()
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
        trace.told.insert(key)
    }

    /// All lines, joined.
    pub(super) fn log(&self) -> Log {
        self.joined(self.lines.values())
    }

    /// The lines of these traces alone, joined: takes time in proportion to them, whatever else is kept.
    pub(super) fn log_of(&self, ids: &BTreeSet<String>) -> Log {
        let traces = ids.iter().filter_map(|id| self.traces.get(id));
        let mut places: Vec<u64> = traces.flat_map(|trace| &trace.lines).copied().collect();
        places.sort_unstable();
        self.joined(places.iter().filter_map(|place| self.lines.get(place)))
    }

    /// All lines but those of these traces, joined.
    pub(super) fn log_without(&self, ids: &BTreeSet<String>) -> Log {
        let traces = ids.iter().filter_map(|id| self.traces.get(id));
        let left_out: HashSet<u64> = traces.flat_map(|trace| &trace.lines).copied().collect();
        let lines = self.lines.iter().filter(|(place, _)| !left_out.contains(place));
        self.joined(lines.map(|(_, line)| line))
    }

    fn joined<'a>(&self, lines: impl Iterator<Item = &'a Line>) -> Log {
        let mut builder = Builder::new(Options::default().max_traces);
        for name in &self.sources {
            builder.source(name.clone());
        }
        for line in lines {
            take_line(&line.text, line.source as u32, &mut builder);
        }
        builder.finish()
    }

    fn add(&mut self, source: usize, text: &[u8]) -> u64 {
        self.next += 1;
        self.bytes += text.len();
        self.lines.insert(self.next, Line { source, text: text.into() });
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
