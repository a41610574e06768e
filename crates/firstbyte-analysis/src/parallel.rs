//! Work on every core, by threads that end with it: a process may fork afterwards, as Python's do.

use std::{
    num::NonZeroUsize,
    panic::resume_unwind,
    sync::{Mutex, PoisonError},
    thread,
};

pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Makes something of each item; the results are in the order of the items.
pub(crate) fn map<I: Send, T: Send>(items: Vec<I>, make: impl Fn(I) -> T + Sync) -> Vec<T> {
    let threads = cores().min(items.len());
    if threads < 2 {
        return items.into_iter().map(make).collect();
    }
    let left = Mutex::new((0_usize..).zip(items));
    let work = || {
        let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
        let done = std::iter::from_fn(next).map(|(place, item)| (place, make(item)));
        done.collect::<Vec<_>>()
    };
    let mut made = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut made = work();
        for other in others {
            made.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        made
    });
    made.sort_unstable_by_key(|(place, _)| *place);
    made.into_iter().map(|(_, made)| made).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_items() {
        let items: Vec<u64> = (0..1000).collect();
        let squares = map(items.clone(), |n| n * n);
        assert_eq!(squares, items.iter().map(|n| n * n).collect::<Vec<_>>());
        assert!(map(Vec::<u64>::new(), |n| n).is_empty());
    }

    #[test]
    #[should_panic(expected = "seven")]
    fn a_panic_goes_on() {
        map((0..100).collect(), |n| assert_ne!(n, 7, "seven"));
    }
}
