//! Receive time stamps: asking for them, and reads that bring them along.
//!
//! With `SO_TIMESTAMPNS` the kernel notes when each segment came in, in nanoseconds of the wall
//! clock, and gives the stamp of the newest one of a read as a control message. Sockets inherit
//! the option from their listener, so segments that came before `accept` are stamped as well.

use std::{
    io,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{io::ReadBuf, net::TcpStream};

#[cfg(target_os = "linux")]
pub(crate) use self::linux::{reader, stamp_received};

/// Reads like `poll_read`, and tells when the newest of the bytes reached this machine, since the
/// Unix epoch.
pub(crate) type Receive<T> =
    fn(&T, &mut Context<'_>, &mut ReadBuf<'_>) -> Poll<io::Result<Option<Duration>>>;

#[cfg(target_os = "linux")]
mod linux {
    use std::{os::fd::AsRawFd, task::ready};

    use tokio::io::Interest;

    use super::{Context, Duration, Poll, ReadBuf, Receive, TcpStream, io};
    use crate::sys;

    /// Switches stamping on or off; returns whether segments are stamped now.
    pub(crate) fn stamp_received(socket: &impl AsRawFd, on: bool) -> bool {
        sys::stamp_received(socket.as_raw_fd(), on).is_ok() && on
    }

    pub(crate) fn reader(stamped: bool) -> Option<Receive<TcpStream>> {
        stamped.then_some(poll_receive)
    }

    /// `poll_read` by `recvmsg`.
    fn poll_receive(
        stream: &TcpStream,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<Option<Duration>>> {
        loop {
            ready!(stream.poll_read_ready(cx))?;
            let room = buf.remaining();
            let mut received = None;
            let tried = stream.try_io(Interest::READABLE, || {
                let (bytes, stamp) = sys::receive(stream.as_raw_fd(), buf)?;
                received = Some(stamp);
                // A short read has drained the socket. Saying so spares the next poll a system
                // call that finds nothing, as tokio's own reads do.
                if (1..room).contains(&bytes) {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(())
            });
            match (received, tried) {
                (Some(stamp), _) => return Poll::Ready(Ok(stamp)),
                (None, Err(error)) if error.kind() != io::ErrorKind::WouldBlock => {
                    return Poll::Ready(Err(error));
                }
                (None, _) => {}
            }
        }
    }
}

/// Only Linux stamps what a TCP socket receives.
#[cfg(not(target_os = "linux"))]
pub(crate) fn stamp_received<S>(_: &S, _: bool) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn reader(_: bool) -> Option<Receive<TcpStream>> {
    None
}
