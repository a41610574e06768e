//! Which servers' updates are one.

use std::collections::HashMap;

use firstbyte_core::Timestamp;

use super::{Checkpoint, Update, server::ServerUpdate, stage::UpdateCall};

/// Joins the updates of servers: by an id in common, or else by the step, or else by overlapping in time.
pub(super) fn joined(mut parts: Vec<ServerUpdate<'_>>) -> Vec<Update<'_>> {
    parts.sort_by_key(|part| (part.calls[0].clock, part.begin()));
    let mut joining = Joining::default();
    for part in parts {
        let facts = Facts::of(&part);
        match joining.find(&part, &facts) {
            Some(place) => joining.add(place, part, facts),
            None => joining.open(part, facts),
        }
    }
    joining.updates.into_iter().map(|draft| draft.update).collect()
}

/// What a server's part is joined by.
struct Facts {
    clock: u32,
    file: u32,
    step: Option<i64>,
    ids: Vec<u32>,
    last: Timestamp,
}

impl Facts {
    fn of(part: &ServerUpdate<'_>) -> Self {
        let first = &part.calls[0];
        let shared = part.calls.iter().filter(|call| call.is_id_shared);
        let mut ids: Vec<u32> = shared.map(|call| call.id).collect();
        ids.dedup();
        Self {
            clock: first.clock,
            file: first.file,
            step: part.calls.iter().find_map(|call| call.client.step()),
            ids,
            last: part.calls.iter().map(UpdateCall::last_moment).max().unwrap_or(first.sent_at),
        }
    }
}

struct Draft<'a> {
    update: Update<'a>,
    clock: u32,
    file: u32,
    /// The number of the update in its file.
    number: u64,
    last: Timestamp,
}

#[derive(Default)]
struct Joining<'a> {
    updates: Vec<Draft<'a>>,
    by_id: HashMap<u32, usize>,
    by_step: HashMap<(u32, i64), usize>,
    /// The latest update of each file.
    latest: HashMap<u32, usize>,
    /// Which place in an update a server has, by clock.
    places: HashMap<(usize, String), (u32, usize)>,
}

impl<'a> Joining<'a> {
    fn find(&self, part: &ServerUpdate<'a>, facts: &Facts) -> Option<usize> {
        let by_id = facts.ids.iter().filter_map(|id| self.by_id.get(id));
        let by_id = by_id.copied().find(|place| self.has_room(*place, part, facts));
        let by_step = || {
            let place = *self.by_step.get(&(facts.clock, facts.step?))?;
            // Steps begin anew with each run of an orchestrator.
            let draft = &self.updates[place];
            let is_recent = draft.file == facts.file
                && self
                    .latest
                    .get(&facts.file)
                    .is_some_and(|latest| self.updates[*latest].number <= draft.number + 1);
            (is_recent || part.begin() < draft.last).then_some(place)
        };
        let by_time = || {
            let place = *self.latest.get(&facts.file)?;
            (part.begin() < self.updates[place].last).then_some(place)
        };
        let fits = |place: &usize| {
            self.updates[*place].clock == facts.clock && self.has_room(*place, part, facts)
        };
        by_id.or_else(|| by_step().filter(fits)).or_else(|| by_time().filter(fits))
    }

    /// Whether an update is of no other step, and has not had this server on this clock.
    fn has_room(&self, place: usize, part: &ServerUpdate<'a>, facts: &Facts) -> bool {
        let step = self.updates[place].update.step;
        let is_other = step.zip(facts.step).is_some_and(|(known, step)| known != step);
        let known = self.places.get(&(place, part.target.clone()));
        !is_other && known.is_none_or(|(clock, _)| *clock != facts.clock)
    }

    fn open(&mut self, part: ServerUpdate<'a>, facts: Facts) {
        let latest = self.latest.get(&facts.file);
        let draft = Draft {
            clock: facts.clock,
            file: facts.file,
            number: latest.map_or(0, |latest| self.updates[*latest].number + 1),
            last: facts.last,
            update: Update {
                step: None,
                id: part.calls[0].call.id(),
                servers: Vec::new(),
                checkpoint: Checkpoint::default(),
                has_one_clock: true,
            },
        };
        self.latest.insert(facts.file, self.updates.len());
        self.updates.push(draft);
        self.add(self.updates.len() - 1, part, facts);
    }

    fn add(&mut self, place: usize, part: ServerUpdate<'a>, facts: Facts) {
        let draft = &mut self.updates[place];
        let update = &mut draft.update;
        update.step = update.step.or(facts.step);
        if draft.clock == facts.clock {
            draft.last = draft.last.max(facts.last);
        } else {
            update.has_one_clock = false;
        }
        self.by_id.extend(facts.ids.into_iter().map(|id| (id, place)));
        if let Some(step) = facts.step {
            self.by_step.insert((facts.clock, step), place);
        }
        let server = (place, part.target.clone());
        if let Some((_, known)) = self.places.get(&server) {
            // Two files have lines of one server's update, and their clocks do not compare.
            update.servers[*known].calls.extend(part.calls);
        } else {
            self.places.insert(server, (facts.clock, update.servers.len()));
            update.servers.push(part);
        }
    }
}
