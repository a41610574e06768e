//! A million control calls on one connection: one end each, and no memory that grows.
//!
//! A program of its own, so that its memory is its own.
#![cfg(all(feature = "tower", feature = "net", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use axum::{Router, routing::post};
use firstbyte::{
    Clock, Process, Recorder, Value, field,
    net::{TracedListener, trace_connections},
    recorder::{Entry, Sink, WriteError},
    tower::FirstByteLayer,
};

const CALLS: u64 = 1_000_000;
/// What may happen once, such as the first lap of the queue, has happened by then.
const WARM: u64 = 200_000;
const PIPELINED: u64 = 100;
const SOON: Duration = Duration::from_secs(10);

/// Counts the calls that ended well, and forgets the rest.
#[derive(Clone, Default)]
struct Ends(Arc<AtomicU64>);

impl Sink for Ends {
    fn write(&mut self, batch: &[Entry], _: &Process) -> Result<(), WriteError> {
        let ends = batch.iter().filter(|entry| entry.event.record().name == Some("server.done"));
        let good = ends.filter(|end| end.event.get(field::OUTCOME) == Some(Value::Text("ok")));
        self.0.fetch_add(good.count() as u64, Relaxed);
        Ok(())
    }
}

/// Serves on a thread of its own.
fn serve(layer: FirstByteLayer) -> SocketAddr {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let app = Router::new().route("/pause", post(async || "paused")).layer(layer);
    let listener = runtime.block_on(TracedListener::bind("127.0.0.1:0", Clock::system())).unwrap();
    let address = axum::serve::Listener::local_addr(&listener).unwrap();
    thread::spawn(move || {
        runtime.block_on(async { axum::serve(listener, trace_connections(app)).await })
    });
    address
}

/// Sends `PIPELINED` calls, reads until all of them are answered, and returns how many were good.
fn exchange(stream: &mut TcpStream, answers: &mut Vec<u8>) -> u64 {
    let call = b"POST /pause HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(&call.repeat(PIPELINED as usize)).unwrap();
    answers.clear();
    let mut piece = [0; 64 << 10];
    let (mut ended, mut seen) = (0, 0);
    while ended < PIPELINED {
        let bytes = stream.read(&mut piece).unwrap();
        assert!(bytes > 0, "the server closed the connection");
        answers.extend_from_slice(&piece[..bytes]);
        let new = memchr::memmem::find_iter(&answers[seen..], "paused");
        for at in new.map(|at| seen + at).collect::<Vec<_>>() {
            (ended, seen) = (ended + 1, at + 1);
        }
    }
    memchr::memmem::find_iter(answers, "HTTP/1.1 200").count() as u64
}

fn resident_bytes() -> i64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<i64>().unwrap() * 1024
}

#[test]
fn a_million_calls_on_one_connection_end_once_each_and_leave_nothing_behind() {
    let ends = Ends::default();
    let recorder = Recorder::builder().sink(ends.clone()).build().unwrap();
    let layer = FirstByteLayer::new(recorder.clone());
    let mut stream = TcpStream::connect(serve(layer.clone())).unwrap();
    let (mut good, mut warm, mut answers) = (0, 0, Vec::new());
    for sent in (PIPELINED..=CALLS).step_by(PIPELINED as usize) {
        good += exchange(&mut stream, &mut answers);
        // So that the queue takes every event, and every end is seen.
        if sent % (10 * PIPELINED) == 0 {
            assert!(recorder.flush(SOON));
        }
        if sent == WARM {
            warm = resident_bytes();
        }
    }
    let grown = resident_bytes() - warm;
    assert_eq!(good, CALLS);
    assert_eq!(layer.latency().snapshot().iter().map(|class| class.count).sum::<u64>(), CALLS);
    let balance = recorder.shutdown(SOON);
    assert_eq!(balance.offered, balance.written + balance.dropped(), "{balance:?}");
    assert_eq!((balance.offered, balance.dropped()), (3 * CALLS, 0), "{balance:?}");
    assert_eq!(ends.0.load(Relaxed), CALLS);
    let slope = grown as f64 / (CALLS - WARM) as f64;
    println!("{grown} bytes in {} calls: {slope:.3} bytes per call", CALLS - WARM);
    assert!(slope <= 0.1, "{slope} bytes per call");
}
