//! A call, both halves of it where they are known.

use std::{fmt::Write as _, time::Duration};

use firstbyte_core::{Micros, Timestamp};

use super::{ClientEnd, ClientHalf, EngineHalf, Log, ServerHalf, join::Trace, names::Name};

/// One attempt of a control call.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Call<'a> {
    pub(super) log: &'a Log,
    pub(super) trace: &'a Trace,
    /// What the client says.
    pub client: Option<&'a ClientHalf>,
    /// What the server says.
    pub server: Option<&'a ServerHalf>,
}

impl<'a> Call<'a> {
    /// The id, as it stands in the lines.
    #[must_use]
    pub fn id(&self) -> String {
        self.trace.id()
    }

    /// The log that it is of.
    pub(crate) const fn log(&self) -> &'a Log {
        self.log
    }

    /// Whether it is outside the weight-update family: `[admin]`.
    #[must_use]
    pub const fn is_admin(&self) -> bool {
        self.trace.is_admin()
    }

    /// Whether its times are those of a call: that of a failure is how long the failure took. A call whose
    /// client's half is missing ended well as far as these lines say, unless its server's half says that it failed.
    #[must_use]
    pub fn ended_well(&self) -> bool {
        !self.failed() && self.client.is_none_or(|half| half.end == ClientEnd::Done)
    }

    /// Whether its end is known: that of the client's half, or of the server's where there is no other.
    pub(crate) fn has_ended(&self) -> bool {
        let of_server = || self.server.is_some_and(|half| half.outcome.is_some());
        self.failed() || self.client.map_or_else(of_server, ClientHalf::has_ended)
    }

    /// Whether it failed, as far as these lines say: its client says so, or it was answered with a status that is not 2xx,
    /// or its server says that the service failed or panicked. A client that went away early is no failure of the
    /// server's half, and a call without an end is none yet.
    #[must_use]
    pub fn failed(&self) -> bool {
        let is_fail = self.client.is_some_and(|half| matches!(half.end, ClientEnd::Failed { .. }));
        let client = self.client.and_then(|half| half.status);
        let status = client.or(self.server.and_then(|half| half.status));
        let outcome = self.server.and_then(|half| half.outcome).map(|word| self.log.name(word));
        is_fail || status.is_some_and(is_refusal) || outcome.is_some_and(is_fault)
    }

    /// The operation: what the client says, or the server; or the end of the path.
    #[must_use]
    pub fn operation(&self) -> Option<&'a str> {
        let told = self.client.and_then(|half| half.op).or(self.server.and_then(|half| half.op));
        let path = || {
            let path = self.client.and_then(|half| half.path);
            let path = path.or(self.server.and_then(|half| half.path))?;
            self.log.name(path).rsplit('/').next().filter(|last| !last.is_empty())
        };
        told.map(|op| self.log.name(op)).or_else(path)
    }

    /// Host and port of the server, and the path of the base URL if it has one, as the client says.
    #[must_use]
    pub fn target(&self) -> Option<&'a str> {
        self.client.and_then(|half| half.target).map(|target| self.log.name(target))
    }

    /// The engine's work: as the client was told, or else as the server says.
    #[must_use]
    pub fn rpc(&self) -> Option<Micros> {
        let told = self.client.and_then(ClientHalf::rpc);
        told.or_else(|| self.server.and_then(ServerHalf::rpc))
    }

    /// wall - rpc: as the line says, or else what follows from both halves.
    #[must_use]
    pub fn queue(&self) -> Option<Micros> {
        let client = self.client?;
        client.queue().or_else(|| client.wall()?.checked_sub(self.rpc()?))
    }

    /// From `client.send` to `server.recv`, if both are on one clock: pool, connection, network, the server's
    /// kernel.
    #[must_use]
    pub fn until_received(&self) -> Option<Micros> {
        let (sent, received) = self.way()?;
        (sent <= received).then(|| received.since(sent).into())
    }

    /// Whether the moments of one clock say what cannot be: that it was received before it was sent, or after its end.
    pub(crate) fn has_impossible_moments(&self) -> bool {
        let Some((sent, received)) = self.way() else { return false };
        let wall = self.client.and_then(ClientHalf::wall);
        // Lines are rounded to tenths of a millisecond.
        let end = wall.map(|wall| sent + Duration::from(wall) + Duration::from_micros(200));
        received < sent || end.is_some_and(|end| end < received)
    }

    /// The moment of `client.send`.
    pub(crate) fn sent_at(&self) -> Option<Timestamp> {
        self.client?.sent_at
    }

    /// Whether the moments at which both were sent can be compared.
    pub(crate) fn is_sent_on_the_clock_of(&self, other: &Self) -> bool {
        let clients = self.client.zip(other.client);
        clients.is_some_and(|(a, b)| self.log.share_a_clock(a.source, b.source))
    }

    /// The moments of sending and of arrival, if both are on one clock.
    fn way(&self) -> Option<(Timestamp, Timestamp)> {
        let (client, server) = (self.client?, self.server?);
        if !self.log.share_a_clock(client.source, server.source) {
            return None;
        }
        client.sent_at.zip(server.recv_at)
    }

    /// The engine's half, by the id that its call has on both sides.
    #[must_use]
    pub fn engine(&self) -> Option<&'a EngineHalf> {
        let wanted = self.server?.call_id()?;
        // A server of several engines has several ids there.
        let wanted = wanted.split(',').next().unwrap_or(wanted);
        let found =
            self.log.engine.binary_search_by(|half| half.call_id.as_ref().cmp(wanted)).ok()?;
        Some(&self.log.engine[found])
    }

    /// How it ended, in words.
    #[must_use]
    pub fn ending(&self) -> String {
        let told = self.ending_of_client();
        match self.fault_of_server() {
            Some(fault) => format!("{told}; the server says {fault}"),
            None => told,
        }
    }

    /// What the server's half tells of a failure that the client's does not.
    fn fault_of_server(&self) -> Option<String> {
        let half = self.server?;
        let outcome = half.outcome.map(|word| self.log.name(word)).filter(|word| is_fault(word));
        let status = half.status.filter(|status| self.client.is_none() && is_refusal(*status));
        let status = || status.map(|status| format!("status {status}"));
        outcome.map(|word| format!("outcome {word}")).or_else(status)
    }

    fn ending_of_client(&self) -> String {
        if let Some(Fail { phase, error, outcome }) = self.client_fail() {
            return format!("failed in {phase}: {error}, outcome {outcome}");
        }
        match self.client {
            None => "the client's half is missing".to_owned(),
            Some(half) if half.end == ClientEnd::Open => {
                let seen = self.last_seen().map_or(String::new(), |seen| format!(": {seen}"));
                format!("it has no end in these logs{seen}")
            }
            Some(half) => {
                half.status.map_or_else(|| "done".to_owned(), |status| format!("status {status}"))
            }
        }
    }

    /// What its client last said of it while it waited, in words.
    #[must_use]
    pub fn last_seen(&self) -> Option<String> {
        let waiting = self.client?.waiting()?;
        let mut seen = "last seen".to_owned();
        // Writing to a string cannot fail.
        if let Some(elapsed) = waiting.elapsed {
            _ = write!(seen, " after {elapsed} ms");
        }
        if let Some(phase) = waiting.phase {
            _ = write!(seen, " in {}", self.log.name(phase));
        }
        if let Some(whereabouts) = self.whereabouts() {
            _ = write!(seen, " ({whereabouts})");
        }
        Some(seen)
    }

    /// Where its client last said that it was stuck, and how far its bytes had come.
    pub(crate) fn whereabouts(&self) -> Option<String> {
        self.client?.waiting()?.whereabouts(&self.log.names)
    }

    /// What `client.fail` says, if the client says that it failed.
    pub(crate) fn client_fail(&self) -> Option<Fail<'a>> {
        let ClientEnd::Failed { phase, error, outcome } = self.client?.end else { return None };
        let word = |word: Option<Name>| word.map_or("unknown", |word| self.log.name(word));
        Some(Fail { phase: word(phase), error: word(error), outcome: word(outcome) })
    }

    /// What a call that [`failed`](Self::failed) failed of, in words.
    #[must_use]
    pub fn failure(&self) -> String {
        if let Some(Fail { phase, error, outcome }) = self.client_fail() {
            return format!("{error} in {phase}, outcome {outcome}");
        }
        let status = self.client.and_then(|half| half.status);
        let status = status.or(self.server.and_then(|half| half.status));
        let status = status.map(|status| format!("status {status}"));
        let error = self.server.and_then(|half| half.error);
        let error =
            error.map(|error| format!("the engine's call failed: {}", self.log.name(error)));
        let outcome = self.server.and_then(|half| half.outcome);
        let outcome = outcome.map(|outcome| format!("server outcome {}", self.log.name(outcome)));
        let told: Vec<String> = status.into_iter().chain(error).chain(outcome).collect();
        told.join(", ")
    }

    /// The text of a name of its halves.
    #[must_use]
    pub fn name(&self, name: Name) -> &'a str {
        self.log.name(name)
    }
}

/// What `client.fail` says of a call; a word that is not there is `unknown`. Of an outcome that means what the word does where it
/// is written: the server may have done it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fail<'a> {
    phase: &'a str,
    error: &'a str,
    pub(crate) outcome: &'a str,
}

/// Whether the outcome of a server's half is the failure of its service.
fn is_fault(outcome: &str) -> bool {
    matches!(outcome, "error" | "panic")
}

/// Whether a status says that nothing was done: our clients follow no redirect.
pub(crate) fn is_refusal(status: u16) -> bool {
    !(200..300).contains(&status)
}
