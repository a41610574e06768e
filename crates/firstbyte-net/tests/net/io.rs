//! The wrapped stream carries the same bytes as the bare one.

use std::{io::IoSlice, time::Duration};

use firstbyte_core::{ArrivalSource, Clock, Micros};
use firstbyte_net::{TracedIo, TracedListener};
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

async fn pair() -> (TcpStream, TracedIo<TcpStream>) {
    let listener = TracedListener::bind("127.0.0.1:0", Clock::system()).await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    client.set_nodelay(true).unwrap();
    (client, listener.accept().await.unwrap().0)
}

fn random_bytes(random: &mut fastrand::Rng, up_to: usize) -> Vec<u8> {
    let bytes = random.usize(1..=up_to);
    std::iter::repeat_with(|| random.u8(..)).take(bytes).collect()
}

/// Reads what the peer sends, in reads of random sizes.
async fn receive(
    io: &mut TracedIo<TcpStream>,
    bytes: usize,
    random: &mut fastrand::Rng,
) -> Vec<u8> {
    let mut received = Vec::new();
    while received.len() < bytes {
        let room = random.usize(0..=bytes - received.len());
        let mut buf = vec![0; room];
        let read = io.read(&mut buf).await.unwrap();
        received.extend_from_slice(&buf[..read]);
    }
    received
}

#[tokio::test]
async fn bytes_arrive_as_they_were_sent_whatever_the_chunks() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let exchange = async {
        let (mut client, mut server) = pair().await;
        let (mut sent, mut answered) = (0, 0);
        for round in 0..500 {
            let most = if round % 50 == 0 { 300_000 } else { 3_000 };
            let request = random_bytes(&mut random, most);
            let mut chunks = fastrand::Rng::with_seed(seed ^ round);
            let send = async {
                for chunk in request.chunks(chunks.usize(most / 100..=most)) {
                    client.write_all(chunk).await.unwrap();
                    tokio::task::yield_now().await;
                }
            };
            let (received, ()) =
                tokio::join!(receive(&mut server, request.len(), &mut random), send);
            assert!(received == request, "round {round} of seed {seed}");

            let answer = random_bytes(&mut random, 3_000);
            server.write_all(&answer).await.unwrap();
            let mut got = vec![0; answer.len()];
            client.read_exact(&mut got).await.unwrap();
            assert!(got == answer, "round {round} of seed {seed}");
            sent += request.len() as u64;
            answered += answer.len() as u64;
        }
        let connection = server.connection();
        assert_eq!((connection.bytes_read(), connection.bytes_written()), (sent, answered));
    };
    timeout(Duration::from_secs(30), exchange)
        .await
        .unwrap_or_else(|_| panic!("seed {seed} hangs"));
}

#[tokio::test]
async fn the_end_of_the_stream_is_no_first_byte() {
    let (mut client, mut server) = pair().await;
    client.write_all(b"ping").await.unwrap();
    client.shutdown().await.unwrap();
    let mut received = Vec::new();
    server.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"ping");

    server.write_all(b"pong").await.unwrap();
    assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
    let arrival = server.connection().arrival();
    assert!(arrival.accepted.is_some());
    assert_eq!((arrival.first_byte, arrival.kernel), (None, None));

    drop(server);
    client.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"pingpong");
}

#[tokio::test]
async fn a_reset_is_an_error_of_the_read() {
    let (client, mut server) = pair().await;
    client.set_zero_linger().unwrap();
    drop(client);
    let error = server.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn vectored_writes_are_passed_on_and_counted() {
    let (mut client, mut server) = pair().await;
    assert!(server.is_write_vectored());
    let parts = [IoSlice::new(b"he"), IoSlice::new(b"llo")];
    assert_eq!(server.write_vectored(&parts).await.unwrap(), 5);
    assert_eq!(server.connection().bytes_written(), 5);
    let mut received = [0; 5];
    client.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"hello");
}

#[tokio::test]
async fn a_closed_connection_is_never_asked_again() {
    for stamps in [true, false] {
        let listener = TracedListener::bind("127.0.0.1:0", Clock::system()).await.unwrap();
        let listener = listener.receive_timestamps(stamps);
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        client.write_all(b"ping").await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        server.read_exact(&mut [0; 4]).await.unwrap();
        let connection = server.connection();
        let open = connection.arrival();
        assert_eq!(open.kernel.is_some(), cfg!(target_os = "linux"));

        drop(server);
        // Another connection gets the descriptor; its moments are not this one's.
        let _other = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let _reused = listener.accept().await.unwrap();
        let closed = connection.arrival();
        assert_eq!(closed.first_byte, open.first_byte);
        assert_eq!(closed.kernel, open.kernel.filter(|_| stamps));
    }
}

/// Two ends of a connection without time stamps, so that `TCP_INFO` has to tell.
#[cfg(target_os = "linux")]
async fn unstamped_pair() -> (TcpStream, TracedIo<TcpStream>) {
    let listener = TracedListener::bind("127.0.0.1:0", Clock::system()).await.unwrap();
    let listener = listener.receive_timestamps(false);
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    client.set_nodelay(true).unwrap();
    (client, listener.accept().await.unwrap().0)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn tcp_info_does_not_count_the_time_after_the_read() {
    let (mut client, mut server) = unstamped_pair().await;
    client.write_all(b"ping").await.unwrap();
    server.read_exact(&mut [0; 4]).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    let kernel = server.connection().arrival().kernel.unwrap();
    assert!(kernel < Micros(50_000), "{kernel:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn tcp_info_is_silent_once_later_bytes_hide_the_first() {
    let (mut client, mut server) = unstamped_pair().await;
    let connection = server.connection();
    client.write_all(b"ping").await.unwrap();
    // Two reads, for the first one cannot tell that it leaves something behind.
    server.read_exact(&mut [0; 2]).await.unwrap();
    assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 2);
    assert!(connection.arrival().kernel.is_some());

    client.write_all(b"pong").await.unwrap();
    assert_eq!(connection.arrival().kernel, None, "later bytes lie in the kernel");
    server.read_exact(&mut [0; 4]).await.unwrap();
    assert_eq!(connection.arrival().kernel, None, "later bytes were read");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn tcp_info_is_silent_if_a_read_that_filled_its_buffer_was_followed_much_later() {
    let (mut client, mut server) = unstamped_pair().await;
    client.write_all(b"ping").await.unwrap();
    server.read_exact(&mut [0; 4]).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    client.write_all(b"pong").await.unwrap();
    server.read_exact(&mut [0; 4]).await.unwrap();
    assert_eq!(server.connection().arrival().kernel, None);
}

#[tokio::test]
async fn accepted_connections_know_both_ends_and_send_at_once() {
    let listener = TracedListener::bind("127.0.0.1:0", Clock::system()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let client = TcpStream::connect(addr).await.unwrap();
    let (server, peer) = listener.accept().await.unwrap();
    assert_eq!(peer, client.local_addr().unwrap());
    assert_eq!(server.connection().peer_addr(), Some(peer));
    assert_eq!(server.connection().local_addr(), Some(addr));
    assert!(server.get_ref().nodelay().unwrap());

    let listener = listener.nodelay(false);
    let _client = TcpStream::connect(addr).await.unwrap();
    assert!(!listener.accept().await.unwrap().0.get_ref().nodelay().unwrap());
}

#[tokio::test]
async fn a_listener_of_ones_own_will_do() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    client.write_all(b"ping").await.unwrap();
    let mut server = TracedIo::tcp(listener.accept().await.unwrap().0, &Clock::system());
    server.read_exact(&mut [0; 4]).await.unwrap();
    let connection = server.connection();
    assert_eq!(connection.peer_addr(), Some(client.local_addr().unwrap()));
    assert!(connection.arrival().first_byte.is_some());
    assert_eq!(connection.arrival().kernel.is_some(), cfg!(target_os = "linux"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_has_a_first_byte_and_no_kernel_time() {
    let (mut client, server) = tokio::net::UnixStream::pair().unwrap();
    let mut server = TracedIo::new(server, &Clock::system());
    client.write_all(b"ping").await.unwrap();
    server.read_exact(&mut [0; 4]).await.unwrap();
    let arrival = server.connection().arrival();
    assert!(arrival.first_byte >= arrival.accepted);
    assert_eq!(arrival.kernel, None);
    assert_eq!(server.connection().peer_addr(), None);
}
