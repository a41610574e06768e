//! How many requests are in progress.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use crate::shared::{Handle, Shared};

/// The number of requests in progress in the services of one [`FirstByteLayer`].
///
/// A request is in progress from the call of the service until its response has ended: the last
/// frame of the body was handed on (control calls), or the body was dropped. Nothing is counted:
/// requests hold references, and references are released whatever happens.
///
/// ```
/// use firstbyte_core::Recorder;
/// use firstbyte_tower::FirstByteLayer;
///
/// let in_flight = FirstByteLayer::new(Recorder::disabled()).in_flight();
/// assert_eq!(in_flight.get(), 0);
/// ```
///
/// [`FirstByteLayer`]: crate::FirstByteLayer
#[derive(Clone)]
pub struct InFlight {
    handle: Weak<Handle>,
    shared: Weak<Shared>,
}

impl InFlight {
    pub(crate) fn new(handle: &Arc<Handle>, shared: &Arc<Shared>) -> Self {
        Self { handle: Arc::downgrade(handle), shared: Arc::downgrade(shared) }
    }

    /// The number at this moment.
    #[must_use]
    pub fn get(&self) -> usize {
        let handles = usize::from(self.handle.strong_count() > 0);
        self.shared.strong_count().saturating_sub(handles)
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InFlight").field(&self.get()).finish()
    }
}
