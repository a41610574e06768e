use std::time::Duration;

use tokio::{
    io::AsyncReadExt,
    time::{Instant, timeout},
};

use super::*;
use crate::{drop_after_polls, response, response_head};

const POST: &[u8] = b"POST /pause HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc";
const GET: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
const PAUSE: Duration = Duration::from_millis(200);

async fn connect(server: &ScriptedServer, request: &[u8]) -> TcpStream {
    let mut client = TcpStream::connect(server.addr()).await.expect("connect");
    client.write_all(request).await.expect("write");
    client
}

async fn rest(mut client: TcpStream) -> io::Result<String> {
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.map(|_| answer)
}

async fn read(client: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    client.read_exact(&mut bytes).await.expect("read");
    bytes
}

#[tokio::test]
async fn a_request_is_recorded_and_answered() {
    let answer = response(200, &[], "ok");
    let server = ScriptedServer::start(Script::new().read_request().write(answer.clone())).await;
    assert_eq!(server.url("/pause"), format!("http://{}/pause", server.addr()));

    assert_eq!(rest(connect(&server, POST).await).await.expect("answer").as_bytes(), answer);
    let request = &server.requests()[0];
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/pause"));
    assert_eq!((&request.body[..], request.connection), (&b"abc"[..], 0));
    assert_eq!((server.posts(), server.connections()), (1, 1));
}

#[tokio::test]
async fn a_pause_lies_between_what_was_written_around_it() {
    let head = response_head(200, &[], 2);
    let script = Script::new().read_request().write(head.clone()).pause(PAUSE).write("ok");
    let server = ScriptedServer::start(script).await;
    let start = Instant::now().into_std();
    let mut client = connect(&server, GET).await;

    assert_eq!(read(&mut client, head.len()).await, head);
    let head_read = Instant::now().into_std();
    assert_eq!(read(&mut client, 2).await, b"ok");
    let body_read = Instant::now().into_std();
    let at = server.requests()[0].at;
    assert!(start <= at && at <= head_read, "the request came before its answer");
    assert!(head_read - at < PAUSE, "the head came after {:?}", head_read - at);
    assert!(body_read - at >= PAUSE, "the body came after {:?}", body_read - at);
}

#[tokio::test]
async fn every_connection_lies_in_the_backlog_for_the_delay() {
    let script = Script::new().accept_delay(PAUSE).read_request().write(response(200, &[], ""));
    let server = ScriptedServer::start(script).await;
    for earlier in 0..2 {
        let start = Instant::now();
        let client = connect(&server, POST).await;
        assert_eq!(server.connections(), earlier, "connected and sent, but not accepted");
        rest(client).await.expect("answer");
        assert!(start.elapsed() >= PAUSE, "connection {earlier} took {:?}", start.elapsed());
    }
    assert_eq!(server.posts(), 2);
}

#[tokio::test]
async fn a_loop_answers_pipelined_requests_on_one_connection() {
    let answer = response(200, &[], "ok");
    let script = Script::new().read_request().write(answer.clone()).keep_alive_loop();
    let server = ScriptedServer::start(script).await;

    let mut client = connect(&server, &[POST, GET].concat()).await;
    assert_eq!(read(&mut client, 2 * answer.len()).await, [&answer[..], &answer[..]].concat());
    client.write_all(POST).await.expect("third request");
    assert_eq!(read(&mut client, answer.len()).await, answer);
    assert_eq!((server.requests().len(), server.posts(), server.connections()), (3, 2, 1));
}

#[tokio::test]
async fn the_nth_connection_follows_the_nth_script() {
    let script = |status| Script::new().read_request().write(response(status, &[], ""));
    let server = ScriptedServer::start_each(vec![script(503), script(200)]).await;
    for (connection, status) in [(0, "503"), (1, "200"), (2, "200")] {
        let answer = rest(connect(&server, GET).await).await.expect("answer");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{connection}: {answer}");
        assert_eq!(server.requests()[connection].connection, connection);
    }
}

#[tokio::test]
async fn a_half_closed_connection_still_reads() {
    let server = ScriptedServer::start(Script::new().half_close().read_request().hold()).await;
    let mut client = TcpStream::connect(server.addr()).await.expect("connect");
    assert_eq!(client.read(&mut [0]).await.expect("end"), 0);
    client.write_all(POST).await.expect("write");
    let arrived = timeout(Duration::from_secs(10), server.wait_for_requests(1)).await;
    arrived.expect("the request arrives");
}

#[tokio::test]
async fn a_reset_is_a_reset_and_a_close_is_not() {
    let scripts = vec![Script::new().read_request().reset(), Script::new().read_request().close()];
    let server = ScriptedServer::start_each(scripts).await;
    let error = rest(connect(&server, POST).await).await.expect_err("reset");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(rest(connect(&server, POST).await).await.expect("a clean end"), "");
}

#[tokio::test]
async fn a_post_counts_when_its_head_has_arrived() {
    let server = ScriptedServer::start(Script::new().read_request()).await;
    let mut client = connect(&server, &POST[..POST.len() - 1]).await;
    server.wait_for_requests(1).await;
    assert_eq!((server.posts(), server.requests()[0].body.len()), (1, 0), "the body isn't whole");

    client.write_all(b"c").await.expect("last byte");
    rest(client).await.expect("the server closes");
    assert_eq!(server.requests()[0].body, "abc");
}

#[tokio::test]
async fn a_client_can_be_told_to_continue() {
    let script = Script::new().read_head().write(response_head(100, &[], 0)).read_body();
    let server = ScriptedServer::start(script).await;
    let (head, body) = POST.split_at(POST.len() - 3);
    let mut client = connect(&server, head).await;
    assert!(read(&mut client, 12).await.ends_with(b"100"));
    client.write_all(body).await.expect("body");
    rest(client).await.expect("the server closes");
    assert_eq!(server.requests()[0].body, "abc");
}

#[tokio::test]
async fn dropping_the_server_ends_what_it_holds() {
    let server = ScriptedServer::start(Script::new().read_request().hold()).await;
    let addr = server.addr();
    let mut client = connect(&server, GET).await;
    server.wait_for_requests(1).await;
    assert_eq!(drop_after_polls(client.read_u8(), 1).await.map(drop), None, "held and silent");

    drop(server);
    rest(client).await.expect("the held connection ends");
    let error = TcpStream::connect(addr).await.expect_err("the port is closed");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}
