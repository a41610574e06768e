//! Whatever a client and a service say to each other over HTTP/1 is the same with and without firstbyte: every
//! byte but the declared headers, their order, and how the connection ends.
#![cfg(all(feature = "tower", feature = "net"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod client;
mod script;
mod server;

use std::cell::Cell;

use firstbyte::{Recorder, recorder::MemorySink};
use proptest::test_runner::{Config, TestRunner};

use self::{client::observe, server::Server};

/// Each has three and a half exchanges on average.
const CONNECTIONS: u32 = 4_000;

#[test]
fn generated_exchanges_are_the_same_byte_by_byte() {
    let sink = MemorySink::new();
    let recorder = Recorder::builder().sink(sink.clone()).build().unwrap();
    let (bare, traced) = (Server::start(None), Server::start(Some(recorder.clone())));
    let exchanges = Cell::new(0);
    let mut runner = TestRunner::new(Config {
        cases: CONNECTIONS,
        failure_persistence: None,
        max_shrink_time: 30_000,
        ..Config::default()
    });
    let result = runner.run(&script::connections(), |connection| {
        exchanges.set(exchanges.get() + connection.exchanges.len());
        let (bare, traced) = (observe(&bare, &connection), observe(&traced, &connection));
        proptest::prop_assert_eq!(bare, traced);
        Ok(())
    });
    result.unwrap_or_else(|difference| panic!("{difference}"));
    assert!(exchanges.get() >= 10_000, "{}", exchanges.get());
    let balance = recorder.shutdown(std::time::Duration::from_secs(10));
    assert_eq!(balance.offered, balance.written, "{balance:?}");
    let count = |name| sink.events().iter().filter(|e| e.record().name == Some(name)).count();
    assert!(count("server.recv") > 1_000, "{}", count("server.recv"));
    assert_eq!(count("server.recv"), count("server.done"));
}
