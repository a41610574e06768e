//! What every test needs: a recorder whose laws are checked at the end, and a client.

use std::time::Duration;

use firstbyte_client::{AdminClient, AdminClientBuilder, RetryPolicy, SingleFlight};
use firstbyte_core::{
    Event, Phase, Recorder, Value, field,
    recorder::MemorySink,
    schema::{Count, Field, Millis, Text},
};
use firstbyte_testkit::{Script, response};

/// A recorder in memory. When it is dropped it checks the laws that hold for every test: each
/// event accounted for, one terminal event per attempt, wall the sum of the phases.
pub(crate) struct Trace {
    pub(crate) recorder: Recorder,
    /// Ports are used again, by servers of other tests.
    flights: SingleFlight,
    sink: MemorySink,
}

impl Trace {
    pub(crate) fn new() -> Self {
        let sink = MemorySink::new();
        let recorder = Recorder::builder().sink(sink.clone()).build().unwrap();
        Self { recorder, flights: SingleFlight::new(), sink }
    }

    pub(crate) fn client(&self, base_url: &str) -> AdminClient {
        self.builder(base_url).build().unwrap()
    }

    /// A client with short pauses between attempts.
    pub(crate) fn builder(&self, base_url: &str) -> AdminClientBuilder {
        let retry = RetryPolicy {
            first_pause: Duration::from_millis(1),
            longest_pause: Duration::from_millis(2),
            ..RetryPolicy::default()
        };
        AdminClient::builder(self.recorder.clone())
            .base_url(base_url)
            .retry(retry)
            .single_flight(self.flights.clone())
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        assert!(self.recorder.flush(Duration::from_secs(5)));
        self.sink.events()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        assert!(self.recorder.flush(Duration::from_secs(5)));
        self.sink.lines()
    }

    /// The events with this name.
    pub(crate) fn named(&self, name: &str) -> Vec<Event> {
        self.events().into_iter().filter(|event| event.record().name == Some(name)).collect()
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.events().iter().filter_map(|event| event.record().name).collect()
    }

    /// The one event with this name.
    pub(crate) fn only(&self, name: &str) -> Event {
        let mut named = self.named(name);
        assert_eq!(named.len(), 1, "{:?}", self.lines());
        named.remove(0)
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let lines = self.lines();
        let sent = self.named("client.send").len();
        let ended = self.named("client.done").len() + self.named("client.fail").len();
        assert_eq!(sent, ended, "one end per attempt: {lines:#?}");
        for done in self.named("client.done") {
            let sum: u64 = Phase::ALL.iter().filter_map(|phase| micros(&done, phase.field())).sum();
            assert_eq!(micros(&done, field::WALL), Some(sum), "{lines:#?}");
        }
        let balance = self.recorder.shutdown(Duration::from_secs(5));
        assert_eq!((balance.offered, balance.dropped()), (balance.written, 0));
    }
}

pub(crate) fn micros(event: &Event, field: Field<Millis>) -> Option<u64> {
    match event.get(field)? {
        Value::Millis(micros) => Some(micros.0),
        _ => None,
    }
}

pub(crate) fn millis(event: &Event, field: Field<Millis>) -> Option<f64> {
    micros(event, field).map(|micros| micros as f64 / 1e3)
}

pub(crate) fn count(event: &Event, field: Field<Count>) -> Option<i64> {
    match event.get(field)? {
        Value::Count(count) => Some(count),
        _ => None,
    }
}

pub(crate) fn text(event: &Event, field: Field<Text>) -> Option<&str> {
    match event.get(field)? {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// A server's script for one connection: read a request, answer `{}`.
pub(crate) fn ok() -> Script {
    Script::new().read_request().write(response(200, &[], "{}"))
}

pub(crate) const MS: Duration = Duration::from_millis(1);
