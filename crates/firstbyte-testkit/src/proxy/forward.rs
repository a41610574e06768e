//! One connection through the proxy.

use std::{
    future::pending,
    io,
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    time::sleep,
};

use super::{Fault, Totals};

pub(super) async fn forward(
    mut client: TcpStream,
    upstream: SocketAddr,
    fault: Fault,
    totals: &Totals,
) -> io::Result<()> {
    let outcome = match fault {
        Fault::ResetOnAccept => Err(io::ErrorKind::ConnectionReset.into()),
        Fault::SwallowRequest => swallow(&mut client, totals).await,
        Fault::HalfOpen => half_open(&mut client, upstream, totals).await,
        _ => exchange(&mut client, upstream, fault, totals).await,
    };
    if outcome.is_err() {
        client.set_zero_linger()?;
    }
    outcome
}

/// Forwards both ways; an error on either side, ours or the network's, resets the client.
async fn exchange(
    client: &mut TcpStream,
    upstream: SocketAddr,
    fault: Fault,
    totals: &Totals,
) -> io::Result<()> {
    let mut upstream = connect(client, upstream).await?;
    let (from_client, to_client) = client.split();
    let (from_upstream, to_upstream) = upstream.split();
    let turn = Turn::default();
    let mut request = Lane::new(&turn, true, &totals.request_bytes);
    let mut response = Lane::new(&turn, false, &totals.response_bytes);
    match fault {
        Fault::ResetAfterRequestBytes(n) => request.stop(n, AtLimit::Reset),
        Fault::StallRequestAfter(n) => request.stop(n, AtLimit::Stall),
        Fault::ResetAfterResponseBytes(n) => response.stop(n, AtLimit::Reset),
        Fault::TruncateResponseAfter(n) => response.stop(n, AtLimit::Finish),
        Fault::StallResponseAfter(n) => response.stop(n, AtLimit::Stall),
        Fault::Delay { request: before_request, response: before_response } => {
            request.delay = before_request;
            response.delay = before_response;
        }
        _ => {}
    }
    tokio::try_join!(
        request.run(from_client, to_upstream),
        response.run(from_upstream, to_client)
    )?;
    Ok(())
}

async fn swallow(client: &mut TcpStream, totals: &Totals) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        match client.read(&mut buffer).await? {
            0 => pending().await,
            count => totals.request_bytes.fetch_add(count as u64, Relaxed),
        };
    }
}

async fn half_open(
    client: &mut TcpStream,
    upstream: SocketAddr,
    totals: &Totals,
) -> io::Result<()> {
    let mut upstream = connect(client, upstream).await?;
    {
        let (from_client, _) = client.split();
        let (mut from_upstream, to_upstream) = upstream.split();
        let turn = Turn::default();
        let request = Lane::new(&turn, true, &totals.request_bytes);
        let mut first = [0];
        tokio::select! {
            _ = from_upstream.peek(&mut first) => {}
            () = async {
                let _ = request.run(from_client, to_upstream).await;
                pending::<()>().await;
            } => {}
        }
    }
    drop(upstream);
    pending().await
}

async fn connect(client: &TcpStream, upstream: SocketAddr) -> io::Result<TcpStream> {
    let upstream = TcpStream::connect(upstream).await?;
    upstream.set_nodelay(true)?;
    client.set_nodelay(true)?;
    Ok(upstream)
}

const CHUNK: usize = 16 * 1024;

/// Whether the client's side spoke last.
type Turn = AtomicBool;

/// One direction of a connection.
struct Lane<'a> {
    turn: &'a Turn,
    from_client: bool,
    total: &'a AtomicU64,
    delay: Duration,
    left: usize,
    at_limit: AtLimit,
}

enum AtLimit {
    Reset,
    Stall,
    Finish,
}

impl<'a> Lane<'a> {
    fn new(turn: &'a Turn, from_client: bool, total: &'a AtomicU64) -> Self {
        let (left, at_limit) = (usize::MAX, AtLimit::Finish);
        Self { turn, from_client, total, delay: Duration::ZERO, left, at_limit }
    }

    fn stop(&mut self, after: usize, at_limit: AtLimit) {
        self.left = after;
        self.at_limit = at_limit;
    }

    async fn run(mut self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK];
        while self.left > 0 {
            let room = self.left.min(CHUNK);
            let count = from.read(&mut buffer[..room]).await?;
            if count == 0 {
                return to.shutdown().await;
            }
            self.total.fetch_add(count as u64, Relaxed);
            if self.turn.swap(self.from_client, Relaxed) != self.from_client {
                sleep(self.delay).await;
            }
            to.write_all(&buffer[..count]).await?;
            self.left -= count;
        }
        match self.at_limit {
            AtLimit::Reset => Err(io::ErrorKind::ConnectionReset.into()),
            AtLimit::Stall => pending().await,
            AtLimit::Finish => to.shutdown().await,
        }
    }
}
