//! How requests arrived at a real `axum::serve`, told by its handlers.
#![cfg(target_os = "linux")]

use std::{sync::mpsc, time::Duration};

use crate::common::{Client, GET, assert_waited_since, from_text, listen, now, router, serve};
use axum::{Router, routing::get};
use firstbyte_core::{Arrival, Clock, Micros};
use firstbyte_net::{TracedListener, trace_connections};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::sleep;

/// What a time stamp may be off.
const STAMPED: Duration = Duration::from_millis(5);
/// What `TCP_INFO` may be off: two jiffies of 100 Hz.
const JIFFIES: Duration = Duration::from_millis(20);
const LATE: Duration = Duration::from_millis(300);
const PROMPT: Micros = Micros(50_000);

#[tokio::test]
async fn what_came_before_accept_lay_in_the_kernel_until_it_was_read() {
    for (stamps, margin) in [(true, STAMPED), (false, JIFFIES)] {
        let (listener, addr) = listen().await;
        let listener = listener.receive_timestamps(stamps);
        let mut client = Client::connect(addr).await;
        let sent = client.send(GET).await;
        sleep(LATE).await;
        let before_accept = now();
        serve(listener);
        let arrival = client.arrival().await;
        assert!(arrival.accepted.unwrap() >= before_accept);
        assert!(arrival.first_byte >= arrival.accepted);
        assert!(Duration::from(arrival.kernel.unwrap()) + margin >= LATE);
        assert_waited_since(sent, arrival, margin);
    }
}

#[test]
fn a_blocked_event_loop_leaves_requests_in_the_kernel() {
    for (stamps, margin) in [(true, STAMPED), (false, JIFFIES)] {
        let (started, has_started) = mpsc::channel();
        let block = move || {
            started.send(()).unwrap();
            // Blocks the thread, as a handler should not: nobody ever sends anything here.
            let (_keep, never) = mpsc::channel::<()>();
            never.recv_timeout(LATE).unwrap_err();
            std::future::ready("")
        };
        let (bound, addr) = mpsc::channel();
        std::thread::spawn(move || {
            in_one_thread(async move {
                let (listener, addr) = listen().await;
                bound.send(addr).unwrap();
                let router = router().merge(Router::new().route("/block", get(block)));
                axum::serve(listener.receive_timestamps(stamps), trace_connections(router)).await
            })
        });
        in_one_thread(async move {
            let addr = addr.recv().unwrap();
            let (mut blocker, mut client) =
                (Client::connect(addr).await, Client::connect(addr).await);
            assert!(client.get().await.kernel.unwrap() < PROMPT);
            blocker.send("GET /block HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
            has_started.recv().unwrap();
            let sent = client.send(GET).await;
            let arrival = client.arrival().await;
            assert!(arrival.kernel.unwrap() > Micros(200_000), "{arrival:?}");
            assert_waited_since(sent, arrival, margin);
        });
    }
}

fn in_one_thread<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[tokio::test]
async fn a_prompt_request_hardly_waits() {
    for stamps in [true, false] {
        let (listener, addr) = listen().await;
        serve(listener.receive_timestamps(stamps));
        let mut client = Client::connect(addr).await;
        let before = now();
        let arrival = client.get().await;
        assert!(arrival.kernel.unwrap() < PROMPT, "{arrival:?}");
        assert!(arrival.first_byte.unwrap() > before && arrival.first_byte.unwrap() < now());
    }
}

#[tokio::test]
async fn a_second_request_on_a_connection_does_not_inherit_the_moments_of_the_first() {
    let (listener, addr) = listen().await;
    let mut client = Client::connect(addr).await;
    client.send(GET).await;
    sleep(LATE).await;
    serve(listener);
    let first = client.arrival().await;
    assert!(first.kernel.unwrap() > PROMPT, "{first:?}");

    let between = now();
    let second = client.get().await;
    assert_eq!(second.accepted, first.accepted);
    assert!(second.first_byte.unwrap() > between);
    assert!(second.kernel.unwrap() < PROMPT, "{second:?}");
}

#[tokio::test]
async fn a_pipelined_request_has_no_moments_of_its_own() {
    let (listener, addr) = listen().await;
    serve(listener);
    let mut client = Client::connect(addr).await;
    client.send(GET.repeat(2)).await;
    let (first, second) = (client.arrival().await, client.arrival().await);
    assert!(first.first_byte.is_some() && first.kernel.is_some(), "{first:?}");
    assert_eq!(second.accepted, first.accepted);
    assert_eq!((second.first_byte, second.kernel), (None, None));

    assert!(client.get().await.kernel.is_some(), "the next one is on its own again");
}

#[tokio::test]
async fn a_head_in_two_segments_begins_with_the_first() {
    for stamps in [true, false] {
        let (listener, addr) = listen().await;
        serve(listener.receive_timestamps(stamps));
        let mut client = Client::connect(addr).await;
        let (head, tail) = GET.split_at(10);
        let begun = client.send(head).await;
        sleep(Duration::from_millis(100)).await;
        let completed = client.send(tail).await;
        let arrival = client.arrival().await;
        assert!(arrival.first_byte.unwrap() < *completed.start(), "the first segment");
        if stamps {
            assert_waited_since(begun, arrival, STAMPED);
        } else {
            assert_eq!(arrival.kernel, None, "the second segment hides when the first one came");
        }
    }
}

#[tokio::test]
async fn tcp_info_tells_of_bytes_that_the_first_read_left_behind() {
    let (listener, addr) = listen().await;
    let mut client = Client::connect(addr).await;
    let body = [b'x'; 40_000];
    let head = "POST /arrival HTTP/1.1\r\nhost: localhost\r\ncontent-length: 40000\r\n\r\n";
    let sent = client.send([head.as_bytes(), &body].concat()).await;
    sleep(LATE).await;
    serve(listener.receive_timestamps(false));
    assert_waited_since(sent, client.arrival().await, JIFFIES);
}

#[tokio::test]
async fn a_client_that_closes_its_half_is_answered_with_its_arrival() {
    for stamps in [true, false] {
        let (listener, addr) = listen().await;
        let mut client = Client::connect(addr).await;
        let sent = client.send(GET).await;
        client.half_close().await;
        serve(listener.receive_timestamps(stamps));
        assert_waited_since(sent, client.arrival().await, JIFFIES);
    }
}

#[tokio::test]
async fn a_request_on_http2_knows_when_its_connection_was_accepted_and_no_more() {
    let (listener, addr) = listen().await;
    serve(listener);
    let stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    let http2 = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (mut client, connection) = http2.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get(format!("http://{addr}/arrival"));
    let response = client.send_request(request.body(Empty::<&[u8]>::new()).unwrap()).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let arrival = from_text(std::str::from_utf8(&body).unwrap());
    assert!(arrival.accepted.is_some());
    assert_eq!((arrival.first_byte, arrival.kernel), (None, None));
}

#[tokio::test]
async fn moments_are_those_of_the_given_clock_and_the_kernel_keeps_its_own() {
    let start = firstbyte_core::Timestamp::from_nanos(1_000);
    let clock = Clock::manual(start, Duration::from_secs(1));
    let listener = TracedListener::bind("127.0.0.1:0", clock).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut client = Client::connect(addr).await;
    client.send(GET).await;
    sleep(LATE).await;
    serve(listener);
    let arrival = client.arrival().await;
    assert_eq!((arrival.accepted, arrival.first_byte), (Some(start), Some(start)));
    // The wall clock of 1970 contradicts the stamp, so TCP_INFO has the word.
    let kernel = Duration::from(arrival.kernel.unwrap());
    assert!(kernel + JIFFIES >= LATE && kernel < LATE * 10, "{kernel:?}");
}

#[tokio::test]
async fn a_body_that_is_thrown_away_after_the_answer_is_no_request() {
    async fn ignore(request: axum::extract::Request) -> &'static str {
        sleep(LATE).await;
        drop(request);
        "0 0 0"
    }
    for stamps in [true, false] {
        let (listener, addr) = listen().await;
        let router = router().merge(Router::new().route("/ignore", axum::routing::post(ignore)));
        let server = axum::serve(listener.receive_timestamps(stamps), trace_connections(router));
        tokio::spawn(async move { server.await });
        // hyper reads some of a body that nobody asks for, and throws the rest away if one read ends it.
        let calls: Vec<_> = (2_000..34_000)
            .step_by(2_000)
            .map(|size| tokio::spawn(second_call(addr, size)))
            .collect();
        let mut kept = 0;
        for call in calls {
            if let Some((size, arrival)) = call.await.unwrap() {
                kept += 1;
                let kernel = arrival.kernel;
                assert!(
                    kernel.is_some_and(|kernel| kernel < PROMPT),
                    "{kernel:?} after {size} bytes, stamps: {stamps}"
                );
            }
        }
        assert!(kept > 0, "hyper closed all the connections");
    }

    /// Nothing if the server closes the connection after the first one.
    async fn second_call(addr: std::net::SocketAddr, size: usize) -> Option<(usize, Arrival)> {
        let mut client = Client::connect(addr).await;
        let head = format!("POST /ignore HTTP/1.1\r\nhost: x\r\ncontent-length: {size}\r\n\r\n");
        client.send(head).await;
        sleep(Duration::from_millis(20)).await;
        client.send(vec![b'x'; size]).await;
        client.arrival().await;
        sleep(Duration::from_millis(50)).await;
        client.is_open().then_some(())?;
        Some((size, client.get().await))
    }
}
