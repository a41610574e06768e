use std::sync::Arc;

use firstbyte_core::{Recorder, RouteTable};
use tower_layer::Layer;

use super::Client;
use crate::trace_id::InvalidIds;

/// Records control calls on the client side: see the [module](super).
#[derive(Clone, Debug)]
pub struct ClientLayer {
    shared: Arc<Shared>,
}

#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) recorder: Recorder,
    pub(super) routes: RouteTable,
    pub(super) invalid: InvalidIds,
}

impl ClientLayer {
    /// A layer that records the control calls of the built-in route table.
    #[must_use]
    pub fn new(recorder: Recorder) -> Self {
        Self::with(recorder, RouteTable::builtin())
    }

    /// The control calls to record.
    #[must_use]
    pub fn routes(self, routes: RouteTable) -> Self {
        Self::with(self.shared.recorder.clone(), routes)
    }

    /// Counts the calls that came with an id that could not be used and was replaced.
    #[must_use]
    pub fn invalid_ids(&self) -> InvalidIds {
        self.shared.invalid.clone()
    }

    fn with(recorder: Recorder, routes: RouteTable) -> Self {
        Self { shared: Arc::new(Shared { recorder, routes, invalid: InvalidIds::default() }) }
    }
}

impl<S> Layer<S> for ClientLayer {
    type Service = Client<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Client::new(inner, Arc::clone(&self.shared))
    }
}
