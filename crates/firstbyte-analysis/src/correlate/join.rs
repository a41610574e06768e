//! Which line belongs to which half of which call.

use std::collections::HashMap;

use firstbyte_core::{Micros, Timestamp, field, record};
use foldhash::fast::RandomState;

use super::{
    Log, Source,
    chain::{Arena, Chain},
    generation::{Batches, Generation},
    half::{ClientHalf, EngineHalf, ServerHalf, agree},
    mend,
    names::{Name, Names},
    pairing,
    timeline::Timeline,
};
use crate::{
    entry::{Entry, Id as EntryId, Kind},
    ingest::{Options, Reason, Tally},
};

/// All calls of one trace id: one, or the attempts, hops and fan-outs of an update.
#[derive(Debug)]
pub(super) struct Trace {
    id: Id,
    is_admin: bool,
    clients: Chain,
    servers: Chain,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Id {
    /// 16 hexadecimal digits, as firstbyte writes them.
    Usual(u64),
    Other(Box<str>),
}

/// The halves of all calls.
#[derive(Debug, Default)]
pub(super) struct Halves {
    pub(super) clients: Arena<ClientHalf>,
    pub(super) servers: Arena<ServerHalf>,
}

/// Places of halves that belong together.
pub(super) type Pair = (Option<u32>, Option<u32>);

impl Trace {
    /// What belongs together, if there is not more than one of either.
    pub(super) fn pair(&self) -> Option<Pair> {
        Some((self.clients.single().ok()?, self.servers.single().ok()?))
    }

    pub(super) fn chains(&self) -> (Chain, Chain) {
        (self.clients, self.servers)
    }

    pub(super) fn id(&self) -> String {
        match &self.id {
            Id::Usual(id) => format!("{id:016x}"),
            Id::Other(id) => id.to_string(),
        }
    }

    pub(super) const fn is_admin(&self) -> bool {
        self.is_admin
    }
}

const RECENT: usize = 1024;
/// Of a place among the recent traces that nobody has taken.
const NOWHERE: u32 = u32::MAX;

/// A [`Log`] in the making.
#[derive(Debug)]
pub(crate) struct Builder {
    pub(crate) tally: Tally,
    pub(crate) broken: Vec<String>,
    max_traces: usize,
    names: Names,
    sources: Vec<Source>,
    /// The generation batches of each file.
    batches: Vec<Batches>,
    traces: Vec<Trace>,
    halves: Halves,
    usual: HashMap<u64, u32, RandomState>,
    other: HashMap<Box<str>, u32, RandomState>,
    /// Traces of the latest lines, where they are found sooner.
    recent: Box<[(u64, u32); RECENT]>,
    engine: Vec<EngineHalf>,
    timeline: Timeline,
}

impl Builder {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            tally: Tally::default(),
            broken: Vec::new(),
            max_traces: options.max_traces.min(u32::MAX as usize),
            names: Names::new(),
            sources: Vec::new(),
            batches: Vec::new(),
            traces: Vec::new(),
            halves: Halves::default(),
            usual: HashMap::default(),
            other: HashMap::default(),
            recent: Box::new([(0, NOWHERE); RECENT]),
            engine: Vec::new(),
            timeline: Timeline::default(),
        }
    }

    /// A new file; what it returns goes with its lines.
    pub(crate) fn source(&mut self, name: String) -> u32 {
        self.sources.push(Source { name, ..Source::default() });
        self.batches.push(Batches::default());
        (self.sources.len() - 1) as u32
    }

    pub(crate) fn take(&mut self, entry: &Entry<'_>, source: u32) {
        if let Some(boot) = entry.boot {
            self.take_boot(boot, source);
        }
        let taken = match (entry.kind, entry.id) {
            (Kind::Client | Kind::Server, Some(id)) => self.take_call(entry, id, source),
            _ => self.take_other(entry, source),
        };
        match taken {
            Ok(()) => {
                self.tally.parsed += 1;
                self.tally.misfits += u64::from(entry.misfits > 0);
            }
            Err(reason) => self.tally.skip(reason),
        }
    }

    fn take_call(&mut self, entry: &Entry<'_>, id: EntryId<'_>, source: u32) -> Result<(), Reason> {
        let index = self.place(id, entry.is_admin).ok_or(Reason::OverLimit)?;
        let trace = &mut self.traces[index as usize];
        if entry.kind == Kind::Client {
            take_client(
                &mut self.halves.clients,
                &mut trace.clients,
                entry,
                source,
                &mut self.names,
                self.batches[source as usize].now(),
            )
        } else {
            take_server(
                &mut self.halves.servers,
                &mut trace.servers,
                entry,
                source,
                &mut self.names,
            )
        }
    }

    /// The place of a trace, made if there is room.
    #[inline]
    fn place(&mut self, id: EntryId<'_>, is_admin: bool) -> Option<u32> {
        // Lines of one call mostly follow each other.
        if let EntryId::Usual(id) = id
            && let (recent, place) = self.recent[recent(id)]
            && recent == id
            && place != NOWHERE
        {
            return Some(place);
        }
        let known = match id {
            EntryId::Usual(id) => self.usual.get(&id),
            EntryId::Other(id) => self.other.get(id),
        };
        let place = match known {
            Some(place) => *place,
            None if self.traces.len() >= self.max_traces => return None,
            None => self.new_trace(id, is_admin),
        };
        if let EntryId::Usual(id) = id {
            self.recent[recent(id)] = (id, place);
        }
        Some(place)
    }

    fn new_trace(&mut self, id: EntryId<'_>, is_admin: bool) -> u32 {
        let place = self.traces.len() as u32;
        let id = match id {
            EntryId::Usual(id) => {
                self.usual.insert(id, place);
                Id::Usual(id)
            }
            EntryId::Other(id) => {
                self.other.insert(id.into(), place);
                Id::Other(id.into())
            }
        };
        let (clients, servers) = (Chain::EMPTY, Chain::EMPTY);
        self.traces.push(Trace { id, is_admin, clients, servers });
        place
    }

    fn take_other(&mut self, entry: &Entry<'_>, source: u32) -> Result<(), Reason> {
        self.batches[source as usize].take(entry);
        match entry.kind {
            Kind::Engine => self.engine.extend(EngineHalf::of(entry)),
            Kind::Process => self.take_process(entry, source),
            _ => return self.timeline.take(entry, source),
        }
        Ok(())
    }

    /// A line of this file is of a process of this boot.
    fn take_boot(&mut self, boot: &str, source: u32) {
        let boot = Some(self.names.intern(boot));
        let source = &mut self.sources[source as usize];
        source.is_mixed |= source.boot.is_some() && source.boot != boot;
        source.boot = if source.is_mixed { None } else { boot };
    }

    fn take_process(&mut self, entry: &Entry<'_>, source: u32) {
        if let Some(boot) = entry.text(field::BOOT) {
            self.take_boot(&boot, source);
        }
        let source = &mut self.sources[source as usize];
        if let (Some(at), Some(unix)) = (entry.at, entry.unix(field::UNIX)) {
            source.unix_offset = Some(i128::from(unix) - i128::from(at.as_nanos()));
        }
    }

    pub(crate) fn finish(mut self) -> Log {
        let mut several = HashMap::default();
        for (place, trace) in (0..).zip(&mut self.traces) {
            if trace.pair().is_none() {
                mend::clients(&mut self.halves.clients, &mut trace.clients);
                mend::servers(&mut self.halves.servers, &mut trace.servers);
            }
            if trace.pair().is_none() {
                several.insert(place, pairing::settle(trace, &self.halves, &self.names));
            }
        }
        self.engine.sort_by(|a, b| a.call_id.cmp(&b.call_id));
        Log {
            tally: self.tally,
            broken: self.broken,
            names: self.names,
            sources: self.sources,
            traces: self.traces,
            halves: self.halves,
            several,
            engine: self.engine,
            timeline: self.timeline,
        }
    }
}

/// The place of an id among the recent ones.
fn recent(id: u64) -> usize {
    id as usize % RECENT
}

fn take_client(
    halves: &mut Arena<ClientHalf>,
    chain: &mut Chain,
    entry: &Entry<'_>,
    source: u32,
    names: &mut Names,
    generation: Generation,
) -> Result<(), Reason> {
    // The usual case: a line about the only attempt that there is.
    if let Ok(Some(place)) = chain.single()
        && !entry.is(&record::CLIENT_SEND)
        && !halves.get(place).has_ended()
        && says_nothing_else(halves.get(place), entry, names)
    {
        end(halves.get_mut(place), entry, names);
        return Ok(());
    }
    // And the other one: the first line of a call.
    if let (Ok(None), true) = (chain.single(), entry.is(&record::CLIENT_SEND)) {
        halves.push(chain, ClientHalf::new(source)).send(entry, names, generation);
        return Ok(());
    }
    let mut line = ClientHalf::new(source);
    if entry.is(&record::CLIENT_SEND) {
        line.send(entry, names, generation);
        let is_known = |half: &ClientHalf| {
            same_moment(half.sent_at, line.sent_at)
                && half.attempt == line.attempt
                && half.target == line.target
        };
        if halves.any(*chain, is_known) {
            return Err(Reason::Duplicate);
        }
        halves.push(chain, line);
        return Ok(());
    }
    line.label(entry, names);
    if let Some(place) = halves.last(*chain, |half| !half.has_ended() && agree(half, &line)) {
        end(halves.get_mut(place), entry, names);
        return Ok(());
    }
    if entry.is(&record::CLIENT_WAITING) {
        return Ok(());
    }
    end(&mut line, entry, names);
    let is_known = |half: &ClientHalf| {
        half.end == line.end && same_duration(half.wall(), line.wall()) && agree(half, &line)
    };
    if halves.any(*chain, is_known) {
        return Err(Reason::Duplicate);
    }
    halves.push(chain, line);
    Ok(())
}

/// Whether a line tells no other operation, server or attempt than its only candidate.
fn says_nothing_else(half: &ClientHalf, entry: &Entry<'_>, names: &Names) -> bool {
    let same = |known: Option<Name>, field| match (known, entry.text(field)) {
        (Some(known), Some(word)) => names.get(known) == word,
        _ => true,
    };
    let attempt = entry.count(field::ATTEMPT);
    same(half.op, field::OP)
        && same(half.target, field::TARGET)
        && attempt
            .is_none_or(|attempt| half.attempt.is_none_or(|known| i64::from(known) == attempt))
}

fn end(half: &mut ClientHalf, entry: &Entry<'_>, names: &mut Names) {
    if entry.is(&record::CLIENT_DONE) {
        half.done(entry, names);
    } else if entry.is(&record::CLIENT_FAIL) {
        half.fail(entry, names);
    } else {
        half.label(entry, names);
    }
}

fn take_server(
    halves: &mut Arena<ServerHalf>,
    chain: &mut Chain,
    entry: &Entry<'_>,
    source: u32,
    names: &mut Names,
) -> Result<(), Reason> {
    // The latest of this file that has not ended.
    let open =
        |half: &ServerHalf| half.source == source && half.done_at.is_none() && half.has_room(entry);
    if let Some(place) = halves.last(*chain, open) {
        halves.get_mut(place).take(entry, names);
        return Ok(());
    }
    let is_known = |half: &ServerHalf| same_moment(half.moment(entry.record), entry.at);
    if halves.any(*chain, is_known) {
        return Err(Reason::Duplicate);
    }
    // Lines may be in any order.
    let with_room = |half: &ServerHalf| half.source == source && half.has_room(entry);
    if let Some(place) = halves.last(*chain, with_room) {
        halves.get_mut(place).take(entry, names);
        return Ok(());
    }
    halves.push(chain, ServerHalf::new(source)).take(entry, names);
    Ok(())
}

/// Whether both are the same moment, as a text line and a JSON line tell it: the one cuts to microseconds.
fn same_moment(a: Option<Timestamp>, b: Option<Timestamp>) -> bool {
    a.zip(b).is_some_and(|(a, b)| a.as_nanos() / 1000 == b.as_nanos() / 1000)
}

/// The same of durations, which a text line rounds to a tenth of a millisecond.
fn same_duration(a: Option<Micros>, b: Option<Micros>) -> bool {
    a == b || a.zip(b).is_some_and(|(a, b)| a.0.abs_diff(b.0) <= 50)
}
