//! Work on every core, by threads that end with it: a process may fork afterwards, as Python's do.

use std::{
    num::NonZeroUsize,
    panic::resume_unwind,
    sync::{Mutex, PoisonError},
    thread,
};

/// Fewer calls are not worth a thread.
pub(crate) const WORTH_A_THREAD: usize = 8192;

pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Does the work on this thread and on others beside it, `threads` in all, or fewer if the system has no more.
pub(crate) fn work<T: Send>(threads: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let start = |_| thread::Builder::new().spawn_scoped(scope, &work).ok();
        let others: Vec<_> = (1..threads).map_while(start).collect();
        let mut done = vec![work()];
        for other in others {
            done.push(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    })
}

/// Makes something of each item; the results are in the order of the items.
pub(crate) fn map<I: Send, T: Send>(items: Vec<I>, make: impl Fn(I) -> T + Sync) -> Vec<T> {
    let threads = cores().min(items.len());
    let left = Mutex::new((0_usize..).zip(items));
    let made = work(threads, || {
        let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
        let made = std::iter::from_fn(next).map(|(place, item)| (place, make(item)));
        made.collect::<Vec<_>>()
    });
    let mut made: Vec<_> = made.into_iter().flatten().collect();
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
