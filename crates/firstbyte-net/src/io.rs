//! The IO object of an accepted connection.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use firstbyte_core::Clock;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

#[cfg(target_os = "linux")]
use crate::connection::LentSocket;
use crate::{
    connection::{Addrs, Connection},
    stamp::{self, Receive},
};

/// An accepted stream that notes when requests begin and counts bytes.
///
/// Nothing about the bytes changes, nor about the order of reads and writes; vectored writes are
/// passed on. A read that begins a request takes the clock once (twice if it is stamped), any other
/// read or write costs two relaxed atomics.
///
/// ```
/// use firstbyte_core::Clock;
/// use firstbyte_net::TracedIo;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// // Any stream will do; what the kernel knows is there for TCP only.
/// let (mut peer, server) = tokio::io::duplex(64);
/// let mut server = TracedIo::new(server, &Clock::system());
/// peer.write_all(b"GET / HTTP/1.1\r\n\r\n").await?;
/// server.read_exact(&mut [0; 18]).await?;
/// assert_eq!(server.connection().bytes_read(), 18);
/// # Ok(())
/// # }
/// ```
pub struct TracedIo<T> {
    io: T,
    connection: Connection,
    receive: Option<Receive<T>>,
    /// Nothing more was there after the last read. Else what comes after a write may be the rest of a body that
    /// nobody wanted, and no request.
    drained: bool,
    /// The reads of this request so far all filled their buffers, so that more was there at once.
    more_at_hand: bool,
}

impl<T> TracedIo<T> {
    /// Wraps a stream that was accepted just now. What the kernel knows stays absent.
    ///
    /// `clock` has to be the one of the recorder that gets the moments.
    #[must_use]
    pub fn new(io: T, clock: &Clock) -> Self {
        let connection = Connection::accepted_now(
            clock,
            None,
            #[cfg(target_os = "linux")]
            None,
        );
        Self { io, connection, receive: None, drained: true, more_at_hand: false }
    }

    /// What is known of the connection; clones may outlive it.
    #[must_use]
    pub fn connection(&self) -> Connection {
        self.connection.clone()
    }

    /// The stream.
    #[must_use]
    pub fn get_ref(&self) -> &T {
        &self.io
    }
}

impl TracedIo<TcpStream> {
    /// Wraps a TCP stream that was accepted just now, by a listener of your own.
    ///
    /// Asks for receive time stamps on it. Bytes that were there before are not stamped, so prefer
    /// [`TracedListener`](crate::TracedListener), which asks on the listening socket; `TCP_INFO`
    /// stands in, with the resolution of a jiffy.
    #[must_use]
    pub fn tcp(stream: TcpStream, clock: &Clock) -> Self {
        let addrs = stream.peer_addr().and_then(|peer| {
            let local = stream.local_addr()?;
            Ok(Addrs { peer, local })
        });
        let stamped = stamp::stamp_received(&stream, true);
        Self::accepted(stream, addrs.ok(), stamped, clock)
    }

    /// Wraps a stream that was accepted just now; `stamped` if time stamps were asked for.
    pub(crate) fn accepted(
        stream: TcpStream,
        addrs: Option<Addrs>,
        stamped: bool,
        clock: &Clock,
    ) -> Self {
        let connection = Connection::accepted_now(
            clock,
            addrs,
            #[cfg(target_os = "linux")]
            Some(LentSocket::new(&stream)),
        );
        let receive = stamp::reader(stamped);
        Self { io: stream, connection, receive, drained: true, more_at_hand: false }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for TracedIo<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let room = buf.remaining();
        let begins = this.drained && this.connection.awaits_request();
        let mut stamp = None;
        let read = match this.receive {
            Some(receive) if begins => receive(&this.io, cx, buf).map_ok(|at| stamp = at),
            _ => Pin::new(&mut this.io).poll_read(cx, buf),
        };
        this.drained = read.is_pending();
        ready!(read)?;
        let bytes = room - buf.remaining();
        if bytes == 0 {
            return Poll::Ready(Ok(()));
        }
        if begins {
            this.connection.begin_request(bytes, stamp);
            this.more_at_hand = bytes == room;
        } else {
            this.connection.add_read(bytes, this.more_at_hand);
            this.more_at_hand &= bytes == room;
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> TracedIo<T> {
    fn poll_counted(
        self: Pin<&mut Self>,
        write: impl FnOnce(Pin<&mut T>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(write(Pin::new(&mut this.io)))?;
        if written > 0 {
            this.connection.add_written(written);
        }
        Poll::Ready(Ok(written))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for TracedIo<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_counted(|io| io.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_counted(|io| io.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

impl<T> Drop for TracedIo<T> {
    fn drop(&mut self) {
        self.connection.close();
    }
}

impl<T: fmt::Debug> fmt::Debug for TracedIo<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracedIo")
            .field("io", &self.io)
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}
