//! One clock for each thing that can hang.

use std::{ops::RangeInclusive, time::Duration};

/// A year. Longer times count as this, so that no sum of moments overflows.
pub(crate) const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Linux takes 1 to 32,767 s for each of the four steps until a silent peer counts as dead.
pub(crate) const PEER_DEAD: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(36 * 60 * 60);

/// The clocks of a call. They are separate because a weight update may rightly take an hour,
/// while a TCP handshake may not.
///
/// ```
/// use std::time::Duration;
/// use firstbyte_client::Timeouts;
///
/// let timeouts = Timeouts { connect: Duration::from_secs(2), ..Timeouts::default() };
/// assert_eq!(timeouts.total, None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the look-up of the host name to the connection being ready, all addresses and the TLS
    /// handshake included. 10 s.
    pub connect: Duration,
    /// From the connection being ready to the last request byte accepted by the kernel. 60 s.
    pub send: Duration,
    /// How long a peer may be silent on the TCP level before it counts as dead: neither keep-alive
    /// probes nor data acknowledged. A server that is busy is not silent: its kernel answers. One that
    /// had no room for the rest of a request when it died counts as dead once two of the kernel's
    /// questions for room are unanswered, too; after a while these are up to two minutes apart.
    /// Resolution 1 s. 90 s.
    pub peer_dead: Duration,
    /// From the call to the last byte of the response, all attempts and pauses included. None.
    pub total: Option<Duration>,
    /// How often a call that has not ended says where it is stuck: `client.waiting`. Zero turns it
    /// off. 60 s.
    pub still_waiting: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            send: Duration::from_secs(60),
            peer_dead: Duration::from_secs(90),
            total: None,
            still_waiting: Duration::from_secs(60),
        }
    }
}
