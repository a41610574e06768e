//! The socket of a connection, as its transport and a question about a stuck call share it.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::net::TcpStream;

/// A connection's socket, shared with whoever wants to ask the kernel about it.
#[derive(Debug)]
pub(crate) struct Wire(Mutex<TcpStream>);

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Arc<Self> {
        Arc::new(Self(Mutex::new(stream)))
    }

    /// See [`firstbyte_net::tcp::unacked_bytes`].
    pub(crate) fn unacked_bytes(&self) -> Option<u64> {
        #[cfg(unix)]
        return firstbyte_net::tcp::unacked_bytes(std::os::fd::AsFd::as_fd(&*self.stream()))
            .ok()
            .map(|bytes| bytes as u64);
        #[cfg(not(unix))]
        return None;
    }

    /// If bytes wait for room in the peer's kernel: how many probes for it in a row have no answer, and how long
    /// ago the newest answer is.
    #[cfg(target_os = "linux")]
    pub(crate) fn waits_for_room(&self) -> Option<(u8, Duration)> {
        let info = firstbyte_net::tcp::info(std::os::fd::AsFd::as_fd(&*self.stream())).ok()?;
        let waits = info.unacked == 0 && info.notsent_bytes? > 0;
        waits.then_some((info.probes, info.last_ack_recv))
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn waits_for_room(&self) -> Option<(u8, Duration)> {
        None
    }

    /// Sets how long sent bytes may stay unacknowledged, and the peer's window closed.
    pub(crate) fn set_user_timeout(&self, timeout: Duration) {
        // The kernel refuses nothing but a socket that is gone, which the next read tells.
        #[cfg(target_os = "linux")]
        let _ = socket2::SockRef::from(&*self.stream()).set_tcp_user_timeout(Some(timeout));
        #[cfg(not(target_os = "linux"))]
        let _ = timeout;
    }

    /// Whether the peer has neither closed the connection nor said anything unasked.
    pub(crate) fn is_quiet(&self) -> bool {
        let stream = self.stream();
        // Asks the kernel: the runtime may not have seen the peer's FIN yet.
        let socket = socket2::SockRef::from(&*stream);
        let peeked = socket.peek(&mut [std::mem::MaybeUninit::uninit()]);
        matches!(peeked, Err(e) if e.kind() == io::ErrorKind::WouldBlock)
    }

    /// To read and write.
    pub(crate) fn stream(&self) -> MutexGuard<'_, TcpStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
