//! A server that runs out of file descriptors. Alone in its process, for the limit is the process's.
#![cfg(unix)]

use std::{fs::File, time::Duration};

use axum::{Router, routing::get};
use firstbyte_core::Clock;
use firstbyte_net::TracedListener;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

#[tokio::test]
async fn a_server_out_of_descriptors_serves_again_once_there_are_some() {
    let listener = TracedListener::bind("127.0.0.1:0", Clock::system()).await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();

    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum }).unwrap();
    let open = || File::open("/dev/null");
    let hoard = std::iter::from_fn(|| open().ok()).collect::<Vec<_>>();
    assert!(open().is_err(), "no descriptor is left");

    let server = axum::serve(listener, Router::new().route("/", get("served")));
    tokio::spawn(async move { server.await });
    let mut response = String::new();
    let early = timeout(Duration::from_millis(300), client.read_to_string(&mut response)).await;
    assert!(early.is_err(), "it cannot accept yet: {response}");

    drop(hoard);
    let read = timeout(Duration::from_secs(10), client.read_to_string(&mut response)).await;
    read.expect("it accepts again").unwrap();
    assert!(response.ends_with("served"), "{response}");
}
