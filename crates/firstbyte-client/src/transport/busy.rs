//! A peer that has no room for the rest of a request is not dead while its kernel answers.

use std::{pin::Pin, task::Context, time::Duration};

use tokio::time::{Instant, Sleep, sleep};

use crate::wire::Wire;

/// Keeps `TCP_USER_TIMEOUT` away from such a peer.
///
/// Linux counts the whole time for which the peer's window is closed towards that clock, although the peer
/// answers its probes: a server that is too busy to read would be dead after `peer_dead`. So the clock is put
/// off, and the answers are watched here.
pub(super) struct BusyPeer {
    peer_dead: Duration,
    began: Instant,
    tick: Option<Pin<Box<Sleep>>>,
    is_put_off: bool,
}

/// So many bytes find room in any kernel.
const ALWAYS_TAKEN: u64 = 2048;

/// Probes in a row that stay unanswered if the peer is dead: one alone may be lost, and Linux answers no more
/// than two of them in a second.
const UNANSWERED: u8 = 2;

impl BusyPeer {
    pub(super) fn new(peer_dead: Duration) -> Self {
        Self { peer_dead, began: Instant::now(), tick: None, is_put_off: false }
    }

    /// To be called whenever a request with so many bytes accepted has to wait for its answer. Returns whether the
    /// peer is dead.
    pub(super) fn poll(&mut self, sent: u64, wire: &Wire, cx: &mut Context<'_>) -> bool {
        if sent <= ALWAYS_TAKEN || !cfg!(target_os = "linux") {
            return false;
        }
        let step = self.peer_dead / 4;
        loop {
            let tick = self.tick.get_or_insert_with(|| Box::pin(sleep(step)));
            if tick.as_mut().poll(cx).is_pending() {
                return false;
            }
            tick.as_mut().reset(Instant::now() + step);
            match wire.waits_for_room() {
                Some((probes, silence)) if probes >= UNANSWERED && silence >= self.peer_dead => {
                    return true;
                }
                Some(_) => {
                    wire.set_user_timeout(self.began.elapsed() + 2 * self.peer_dead);
                    self.is_put_off = true;
                }
                None => self.end(wire),
            }
        }
    }

    /// There is room, or the exchange is over: the clock is what it was.
    pub(super) fn end(&mut self, wire: &Wire) {
        if std::mem::take(&mut self.is_put_off) {
            wire.set_user_timeout(self.peer_dead);
        }
    }
}
