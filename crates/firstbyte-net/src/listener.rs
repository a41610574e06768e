//! A TCP listener whose connections know how their requests arrived.

use std::{io, net::SocketAddr};

use firstbyte_core::Clock;
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};

use crate::{connection::Addrs, io::TracedIo, stamp};

/// A TCP listener that notes when connections are accepted and hands them out as [`TracedIo`].
///
/// With the feature `axum` it is a listener for `axum::serve`.
///
/// Two settings differ from a plain listener:
///
/// - `TCP_NODELAY` is on for accepted connections, so that the first byte of a response is not
///   held back: see [`TracedListener::nodelay`].
/// - On Linux the kernel is asked to stamp received segments: see
///   [`TracedListener::receive_timestamps`].
///
/// ```
/// use firstbyte_core::{ArrivalSource, Clock};
/// use firstbyte_net::TracedListener;
/// use tokio::{
///     io::{AsyncReadExt, AsyncWriteExt},
///     net::TcpStream,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let listener = TracedListener::bind("127.0.0.1:0", Clock::system()).await?;
/// let mut client = TcpStream::connect(listener.local_addr()?).await?;
/// client.write_all(b"GET / HTTP/1.1\r\n\r\n").await?;
///
/// let (mut io, peer) = listener.accept().await?;
/// assert_eq!(peer, client.local_addr()?);
/// io.read_exact(&mut [0; 18]).await?;
///
/// let arrival = io.connection().arrival();
/// assert!(arrival.accepted < arrival.first_byte);
/// assert_eq!(arrival.kernel.is_some(), cfg!(target_os = "linux"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TracedListener {
    listener: TcpListener,
    clock: Clock,
    nodelay: bool,
    stamped: bool,
}

impl TracedListener {
    /// Binds to the first of the addresses that can be bound to.
    ///
    /// `clock` has to be the one of the recorder that gets the moments.
    ///
    /// # Errors
    ///
    /// Those of [`TcpListener::bind`].
    pub async fn bind(addr: impl ToSocketAddrs, clock: Clock) -> io::Result<Self> {
        TcpListener::bind(addr).await.map(|listener| Self::new(listener, clock))
    }

    /// Takes over a listener. What reached it before is not stamped.
    #[must_use]
    pub fn new(listener: TcpListener, clock: Clock) -> Self {
        let stamped = stamp::stamp_received(&listener, true);
        Self { listener, clock, nodelay: true, stamped }
    }

    /// Whether accepted connections get `TCP_NODELAY`. On unless switched off.
    #[must_use]
    pub fn nodelay(mut self, on: bool) -> Self {
        self.nodelay = on;
        self
    }

    /// Whether the kernel stamps received segments. On unless switched off; Linux only.
    ///
    /// Stamps tell how long a request lay in the kernel to the microsecond. Without them
    /// `TCP_INFO` does, to a jiffy (1 to 10 ms). They cost about 0.2 us per request, and the kernel
    /// one look at the clock for every packet of the host while any socket wants them.
    #[must_use]
    pub fn receive_timestamps(mut self, on: bool) -> Self {
        self.stamped = stamp::stamp_received(&self.listener, on);
        self
    }

    /// Accepts the next connection.
    ///
    /// # Errors
    ///
    /// Those of [`TcpListener::accept`], which concern one connection or, like running out of file
    /// descriptors, pass: a server retries. As an axum listener it does so by itself.
    ///
    /// # Cancel safety
    ///
    /// No connection is lost if the future is dropped.
    pub async fn accept(&self) -> io::Result<(TracedIo<TcpStream>, SocketAddr)> {
        let (stream, peer) = self.listener.accept().await?;
        if self.nodelay {
            // It fails on a connection that is dead already, which its first read will tell.
            let _ = stream.set_nodelay(true);
        }
        let addrs = stream.local_addr().ok().map(|local| Addrs { peer, local });
        Ok((TracedIo::accepted(stream, addrs, self.stamped, &self.clock), peer))
    }

    /// The address that it listens on.
    ///
    /// # Errors
    ///
    /// Those of [`TcpListener::local_addr`].
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
