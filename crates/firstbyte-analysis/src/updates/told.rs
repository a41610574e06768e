//! What is said of all updates together.

use firstbyte_core::Micros;

use super::{Ledger, LeftOut, State, Update};
use crate::measure::Summary;

impl Ledger<'_> {
    /// Durations over all updates, by name: `duration`, `server paused`, `straggler`, `barrier cost`. Each is of those
    /// that tell it; the last two of updates of several servers.
    #[must_use]
    pub fn summaries(&self) -> Vec<(&'static str, Summary)> {
        let servers = || self.updates.iter().flat_map(|update| &update.servers);
        let several = || self.updates.iter().filter(|update| update.servers.len() > 1);
        let rows: [(&str, Vec<Micros>); 4] = [
            ("duration", self.updates.iter().filter_map(Update::duration).collect()),
            ("server paused", servers().filter_map(|server| server.paused()?.exact()).collect()),
            (
                "straggler",
                several().filter_map(|update| Some(update.straggler()?.behind)).collect(),
            ),
            ("barrier cost", several().filter_map(|update| Some(update.barrier()?.cost)).collect()),
        ];
        rows.into_iter().filter_map(|(name, times)| Some((name, Summary::of(times)?))).collect()
    }

    /// How many updates ended in each state that there is, the best first.
    #[must_use]
    pub fn states(&self) -> Vec<(State, usize)> {
        let count = |state| self.updates.iter().filter(|update| update.state() == state).count();
        let states = State::ALL.into_iter().map(|state| (state, count(state)));
        states.filter(|(_, count)| *count > 0).collect()
    }

    /// A sentence for each server that may still be paused, with the number of the update. The name of the server
    /// is in it as the log has it.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let numbered = (1_usize..).zip(&self.updates);
        let servers =
            numbered.flat_map(|(number, update)| update.servers.iter().map(move |s| (number, s)));
        servers.filter(|(_, server)| server.state() == State::NotResumed).map(|(number, server)| {
            format!(
                "{} was paused by update {number} and no resume is known to have worked: it may still be paused, \
                 unless the log ends before.",
                server.target
            )
        })
    }
}

impl LeftOut {
    /// A sentence for each reason that there is.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        [
            (self.server_only, "have only a server's half: give the orchestrator's log as well"),
            (self.without_moment, "have no client.send, so that their moment is unknown"),
            (self.mixed_clocks, "are of a file with two boots: split it where the second begins"),
            (self.stray, "have no pause, start or load in front of them"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, why)| format!("calls that are in no update: {count}, which {why}."))
        .collect()
    }
}
