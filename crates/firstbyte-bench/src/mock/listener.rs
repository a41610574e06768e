//! A listener that can be late, and connections that can be reset.

use std::{collections::VecDeque, io, net::SocketAddr, time::Duration};

use axum::serve::Listener;
use firstbyte_core::Clock;
use firstbyte_net::{TracedIo, TracedListener};
use futures_util::FutureExt;
use tokio::{
    io::unix::AsyncFd,
    net::{TcpListener, TcpStream},
};

use super::{faults::Switchboard, pause};

type Accepted = (TracedIo<TcpStream>, SocketAddr);

/// Accepts what is there, [`late_accept_ms`](super::Faults::late_accept_ms) after it came.
///
/// Meanwhile the kernel holds the connections and their requests, as it does for any server whose
/// accept loop doesn't run.
pub(super) struct MockListener {
    inner: TracedListener,
    /// The same socket, to learn that a connection is pending without accepting it.
    pending: AsyncFd<std::net::TcpListener>,
    accepted: VecDeque<Accepted>,
    switchboard: Switchboard,
}

impl MockListener {
    pub(super) fn new(
        listener: TcpListener,
        clock: Clock,
        switchboard: Switchboard,
    ) -> io::Result<Self> {
        let listener = listener.into_std()?;
        #[expect(deprecated, reason = "its successor is unsafe, for types that lie about their fd")]
        let pending = AsyncFd::new(listener.try_clone()?)?;
        let inner = TracedListener::new(TcpListener::from_std(listener)?, clock);
        Ok(Self { inner, pending, accepted: VecDeque::new(), switchboard })
    }

    async fn accept_pending(&mut self) -> io::Result<()> {
        let mut readiness = self.pending.readable().await?;
        pause(self.switchboard.get().late_accept_ms).await;
        while let Some(accepted) = self.inner.accept().now_or_never() {
            match accepted {
                Ok(accepted) => self.accepted.push_back(accepted),
                // It died in the backlog; the others are fine.
                Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(e) => return Err(e),
            }
        }
        readiness.clear_ready();
        Ok(())
    }
}

impl Listener for MockListener {
    type Io = TracedIo<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Accepted {
        loop {
            if let Some((io, peer)) = self.accepted.pop_front() {
                if self.switchboard.get().reset {
                    // Closing it sends RST; if that fails the client sees FIN instead.
                    _ = io.get_ref().set_zero_linger();
                }
                return (io, peer);
            }
            if self.accept_pending().await.is_err() {
                // Out of descriptors, most likely: it passes.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}
