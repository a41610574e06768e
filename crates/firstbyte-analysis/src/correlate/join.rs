//! Which line belongs to which half of which call.

use std::collections::HashMap;

use firstbyte_core::{field, record};
use foldhash::fast::RandomState;

use super::{
    Log, Source,
    chain::{Arena, Chain},
    generation::{Batches, Generation},
    half::{ClientHalf, EngineHalf, ServerHalf, agree},
    mend,
    names::{Name, Names},
    pairing, rotated,
    timeline::Timeline,
};
use crate::{
    entry::{Entry, Id as EntryId, Kind},
    tally::{Reason, Tally, Unreadable},
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
    pub(crate) unreadable: Unreadable,
    max_traces: usize,
    names: Names,
    sources: Vec<Source>,
    /// The generation batches of each file.
    batches: Vec<Batches>,
    /// The number of the file that each one goes on from, until its first line comes.
    before: Vec<Option<u32>>,
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
    pub(crate) fn new(max_traces: usize) -> Self {
        Self {
            tally: Tally::default(),
            unreadable: Unreadable::default(),
            max_traces: max_traces.min(u32::MAX as usize),
            names: Names::new(),
            sources: Vec::new(),
            batches: Vec::new(),
            before: Vec::new(),
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
        self.before.push(None);
        (self.sources.len() - 1) as u32
    }

    /// A file goes on with the log of another one.
    pub(crate) fn goes_on(&mut self, before: u32, file: u32) {
        self.before[file as usize] = Some(before);
    }

    /// Lines of a file follow: what was open at the end of the one before it still is, if that was read.
    pub(crate) fn begin(&mut self, source: u32) {
        if let Some(before) = self.before[source as usize].take() {
            self.batches[source as usize] = self.batches[before as usize].clone();
        }
    }

    pub(crate) fn take(&mut self, entry: &Entry<'_>, source: u32) {
        if let Some(boot) = entry.boot {
            self.take_boot(boot, source);
        }
        if let Some(at) = entry.at {
            let told = &mut self.sources[source as usize];
            // A process says at the head of each file when it began.
            match entry.kind {
                Kind::Process => told.began = Some(at),
                _ => told.span = Some((told.span.map_or(at, |(first, _)| first), at)),
            }
        }
        let taken = match (entry.kind, entry.id) {
            (Kind::Client | Kind::Server, Some(id)) => self.take_call(entry, id, source),
            _ => self.take_other(entry, source),
        };
        match taken {
            Ok(()) => self.tally.take(entry),
            Err(reason) => self.tally.skip(reason, 1),
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
        let wanted = self.batches[source as usize].take(entry);
        match entry.kind {
            Kind::Engine => self.engine.extend(EngineHalf::of(entry)),
            Kind::Process => self.take_process(entry, source),
            _ => return self.timeline.take(entry, source, wanted, &mut self.names),
        }
        Ok(())
    }

    /// A line of this file is of a process of this boot.
    fn take_boot(&mut self, boot: &str, source: u32) {
        let boot = Some(self.names.intern(boot));
        let source = &mut self.sources[source as usize];
        // What is one of too many words is no boot that compares.
        source.is_mixed |=
            (source.boot.is_some() && source.boot != boot) || boot == Some(Name::OTHER);
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

    /// All lines of these files are taken, which are one log, from its oldest file on.
    pub(crate) fn rotated(&mut self, files: &[u32]) {
        rotated::join(&mut self.sources, files);
    }

    pub(crate) fn finish(mut self) -> Log {
        for trace in self.traces.iter_mut().filter(|trace| trace.pair().is_none()) {
            mend::clients(&mut self.halves.clients, &mut trace.clients);
            mend::servers(&mut self.halves.servers, &mut trace.servers, &self.sources);
        }
        let several = pairing::settle_all(&self.traces, &self.halves, &self.names);
        self.engine.sort_by(|a, b| a.call_id.cmp(&b.call_id));
        Log {
            tally: self.tally,
            unreadable: self.unreadable,
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
    // The usual cases: the first line of a call, and a line about the only attempt that there is.
    let is_send = entry.is(&record::CLIENT_SEND);
    match chain.single() {
        Ok(None) if is_send => {
            halves.push(chain, ClientHalf::new(source)).send(entry, names, generation);
            return Ok(());
        }
        Ok(Some(place)) if !is_send => {
            let half = halves.get_mut(place);
            if !half.has_ended()
                && half.sent_at.is_some()
                && says_nothing_else(half, entry, names)
                && half.may_end_with(entry)
            {
                end(half, entry, names);
                return Ok(());
            }
        }
        _ => {}
    }
    let mut line = ClientHalf::new(source);
    if is_send {
        line.send(entry, names, generation);
        if halves.any(*chain, |half| half.has_begun_as(&line)) {
            return Err(Reason::Duplicate);
        }
        // Of a call that waits, the line that says so may come first.
        match halves.last(*chain, |half| half.has_only_waited() && agree(half, &line)) {
            Some(place) => halves.get_mut(place).send(entry, names, generation),
            None => _ = halves.push(chain, line),
        }
        return Ok(());
    }
    line.label(entry, names);
    let is_open =
        |half: &ClientHalf| !half.has_ended() && agree(half, &line) && half.may_end_with(entry);
    let open = halves.last(*chain, is_open);
    if entry.is(&record::CLIENT_WAITING) {
        match open {
            Some(place) => halves.get_mut(place).wait(entry, names),
            None if halves.any(*chain, |half| agree(half, &line)) => {}
            None => {
                line.wait(entry, names);
                _ = halves.push(chain, line);
            }
        }
        return Ok(());
    }
    end(&mut line, entry, names);
    // With a call that goes on, a line is one of another file only if that has told it already.
    let is_known =
        |half: &ClientHalf| half.has_ended_as(&line) && (open.is_none() || half.source != source);
    if halves.any(*chain, is_known) {
        return Err(Reason::Duplicate);
    }
    match open {
        Some(place) => end(halves.get_mut(place), entry, names),
        None => _ = halves.push(chain, line),
    }
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
        half.wait(entry, names);
    }
}

fn take_server(
    halves: &mut Arena<ServerHalf>,
    chain: &mut Chain,
    entry: &Entry<'_>,
    source: u32,
    names: &mut Names,
) -> Result<(), Reason> {
    if halves.any(*chain, |half| half.has_taken(entry)) {
        return Err(Reason::Duplicate);
    }
    let has_room = |half: &ServerHalf| half.source == source && half.has_room(entry);
    let is_open = |half: &ServerHalf| has_room(half) && half.done_at.is_none();
    let place = match chain.single() {
        Ok(only) => only.filter(|place| has_room(halves.get(*place))),
        // A line may say what it ends; an engine is called by who has not called it yet, else by the latest; and lines may
        // be in any order.
        Err(_) => halves
            .last(*chain, |half| has_room(half) && half.is_named_by(entry))
            .or_else(|| {
                let calls = |half: &ServerHalf| is_open(half) && half.is_before_the_engine();
                let is_call = entry.is(&record::RPC_START);
                if is_call { halves.first(*chain, calls) } else { None }
            })
            .or_else(|| halves.last(*chain, is_open))
            .or_else(|| halves.last(*chain, has_room)),
    };
    match place {
        Some(place) => halves.get_mut(place).take(entry, names),
        None => halves.push(chain, ServerHalf::new(source)).take(entry, names),
    }
    Ok(())
}
