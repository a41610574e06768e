//! A server that answers with what it knows of the request's arrival, and a client that writes
//! bytes when it is told to.

use std::{net::SocketAddr, ops::RangeInclusive, time::Duration};

use axum::{Extension, Router, routing::get};
use firstbyte_core::{Arrival, Clock, Micros, Timestamp, Transport};
use firstbyte_net::{TracedListener, trace_connections};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(crate) const GET: &str = "GET /arrival HTTP/1.1\r\nhost: localhost\r\n\r\n";

pub(crate) fn now() -> Timestamp {
    Clock::system().now()
}

pub(crate) async fn listen() -> (TracedListener, SocketAddr) {
    let listener = TracedListener::bind("127.0.0.1:0", Clock::system()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

pub(crate) fn router() -> Router {
    Router::new().route("/arrival", get(tell).post(tell))
}

async fn tell(Extension(transport): Extension<Transport>) -> String {
    to_text(transport.arrival())
}

pub(crate) fn to_text(arrival: Arrival) -> String {
    let nanos = |at: Option<Timestamp>| at.map_or(-1, |at| at.as_nanos() as i64);
    let kernel = arrival.kernel.map_or(-1, |kernel| kernel.0 as i64);
    format!("{} {} {kernel}", nanos(arrival.accepted), nanos(arrival.first_byte))
}

pub(crate) fn from_text(text: &str) -> Arrival {
    let mut numbers = text.split(' ').map(|number| u64::try_from(number.parse::<i64>().unwrap()));
    let mut next = || numbers.next().unwrap().ok();
    Arrival {
        accepted: next().map(Timestamp::from_nanos),
        first_byte: next().map(Timestamp::from_nanos),
        kernel: next().map(Micros),
    }
}

pub(crate) fn serve(listener: TracedListener) {
    let server = axum::serve(listener, trace_connections(router()));
    tokio::spawn(async move { server.await });
}

pub(crate) struct Client(TcpStream);

impl Client {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Sends, and tells between which moments that was.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> RangeInclusive<Timestamp> {
        let before = now();
        self.0.write_all(bytes.as_ref()).await.unwrap();
        before..=now()
    }

    pub(crate) async fn half_close(&mut self) {
        self.0.shutdown().await.unwrap();
    }

    /// Reads one response and what it says of its request.
    pub(crate) async fn arrival(&mut self) -> Arrival {
        let mut response = Vec::new();
        let body = loop {
            response.push(self.0.read_u8().await.expect("the server closed"));
            if response.ends_with(b"\r\n\r\n") {
                let head = String::from_utf8(response).unwrap();
                assert!(head.starts_with("HTTP/1.1 200"), "{head}");
                let (_, length) = head.split_once("content-length: ").unwrap();
                break length.split_once("\r\n").unwrap().0.parse().unwrap();
            }
        };
        let mut text = vec![0; body];
        self.0.read_exact(&mut text).await.unwrap();
        from_text(&String::from_utf8(text).unwrap())
    }

    /// Whether the server keeps the connection and has nothing to say.
    pub(crate) fn is_open(&self) -> bool {
        let read = self.0.try_read(&mut [0]);
        read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }

    pub(crate) async fn get(&mut self) -> Arrival {
        self.send(GET).await;
        self.arrival().await
    }
}

/// The kernel's share is the time from the sending to the first read, give or take `margin`.
pub(crate) fn assert_waited_since(
    sent: RangeInclusive<Timestamp>,
    arrival: Arrival,
    margin: Duration,
) {
    let first_byte = arrival.first_byte.expect("a first byte");
    let kernel = Duration::from(arrival.kernel.expect("a kernel time"));
    let (least, most) = (first_byte.since(*sent.end()), first_byte.since(*sent.start()));
    assert!(kernel + margin >= least, "{kernel:?} is less than {least:?}");
    assert!(kernel <= most + margin, "{kernel:?} is more than {most:?}");
}
