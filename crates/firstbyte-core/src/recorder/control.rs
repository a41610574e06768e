//! How callers wait for the writer, and the writer for work.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Flush requests are numbered; the writer reports the last number that it has served.
#[derive(Default)]
pub(super) struct Control {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    flush_wanted: u64,
    flush_done: u64,
    /// The number of the last flush that the balance was wanted with.
    checkpoint: u64,
    closing: bool,
    finished: bool,
}

/// What callers want of the writer.
pub(super) struct Requests {
    /// The number of the last flush.
    pub(super) flush: u64,
    /// The balance is to be told with it.
    pub(super) balance: bool,
    pub(super) closing: bool,
}

impl Control {
    /// Caller: asks for a flush, perhaps with the balance, wakes the writer, waits.
    pub(super) fn flush(&self, with_balance: bool, timeout: Duration, wake: impl FnOnce()) -> bool {
        let mut state = self.lock();
        state.flush_wanted += 1;
        let number = state.flush_wanted;
        if with_balance {
            state.checkpoint = number;
        }
        wake();
        self.wait(state, timeout, |state| state.flush_done >= number || state.finished)
    }

    /// Caller: asks for the end, wakes the writer, waits.
    pub(super) fn finish(&self, timeout: Duration, wake: impl FnOnce()) -> bool {
        let mut state = self.lock();
        state.closing = true;
        wake();
        self.wait(state, timeout, |state| state.finished)
    }

    /// Writer: what is wanted, before the queue is emptied.
    pub(super) fn requests(&self) -> Requests {
        let state = self.lock();
        Requests {
            flush: state.flush_wanted,
            balance: state.checkpoint > state.flush_done,
            closing: state.closing,
        }
    }

    /// Writer: everything recorded before flush `number` was wanted is settled.
    pub(super) fn flushed(&self, number: u64) {
        let mut state = self.lock();
        if state.flush_done < number {
            state.flush_done = number;
            self.changed.notify_all();
        }
    }

    /// Writer: there will be no more writing.
    pub(super) fn finished(&self) {
        self.lock().finished = true;
        self.changed.notify_all();
    }

    fn wait(
        &self,
        state: MutexGuard<'_, State>,
        timeout: Duration,
        done: impl Fn(&State) -> bool,
    ) -> bool {
        let (state, _) = self
            .changed
            .wait_timeout_while(state, timeout, |state| !done(state))
            .unwrap_or_else(PoisonError::into_inner);
        done(&state)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
