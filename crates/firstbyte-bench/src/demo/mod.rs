//! The stall, and its cure, on real sockets: what `firstbyte demo` runs.
//!
//! The mock server runs as its own process. Five reloads are made while it is idle. Then more
//! completions are streamed than the client has connections, and reloads are made in turns by
//! **shared** (the streams' own client: waits for one of its connections), **keep-alive** (a
//! client with a connection of its own) and **one-shot** (a new connection per call). After that one
//! fault after the other is injected, and the split of the calls has to name it.
//!
//! ```no_run
//! use firstbyte_bench::demo::{self, Options};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let options = Options::new(vec!["target/release/firstbyte".into()]).quick();
//! let report = demo::run(options, &|step| eprintln!("{step}"), std::future::pending()).await?;
//! print!("{}", report.render());
//! # Ok(())
//! # }
//! ```

mod arms;
mod faults;
mod options;
mod output;
mod process;
mod report;
mod tables;

use std::{fmt, io, net::SocketAddr, time::Duration};

use firstbyte_client::{AdminClient, ClientError, HyperTransport, RetryPolicy};
use firstbyte_core::Recorder;
use url::Url;

use self::process::MockProcess;
pub use self::{
    faults::Injected,
    options::Options,
    report::{Arm, FaultRow, Outcome, Rate, Report},
};
use crate::load::{LagWatch, StreamConfig};

/// The lines of this process, the orchestrator.
pub const CLIENT_LOG: &str = "client.log";
/// The lines of the mock.
pub const SERVER_LOG: &str = "server.log";
/// The events of both, as JSON lines.
pub const EVENTS: &str = "events.jsonl";

/// What the parts of a demo share.
struct Demo<'a> {
    options: &'a Options,
    recorder: Recorder,
    mock: SocketAddr,
    progress: &'a (dyn Fn(String) + Sync),
}

/// Runs a demo until it is done, fails, or `stop` ends; then reports what there is.
///
/// `progress` is called with every step. The mock is ended in any case.
///
/// # Errors
///
/// [`DemoError`] if nothing could be measured: a setting makes no sense, the folder of the logs
/// holds someone else's files, the mock does not start.
pub async fn run(
    options: Options,
    progress: &(dyn Fn(String) + Sync),
    stop: impl Future<Output = ()>,
) -> Result<Report, DemoError> {
    options.validate().map_err(DemoError::usage)?;
    output::prepare(&options.out, &[CLIENT_LOG, SERVER_LOG, EVENTS])
        // A folder that holds other files is the wrong argument; one that cannot be made is a failure.
        .map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => DemoError::usage(e.to_string()),
            _ => DemoError::new(e.to_string()),
        })?;
    let recorder = Recorder::builder()
        .text_file(options.out.join(CLIENT_LOG))
        .json_file(options.out.join(EVENTS))
        .build()
        .map_err(|e| DemoError::new(e.to_string()))?;
    let mock = MockProcess::start(
        &options.program,
        &options.out,
        options.tokens_per_second,
        options.reload_ms,
    )
    .await
    .map_err(|e| DemoError::new(format!("cannot start the mock server: {e}")))?;

    let mut report = Report::new(options.clone());
    let demo = Demo { options: &options, recorder: recorder.clone(), mock: mock.addr(), progress };
    let lag = LagWatch::start();
    tokio::select! {
        biased;
        () = stop => report.interrupted = true,
        result = demo.measure(&mut report) => report.error = result.err().map(|e| e.to_string()),
    }
    report.lag = lag.summary();
    mock.stop().await;
    recorder.shutdown(Duration::from_secs(1));
    Ok(report)
}

impl Demo<'_> {
    async fn measure(&self, report: &mut Report) -> Result<(), DemoError> {
        self.measure_arms(report).await?;
        self.inject_all(report).await
    }

    fn say(&self, step: String) {
        (self.progress)(step);
    }

    fn client(
        &self,
        transport: HyperTransport,
        addr: SocketAddr,
    ) -> Result<AdminClient, DemoError> {
        let builder = AdminClient::builder(self.recorder.clone()).retry(RetryPolicy::never());
        Ok(builder.transport(transport).base_url(format!("http://{addr}")).build()?)
    }

    fn stream_config(&self) -> StreamConfig {
        let mut url = Url::parse("http://127.0.0.1").expect("a URL");
        // Neither fails: the URL has a host.
        _ = (url.set_ip_host(self.mock.ip()), url.set_port(Some(self.mock.port())));
        StreamConfig {
            url,
            streams: self.options.streams,
            slots: self.options.pool,
            max_tokens: self.options.tokens(self.options.stream_seconds),
            staggered: true,
            allow_remote: false,
        }
    }
}

/// A demo could not begin, or not go on; the message says why.
#[derive(Debug)]
pub struct DemoError {
    message: String,
    usage: bool,
}

impl DemoError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), usage: false }
    }

    fn usage(message: String) -> Self {
        Self { message, usage: true }
    }

    /// Whether other arguments would help.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        self.usage
    }
}

impl fmt::Display for DemoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DemoError {}

impl From<ClientError> for DemoError {
    fn from(error: ClientError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<io::Error> for DemoError {
    fn from(error: io::Error) -> Self {
        Self::new(error.to_string())
    }
}
