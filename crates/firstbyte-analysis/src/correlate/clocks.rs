//! How far apart the clocks of two hosts are, as far as causality says.

use firstbyte_core::Timestamp;

use super::{Call, ClientHalf, Log, ServerHalf};

/// The clock of `server` minus the clock of `client`, by files: at least `least`, at most `most`, in
/// nanoseconds.
///
/// A request is received after it was sent, and the engine is done before the client has the answer. Every call that has both halves narrows the interval. An empty one (`least > most`) means that
/// a clock was set, or that the two files are of more than two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offset {
    /// The file of the client's lines.
    pub client: u32,
    /// The file of the server's lines.
    pub server: u32,
    /// At least.
    pub least: Option<i128>,
    /// At most.
    pub most: Option<i128>,
    /// Calls that it is of.
    pub calls: u64,
}

/// The offsets of all pairs of files that have calls in common and are not known to share a clock.
#[must_use]
pub fn offsets(log: &Log) -> Vec<Offset> {
    let mut offsets = Offsets::default();
    log.calls().for_each(|call| offsets.take(log, &call));
    offsets.finish()
}

/// [`offsets`] in the making.
#[derive(Debug, Default)]
pub(crate) struct Offsets(Vec<Offset>);

impl Offsets {
    /// Takes a call of this log.
    pub(crate) fn take(&mut self, log: &Log, call: &Call<'_>) {
        let (Some(client), Some(server)) = (call.client, call.server) else { return };
        if !log.share_a_clock(client.source, server.source) {
            narrow(self.of(client.source, server.source), client, server);
        }
    }

    /// Takes what is known from other calls.
    pub(crate) fn join(&mut self, others: Self) {
        for other in others.0 {
            let offset = self.of(other.client, other.server);
            offset.least = offset.least.max(other.least);
            offset.most = [offset.most, other.most].into_iter().flatten().min();
            offset.calls += other.calls;
        }
    }

    /// The offsets, by the order in which their pairs were first seen.
    pub(crate) fn finish(self) -> Vec<Offset> {
        self.0
    }

    fn of(&mut self, client: u32, server: u32) -> &mut Offset {
        let is_it = |offset: &Offset| (offset.client, offset.server) == (client, server);
        let place = self.0.iter().position(is_it).unwrap_or_else(|| {
            self.0.push(Offset { client, server, least: None, most: None, calls: 0 });
            self.0.len() - 1
        });
        &mut self.0[place]
    }
}

fn narrow(offset: &mut Offset, client: &ClientHalf, server: &ServerHalf) {
    let Some(sent) = client.sent_at else { return };
    let difference =
        |a: Timestamp, b: Timestamp| i128::from(a.as_nanos()) - i128::from(b.as_nanos());
    if let Some(received) = server.recv_at {
        let most = difference(received, sent);
        offset.most = Some(offset.most.map_or(most, |known| known.min(most)));
        offset.calls += 1;
    }
    // Not server.done: the client may have the last byte before the server has made its line.
    if let (Some(done), Some(wall)) = (server.rpc_done_at(), client.wall()) {
        // The wall is rounded to a tenth of a millisecond.
        let ended = sent + wall.into() + std::time::Duration::from_micros(50);
        let least = difference(done, ended);
        offset.least = Some(offset.least.map_or(least, |known| known.max(least)));
    }
}
