//! From a host name to a connection that is ready: dns, connect, tls.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use firstbyte_core::Phase;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpStream, lookup_host},
    time::sleep,
};
use tokio_rustls::TlsConnector;

use super::{
    connection::Connection,
    io::{CurrentProgress, Io, Socket, Stream},
    request::Origin,
};
use crate::{
    error::{Failure, Reason},
    progress::Progress,
    wire::Wire,
};

/// How long one address may keep the next one waiting (RFC 8305).
const STAGGER: Duration = Duration::from_millis(250);

/// Opens a connection to `origin`.
pub(super) async fn connect(
    origin: Origin,
    tls: Option<TlsConnector>,
    peer_dead: Duration,
    progress: &Arc<Progress>,
) -> Result<Connection, Failure> {
    let stream = match &origin.host {
        url::Host::Ipv4(ip) => {
            progress.enter(Phase::Connect);
            TcpStream::connect(SocketAddr::from((*ip, origin.port))).await
        }
        url::Host::Ipv6(ip) => {
            progress.enter(Phase::Connect);
            TcpStream::connect(SocketAddr::from((*ip, origin.port))).await
        }
        url::Host::Domain(name) => {
            progress.enter(Phase::Dns);
            let addresses = lookup_host((name.as_str(), origin.port)).await;
            let addresses = addresses
                .map_err(|e| Failure { reason: Reason::Dns, source: Some(e.into()) })?
                .collect::<Vec<_>>();
            progress.enter(Phase::Connect);
            connect_any(addresses).await
        }
    };
    let stream = stream.map_err(Failure::of_io)?;
    watch_over(&stream, peer_dead).map_err(Failure::of_io)?;
    let wire = Wire::new(stream);
    let socket = Socket(Arc::clone(&wire));
    let stream = match tls {
        None => Stream::Plain(socket),
        Some(tls) => {
            progress.enter(Phase::Tls);
            let name = server_name(&origin)?;
            Stream::Tls(Box::new(tls.connect(name, socket).await.map_err(Failure::of_io)?))
        }
    };
    let current = CurrentProgress::new(Arc::clone(progress));
    let io = TokioIo::new(Io::new(stream, current.clone()));
    Connection::open(io, origin, wire, current).await
}

/// Happy eyeballs: the addresses in the resolver's order, the next one as soon as the last one
/// failed or has kept it waiting for long enough. The first connection counts.
async fn connect_any(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut rest = addresses.into_iter();
    let mut tries = FuturesUnordered::new();
    let mut error = None;
    loop {
        tries.extend(rest.next().map(TcpStream::connect));
        tokio::select! {
            tried = tries.next() => match tried {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(e)) => error = error.or(Some(e)),
                None => return Err(error.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into())),
            },
            () = sleep(STAGGER), if rest.len() > 0 => {}
        }
    }
}

/// Lets the kernel find out when the peer is gone: unanswered probes while the line is silent,
/// unacknowledged data while it is not. Both end the connection after about `peer_dead`.
fn watch_over(stream: &TcpStream, peer_dead: Duration) -> io::Result<()> {
    const PROBES: u32 = 3;
    let socket = SockRef::from(stream);
    stream.set_nodelay(true)?;
    let step = (peer_dead / (PROBES + 1)).max(Duration::from_secs(1));
    let keepalive = TcpKeepalive::new().with_time(step);
    #[cfg(not(any(target_os = "openbsd", target_os = "haiku")))]
    let keepalive = keepalive.with_interval(step).with_retries(PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(peer_dead))?;
    Ok(())
}

fn server_name(origin: &Origin) -> Result<ServerName<'static>, Failure> {
    match &origin.host {
        url::Host::Domain(name) => ServerName::try_from(name.clone())
            .map_err(|e| Failure { reason: Reason::Tls, source: Some(e.into()) }),
        url::Host::Ipv4(ip) => Ok(std::net::IpAddr::V4(*ip).into()),
        url::Host::Ipv6(ip) => Ok(std::net::IpAddr::V6(*ip).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::*;

    /// An address that refuses: a port that was just free.
    async fn refusing() -> SocketAddr {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap()
    }

    #[tokio::test]
    async fn an_address_that_refuses_gives_way_to_the_next_at_once() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let open = listener.local_addr().unwrap();
        let connecting = connect_any(vec![refusing().await, refusing().await, open]);
        let stream = tokio::time::timeout(STAGGER, connecting).await.expect("at once").unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open);
    }

    #[tokio::test]
    async fn an_address_that_is_silent_gives_way_to_the_next_after_a_while() {
        // A listener whose backlog is full drops further SYNs.
        let silent = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let silent = silent.unwrap();
        silent.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        silent.listen(0).unwrap();
        let silent_addr = silent.local_addr().unwrap().as_socket().unwrap();
        let _queued = std::net::TcpStream::connect(silent_addr).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let open = listener.local_addr().unwrap();
        let stream = connect_any(vec![silent_addr, open]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open);
    }

    #[tokio::test]
    async fn the_first_refusal_is_told_when_no_address_is_left() {
        let error = connect_any(vec![refusing().await, refusing().await]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let error = connect_any(Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }

    #[tokio::test]
    async fn the_kernel_is_told_when_a_peer_is_dead() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        watch_over(&stream, Duration::from_secs(90)).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap() && stream.nodelay().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_millis(22_000));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_millis(22_000));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
        #[cfg(target_os = "linux")]
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(90)));
    }
}
