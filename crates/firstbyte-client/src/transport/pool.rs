//! How many connections there may be, and which of them can be used again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use firstbyte_core::Phase;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{connection::Connection, request::Origin};
use crate::{
    error::{ClientError, Failure, Reason},
    progress::Progress,
};

/// What happens to a connection before and after its request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionMode {
    /// A new connection per request, closed when the response ended. A request never waits for
    /// another one: there is no `pool` phase.
    #[default]
    OneShot,
    /// Connections are kept and used again. A request waits for one of `max_connections` slots,
    /// first come first served: that is the `pool` phase. It holds the slot until its response
    /// body ended or was dropped.
    ///
    /// A kept connection is checked before it is used. If the server closes it at that very moment
    /// the outcome of the request is unknown, for it is never sent twice.
    KeepAlive {
        /// The most connections, idle ones included. At least 1.
        max_connections: usize,
    },
}

#[derive(Clone)]
pub(super) struct Pool(Option<Arc<Kept>>);

struct Kept {
    max: usize,
    slots: Arc<Semaphore>,
    /// The one that was used last is used next.
    idle: Mutex<Vec<Connection>>,
}

/// The right to have a connection.
pub(super) struct Slot(Option<Held>);

struct Held {
    kept: Arc<Kept>,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(mode: ConnectionMode) -> Result<Self, ClientError> {
        let ConnectionMode::KeepAlive { max_connections: max } = mode else {
            return Ok(Self(None));
        };
        if !(1..=Semaphore::MAX_PERMITS).contains(&max) {
            return Err(ClientError::config("max_connections must be at least 1"));
        }
        let slots = Arc::new(Semaphore::new(max));
        Ok(Self(Some(Arc::new(Kept { max, slots, idle: Mutex::default() }))))
    }

    pub(super) const fn is_one_shot(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn mode(&self) -> ConnectionMode {
        self.0.as_ref().map_or(ConnectionMode::OneShot, |kept| ConnectionMode::KeepAlive {
            max_connections: kept.max,
        })
    }

    /// Waits for a slot.
    pub(super) async fn slot(&self, progress: &Progress) -> Result<Slot, Failure> {
        let Some(kept) = &self.0 else { return Ok(Slot(None)) };
        progress.enter(Phase::Pool);
        let permit = Arc::clone(&kept.slots).acquire_owned().await;
        // The semaphore is never closed.
        let permit = permit.map_err(|_| Reason::Closed)?;
        Ok(Slot(Some(Held { kept: Arc::clone(kept), _permit: permit })))
    }
}

impl Slot {
    /// A kept connection to `origin` that is still open. Without one, there is room for a new one.
    pub(super) fn idle(&self, origin: &Origin) -> Option<Connection> {
        let kept = &self.0.as_ref()?.kept;
        let mut idle = kept.idle();
        while let Some(at) = idle.iter().rposition(|connection| connection.origin == *origin) {
            let connection = idle.remove(at);
            if connection.is_quiet() {
                return Some(connection);
            }
        }
        // Slots in use and idle connections together must leave room for a new connection.
        while idle.len() > kept.slots.available_permits() {
            idle.remove(0);
        }
        None
    }

    /// Ends the use of `connection`, which is kept if it may be.
    pub(super) fn give_back(self, connection: Connection) {
        if let Some(held) = self.0
            && connection.is_reusable()
        {
            held.kept.idle().push(connection);
        }
    }
}

impl Kept {
    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
