//! Lists of halves that mostly have one element: links in one long vector.

/// The place of nothing.
const NONE: u32 = u32::MAX;

/// So many elements of a list are looked through: an id that a whole run shares must not take the square of its
/// calls.
pub(super) const LATEST: usize = 512;

/// The elements of all lists.
#[derive(Debug)]
pub(super) struct Arena<T>(Vec<Link<T>>);

#[derive(Debug)]
struct Link<T> {
    item: T,
    /// The one before in its list.
    before: u32,
}

/// One list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    first: u32,
    last: u32,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl Chain {
    pub(super) const EMPTY: Self = Self { first: NONE, last: NONE };

    /// Its only place, if it has no more than one.
    pub(super) fn single(self) -> Result<Option<u32>, Several> {
        if self.first == self.last {
            Ok((self.first != NONE).then_some(self.first))
        } else {
            Err(Several)
        }
    }
}

/// A list has more than one element.
#[derive(Debug)]
pub(super) struct Several;

impl<T> Arena<T> {
    /// The new element, to be filled in where it is.
    #[inline]
    pub(super) fn push(&mut self, chain: &mut Chain, item: T) -> &mut T {
        let place = self.0.len() as u32;
        self.0.push(Link { item, before: chain.last });
        if chain.first == NONE {
            chain.first = place;
        }
        chain.last = place;
        &mut self.0[place as usize].item
    }

    /// Takes an element out of a list.
    pub(super) fn remove(&mut self, chain: &mut Chain, place: u32) {
        let before = self.0[place as usize].before;
        let after = self.places(*chain).find(|after| self.0[*after as usize].before == place);
        match after {
            Some(after) => self.0[after as usize].before = before,
            None => chain.last = before,
        }
        if chain.first == place {
            chain.first = after.unwrap_or(NONE);
        }
    }

    pub(super) fn get(&self, place: u32) -> &T {
        &self.0[place as usize].item
    }

    pub(super) fn get_mut(&mut self, place: u32) -> &mut T {
        &mut self.0[place as usize].item
    }

    /// The places of a list, the last one first.
    pub(super) fn places(&self, chain: Chain) -> impl Iterator<Item = u32> {
        let there = |place: u32| (place != NONE).then_some(place);
        std::iter::successors(there(chain.last), move |place| there(self.0[*place as usize].before))
    }

    /// Whether one of the latest is such.
    pub(super) fn any(&self, chain: Chain, which: impl Fn(&T) -> bool) -> bool {
        self.places(chain).take(LATEST).any(|place| which(self.get(place)))
    }

    /// The first such among the latest.
    pub(super) fn first(&self, chain: Chain, which: impl Fn(&T) -> bool) -> Option<u32> {
        self.places(chain).take(LATEST).filter(|place| which(self.get(*place))).last()
    }

    /// The last such, among the latest.
    pub(super) fn last(&self, chain: Chain, which: impl Fn(&T) -> bool) -> Option<u32> {
        self.places(chain).take(LATEST).find(|place| which(self.get(*place)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_share_one_vector_and_keep_their_order() {
        let mut arena = Arena::default();
        let (mut odd, mut even) = (Chain::EMPTY, Chain::EMPTY);
        assert!(matches!(odd.single(), Ok(None)));
        for n in 0..6 {
            arena.push(if n % 2 == 0 { &mut even } else { &mut odd }, n);
        }
        let items = |chain| arena.places(chain).map(|place| *arena.get(place)).collect::<Vec<_>>();
        assert_eq!(
            (items(even), items(odd), items(Chain::EMPTY)),
            (vec![4, 2, 0], vec![5, 3, 1], vec![])
        );
        assert_eq!(arena.last(odd, |n| *n < 5), Some(3));
        assert!(arena.any(even, |n| *n == 4) && !arena.any(even, |n| *n == 5));
        assert!(even.single().is_err());
        for (gone, left) in [(2, vec![4, 0]), (0, vec![4]), (4, vec![])] {
            arena.remove(&mut even, gone);
            assert_eq!(arena.places(even).map(|place| *arena.get(place)).collect::<Vec<_>>(), left);
        }
        assert!(matches!(even.single(), Ok(None)));
        let mut one = Chain::EMPTY;
        arena.push(&mut one, 7);
        assert_eq!(one.single().unwrap().map(|place| *arena.get(place)), Some(7));
    }
}
