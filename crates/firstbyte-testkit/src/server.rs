//! A loopback server whose connections follow scripts.

use std::{
    future::pending,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, Interest, unix::AsyncFd},
    net::TcpStream,
    sync::watch,
    task::JoinSet,
    time::sleep,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig, server::TlsStream};

use crate::{
    request::{RecordedRequest, read_body, read_head},
    script::{Script, Step},
};

#[cfg(test)]
mod tests;

/// A TCP server on 127.0.0.1 whose every connection follows a [`Script`].
///
/// Dropping it closes the listener and all connections.
#[derive(Debug)]
pub struct ScriptedServer {
    addr: SocketAddr,
    scheme: &'static str,
    log: watch::Sender<Log>,
    _tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Log {
    connections: usize,
    requests: Vec<RecordedRequest>,
}

impl ScriptedServer {
    /// Starts a server whose connections all follow `script`.
    ///
    /// # Panics
    ///
    /// If no loopback port is to be had, as all the `start` functions.
    pub async fn start(script: Script) -> Self {
        Self::serve(vec![script], None)
    }

    /// Starts a server whose n-th connection follows the n-th script; the last one repeats.
    ///
    /// # Panics
    ///
    /// If `scripts` is empty.
    pub async fn start_each(scripts: Vec<Script>) -> Self {
        Self::serve(scripts, None)
    }

    /// Starts a server that makes a TLS handshake and then follows `script` inside the session.
    ///
    /// A connection whose handshake fails is closed and its script is left out.
    pub async fn start_tls(script: Script, config: Arc<ServerConfig>) -> Self {
        Self::serve(vec![script], Some(config.into()))
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL of `path`, which starts with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.addr)
    }

    /// The requests whose head has arrived, in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.log.borrow().requests.clone()
    }

    /// How many POST requests have arrived, whether or not their body did.
    #[must_use]
    pub fn posts(&self) -> usize {
        self.log.borrow().requests.iter().filter(|request| request.method == "POST").count()
    }

    /// How many connections have been accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.log.borrow().connections
    }

    /// Waits until the heads of `count` requests have arrived.
    pub async fn wait_for_requests(&self, count: usize) {
        let arrived = |log: &Log| log.requests.len() >= count;
        // An error means that the sender is gone, but `self` has it.
        let _ = self.log.subscribe().wait_for(arrived).await;
    }

    fn serve(scripts: Vec<Script>, tls: Option<TlsAcceptor>) -> Self {
        assert!(!scripts.is_empty(), "a scripted server needs at least one script");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind a loopback port");
        listener.set_nonblocking(true).expect("make the listener non-blocking");
        let addr = listener.local_addr().expect("address of a bound listener");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let log = watch::Sender::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept_loop(Arc::new(listener), scripts, tls, log.clone()));
        Self { addr, scheme, log, _tasks: tasks }
    }
}

async fn accept_loop(
    listener: Arc<TcpListener>,
    scripts: Vec<Script>,
    tls: Option<TlsAcceptor>,
    log: watch::Sender<Log>,
) {
    let mut connections = JoinSet::new();
    for index in 0.. {
        let script = scripts[index.min(scripts.len() - 1)].clone();
        let tcp = accept(&listener, &script).await.expect("accept on a loopback listener");
        log.send_modify(|log| log.connections += 1);
        while connections.try_join_next().is_some() {}
        let connection = Connection { index, script, log: log.clone() };
        let tls = tls.clone();
        connections.spawn(async move {
            // An error is a client that went away: what it sent before that is in the log.
            let _ = connection.run(tcp, tls).await;
        });
    }
}

/// Waits for a connection in the backlog, leaves it there for the script's delay, takes it.
///
/// tokio's own listener can't wait without accepting. The registration is new each time, so that
/// readiness left over from the last connection isn't taken for this one.
#[allow(
    deprecated,
    reason = "its successor is unsafe for types whose descriptor changes; ours stays"
)]
async fn accept(listener: &Arc<TcpListener>, script: &Script) -> io::Result<TcpStream> {
    let listener = AsyncFd::with_interest(Arc::clone(listener), Interest::READABLE)?;
    drop(listener.readable().await?);
    sleep(script.accept_delay).await;
    let (tcp, _) = listener.async_io(Interest::READABLE, |listener| listener.accept()).await?;
    tcp.set_nonblocking(true)?;
    TcpStream::from_std(tcp)
}

struct Connection {
    index: usize,
    script: Script,
    log: watch::Sender<Log>,
}

impl Connection {
    async fn run(self, tcp: TcpStream, tls: Option<TlsAcceptor>) -> io::Result<()> {
        tcp.set_nodelay(true)?;
        match tls {
            None => self.follow(tcp).await,
            Some(tls) => self.follow(tls.accept(tcp).await?).await,
        }
    }

    async fn follow(self, mut io: impl Wire) -> io::Result<()> {
        let mut input = BytesMut::new();
        let (mut request, mut body_length) = (0, 0);
        let mut next = 0;
        while let Some(step) = self.script.steps.get(next) {
            next += 1;
            match step {
                Step::ReadHead => {
                    let recorded = read_head(&mut io, &mut input, self.index).await?;
                    body_length = recorded.content_length();
                    self.log.send_modify(|log| {
                        request = log.requests.len();
                        log.requests.push(recorded);
                    });
                }
                Step::ReadBody => {
                    let body = read_body(&mut io, &mut input, body_length).await?;
                    self.log.send_modify(|log| {
                        if let Some(recorded) = log.requests.get_mut(request) {
                            recorded.body = body;
                        }
                    });
                }
                Step::Pause(duration) => sleep(*duration).await,
                Step::Write(bytes) => {
                    io.write_all(bytes).await?;
                    io.flush().await?;
                }
                Step::HalfClose => io.shutdown().await?,
                Step::Reset => return io.tcp().set_zero_linger(),
                Step::Close => break,
                Step::Hold => pending().await,
                Step::Repeat => next = 0,
            }
        }
        io.shutdown().await
    }
}

trait Wire: AsyncRead + AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}
