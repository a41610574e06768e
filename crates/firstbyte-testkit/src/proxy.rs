//! A loopback proxy that breaks connections on purpose.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinSet,
};

mod forward;
#[cfg(test)]
mod tests;

/// What goes wrong with a connection through a [`FaultProxy`].
///
/// Byte counts are per connection. "Stall" keeps both sockets open and reads no more from the side
/// that sends, so that its kernel buffers fill up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing: bytes, FIN and RST pass.
    #[default]
    None,
    /// The port is closed; the kernel refuses the connection.
    RefuseConnections,
    /// RST as soon as the connection is accepted.
    ResetOnAccept,
    /// RST to the client when this many bytes of it were forwarded; the upstream sees its end.
    ResetAfterRequestBytes(usize),
    /// Stall of the client's direction after this many bytes.
    StallRequestAfter(usize),
    /// Everything the client sends is read and thrown away; the upstream is not even connected.
    SwallowRequest,
    /// RST to the client when this many bytes of the response were forwarded.
    ///
    /// Linux still gives the client the bytes that came before the RST.
    ResetAfterResponseBytes(usize),
    /// FIN to the client after this many bytes of the response.
    TruncateResponseAfter(usize),
    /// Stall of the upstream's direction after this many bytes.
    StallResponseAfter(usize),
    /// When the upstream starts to answer, it is dropped with its answer; the client's connection
    /// stays open and silent.
    HalfOpen,
    /// Later, but whole: each turn to speak of one side starts with a delay.
    Delay {
        /// Before the first byte of each request is forwarded.
        request: Duration,
        /// Before the first byte of each response is forwarded.
        response: Duration,
    },
}

/// A TCP proxy on 127.0.0.1 that injects a [`Fault`], which can be changed at any time.
///
/// It knows bytes only, not HTTP, so TLS passes too. Dropping it closes its port and its
/// connections.
#[derive(Debug)]
pub struct FaultProxy {
    addr: SocketAddr,
    front: tokio::sync::Mutex<Front>,
    shared: Arc<Shared>,
}

/// The port while connections are taken, and while they are refused: a socket that is bound but
/// doesn't listen refuses, and keeps the port from everyone else.
#[derive(Debug)]
enum Front {
    Listening(JoinSet<()>),
    Refusing(TcpSocket),
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    fault: Mutex<Fault>,
    totals: Arc<Totals>,
    /// Not in the accept loop, because connections survive when the port closes.
    connections: Mutex<JoinSet<()>>,
}

#[derive(Debug, Default)]
struct Totals {
    connections: AtomicUsize,
    request_bytes: AtomicU64,
    response_bytes: AtomicU64,
}

impl FaultProxy {
    /// Starts a proxy in front of `upstream`, without a fault.
    ///
    /// # Panics
    ///
    /// If no loopback port is to be had.
    pub async fn start(upstream: SocketAddr) -> Self {
        let socket = bind((Ipv4Addr::LOCALHOST, 0).into());
        let addr = socket.local_addr().expect("address of a bound socket");
        let shared = Arc::new(Shared {
            upstream,
            fault: Mutex::default(),
            totals: Arc::default(),
            connections: Mutex::default(),
        });
        let front = tokio::sync::Mutex::new(listen(socket, &shared));
        Self { addr, front, shared }
    }

    /// Gives `fault` to every connection accepted from now on.
    ///
    /// The connections that are there keep the fault they were accepted with, even when the port
    /// is closed. When this returns, the port is closed or open as `fault` wants it.
    pub async fn set(&self, fault: Fault) {
        let mut front = self.front.lock().await;
        *lock(&self.shared.fault) = fault;
        let refuse = fault == Fault::RefuseConnections;
        match &mut *front {
            Front::Listening(accepting) if refuse => {
                accepting.shutdown().await;
                *front = Front::Refusing(bind(self.addr));
            }
            Front::Refusing(_) if !refuse => {
                let socket = std::mem::replace(&mut *front, Front::Listening(JoinSet::new()));
                if let Front::Refusing(socket) = socket {
                    *front = listen(socket, &self.shared);
                }
            }
            Front::Listening(_) | Front::Refusing(_) => {}
        }
    }

    /// Where clients connect to; it stays the same for the proxy's life.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL of `path`, which starts with a slash, without TLS.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// How many connections have been accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.totals.connections.load(Relaxed)
    }

    /// How many bytes have been read from clients, forwarded or not.
    #[must_use]
    pub fn request_bytes(&self) -> u64 {
        self.shared.totals.request_bytes.load(Relaxed)
    }

    /// How many bytes have been read from the upstream.
    #[must_use]
    pub fn response_bytes(&self) -> u64 {
        self.shared.totals.response_bytes.load(Relaxed)
    }
}

fn bind(addr: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("create a socket");
    // The port may still have connections when it is bound again.
    socket.set_reuseaddr(true).expect("set SO_REUSEADDR");
    socket.bind(addr).expect("bind a loopback port");
    socket
}

fn listen(socket: TcpSocket, shared: &Arc<Shared>) -> Front {
    let listener = socket.listen(1024).expect("listen on a bound socket");
    let mut accepting = JoinSet::new();
    accepting.spawn(accept_loop(listener, Arc::clone(shared)));
    Front::Listening(accepting)
}

async fn accept_loop(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let (client, _) = listener.accept().await.expect("accept on a loopback listener");
        shared.totals.connections.fetch_add(1, Relaxed);
        let (upstream, fault) = (shared.upstream, *lock(&shared.fault));
        let totals = Arc::clone(&shared.totals);
        let mut connections = lock(&shared.connections);
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            // An error is a connection that broke, which is what this proxy is for.
            let _ = forward::forward(client, upstream, fault, &totals).await;
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
