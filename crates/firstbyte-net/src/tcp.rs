//! What the kernel knows of a TCP connection: `TCP_INFO` and the send queue.
//!
//! One call is one system call, about 0.3 us. Nothing here needs root.
//!
//! ```
//! use std::{
//!     io::{Read, Write},
//!     net::{TcpListener, TcpStream},
//!     os::fd::AsFd,
//! };
//!
//! use firstbyte_net::tcp;
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let mut client = TcpStream::connect(listener.local_addr()?)?;
//! let (mut server, _) = listener.accept()?;
//! client.write_all(b"ping")?;
//! server.read_exact(&mut [0; 4])?;
//! # if cfg!(target_os = "linux") {
//! let info = tcp::info(server.as_fd())?;
//! assert_eq!(info.state, tcp::TcpState::Established);
//! assert_eq!(info.bytes_received, Some(4));
//! # }
//! # Ok::<(), std::io::Error>(())
//! ```

#[cfg(target_os = "linux")]
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;
#[cfg(unix)]
use std::{io, os::fd::BorrowedFd};

#[cfg(target_os = "linux")]
use crate::sys;

/// A snapshot of one TCP connection, seen from this end.
///
/// Fields are optional where older kernels lack them; absent is not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpInfo {
    /// The state of the connection.
    pub state: TcpState,
    /// Time since the newest payload arrived from the peer, whether it was read or not.
    ///
    /// Resolution: a jiffy of the kernel, 1 to 10 ms (4 ms at 250 Hz). Before any payload came,
    /// the time since the handshake.
    pub last_data_recv: Duration,
    /// Time since the newest acknowledgement arrived from the peer, in the same resolution.
    pub last_ack_recv: Duration,
    /// Segments sent and not acknowledged. On a listening socket: connections that wait to be
    /// accepted.
    pub unacked: u32,
    /// Time-outs in a row that made the kernel send the oldest segment again; 0 once it is
    /// acknowledged.
    pub retransmits: u8,
    /// Probes in a row that the peer has not answered: of its window, or to see whether it is there.
    pub probes: u8,
    /// How often the retransmission time-out was doubled since the last progress.
    pub backoff: u8,
    /// Smoothed round-trip time, in steps of 1 us; zero if there was none yet.
    pub rtt: Duration,
    /// Bytes that the peer acknowledged, the handshake's one included on the connecting side
    /// (Linux 4.1).
    pub bytes_acked: Option<u64>,
    /// Bytes of payload received in order, whether read or not; the peer's FIN counts as one
    /// (Linux 4.1).
    pub bytes_received: Option<u64>,
    /// Bytes written by the application that were not sent at all yet (Linux 4.6).
    pub notsent_bytes: Option<u32>,
    /// Bytes of payload sent, each retransmission counted again (Linux 4.19).
    pub bytes_sent: Option<u64>,
}

/// The state of a TCP connection, as in RFC 9293.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TcpState {
    /// Open in both directions.
    Established,
    /// The handshake began here and was not answered yet.
    SynSent,
    /// The handshake began at the peer and is not complete yet.
    SynReceived,
    /// Closed here, not acknowledged yet.
    FinWait1,
    /// Closed here and acknowledged; the peer may still send.
    FinWait2,
    /// Closed by both, kept to catch late segments.
    TimeWait,
    /// No connection.
    Closed,
    /// Closed by the peer, still open here.
    CloseWait,
    /// Closed by the peer, then here; not acknowledged yet.
    LastAck,
    /// Waits for connections.
    Listen,
    /// Closed by both at the same time.
    Closing,
    /// A number that this version does not know.
    Other(u8),
}

/// Asks the kernel about a TCP connection.
///
/// # Errors
///
/// Whatever `getsockopt(TCP_INFO)` says, for one if `fd` is no TCP socket;
/// [`ErrorKind::Unsupported`](io::ErrorKind::Unsupported) off Linux.
#[cfg(unix)]
pub fn info(fd: BorrowedFd<'_>) -> io::Result<TcpInfo> {
    #[cfg(target_os = "linux")]
    return TcpInfo::read(fd.as_raw_fd());
    #[cfg(not(target_os = "linux"))]
    return Err(unsupported(fd));
}

/// Bytes that the kernel took from the application and the peer's kernel has not acknowledged,
/// sent or not. A FIN counts as one.
///
/// Zero after a write means: it lies in the peer's kernel, or was read there.
///
/// # Errors
///
/// Whatever `ioctl(SIOCOUTQ)` says; [`ErrorKind::Unsupported`](io::ErrorKind::Unsupported) off
/// Linux.
#[cfg(unix)]
pub fn unacked_bytes(fd: BorrowedFd<'_>) -> io::Result<usize> {
    #[cfg(target_os = "linux")]
    return sys::unacked_bytes(fd.as_raw_fd());
    #[cfg(not(target_os = "linux"))]
    return Err(unsupported(fd));
}

#[cfg(all(unix, not(target_os = "linux")))]
fn unsupported(_: BorrowedFd<'_>) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "TCP_INFO is read on Linux only")
}

#[cfg(target_os = "linux")]
impl TcpInfo {
    pub(crate) fn read(fd: RawFd) -> io::Result<Self> {
        sys::tcp_info(fd).map(|(raw, len)| Self::new(&raw, len))
    }

    /// Keeps the fields that lie within the first `len` bytes.
    fn new(raw: &sys::RawTcpInfo, len: usize) -> Self {
        macro_rules! known {
            ($field:ident) => {{
                let end = std::mem::offset_of!(sys::RawTcpInfo, $field)
                    + std::mem::size_of_val(&raw.$field);
                (len >= end).then_some(raw.$field)
            }};
        }
        Self {
            state: TcpState::from_number(raw.state),
            last_data_recv: Duration::from_millis(raw.last_data_recv.into()),
            last_ack_recv: Duration::from_millis(raw.last_ack_recv.into()),
            unacked: raw.unacked,
            retransmits: raw.retransmits,
            probes: raw.probes,
            backoff: raw.backoff,
            rtt: Duration::from_micros(raw.rtt.into()),
            bytes_acked: known!(bytes_acked),
            bytes_received: known!(bytes_received),
            notsent_bytes: known!(notsent_bytes),
            bytes_sent: known!(bytes_sent),
        }
    }
}

#[cfg(target_os = "linux")]
impl TcpState {
    const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Established,
            2 => Self::SynSent,
            3 | 12 => Self::SynReceived,
            4 => Self::FinWait1,
            5 => Self::FinWait2,
            6 => Self::TimeWait,
            7 => Self::Closed,
            8 => Self::CloseWait,
            9 => Self::LastAck,
            10 => Self::Listen,
            11 => Self::Closing,
            other => Self::Other(other),
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
