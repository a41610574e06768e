//! A TCP relay on loopback that makes connecting, or the way, slow. Real sockets, real kernel.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinSet,
};

/// More connections than a backlog of one holds on any kernel.
const MAX_FILLERS: usize = 16;

/// Forwards connections to a server; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    addr: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Relay {
    /// Every chunk of bytes is `delay` late, on the way there and on the way back.
    ///
    /// # Errors
    ///
    /// If no port is to be had.
    pub(crate) async fn slow(upstream: SocketAddr, delay: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Self::start(listener.local_addr()?, accept(listener, upstream, delay))
    }

    /// The listen backlog is full for the next `busy`: the kernel drops the handshake of whoever
    /// connects meanwhile, who tries again after a second.
    ///
    /// # Errors
    ///
    /// If no port is to be had, or the kernel takes more connections than the backlog allows.
    pub(crate) async fn full_backlog(upstream: SocketAddr, busy: Duration) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let listener = socket.listen(1)?;
        let addr = listener.local_addr()?;
        let fillers = fill(addr).await?;
        Self::start(addr, async move {
            tokio::time::sleep(busy).await;
            drop(fillers);
            accept(listener, upstream, Duration::ZERO).await;
        })
    }

    /// Where clients connect to.
    #[must_use]
    pub(crate) const fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn start(
        addr: SocketAddr,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<Self> {
        let mut tasks = JoinSet::new();
        tasks.spawn(task);
        Ok(Self { addr, _tasks: tasks })
    }
}

/// Connects until the kernel takes no more.
async fn fill(addr: SocketAddr) -> io::Result<Vec<TcpStream>> {
    let mut fillers = Vec::new();
    while fillers.len() < MAX_FILLERS {
        match tokio::time::timeout(Duration::from_millis(100), TcpStream::connect(addr)).await {
            Ok(connected) => fillers.push(connected?),
            Err(_full) => return Ok(fillers),
        }
    }
    Err(io::Error::other("this kernel doesn't keep to a listen backlog of one"))
}

async fn accept(listener: TcpListener, upstream: SocketAddr, delay: Duration) {
    let mut connections = JoinSet::new();
    // Ends with the first error, which on a loopback listener means that descriptors ran out.
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connections.spawn(forward(client, upstream, delay));
    }
}

async fn forward(client: TcpStream, upstream: SocketAddr, delay: Duration) {
    // A connection that breaks is seen by both ends; there is nobody else to tell.
    let Ok(server) = TcpStream::connect(upstream).await else { return };
    _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((client_read, client_write), (server_read, server_write)) =
        (client.into_split(), server.into_split());
    tokio::join!(copy(client_read, server_write, delay), copy(server_read, client_write, delay));
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, delay: Duration) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
    _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use firstbyte_core::Clock;

    use super::*;

    /// Sends a byte through the relay and waits for its echo; returns the times of both.
    async fn echo(relay: impl AsyncFnOnce(SocketAddr) -> Relay) -> (Duration, Duration) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let relay = relay(listener.local_addr().unwrap()).await;
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        let clock = Clock::system();
        let start = clock.now();
        let mut stream = TcpStream::connect(relay.addr()).await.unwrap();
        let connected = clock.now();
        stream.write_all(b"x").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'x');
        (connected.since(start), clock.now().since(connected))
    }

    #[tokio::test]
    async fn a_slow_way_is_slow_both_ways_but_connects_at_once() {
        let delay = Duration::from_millis(60);
        let (connect, echo) = echo(async |addr| Relay::slow(addr, delay).await.unwrap()).await;
        assert!(connect < delay && echo >= delay * 2, "{connect:?} {echo:?}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_full_backlog_costs_a_second_of_connecting_and_nothing_after() {
        let busy = Duration::from_millis(200);
        let (connect, echo) =
            echo(async |addr| Relay::full_backlog(addr, busy).await.unwrap()).await;
        assert!(connect > Duration::from_millis(900), "{connect:?}");
        assert!(echo < Duration::from_millis(500), "{echo:?}");
    }
}
