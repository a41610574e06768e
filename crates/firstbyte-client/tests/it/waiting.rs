//! A call that is stuck says where.

use std::time::Duration;

use firstbyte_client::{
    AdminClient, AdminClientBuilder, ConnectionMode, HyperTransport, Timeouts, Whereabouts,
};
use firstbyte_core::field;
use firstbyte_testkit::{Script, ScriptedServer, response_head};

use crate::support::{MS, Trace, count, millis, ok, text};

fn timeouts() -> Timeouts {
    Timeouts { still_waiting: 100 * MS, total: Some(400 * MS), ..Timeouts::default() }
}

fn builder(trace: &Trace, url: &str) -> AdminClientBuilder {
    trace.builder(url).timeouts(timeouts())
}

/// The state in which every `client.waiting` line of a call that never ends says it is.
async fn stuck(trace: &Trace, client: &AdminClient, body: usize) -> String {
    let call = client.post("/update_weights").body(vec![0; body]).send();
    let (result, snapshot) = tokio::join!(call, async {
        tokio::time::sleep(150 * MS).await;
        client.in_flight()
    });
    assert!(result.unwrap_err().is_timeout());
    let waiting = trace.named("client.waiting");
    assert!(waiting.len() >= 2, "{:?}", trace.lines());
    for (number, event) in waiting.iter().enumerate() {
        let elapsed = millis(event, field::ELAPSED).unwrap();
        assert!(elapsed >= 100.0 * (number + 1) as f64, "{elapsed}");
        assert_eq!(text(event, field::OP), Some("update_weights"));
        assert_eq!(text(event, field::TARGET), Some(client.target()));
        assert_eq!(count(event, field::ATTEMPT), Some(1));
    }
    let state = text(&waiting[0], field::STATE).unwrap().to_owned();
    assert_eq!(text(&waiting[1], field::STATE), Some(state.as_str()));
    assert_eq!(snapshot.len(), 1);
    assert_eq!(snapshot[0].state.as_str(), state);
    assert!(client.in_flight().is_empty());
    state
}

#[tokio::test]
async fn in_the_servers_kernel_or_later() {
    let interim = response_head(102, &[], 0);
    for script in [
        Script::new().read_request().hold(),
        Script::new().accept_delay(Duration::from_secs(10)),
        Script::new().read_request().write(interim).hold(),
    ] {
        let server = ScriptedServer::start(script).await;
        let trace = Trace::new();
        let client = builder(&trace, &server.url("")).build().unwrap();
        assert_eq!(stuck(&trace, &client, 10).await, "in_server_kernel_or_later");
        let waiting = &trace.named("client.waiting")[0];
        assert_eq!(count(waiting, field::UNACKED), Some(0));
        assert!(count(waiting, field::SENT).unwrap() > 100);
    }
}

#[tokio::test]
async fn sent_and_not_acknowledged() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // Every packet that carries data is dropped; the handshake passes. Accepted sockets inherit it.
    let length = socket2::SockFilter::new(0x80, 0, 0, 0);
    let at_most = |bytes| socket2::SockFilter::new(0x25, 1, 0, bytes);
    let pass = socket2::SockFilter::new(0x06, 0, 0, u32::MAX);
    let drop = socket2::SockFilter::new(0x06, 0, 0, 0);
    // The filter sees the TCP header, 20 to 60 bytes, and the payload.
    let program = [length, at_most(60), pass, drop];
    socket2::SockRef::from(&listener).attach_filter(&program).unwrap();
    let trace = Trace::new();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = builder(&trace, &url).build().unwrap();
    assert_eq!(stuck(&trace, &client, 10).await, "sent_not_acknowledged");
    let waiting = &trace.named("client.waiting")[0];
    assert_eq!(count(waiting, field::UNACKED), count(waiting, field::SENT));
}

#[tokio::test]
async fn sending() {
    let server = ScriptedServer::start(Script::new().read_head().hold()).await;
    let trace = Trace::new();
    let client = builder(&trace, &server.url("")).build().unwrap();
    assert_eq!(stuck(&trace, &client, 32 << 20).await, "sending");
}

#[tokio::test]
async fn receiving() {
    let script = Script::new().read_request().write(response_head(200, &[], 5)).write("he").hold();
    let server = ScriptedServer::start(script).await;
    let trace = Trace::new();
    let client = builder(&trace, &server.url("")).build().unwrap();
    assert_eq!(stuck(&trace, &client, 10).await, "receiving");
}

#[tokio::test]
async fn in_the_tls_handshake() {
    let server = ScriptedServer::start(Script::new().hold()).await;
    let trace = Trace::new();
    let url = format!("https://{}", server.addr());
    let client = builder(&trace, &url).build().unwrap();
    assert_eq!(stuck(&trace, &client, 10).await, "tls");
}

#[tokio::test]
async fn connecting() {
    // A listener whose backlog is full drops further SYNs.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let addr = socket.local_addr().unwrap().as_socket().unwrap();
    let _queued = std::net::TcpStream::connect(addr).unwrap();
    let trace = Trace::new();
    let client = builder(&trace, &format!("http://{addr}")).build().unwrap();
    assert_eq!(stuck(&trace, &client, 10).await, "connecting");
}

#[tokio::test]
async fn in_the_pool() {
    let server = ScriptedServer::start(Script::new().read_request().hold()).await;
    let trace = Trace::new();
    let mode = ConnectionMode::KeepAlive { max_connections: 1 };
    let transport =
        HyperTransport::builder().connection_mode(mode).timeouts(timeouts()).build().unwrap();
    let client = trace.builder(&server.url("")).transport(transport.clone()).build().unwrap();
    let stream = transport.client().post(server.url("/v1/completions"));
    let stream = stream.timeout(Duration::from_secs(30)).send();
    let behind_it = async {
        server.wait_for_requests(1).await;
        stuck(&trace, &client, 10).await
    };
    tokio::select! {
        _ = stream => panic!("the server holds"),
        state = behind_it => assert_eq!(state, "in_pool"),
    }
}

#[tokio::test]
async fn a_call_that_is_not_stuck_says_nothing() {
    let server = ScriptedServer::start(ok()).await;
    let trace = Trace::new();
    let client = builder(&trace, &server.url("")).build().unwrap();
    client.post("/update_weights").send().await.unwrap();
    assert_eq!(trace.names(), ["client.send", "client.done"]);
    assert_eq!(Whereabouts::InPool.to_string(), "in_pool");
}

#[tokio::test]
async fn a_server_that_never_stops_sending_cannot_stop_the_clocks() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // In a thread of its own, or it would wait for the call that waits for it.
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
        let interim = "HTTP/1.1 102 Processing\r\n\r\n".repeat(1000);
        while stream.write_all(interim.as_bytes()).is_ok() {}
    });
    let trace = Trace::new();
    let error = trace.client(&url).post("/update_weights").timeout(200 * MS).send().await;
    let error = error.unwrap_err();
    assert!(error.is_timeout() && error.is_outcome_unknown(), "{error}");
    server.join().unwrap();
}

#[tokio::test]
async fn times_without_measure_are_cut_or_refused() {
    let server = ScriptedServer::start(ok()).await;
    let trace = Trace::new();
    let longest = Duration::MAX;
    trace.client(&server.url("")).post("/pause").timeout(longest).send().await.unwrap();
    for timeouts in [
        firstbyte_client::Timeouts { connect: longest, ..Default::default() },
        firstbyte_client::Timeouts { send: longest, ..Default::default() },
        firstbyte_client::Timeouts { peer_dead: longest, ..Default::default() },
        firstbyte_client::Timeouts { peer_dead: 900 * MS, ..Default::default() },
    ] {
        let built = trace.builder(&server.url("")).timeouts(timeouts).build();
        assert!(built.unwrap_err().is_config(), "{timeouts:?}");
    }
}
