use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// How many requests had an id that could not be used; clones share the count.
#[derive(Clone, Debug, Default)]
pub struct InvalidIds(Arc<AtomicU64>);

impl InvalidIds {
    /// The count since the layer was made.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    #[cold]
    pub(super) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
