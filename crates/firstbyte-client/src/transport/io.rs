//! The byte stream under a connection: counts, notes moments, can be asked from outside.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use crate::{progress::Progress, wire::Wire};

/// The socket as a byte stream. Its lock is never contended but by a question about a stuck call.
#[derive(Clone, Debug)]
pub(super) struct Socket(pub(super) Arc<Wire>);

/// Plain or TLS; counts what it accepts and tells the attempt that uses it.
#[derive(Debug)]
pub(super) struct Io {
    stream: Stream,
    attempt: CurrentProgress,
    /// The TLS session has accepted bytes that the socket did not take at once.
    held_back: bool,
}

/// The attempt that a connection works for; another one after each reuse.
#[derive(Clone, Debug)]
pub(super) struct CurrentProgress(Arc<Mutex<Arc<Progress>>>);

#[derive(Debug)]
pub(super) enum Stream {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
}

impl CurrentProgress {
    pub(super) fn new(progress: Arc<Progress>) -> Self {
        Self(Arc::new(Mutex::new(progress)))
    }

    pub(super) fn set(&self, progress: Arc<Progress>) {
        *self.get() = progress;
    }

    fn get(&self) -> MutexGuard<'_, Arc<Progress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Io {
    pub(super) const fn new(stream: Stream, attempt: CurrentProgress) -> Self {
        Self { stream, attempt, held_back: false }
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
        let late = self.held_back.then(|| self.attempt.get().now());
        let flushed = delegate!(self.poll_flush(cx));
        self.held_back = flushed.is_pending();
        ready!(flushed)?;
        self.attempt.get().flushed(late);
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

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, net::Ipv4Addr, time::Duration};

    use firstbyte_core::{Clock, Phase};
    use firstbyte_testkit::TlsFixture;
    use rustls::pki_types::ServerName;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        time::sleep,
    };
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;
    use crate::label::Label;

    const LATE: Duration = Duration::from_millis(600);

    #[tokio::test]
    async fn what_the_tls_session_keeps_back_is_not_sent_yet() {
        let tls = TlsFixture::new();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(tls.server_config());
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(stream).await.unwrap();
            sleep(LATE).await;
            stream.read_to_end(&mut Vec::new()).await.unwrap_or_default()
        });
        let stream = TcpStream::connect(addr).await.unwrap();
        socket2::SockRef::from(&stream).set_send_buffer_size(1 << 14).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(tls.client_config());
        let stream = connector.connect(name, Socket(Wire::new(stream))).await.unwrap();

        let clock = Clock::system();
        let url = "https://localhost/update_weights".parse().unwrap();
        let label = Label::new(&reqwest::Method::POST, &url);
        let progress = Progress::start(label, clock.clone(), clock.now());
        progress.adopt();
        progress.enter(Phase::Send);
        progress.body_taken();
        let mut io =
            Io::new(Stream::Tls(Box::new(stream)), CurrentProgress::new(Arc::clone(&progress)));
        // As much as it accepts while the server does not read.
        for _ in 0..4 {
            poll_fn(|cx| {
                while Pin::new(&mut io).poll_write(cx, &[0; 1 << 14])?.is_ready() {}
                Poll::Ready(io::Result::Ok(()))
            })
            .await
            .unwrap();
            sleep(LATE / 10).await;
        }
        let keeps_back = poll_fn(|cx| Poll::Ready(Pin::new(&mut io).poll_flush(cx).is_pending()));
        assert!(keeps_back.await && !progress.is_all_sent());
        io.flush().await.unwrap();
        assert!(progress.is_all_sent());
        let send = progress.finish().0.get(Phase::Send).map(Duration::from);
        assert!(send.is_some_and(|send| send + LATE / 10 >= LATE), "{send:?}");
        drop(io);
        server.await.unwrap();
    }
}
