//! Which server's half belongs to which client's, where one id has several of either.

use super::{
    chain::LATEST,
    half::{ClientEnd, ClientHalf, ServerHalf},
    join::{Halves, Pair, Trace},
    names::Names,
};

/// Which halves belong together.
///
/// A hop, an attempt or a member of a fan-out is told from the others by its path or operation, then by
/// the engine's time, which both sides have, then by the path that both tell, then by its order. A timer of work that
/// went on after the answer is a half of its own, without a path. Moments of both sides are not compared: they
/// may be of two clocks.
pub(super) fn settle(trace: &Trace, halves: &Halves, names: &Names) -> Vec<Pair> {
    let (clients, servers) = trace.chains();
    let mut clients: Vec<u32> = halves.clients.places(clients).collect();
    let mut servers: Vec<u32> = halves.servers.places(servers).collect();
    // The order of their lines decides between equal moments.
    clients.reverse();
    servers.reverse();
    clients.sort_by_key(|place| halves.clients.get(*place).sent_at);
    servers.sort_by_key(|place| halves.servers.get(*place).recv_at);
    let mut pairs = Vec::with_capacity(clients.len());
    for client in clients {
        let half = halves.clients.get(client);
        let scores = servers
            .iter()
            .take(LATEST)
            .map(|server| score(half, halves.servers.get(*server), names));
        // The first of the best.
        let best = scores.enumerate().rev().max_by_key(|(_, score)| *score);
        let found = best.filter(|(_, score)| *score > 0).map(|(index, _)| servers.remove(index));
        pairs.push((Some(client), found));
    }
    pairs.extend(servers.into_iter().map(|server| (None, Some(server))));
    pairs
}

/// 0 if they cannot be halves of one call.
fn score(client: &ClientHalf, server: &ServerHalf, names: &Names) -> u32 {
    let never_sent = |half: &ClientHalf| match half.end {
        ClientEnd::Failed { outcome: Some(outcome), .. } => names.get(outcome) == "not_sent",
        _ => false,
    };
    let differ = |a: Option<_>, b: Option<_>| a.is_some() && b.is_some() && a != b;
    if never_sent(client) || differ(client.path, server.path) {
        return 0;
    }
    if client.path.is_none() && differ(client.op, server.op) {
        return 0;
    }
    let is_close = match (client.rpc(), server.rpc()) {
        // Either is rounded to a tenth of a millisecond, alone.
        (Some(told), Some(measured)) => told.0.abs_diff(measured.0) <= 100,
        _ => false,
    };
    let is_same_path = client.path.is_some() && client.path == server.path;
    1 + 2 * u32::from(is_close) + u32::from(is_same_path)
}
