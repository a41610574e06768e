//! Halves that came in pieces: from files that were read newest first, or from lines in another order.

use std::collections::BTreeSet;

use super::{
    Source,
    chain::{Arena, Chain, LATEST},
    half::{ClientHalf, ServerHalf},
};

/// So many pieces of one id are compared with each other.
const PIECES: usize = 128;

/// Puts ends of attempts to their beginnings.
pub(super) fn clients(halves: &mut Arena<ClientHalf>, chain: &mut Chain) {
    let is_piece = |half: &ClientHalf| !half.has_ended() || half.sent_at.is_none();
    join(halves, chain, is_piece, |begun, end| end.is_end_of(begun), ClientHalf::complete);
}

/// Puts together what can only be pieces of one exchange.
pub(super) fn servers(halves: &mut Arena<ServerHalf>, chain: &mut Chain, sources: &[Source]) {
    let boot = |half: &ServerHalf| sources[half.source as usize].boot;
    let distance = |begun: &ServerHalf, rest: &ServerHalf| {
        let is_begun = begun.recv_at.is_some() || rest.recv_at.is_none();
        let may_be =
            is_begun && boot(begun).zip(boot(rest)).is_none_or(|(one, other)| one == other);
        if may_be { begun.complements(rest) } else { None }
    };
    let is_piece = |half: &ServerHalf| half.recv_at.is_none() || half.done_at.is_none();
    join(halves, chain, is_piece, distance, ServerHalf::complete);
}

/// Joins pieces, those that fit best first, until none belong together. `distance` says how badly two fit, in
/// nanoseconds.
fn join<T: Clone>(
    halves: &mut Arena<T>,
    chain: &mut Chain,
    is_piece: impl Fn(&T) -> bool,
    distance: impl Fn(&T, &T) -> Option<u64>,
    complete: impl Fn(&mut T, T),
) {
    loop {
        let latest = halves.places(*chain).take(LATEST);
        let pieces = latest.filter(|place| is_piece(halves.get(*place))).take(PIECES);
        let pieces: Vec<u32> = pieces.collect();
        let mut pairs = Vec::new();
        for begun in &pieces {
            for rest in pieces.iter().filter(|rest| *rest != begun) {
                let distance = distance(halves.get(*begun), halves.get(*rest));
                pairs.extend(distance.map(|distance| (distance, *begun, *rest)));
            }
        }
        if pairs.is_empty() {
            return;
        }
        // Equal ones stay as they are, the last one of either side first.
        pairs.sort_by_key(|(distance, ..)| *distance);
        let mut joined = BTreeSet::new();
        for (_, begun, rest) in pairs {
            if !joined.contains(&begun) && !joined.contains(&rest) {
                joined.extend([begun, rest]);
                let piece = halves.get(rest).clone();
                complete(halves.get_mut(begun), piece);
                halves.remove(chain, rest);
            }
        }
    }
}
