//! What is known of one accepted connection, shared between its IO object and its requests.

#[cfg(target_os = "linux")]
mod socket;
mod wait;

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use firstbyte_core::{Arrival, ArrivalSource, Clock, Timestamp, Transport};

#[cfg(target_os = "linux")]
pub(crate) use self::socket::LentSocket;

/// One accepted connection: when it was accepted, between whom, and how the request that is being
/// served on it arrived.
///
/// A clone is a handle to the same connection and stays valid after it was closed. All of it is a
/// few relaxed atomics; only [`arrival`](ArrivalSource::arrival) may make a system call.
///
/// # Which request
///
/// On HTTP/1 a request begins with the first read after the connection was accepted or something
/// was written on it, and lasts until the next write. A read right behind another one, with no pause
/// in which nothing was there, begins none: it may bring the rest of a body that nobody wanted. Ask while the head is being handled, before
/// the body is read: the answer to `expect: 100-continue` is a write. In between, and for a
/// pipelined request whose bytes were read before the response to an earlier one was written,
/// `first_byte` and `kernel` are absent. Under TLS the server's session tickets, a write, part the handshake from the
/// first request; of a server that sends none, what arrived for that request is the end of the handshake.
///
/// On HTTP/2 reads belong to the connection, not to a request: use [`Connection::transport`], which
/// then answers `accepted` only.
#[derive(Clone)]
pub struct Connection(Arc<Shared>);

struct Shared {
    clock: Clock,
    accepted: Timestamp,
    addrs: Option<Addrs>,
    #[cfg(target_os = "linux")]
    socket: Option<LentSocket>,
    bytes_read: AtomicU64,
    bytes_written: AtomicU64,
    request: RequestMoments,
    /// Wall clock minus monotonic clock. It changes only when somebody sets the wall clock.
    wall_offset: AtomicU64,
}

/// The two ends of a TCP connection.
#[derive(Clone, Copy)]
pub(crate) struct Addrs {
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
}

/// The request that began with the last read after a write.
struct RequestMoments {
    /// When its first byte was read, in nanoseconds; [`NONE`] if it has not begun.
    first_byte: AtomicU64,
    /// How long that byte had lain in the kernel, in nanoseconds; [`UNKNOWN`] without a stamp.
    waited: AtomicU64,
    /// `bytes_read` after the bytes that were there when it began, in one read or several.
    first_read_end: AtomicU64,
}

const NONE: u64 = 0;
const UNKNOWN: u64 = u64::MAX;

impl Connection {
    /// A connection accepted now.
    pub(crate) fn accepted_now(
        clock: &Clock,
        addrs: Option<Addrs>,
        #[cfg(target_os = "linux")] socket: Option<LentSocket>,
    ) -> Self {
        let accepted = clock.now();
        Self(Arc::new(Shared {
            wall_offset: AtomicU64::new(clock.unix_nanos().wrapping_sub(accepted.as_nanos())),
            clock: clock.clone(),
            accepted,
            addrs,
            #[cfg(target_os = "linux")]
            socket,
            bytes_read: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
            request: RequestMoments {
                first_byte: AtomicU64::new(NONE),
                waited: AtomicU64::new(UNKNOWN),
                first_read_end: AtomicU64::new(0),
            },
        }))
    }

    /// When the application accepted it.
    #[must_use]
    pub fn accepted_at(&self) -> Timestamp {
        self.0.accepted
    }

    /// The peer's address, if this is a TCP connection.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.0.addrs.map(|addrs| addrs.peer)
    }

    /// The address that the peer connected to, if this is a TCP connection.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.0.addrs.map(|addrs| addrs.local)
    }

    /// Bytes that the application has read so far, heads included.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.0.bytes_read.load(Relaxed)
    }

    /// Bytes that the application has written so far, heads included.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.0.bytes_written.load(Relaxed)
    }

    /// The extension to put into a request of this version that came in on this connection.
    ///
    /// [`WithTransport`](crate::WithTransport) does it for every request of a service.
    #[must_use]
    pub fn transport(&self, version: http::Version) -> Transport {
        if version < http::Version::HTTP_2 {
            Transport::new(Arc::clone(&self.0) as Arc<dyn ArrivalSource>)
        } else {
            Transport::new(Arc::new(AcceptedOnly(self.0.accepted)))
        }
    }

    /// Whether the next byte read is a request's first one.
    #[inline]
    pub(crate) fn awaits_request(&self) -> bool {
        self.0.request.first_byte.load(Relaxed) == NONE
    }

    /// Bytes were read that are not a request's first ones, but were `at_hand` when it began.
    #[inline]
    pub(crate) fn add_read(&self, bytes: usize, at_hand: bool) {
        let end = add(&self.0.bytes_read, bytes);
        if at_hand {
            self.0.request.first_read_end.store(end, Relaxed);
        }
    }

    /// A request's first bytes were read; `stamp` is when the kernel received the newest of them,
    /// since the Unix epoch.
    pub(crate) fn begin_request(&self, bytes: usize, stamp: Option<Duration>) {
        let shared = &*self.0;
        let now = shared.clock.now();
        let waited = stamp.and_then(|stamp| shared.waited_since(stamp, now));
        let end = add(&shared.bytes_read, bytes);
        shared.request.first_read_end.store(end, Relaxed);
        shared.request.waited.store(waited.unwrap_or(UNKNOWN), Relaxed);
        shared.request.first_byte.store(now.as_nanos().max(NONE + 1), Relaxed);
    }

    /// Bytes were written, so that the next read begins a request.
    #[inline]
    pub(crate) fn add_written(&self, bytes: usize) {
        add(&self.0.bytes_written, bytes);
        self.0.request.first_byte.store(NONE, Relaxed);
    }

    /// The IO object is about to close its socket.
    pub(crate) fn close(&self) {
        #[cfg(target_os = "linux")]
        if let Some(socket) = &self.0.socket {
            socket.take_back();
        }
    }
}

/// Adds to a counter that only the IO object writes, which one task at a time holds mutably.
#[inline]
fn add(counter: &AtomicU64, bytes: usize) -> u64 {
    let sum = counter.load(Relaxed) + bytes as u64;
    counter.store(sum, Relaxed);
    sum
}

impl ArrivalSource for Shared {
    fn arrival(&self) -> Arrival {
        let accepted = Some(self.accepted);
        match self.request.first_byte.load(Relaxed) {
            NONE => Arrival { accepted, ..Arrival::default() },
            nanos => {
                let first_byte = Timestamp::from_nanos(nanos);
                Arrival { accepted, first_byte: Some(first_byte), kernel: self.kernel(first_byte) }
            }
        }
    }
}

impl ArrivalSource for Connection {
    /// How the HTTP/1 request that is being served arrived; see the type for when to ask.
    ///
    /// Costs a few nanoseconds where the kernel stamped the bytes, else one `getsockopt`, about
    /// 0.4 us.
    fn arrival(&self) -> Arrival {
        self.0.arrival()
    }
}

/// All that a connection can tell of one of its HTTP/2 requests.
struct AcceptedOnly(Timestamp);

impl ArrivalSource for AcceptedOnly {
    fn arrival(&self) -> Arrival {
        Arrival { accepted: Some(self.0), ..Arrival::default() }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer_addr", &self.peer_addr())
            .field("accepted_at", &self.accepted_at())
            .field("bytes_read", &self.bytes_read())
            .field("bytes_written", &self.bytes_written())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
