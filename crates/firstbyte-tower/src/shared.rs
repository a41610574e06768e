//! What the services of one [`FirstByteLayer`](crate::FirstByteLayer) and their requests share.

use std::sync::Arc;

use firstbyte_core::{Recorder, RouteTable};

use crate::{latency::Histograms, ticks::Ticks, trace_id::InvalidIds};

/// What layers and services hold: exactly one reference to what requests in progress hold.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
}

/// What a request in progress holds; so the number of requests is the number of references, less
/// that of the [`Handle`]. A line of its own in the cache, apart from the reference count.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Shared {
    pub(crate) recorder: Recorder,
    pub(crate) routes: RouteTable,
    pub(crate) latency: Arc<Histograms>,
    pub(crate) ticks: Ticks,
    pub(crate) invalid: InvalidIds,
}
