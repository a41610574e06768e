//! Which calls to one server are one update.

use std::collections::{HashMap, HashSet};

use super::{
    server::ServerUpdate,
    stage::{Kind, UpdateCall},
};

/// The updates of each server, and how many calls are in none. Calls come in order.
pub(super) fn by_server(calls: Vec<UpdateCall<'_>>) -> (Vec<ServerUpdate<'_>>, u64) {
    let mut parts: Vec<ServerUpdate<'_>> = Vec::new();
    let mut open: HashMap<(u32, String), (usize, SoFar)> = HashMap::new();
    let mut stray = 0;
    for mut call in calls {
        let server = (call.clock, call.target().to_owned());
        let known = open.get_mut(&server);
        if let Some((place, so_far)) = known
            && so_far.goes_on_with(&call)
        {
            call.is_retry = so_far.is_retried_by(&call);
            so_far.take(&call);
            parts[*place].calls.push(call);
        } else if matches!(call.kind, Kind::Pause | Kind::Start | Kind::Load) {
            let mut so_far = SoFar::default();
            so_far.take(&call);
            open.insert(server, (parts.len(), so_far));
            parts.push(ServerUpdate::new(call));
        } else {
            stray += 1;
        }
    }
    tell_later_resumes(&mut parts);
    (parts, stray)
}

/// A server that one update left paused may have been resumed by a later one.
fn tell_later_resumes(parts: &mut [ServerUpdate<'_>]) {
    let mut resumed: HashSet<(u32, String)> = HashSet::new();
    for part in parts.iter_mut().rev() {
        let server = (part.calls[0].clock, part.target.to_owned());
        part.is_resumed_later = resumed.contains(&server);
        if part.calls.iter().any(|call| call.kind == Kind::Resume && call.is_ok()) {
            resumed.insert(server);
        }
    }
}

/// What is known of an update of one server while its calls are read.
#[derive(Default)]
struct SoFar {
    has_paused: bool,
    has_started: bool,
    has_loaded: bool,
    has_finished: bool,
    has_resumed: bool,
    step: Option<i64>,
    /// The last id that the application gave to calls of several kinds.
    id: Option<u32>,
    /// Of the last call: its operation, its id, and whether it was answered well.
    last: Option<(String, u32, bool)>,
}

impl SoFar {
    fn take(&mut self, call: &UpdateCall<'_>) {
        match call.kind {
            Kind::Pause => self.has_paused = true,
            Kind::Start => self.has_started = true,
            Kind::Load => self.has_loaded = true,
            Kind::Finish => self.has_finished = true,
            Kind::Resume => self.has_resumed = true,
            Kind::Other => {}
        }
        self.step = self.step.or(call.client.step());
        if call.is_id_of_update {
            self.id = Some(call.id);
        }
        self.last = Some((call.op.to_owned(), call.id, call.is_ok()));
    }

    fn is_retried_by(&self, call: &UpdateCall<'_>) -> bool {
        self.last.as_ref().is_some_and(|(op, id, is_ok)| {
            let is_attempt = *id == call.id && call.client.attempt.is_some_and(|n| n > 1);
            op == call.op && (!is_ok || is_attempt)
        })
    }

    /// Whether the id or the step of a call says that it is of another update.
    fn is_other(&self, call: &UpdateCall<'_>) -> bool {
        let differ = |known: Option<i64>, other: Option<i64>| {
            known.zip(other).is_some_and(|(known, other)| known != other)
        };
        let is_other_id = call.is_id_of_update && self.id.is_some_and(|known| known != call.id);
        is_other_id || differ(self.step, call.client.step())
    }

    fn is_within(&self) -> bool {
        self.has_paused || (self.has_started && !self.has_finished)
    }

    fn goes_on_with(&self, call: &UpdateCall<'_>) -> bool {
        let is_end = matches!(call.kind, Kind::Finish | Kind::Resume);
        if !is_end && self.is_other(call) {
            return false;
        }
        if self.is_retried_by(call) {
            return true;
        }
        let has_same_id = call.is_id_of_update && self.id == Some(call.id);
        let has_same_step = self.step.is_some() && self.step == call.client.step();
        match call.kind {
            Kind::Finish => !self.has_finished && (!self.has_resumed || self.has_started),
            _ if self.has_resumed => false,
            Kind::Resume => true,
            Kind::Other => self.is_within() || has_same_id,
            Kind::Pause => self.has_started && !self.has_paused && !self.has_loaded,
            Kind::Start | Kind::Load => self.is_within() || has_same_id || has_same_step,
        }
    }
}
