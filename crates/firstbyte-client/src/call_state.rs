//! Where a call is that has not ended yet.

use std::fmt;

use firstbyte_core::{Event, Micros, Phase, Timestamp, TraceId, field, record};

/// What a call waits for.
///
/// Between `SentNotAcknowledged` and `InServerKernelOrLater` the kernel is asked (`SIOCOUTQ`, on
/// Linux): the peer's kernel acknowledges what it took, whether or not its application reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Whereabouts {
    /// Before the transport: in this client or in a middleware.
    Preparing,
    /// For a connection slot of this client.
    InPool,
    /// For the host name to be resolved.
    Resolving,
    /// For the TCP handshake.
    Connecting,
    /// For the TLS handshake.
    Tls,
    /// For the kernel to accept the rest of the request: the peer does not read.
    Sending,
    /// For the peer's kernel: it has not acknowledged the whole request.
    SentNotAcknowledged,
    /// For the server: its kernel has the whole request.
    InServerKernelOrLater,
    /// For the answer; this platform does not tell whether the request arrived.
    Sent,
    /// For the rest of the answer.
    Receiving,
    /// For a transport that is not ours and tells nothing.
    Unknown,
}

/// A call in flight, at one moment.
///
/// The event of a call that is stuck says the same:
///
/// ```text
/// [weights][00f067aa0ba902b7] client.waiting elapsed_ms=60000.4 phase=wait state=in_server_kernel_or_later sent_bytes=312 unacked_bytes=0 attempt=1 op=update_weights target=10.0.0.7:8000
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallState {
    /// The id of the call.
    pub trace_id: Option<TraceId>,
    /// The operation, as the route table names it.
    pub operation: Option<String>,
    /// The server, as [`AdminClient::target`](crate::AdminClient::target) names it.
    pub target: String,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// The phase that it is in.
    pub phase: Phase,
    /// What it waits for.
    pub state: Whereabouts,
    /// Since the attempt began.
    pub elapsed: Micros,
    /// Request bytes that the transport accepted.
    pub sent_bytes: u64,
    /// Bytes that the kernel accepted and the peer's kernel has not acknowledged, TLS included.
    /// Unknown before there is a connection, and off Linux.
    pub unacked_bytes: Option<u64>,
}

impl Whereabouts {
    pub(crate) fn of(phase: Phase, foreign: bool, unacked: Option<u64>) -> Self {
        match (phase, unacked) {
            (Phase::Receive, _) => Self::Receiving,
            _ if foreign => Self::Unknown,
            (Phase::Pool, _) => Self::InPool,
            (Phase::Dns, _) => Self::Resolving,
            (Phase::Connect, _) => Self::Connecting,
            (Phase::Tls, _) => Self::Tls,
            (Phase::Send, _) => Self::Sending,
            (Phase::Wait, Some(0)) => Self::InServerKernelOrLater,
            (Phase::Wait, Some(_)) => Self::SentNotAcknowledged,
            (Phase::Wait, None) => Self::Sent,
            _ => Self::Preparing,
        }
    }

    /// The word in `state=`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::InPool => "in_pool",
            Self::Resolving => "resolving",
            Self::Connecting => "connecting",
            Self::Tls => "tls",
            Self::Sending => "sending",
            Self::SentNotAcknowledged => "sent_not_acknowledged",
            Self::InServerKernelOrLater => "in_server_kernel_or_later",
            Self::Sent => "sent",
            Self::Receiving => "receiving",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Whereabouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl CallState {
    pub(crate) fn event(&self, at: Timestamp) -> Event {
        Event::new(&record::CLIENT_WAITING, at)
            .with(field::ELAPSED, self.elapsed)
            .with(field::PHASE, self.phase.as_str())
            .with(field::STATE, self.state.as_str())
            .with(field::SENT, self.sent_bytes.cast_signed())
            .with_known(field::UNACKED, self.unacked_bytes.map(u64::cast_signed))
            .with(field::ATTEMPT, i64::from(self.attempt))
            .with_known(field::OP, self.operation.as_deref())
            .with(field::TARGET, &self.target)
    }
}
