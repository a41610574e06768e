//! Streamed completions in a closed loop: as one ends, the next begins.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use firstbyte_core::Recorder;
use reqwest_middleware::ClientWithMiddleware;
use serde_json::json;
use tokio::{sync::Notify, task::JoinSet};
use url::Url;

use super::{batches::Batches, sse::SseReader, target};

/// A broken stream is followed by a pause, so that a dead server isn't hammered.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(200);

/// The data plane of an experiment.
#[derive(Clone, Debug)]
pub struct StreamConfig {
    /// Base URL of an OpenAI-style server.
    pub url: Url,
    /// Completions wanted at any time.
    pub streams: usize,
    /// How many of them the client has connections for.
    pub slots: usize,
    /// Tokens of each completion: its end, whatever happens.
    pub max_tokens: u32,
    /// Whether the first streams are shortened, each to another length, so that slots become free
    /// at an even pace from the begin, as they do once a load has run for a while.
    pub staggered: bool,
    /// Whether the server may be on another host.
    pub allow_remote: bool,
}

/// Counts of a load; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    tokens: AtomicU64,
    completions: AtomicU64,
    errors: AtomicU64,
    open: AtomicI64,
    opened: Notify,
}

impl Tally {
    /// Tokens received.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.0.tokens.load(Relaxed)
    }

    /// Completions that ended with `[DONE]`.
    #[must_use]
    pub fn completions(&self) -> u64 {
        self.0.completions.load(Relaxed)
    }

    /// Completions that failed or were cut off.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.0.errors.load(Relaxed)
    }

    /// Streams whose response has begun and not ended.
    #[must_use]
    pub fn open(&self) -> i64 {
        self.0.open.load(Relaxed)
    }

    /// Waits until `count` streams are open at once.
    pub async fn wait_for_open(&self, count: usize) {
        loop {
            let opened = self.0.opened.notified();
            if usize::try_from(self.open()).is_ok_and(|open| open >= count) {
                return;
            }
            opened.await;
        }
    }
}

/// One open stream, counted while it lives.
struct Open<'a>(&'a Counts);

impl<'a> Open<'a> {
    fn count(counts: &'a Counts) -> Self {
        counts.open.fetch_add(1, Relaxed);
        counts.opened.notify_waiters();
        Self(counts)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

/// A running load. Dropping it ends all streams.
#[derive(Debug)]
pub struct StreamLoad {
    tally: Tally,
    workers: JoinSet<()>,
    batches: Option<Batches>,
}

impl StreamLoad {
    /// Starts the streams through `client`, on the runtime that it is called on.
    ///
    /// `recorder` gets a `[gen]` batch for every `streams` completions.
    ///
    /// # Errors
    ///
    /// If the server is not on loopback and `allow_remote` doesn't say that it may be.
    pub fn start(
        client: &ClientWithMiddleware,
        config: &StreamConfig,
        recorder: &Recorder,
    ) -> Result<Self, String> {
        if !config.allow_remote && !target::is_loopback(&config.url) {
            return Err(format!(
                "{} is not on this host; load on other hosts must be allowed explicitly",
                config.url
            ));
        }
        let url = config.url.join("/v1/completions").map_err(|e| e.to_string())?;
        let tally = Tally::default();
        let batches = Batches::start(recorder, &tally, config.streams);
        let mut workers = JoinSet::new();
        let mut first_lengths: Vec<u32> =
            (0..config.streams).map(|i| first_length(config, i)).collect();
        let slots = config.slots.min(config.streams);
        fastrand::shuffle(&mut first_lengths[..slots]);
        for (index, first) in first_lengths.into_iter().enumerate() {
            let (client, url, tally) = (client.clone(), url.clone(), tally.clone());
            let (batches, max_tokens) = (batches.clone(), config.max_tokens);
            workers.spawn(async move {
                let mut length = first;
                if index >= slots {
                    // Or it could take the slot of one whose length was chosen for it.
                    tally.wait_for_open(slots).await;
                }
                loop {
                    match complete(&client, &url, length, &tally.0).await {
                        Ok(()) => {
                            tally.0.completions.fetch_add(1, Relaxed);
                            batches.completed();
                        }
                        Err(StreamError) => {
                            tally.0.errors.fetch_add(1, Relaxed);
                            tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                        }
                    }
                    length = max_tokens;
                }
            });
        }
        Ok(Self { tally, workers, batches: Some(batches) })
    }

    /// The counts so far.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Ends the streams where they are, and the last batch with them.
    pub async fn stop(mut self) {
        self.workers.shutdown().await;
    }
}

impl Drop for StreamLoad {
    fn drop(&mut self) {
        self.workers.abort_all();
        if let Some(batches) = self.batches.take() {
            batches.end();
        }
    }
}

/// Spread over the whole length for staggered streams that begin in a slot, else whole.
fn first_length(config: &StreamConfig, index: usize) -> u32 {
    if !config.staggered || index >= config.slots {
        return config.max_tokens;
    }
    let slots = config.slots.min(config.streams);
    let share = (index as f64 + fastrand::f64()) / slots as f64;
    ((f64::from(config.max_tokens) * share) as u32).max(1)
}

/// The stream failed, was cut off, or was none.
#[derive(Debug)]
struct StreamError;

async fn complete(
    client: &ClientWithMiddleware,
    url: &Url,
    max_tokens: u32,
    counts: &Counts,
) -> Result<(), StreamError> {
    let body = json!({"model": "firstbyte-mock", "prompt": "Where did each millisecond go?",
                      "max_tokens": max_tokens, "stream": true});
    let request = client
        .post(url.clone())
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(body.to_string());
    let mut response = request.send().await.map_err(|_| StreamError)?;
    if !response.status().is_success() {
        return Err(StreamError);
    }
    let _open = Open::count(counts);
    let mut reader = SseReader::default();
    while let Some(chunk) = response.chunk().await.map_err(|_| StreamError)? {
        let tokens = reader.push(&chunk).map_err(|_| StreamError)?;
        counts.tokens.fetch_add(tokens, Relaxed);
    }
    if reader.is_done() { Ok(()) } else { Err(StreamError) }
}

#[cfg(test)]
mod tests {
    use firstbyte_client::{ConnectionMode, HyperTransport};
    use firstbyte_core::recorder::MemorySink;

    use super::*;
    use crate::mock::{Config, Faults, MockServer};

    fn config(url: &str) -> StreamConfig {
        let url = Url::parse(url).unwrap();
        StreamConfig {
            url,
            streams: 6,
            slots: 3,
            max_tokens: 20,
            staggered: true,
            allow_remote: false,
        }
    }

    fn client(slots: usize) -> ClientWithMiddleware {
        let mode = ConnectionMode::KeepAlive { max_connections: slots };
        HyperTransport::builder().connection_mode(mode).build().unwrap().client()
    }

    #[tokio::test]
    async fn streams_end_by_themselves_and_the_next_ones_take_their_slots() {
        let faults = Faults { tokens_per_second: 200.0, ..Faults::default() };
        let server = MockServer::bind(Config { faults, ..Config::default() }).await.unwrap();
        let config = config(&format!("http://{}", server.addr()));
        tokio::spawn(server.serve(std::future::pending()));
        let sink = MemorySink::new();
        let recorder = Recorder::builder().sink(sink.clone()).build().unwrap();

        let load = StreamLoad::start(&client(3), &config, &recorder).unwrap();
        let tally = load.tally().clone();
        while tally.completions() < 12 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            assert!(tally.open() <= 3, "more streams than slots");
        }
        load.stop().await;
        assert_eq!((tally.errors(), tally.open()), (0, 0));
        // The first three were shortened, each to another length.
        let tokens = tally.tokens();
        assert!((9 * 20..15 * 20).contains(&tokens), "{tokens}");

        recorder.flush(Duration::from_secs(1));
        let lines = sink.lines();
        assert!(lines[0].starts_with("[gen] batch.start inflight=0 target_batch=6"), "{lines:?}");
        assert!(lines[1].starts_with("[gen] batch.done completions=6 dur_ms="), "{lines:?}");
        assert_eq!(lines.len() % 2, 0, "every batch that was started is done: {lines:?}");
    }

    #[tokio::test]
    async fn a_server_that_refuses_is_counted_and_not_hammered() {
        let load =
            StreamLoad::start(&client(3), &config("http://127.0.0.1:1"), &Recorder::disabled());
        let load = load.unwrap();
        tokio::time::sleep(PAUSE_AFTER_ERROR * 2).await;
        let errors = load.tally().errors();
        assert!((3..=9).contains(&errors), "{errors}");
    }

    #[tokio::test]
    async fn other_hosts_are_left_alone_unless_that_is_allowed() {
        let mut config = config("http://192.0.2.1");
        let start = |config: &StreamConfig| {
            StreamLoad::start(&client(1), config, &Recorder::disabled()).map(drop)
        };
        assert!(start(&config).unwrap_err().contains("not on this host"));
        config.allow_remote = true;
        assert_eq!(start(&config), Ok(()));
    }
}
