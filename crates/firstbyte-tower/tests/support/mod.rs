//! A recorder whose lines a test can read, and the law that holds at its end.
#![allow(dead_code, reason = "every test file uses a part of it")]

use std::{collections::BTreeMap, time::Duration};

use firstbyte_core::{Clock, Parsed, Recorder, Timestamp, recorder::MemorySink, text};

pub(crate) struct Log {
    pub(crate) recorder: Recorder,
    pub(crate) clock: Clock,
    sink: MemorySink,
}

impl Log {
    /// Lines with the time of the system.
    pub(crate) fn new() -> Self {
        Self::with(Clock::system())
    }

    /// Lines with a time that stands still until the test moves it.
    pub(crate) fn manual() -> Self {
        Self::with(Clock::manual(Timestamp::from_nanos(5_000_000_000), Duration::from_secs(10)))
    }

    fn with(clock: Clock) -> Self {
        let sink = MemorySink::new();
        let builder = Recorder::builder().clock(clock.clone()).sink(sink.clone());
        Self { recorder: builder.build().unwrap(), clock, sink }
    }

    pub(crate) fn advance_ms(&self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
    }

    /// Every line so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        assert!(self.recorder.flush(Duration::from_secs(10)));
        self.sink.lines()
    }

    /// Every line so far, without tag and id.
    pub(crate) fn records(&self) -> Vec<String> {
        let lines = self.lines();
        lines.iter().map(|line| line.split_once("] ").unwrap().1.to_owned()).collect()
    }

    /// The outcome of the only call.
    pub(crate) fn outcome(&self) -> String {
        let ends: Vec<_> = self.ends();
        assert_eq!(ends.len(), 1, "exactly one end: {:#?}", self.lines());
        ends[0].clone()
    }

    /// The outcomes of all calls, after checking that each that began has exactly one.
    pub(crate) fn ends(&self) -> Vec<String> {
        let lines = self.lines();
        let mut calls = BTreeMap::<_, (usize, usize)>::new();
        let mut outcomes = Vec::new();
        for line in &lines {
            let parsed: Parsed<'_> = text::parse(line.as_bytes()).unwrap();
            let call = calls.entry(parsed.trace_id.clone().unwrap()).or_default();
            match parsed.name.as_deref() {
                Some("server.recv" | "client.send") => call.0 += 1,
                Some("client.done") => call.1 += 1,
                Some("server.done" | "client.fail") => call.1 += 1,
                _ => continue,
            }
            let outcome = match parsed.name.as_deref() {
                Some("client.done") => "done",
                _ => parsed.text("outcome").unwrap_or_default(),
            };
            outcomes.extend((!outcome.is_empty()).then(|| outcome.to_owned()));
        }
        assert!(calls.values().all(|(begun, ended)| begun == ended), "{lines:#?}");
        outcomes
    }

    /// Waits until so many calls have ended: a server may notice a disconnect a little later.
    pub(crate) async fn wait_for_ends(&self, count: usize) -> Vec<String> {
        let ended = |lines: &[String]| {
            lines
                .iter()
                .filter(|l| l.contains(" server.done ") || l.contains(" client.done "))
                .count()
        };
        let deadline = Clock::system().now() + Duration::from_secs(20);
        while ended(&self.lines()) < count {
            assert!(Clock::system().now() < deadline, "{:#?}", self.lines());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.ends()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let balance = self.recorder.shutdown(Duration::from_secs(10));
        if !std::thread::panicking() {
            assert_eq!(balance.offered, balance.written, "{balance:?}");
        }
    }
}
