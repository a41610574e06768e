//! How far apart the clocks of two hosts are, as far as causality says.

use firstbyte_core::Timestamp;

use super::{Call, Log};

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
    let mut offsets: Vec<Offset> = Vec::new();
    for call in log.calls() {
        let (Some(client), Some(server)) = (call.client, call.server) else { continue };
        if log.share_a_clock(client.source, server.source) {
            continue;
        }
        let pair =
            |offset: &&mut Offset| (offset.client, offset.server) == (client.source, server.source);
        let offset = match offsets.iter_mut().find(pair) {
            Some(offset) => offset,
            None => {
                let (client, server) = (client.source, server.source);
                offsets.push(Offset { client, server, least: None, most: None, calls: 0 });
                let last = offsets.len() - 1;
                &mut offsets[last]
            }
        };
        narrow(offset, &call);
    }
    offsets
}

fn narrow(offset: &mut Offset, call: &Call<'_>) {
    let (Some(client), Some(server)) = (call.client, call.server) else { return };
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
