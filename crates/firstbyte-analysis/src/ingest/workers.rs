//! Several threads read blocks, scan each its own, and join them in the order of the files, so that the result is that of
//! one thread.

use std::{
    hint,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{
    Spare,
    reading::Reading,
    scan::Scanned,
    source::{IngestError, Input},
};
use crate::{correlate::Builder, parallel, tally::Unreadable};

/// Joining is one thread's work at a time, and not much less than half of all: further threads would wait for it.
const MOST: usize = 3;

/// A thread looks so many times whether its turn has come before it sleeps, some 50 us: to be woken takes as long, and a block
/// is joined in 150.
const SPINS: u32 = 5000;

/// Takes all lines. Returns what could not be read; an error, if that is all of the inputs.
pub(super) fn read(inputs: &[Input], builder: &mut Builder) -> Result<Unreadable, IngestError> {
    let blocks = Mutex::new((0, Reading::new(inputs)));
    let join = Ordered::new(builder);
    parallel::work(parallel::cores().min(MOST), || work(&blocks, &join));
    let (_, reading) = blocks.into_inner().unwrap_or_else(PoisonError::into_inner);
    reading.finish()
}

fn work(blocks: &Mutex<(u64, Reading<'_>)>, join: &Ordered<'_>) {
    let (mut buffer, mut places) = Spare::default();
    loop {
        let (turn, source, block) = {
            let (number, reading) = &mut *lock(blocks);
            let Some((source, block)) = reading.next(buffer) else { return };
            *number += 1;
            (Turn { number: *number - 1, of: join }, source, block)
        };
        let scanned = Scanned::new(block, source, places);
        (buffer, places) = turn.join(scanned);
    }
}

/// What is done in the order of the blocks.
struct Ordered<'a> {
    builder: Mutex<&'a mut Builder>,
    /// The number of the block whose turn it is: changed by who has the builder, and looked at by anybody.
    now: AtomicU64,
    changed: Condvar,
}

impl<'a> Ordered<'a> {
    fn new(builder: &'a mut Builder) -> Self {
        Self { builder: Mutex::new(builder), now: AtomicU64::new(0), changed: Condvar::new() }
    }
}

/// The turn of one block. It is over when this is dropped, also by a panic: nobody waits for ever.
struct Turn<'a, 'b> {
    number: u64,
    of: &'a Ordered<'b>,
}

impl<'b> Turn<'_, 'b> {
    fn join(self, scanned: Scanned) -> Spare {
        self.wait().join(scanned)
    }

    fn wait(&self) -> MutexGuard<'_, &'b mut Builder> {
        let Ordered { builder, now, changed } = self.of;
        let is_early = || now.load(Relaxed) < self.number;
        for _ in 0..SPINS {
            if !is_early() {
                break;
            }
            hint::spin_loop();
        }
        let builder = changed.wait_while(lock(builder), |_| is_early());
        builder.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_, '_> {
    fn drop(&mut self) {
        let builder = self.wait();
        self.of.now.store(self.number + 1, Relaxed);
        drop(builder);
        self.of.changed.notify_all();
    }
}

/// A panic of another thread ends the whole work anyway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;
    use crate::{Log, Options, ingest::lines::Blocks};

    fn scanned(lines: &str) -> Scanned {
        let block = Blocks::new(lines.as_bytes()).next(Vec::new()).unwrap().unwrap();
        Scanned::new(block, 0, Vec::new())
    }

    /// Two blocks, of which the second one comes first.
    fn joined(first: impl FnOnce(Turn<'_, '_>) + Send) -> Log {
        let mut builder = Builder::new(Options::default().max_traces);
        builder.source(String::new());
        let join = Ordered::new(&mut builder);
        let turn = |number| Turn { number, of: &join };
        let (begun, has_begun) = mpsc::channel();
        thread::scope(|scope| {
            let second = scope.spawn(|| {
                begun.send(()).unwrap();
                turn(1).join(scanned("[weights][b] client.done wall_ms=1.0\n"));
            });
            has_begun.recv().unwrap();
            (0..1000).for_each(|_| thread::yield_now());
            _ = scope.spawn(|| first(turn(0))).join();
            second.join().unwrap();
        });
        builder.finish()
    }

    fn ids(log: &Log) -> Vec<String> {
        log.calls().map(|call| call.id()).collect()
    }

    #[test]
    fn blocks_are_joined_in_their_order() {
        let log = joined(|turn| _ = turn.join(scanned("[weights][a] client.done wall_ms=1.0\n")));
        assert_eq!(ids(&log), ["a", "b"]);
    }

    #[test]
    fn a_panic_keeps_nobody_waiting() {
        let log = joined(|_turn| panic!("on purpose"));
        assert_eq!(ids(&log), ["b"]);
    }
}
