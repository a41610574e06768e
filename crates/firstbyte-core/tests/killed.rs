//! A killed process loses only the events of the last flush interval.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use firstbyte_core::{Clock, Event, Recorder, field, record, text};

const CHILD: &str = "FIRSTBYTE_TEST_CHILD";

/// Records an event every millisecond for at most 30 s; the parent kills it long before.
fn child(log: &Path) {
    let recorder = Recorder::builder().text_file(log).build().expect("a temporary file");
    for n in 0..30_000 {
        recorder.record(
            &Event::new(&record::SERVER_DONE, recorder.clock().now()).with(field::STATUS, n),
        );
        thread::park_timeout(Duration::from_millis(1));
    }
}

fn events(log: &Path) -> Vec<(i64, u64)> {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines()
        .filter_map(|line| text::parse(line.as_bytes()).ok())
        .filter_map(|line| Some((line.count("status")?, line.at?.as_nanos())))
        .collect()
}

#[test]
fn only_events_younger_than_the_flush_interval_are_lost() {
    if let Some(log) = env::var_os(CHILD) {
        return child(log.as_ref());
    }
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("a.log");
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "only_events_younger_than_the_flush_interval_are_lost"])
        .env(CHILD, &log)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut tries = 0;
    while events(&log).len() < 500 && tries < 3_000 {
        thread::park_timeout(Duration::from_millis(10));
        tries += 1;
    }
    let killed = Clock::system().now().as_nanos();
    child.kill().unwrap();
    child.wait().unwrap();

    let events = events(&log);
    assert!(events.len() >= 500, "{}", events.len());
    for (expected, (n, _)) in events.iter().enumerate() {
        assert_eq!(*n, expected as i64, "a gap");
    }
    // CLOCK_MONOTONIC is the same in both processes. 200 ms, and as much again for a busy machine.
    let (_, last) = events[events.len() - 1];
    assert!(killed.saturating_sub(last) < 400_000_000, "{} ms lost", (killed - last) / 1_000_000);
}
