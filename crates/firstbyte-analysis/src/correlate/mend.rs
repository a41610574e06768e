//! Halves that came in pieces: from files that were read newest first, or from lines in another order.

use super::{
    Source,
    chain::{Arena, Chain, LATEST},
    half::{ClientHalf, ServerHalf},
};

/// Puts ends of attempts to their beginnings.
pub(super) fn clients(halves: &mut Arena<ClientHalf>, chain: &mut Chain) {
    join(halves, chain, |begun, end| end.is_end_of(begun), ClientHalf::complete);
}

/// Puts together what can only be pieces of one exchange.
pub(super) fn servers(halves: &mut Arena<ServerHalf>, chain: &mut Chain, sources: &[Source]) {
    let boot = |half: &ServerHalf| sources[half.source as usize].boot;
    let is_rest_of = |begun: &ServerHalf, rest: &ServerHalf| {
        (begun.recv_at.is_some() || rest.recv_at.is_none())
            && boot(begun).zip(boot(rest)).is_none_or(|(one, other)| one == other)
            && begun.complements(rest)
    };
    join(halves, chain, is_rest_of, ServerHalf::complete);
}

/// Joins the pieces of the latest halves, as often as two belong together.
fn join<T: Clone>(
    halves: &mut Arena<T>,
    chain: &mut Chain,
    belong: impl Fn(&T, &T) -> bool,
    complete: impl Fn(&mut T, T),
) {
    let mut places: Vec<u32> = halves.places(*chain).take(LATEST).collect();
    let mut begun = 0;
    while let Some(place) = places.get(begun).copied() {
        let is_rest = |rest: &u32| *rest != place && belong(halves.get(place), halves.get(*rest));
        let Some(found) = places.iter().position(is_rest) else {
            begun += 1;
            continue;
        };
        let rest = places.remove(found);
        let piece = halves.get(rest).clone();
        complete(halves.get_mut(place), piece);
        halves.remove(chain, rest);
        begun -= usize::from(found < begun);
    }
}
