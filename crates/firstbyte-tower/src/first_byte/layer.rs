use std::sync::Arc;

use firstbyte_core::{Recorder, RouteTable};
use tower_layer::Layer;

use super::FirstByte;
use crate::{
    in_flight::InFlight,
    latency::{Histograms, Latency},
    shared::{Handle, Shared},
    ticks::Ticks,
    trace_id::InvalidIds,
};

/// Records control calls, and counts and times every request: see the [module](super).
#[derive(Clone, Debug)]
pub struct FirstByteLayer {
    handle: Arc<Handle>,
}

impl FirstByteLayer {
    /// A layer that records the control calls of the built-in route table.
    #[must_use]
    pub fn new(recorder: Recorder) -> Self {
        Self::with(recorder, RouteTable::builtin())
    }

    /// The control calls to record. Call this before taking handles: it begins new counts.
    #[must_use]
    pub fn routes(self, routes: RouteTable) -> Self {
        Self::with(self.handle.shared.recorder.clone(), routes)
    }

    /// How long requests took, by operation.
    #[must_use]
    pub fn latency(&self) -> Latency {
        Latency::new(&self.handle.shared.latency)
    }

    /// How many requests are in progress.
    #[must_use]
    pub fn in_flight(&self) -> InFlight {
        InFlight::new(&self.handle, &self.handle.shared)
    }

    /// Counts the control calls whose id could not be used and was replaced.
    ///
    /// Stays at 0 inside of a [`SetTraceIdLayer`](crate::SetTraceIdLayer), which counts them itself.
    #[must_use]
    pub fn invalid_ids(&self) -> InvalidIds {
        self.handle.shared.invalid.clone()
    }

    fn with(recorder: Recorder, routes: RouteTable) -> Self {
        let ticks = Ticks::new(recorder.clock());
        let latency = Arc::new(Histograms::new(routes.operations(), ticks.clone()));
        let shared = Shared { recorder, routes, latency, ticks, invalid: InvalidIds::default() };
        Self { handle: Arc::new(Handle { shared: Arc::new(shared) }) }
    }
}

impl<S> Layer<S> for FirstByteLayer {
    type Service = FirstByte<S>;

    fn layer(&self, inner: S) -> Self::Service {
        FirstByte::new(inner, Arc::clone(&self.handle))
    }
}
