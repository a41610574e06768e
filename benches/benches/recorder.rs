//! The recorder: what a push costs the caller, what the writer sustains, what it occupies.

use std::{
    fs,
    hint::black_box,
    io,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use criterion::Criterion;
use firstbyte_benches::{Table, median};
use firstbyte_core::{
    Event, Micros, Process, Recorder, TraceId, field, json, record,
    recorder::{Entry, Sink, WriteError},
    text,
};

const SOON: Duration = Duration::from_secs(10);

fn server_done(recorder: &Recorder, id: TraceId) -> Event {
    Event::new(&record::SERVER_DONE, recorder.clock().now())
        .trace_id(id)
        .with(field::DUR, Micros(233_249))
        .with(field::STATUS, 200)
        .with(field::OUTCOME, "ok")
        .with(field::BYTES, 37)
        .with(field::FRAMES, 1)
}

/// Nanoseconds per push, in bursts that the queue can take; nothing is dropped.
fn push(recorder: &Recorder, operations: u64) -> Duration {
    let event = server_done(recorder, TraceId::random());
    let mut took = Duration::ZERO;
    let mut left = operations;
    while left > 0 {
        let burst = left.min(4000);
        let start = Instant::now();
        for _ in 0..burst {
            recorder.record(black_box(&event));
        }
        took += start.elapsed();
        left -= burst;
        assert!(recorder.flush(SOON));
    }
    took
}

/// Events per second that reach the file, from `threads` threads that hold back so that nothing is dropped.
fn sustained(threads: u64, events: u64) -> io::Result<f64> {
    let dir = tempfile::tempdir()?;
    let recorder = Recorder::builder()
        .text_file(dir.path().join("a.log"))
        .build()
        .map_err(io::Error::other)?;
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for burst in 0..events / threads / 256 {
                    while recorder.accounting().offered - recorder.accounting().written > 4096 {
                        thread::yield_now();
                    }
                    for n in 0..256 {
                        recorder.record(&server_done(
                            &recorder,
                            TraceId::new(burst << 8 | n | 1).expect("not zero"),
                        ));
                    }
                }
            });
        }
    });
    assert!(recorder.flush(SOON));
    let took = start.elapsed();
    let balance = recorder.shutdown(SOON);
    assert_eq!((balance.dropped(), balance.written), (0, balance.offered), "{balance:?}");
    let lines =
        fs::read(dir.path().join("a.log"))?.iter().filter(|byte| **byte == b'\n').count() as u64;
    assert_eq!(lines, balance.written + 2);
    Ok(balance.written as f64 / took.as_secs_f64())
}

/// A sink that takes nothing until the sender of its channel is gone.
struct Stalled(mpsc::Receiver<()>);

impl Sink for Stalled {
    fn write(&mut self, _: &[Entry], _: &Process) -> Result<(), WriteError> {
        _ = self.0.recv();
        Ok(())
    }
}

/// The 99th percentile of a host's requests in microseconds, each of which records three events:
/// with a sink that takes them, and with one that is stalled for a minute.
///
/// The host works for some microseconds, and takes turns of 20 ms with either recorder.
fn host_p99(stall: Duration) -> io::Result<[f64; 2]> {
    let (open, stalled) = mpsc::channel();
    let flowing = Recorder::builder().sink(Flowing).build().map_err(io::Error::other)?;
    let stuck = Recorder::builder().sink(Stalled(stalled)).build().map_err(io::Error::other)?;
    let recorders = [flowing, stuck];
    let mut took = [Vec::new(), Vec::new()];
    let begun = Instant::now();
    while begun.elapsed() < stall {
        for (recorder, took) in recorders.iter().zip(&mut took) {
            let turn = Instant::now();
            while turn.elapsed() < Duration::from_millis(20) {
                let start = Instant::now();
                for _ in 0..3 {
                    recorder.record(&server_done(recorder, TraceId::random()));
                }
                black_box((0..4000_u64).fold(0, |sum, n| sum ^ black_box(n)));
                took.push(start.elapsed().as_nanos() as f64 / 1e3);
            }
        }
    }
    drop(open);
    for recorder in recorders {
        let balance = recorder.shutdown(SOON);
        assert_eq!(balance.offered, balance.written + balance.dropped(), "{balance:?}");
    }
    Ok(took.map(|mut took| {
        took.sort_by(f64::total_cmp);
        took[took.len() * 99 / 100]
    }))
}

/// Takes everything at once.
struct Flowing;

impl Sink for Flowing {
    fn write(&mut self, _: &[Entry], _: &Process) -> Result<(), WriteError> {
        Ok(())
    }
}

/// Resident memory in MiB that a recorder occupies at most: its sink stalled, its queue full of long texts.
fn memory() -> io::Result<f64> {
    let before = resident()?;
    let (open, stalled) = mpsc::channel();
    let recorder = Recorder::builder().sink(Stalled(stalled)).build().map_err(io::Error::other)?;
    let path = "x".repeat(1000);
    for n in 0..200_000 {
        let event = Event::new(&record::SERVER_RECV, recorder.clock().now());
        recorder.record(&if n % 4 == 0 {
            event.with(field::PATH, &path)
        } else {
            event.with(field::PATH, "/pause")
        });
    }
    let after = resident()?;
    drop(open);
    recorder.shutdown(SOON);
    Ok(after - before)
}

fn resident() -> io::Result<f64> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages: f64 =
        statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(f64::NAN);
    Ok(pages * 4096.0 / f64::from(1 << 20))
}

fn main() -> io::Result<()> {
    let mut table = Table::default();
    table.at_most("recorder: memory added, full of long texts", memory()?, "MiB", 16.0);

    let dir = tempfile::tempdir()?;
    let recorder = Recorder::builder()
        .text_file(dir.path().join("a.log"))
        .build()
        .map_err(io::Error::other)?;
    let pushes = (0..30).map(|_| push(&recorder, 40_000).as_nanos() as f64 / 40_000.0).collect();
    table.at_most("recorder: one push", median(pushes), "ns", 60.0);
    assert_eq!(recorder.shutdown(SOON).dropped(), 0);

    let mut rates = Vec::new();
    for _ in 0..5 {
        rates.push(sustained(2, 4_000_000)? / 1e6);
    }
    table.at_least(
        "recorder: written to a file from 2 threads, nothing dropped",
        median(rates),
        "M events/s",
        2.0,
    );

    let [flowing, stalled] = host_p99(Duration::from_secs(60))?;
    table.at_most_times(
        "recorder: p99 of a host's requests while the sink is stalled for 60 s",
        stalled,
        "us",
        "the same with a sink that flows",
        flowing,
        1.05,
    );

    let mut criterion = Criterion::default().configure_from_args();
    let event = server_done(&Recorder::disabled(), TraceId::random());
    let mut line = Vec::with_capacity(256);
    criterion.bench_function("text line", |b| {
        b.iter(|| {
            line.clear();
            text::write(black_box(&event), &mut line)
        })
    });
    let process = Process::current();
    let context = json::Context::new(&process, Some(7), 1);
    criterion.bench_function("JSON line", |b| {
        b.iter(|| {
            line.clear();
            json::write(black_box(&event), &context, &mut line)
        })
    });
    let text_line = text::to_string(&event);
    criterion.bench_function("parse a text line", |b| {
        b.iter(|| text::parse(black_box(text_line.as_bytes())))
    });
    criterion.final_summary();
    table.finish("recorder")
}
