//! The byte stream under a connection: counts, notes moments, can be asked from outside.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use crate::probe::Probe;

/// A connection's socket, shared with whoever wants to ask the kernel about it.
#[derive(Debug)]
pub(crate) struct Wire(Mutex<TcpStream>);

/// The socket as a byte stream. Its lock is never contended but by a question about a stuck call.
#[derive(Clone, Debug)]
pub(super) struct Socket(pub(super) Arc<Wire>);

/// Plain or TLS; counts what it accepts and tells the attempt that uses it.
#[derive(Debug)]
pub(super) struct Io {
    stream: Stream,
    attempt: CurrentProbe,
}

/// The attempt that a connection works for; another one after each reuse.
#[derive(Clone, Debug)]
pub(super) struct CurrentProbe(Arc<Mutex<Arc<Probe>>>);

#[derive(Debug)]
pub(super) enum Stream {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Arc<Self> {
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

    /// Whether the peer has neither closed the connection nor said anything unasked.
    pub(super) fn is_quiet(&self) -> bool {
        let stream = self.stream();
        // Asks the kernel: the runtime may not have seen the peer's FIN yet.
        let socket = socket2::SockRef::from(&*stream);
        let peeked = socket.peek(&mut [std::mem::MaybeUninit::uninit()]);
        matches!(peeked, Err(e) if e.kind() == io::ErrorKind::WouldBlock)
    }

    fn stream(&self) -> MutexGuard<'_, TcpStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CurrentProbe {
    pub(super) fn new(probe: Arc<Probe>) -> Self {
        Self(Arc::new(Mutex::new(probe)))
    }

    pub(super) fn set(&self, probe: Arc<Probe>) {
        *self.get() = probe;
    }

    fn get(&self) -> MutexGuard<'_, Arc<Probe>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Io {
    pub(super) const fn new(stream: Stream, attempt: CurrentProbe) -> Self {
        Self { stream, attempt }
    }
}

macro_rules! delegate {
    ($self:ident.$method:ident($($argument:expr),*)) => {
        match &mut $self.stream {
            Stream::Plain(stream) => Pin::new(stream).$method($($argument),*),
            Stream::Tls(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(delegate!(self.poll_read(cx, buffer)))?;
        if buffer.filled().len() > before {
            self.attempt.get().received();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let at = self.attempt.get().now();
        let accepted = ready!(delegate!(self.poll_write(cx, bytes)))?;
        self.attempt.get().add_sent(accepted, at);
        Poll::Ready(Ok(accepted))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let at = self.attempt.get().now();
        let accepted = ready!(delegate!(self.poll_write_vectored(cx, slices)))?;
        self.attempt.get().add_sent(accepted, at);
        Poll::Ready(Ok(accepted))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes when its own buffer is empty.
        ready!(delegate!(self.poll_flush(cx)))?;
        self.attempt.get().flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self.poll_shutdown(cx))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.stream()).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.stream()).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.stream()).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.0.stream();
        let socket = socket2::SockRef::from(&*stream);
        Poll::Ready(socket.shutdown(std::net::Shutdown::Write))
    }
}
