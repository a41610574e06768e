//! What a transport can tell a middleware about the request that just arrived.

use std::{fmt, sync::Arc};

use crate::clock::{Micros, Timestamp};

/// How a request came in, as far as the transport knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// When the application accepted the connection.
    pub accepted: Option<Timestamp>,
    /// When the application read the request's first byte.
    pub first_byte: Option<Timestamp>,
    /// How long the request lay in the kernel before that. Unknown off Linux and on HTTP/2.
    pub kernel: Option<Micros>,
}

/// A connection that can tell how the request being served on it arrived.
pub trait ArrivalSource: Send + Sync {
    /// The arrival of the request whose head was read last. May make one system call.
    fn arrival(&self) -> Arrival;
}

/// A request extension: the connection that the request came in on.
///
/// `firstbyte-net` puts it there; `firstbyte-tower` looks for it.
#[derive(Clone)]
pub struct Transport(Arc<dyn ArrivalSource>);

impl Transport {
    /// Wraps a connection.
    #[must_use]
    pub fn new(source: Arc<dyn ArrivalSource>) -> Self {
        Self(source)
    }

    /// See [`ArrivalSource::arrival`].
    #[must_use]
    pub fn arrival(&self) -> Arrival {
        self.0.arrival()
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Transport").finish_non_exhaustive()
    }
}
