use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

use super::*;
use crate::{Script, ScriptedServer, response};

const POST: &[u8] = b"POST /pause HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc";
/// For what has to happen soon: a broken proxy fails its test instead of hanging it.
const LONG: Duration = Duration::from_secs(10);
/// For what must never happen.
const SILENCE: Duration = Duration::from_millis(200);

/// A server that answers in a loop, and a proxy with `fault` in front of it.
async fn start(fault: Fault) -> (ScriptedServer, FaultProxy) {
    let script = Script::new().read_request().write(response(200, &[], "ok")).keep_alive_loop();
    let server = ScriptedServer::start(script).await;
    let proxy = FaultProxy::start(server.addr()).await;
    proxy.set(fault).await;
    (server, proxy)
}

async fn connect(proxy: &FaultProxy) -> TcpStream {
    TcpStream::connect(proxy.addr()).await.expect("connect")
}

async fn send(proxy: &FaultProxy) -> TcpStream {
    let mut client = connect(proxy).await;
    client.write_all(POST).await.expect("write");
    client
}

async fn rest(client: &mut TcpStream) -> (Vec<u8>, Option<io::ErrorKind>) {
    let mut bytes = Vec::new();
    let end = timeout(LONG, client.read_to_end(&mut bytes)).await.expect("the connection ends");
    (bytes, end.err().map(|error| error.kind()))
}

async fn assert_silent(client: &mut TcpStream) {
    let read = timeout(SILENCE, client.read_u8()).await;
    assert!(read.is_err(), "the connection is open and says nothing, but: {read:?}");
}

fn answer() -> Vec<u8> {
    response(200, &[], "ok").to_vec()
}

#[tokio::test]
async fn without_a_fault_both_directions_and_their_ends_pass() {
    let (server, proxy) = start(Fault::None).await;
    let mut client = send(&proxy).await;
    client.shutdown().await.expect("half close");
    assert_eq!(rest(&mut client).await, (answer(), None));
    assert_eq!(server.requests()[0].body, "abc");
    assert_eq!((proxy.connections(), proxy.request_bytes()), (1, POST.len() as u64));
    assert_eq!(proxy.response_bytes(), answer().len() as u64);
}

#[tokio::test]
async fn a_reset_of_the_upstream_passes() {
    let server = ScriptedServer::start(Script::new().read_request().reset()).await;
    let proxy = FaultProxy::start(server.addr()).await;
    let mut client = send(&proxy).await;
    assert_eq!(rest(&mut client).await, (vec![], Some(io::ErrorKind::ConnectionReset)));
}

#[tokio::test]
async fn a_closed_port_refuses_and_opens_again_while_a_connection_survives() {
    let (server, proxy) = start(Fault::None).await;
    let mut survivor = send(&proxy).await;
    server.wait_for_requests(1).await;
    for _ in 0..3 {
        proxy.set(Fault::RefuseConnections).await;
        proxy.set(Fault::RefuseConnections).await;
        let error = TcpStream::connect(proxy.addr()).await.expect_err("the port is closed");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        proxy.set(Fault::None).await;
        connect(&proxy).await;
    }
    survivor.write_all(POST).await.expect("second request");
    survivor.shutdown().await.expect("half close");
    assert_eq!(rest(&mut survivor).await, ([answer(), answer()].concat(), None));
}

#[tokio::test]
async fn reset_on_accept_reaches_no_upstream() {
    let (server, proxy) = start(Fault::ResetOnAccept).await;
    let mut client = connect(&proxy).await;
    assert_eq!(rest(&mut client).await, (vec![], Some(io::ErrorKind::ConnectionReset)));
    assert_eq!((proxy.connections(), server.connections()), (1, 0));
}

#[tokio::test]
async fn reset_after_request_bytes_lets_just_these_bytes_through() {
    let head = POST.len() - 3;
    for (bytes, posts) in [(head - 1, 0), (head, 1)] {
        let (server, proxy) = start(Fault::ResetAfterRequestBytes(bytes)).await;
        let mut client = send(&proxy).await;
        assert_eq!(rest(&mut client).await, (vec![], Some(io::ErrorKind::ConnectionReset)));
        assert_eq!(proxy.request_bytes(), bytes as u64);
        if posts > 0 {
            server.wait_for_requests(posts).await;
        }
        assert_eq!(server.posts(), posts, "after {bytes} bytes");
    }
}

#[tokio::test]
async fn a_stalled_request_fills_the_buffers_of_its_sender() {
    let (server, proxy) = start(Fault::StallRequestAfter(POST.len() - 3)).await;
    let mut client = send(&proxy).await;
    server.wait_for_requests(1).await;
    let endless = vec![0; 64 << 20];
    timeout(SILENCE, client.write_all(&endless)).await.expect_err("the buffers are full");
    assert_silent(&mut client).await;
    assert_eq!(proxy.request_bytes(), POST.len() as u64 - 3);
}

#[tokio::test]
async fn a_swallowed_request_is_taken_whole_and_goes_nowhere() {
    let (server, proxy) = start(Fault::SwallowRequest).await;
    let mut client = send(&proxy).await;
    let much = vec![0; 16 << 20];
    client.write_all(&much).await.expect("everything is read");
    assert_silent(&mut client).await;
    assert_eq!(proxy.request_bytes(), (POST.len() + much.len()) as u64);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_response_is_cut_at_the_byte_by_reset_by_end_or_by_silence() {
    let cut = answer().len() - 1;
    let head = answer()[..cut].to_vec();

    let (_server, proxy) = start(Fault::ResetAfterResponseBytes(cut)).await;
    let mut client = send(&proxy).await;
    assert_eq!(rest(&mut client).await, (head.clone(), Some(io::ErrorKind::ConnectionReset)));

    proxy.set(Fault::TruncateResponseAfter(cut)).await;
    let mut client = send(&proxy).await;
    assert_eq!(rest(&mut client).await, (head.clone(), None));

    proxy.set(Fault::StallResponseAfter(cut)).await;
    let mut client = send(&proxy).await;
    let mut bytes = vec![0; cut];
    client.read_exact(&mut bytes).await.expect("what comes before the stall");
    assert_eq!(bytes, head);
    assert_silent(&mut client).await;
}

#[tokio::test]
async fn a_half_open_connection_is_silent_after_the_request_was_applied() {
    let server = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let proxy = FaultProxy::start(server.local_addr().expect("address")).await;
    proxy.set(Fault::HalfOpen).await;
    let mut client = send(&proxy).await;

    let (mut upstream, _) = server.accept().await.expect("accept");
    let mut request = vec![0; POST.len()];
    upstream.read_exact(&mut request).await.expect("the whole request");
    upstream.write_all(&answer()).await.expect("write");
    assert_eq!(rest(&mut upstream).await.0, b"", "the upstream is dropped");

    assert_silent(&mut client).await;
    assert_eq!(proxy.response_bytes(), 0);
}

#[tokio::test]
async fn a_delay_comes_before_each_request_and_each_response() {
    let (request, response) = (Duration::from_millis(100), Duration::from_millis(150));
    let (server, proxy) = start(Fault::Delay { request, response }).await;
    let mut client = connect(&proxy).await;
    for count in 1..=2 {
        let start = Instant::now();
        client.write_all(POST).await.expect("write");
        let mut bytes = answer();
        client.read_exact(&mut bytes).await.expect("answer");
        let arrived = server.requests()[count - 1].at - start.into_std();
        assert!(arrived >= request, "request {count} arrived after {arrived:?}");
        assert!(start.elapsed() >= request + response, "exchange took {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn dropping_the_proxy_ends_its_connections() {
    let (_server, proxy) = start(Fault::SwallowRequest).await;
    let mut client = send(&proxy).await;
    assert_silent(&mut client).await;
    let addr = proxy.addr();
    drop(proxy);
    assert_eq!(rest(&mut client).await, (vec![], None));
    let error = TcpStream::connect(addr).await.expect_err("the port is closed");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}
