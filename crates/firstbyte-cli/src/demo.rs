//! `firstbyte demo`.

use std::{ffi::OsString, path::PathBuf};

use firstbyte_bench::demo::{self, Options, Outcome};

use crate::{
    exit::{self, Error, Exit},
    progress::Progress,
    signal,
};

const EXAMPLES: &str = "Examples:
  firstbyte demo                      the whole of it, about two and a half minutes
  firstbyte demo --quick              the same in small, some ten seconds
  firstbyte demo --out logs --streams 400 --pool 100 --rounds 10

The files client.log, server.log and events.jsonl in --out are replaced if an earlier run wrote \
them; anybody else's files of these names are left alone, and the demo does not start.";

/// Shows the stall of control calls behind streams, its cure, and that every fault gets its name
///
/// Starts a mock server of its own, reloads weights while it is idle, then under streamed
/// completions: through the streams' own client, through a client with a connection of its own, and
/// with a new connection per call. Then injects one fault after the other.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP_PRINTED))]
pub(crate) struct Args {
    /// Folder of the logs; made if need be
    #[arg(long, value_name = "DIR", default_value = "demo-out")]
    out: PathBuf,
    /// Small defaults for all that follows
    #[arg(long)]
    quick: bool,
    /// Streamed completions wanted at any time [default: 150, quick: 30]
    #[arg(long, value_name = "N")]
    streams: Option<usize>,
    /// Connections of the client that the streams and the shared arm use [default: 100, quick: 20]
    #[arg(long, value_name = "N")]
    pool: Option<usize>,
    /// How long a completion takes [default: 40, quick: 2]
    #[arg(long, value_name = "SECONDS")]
    stream_seconds: Option<f64>,
    /// Tokens per second of a completion [default: 10]
    #[arg(long, value_name = "RATE")]
    tokens_per_second: Option<f64>,
    /// How long the engine takes to reload [default: 200, quick: 50]
    #[arg(long, value_name = "MS")]
    reload_ms: Option<u64>,
    /// Reloads of every arm [default: 5, quick: 2]
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// How long to measure the token rate without control calls, before and after [default: 5, quick: 0.5]
    #[arg(long, value_name = "SECONDS")]
    quiet_seconds: Option<f64>,
    /// Calls per injected fault; 0 leaves the faults out [default: 3, quick: 1]
    #[arg(long, value_name = "N")]
    fault_calls: Option<usize>,
    /// Mean queue time from which on there is a fault [default: 300, quick: 250]
    #[arg(long, value_name = "MS")]
    max_queue_ms: Option<f64>,
    /// Mean engine time from which on there is a fault [default: 2000, quick: 500]
    #[arg(long, value_name = "MS")]
    max_rpc_ms: Option<f64>,
    /// The run is invalid if this process is later than this at its p99 [default: 50, quick: 250]
    #[arg(long, value_name = "MS")]
    max_lag_ms: Option<f64>,
}

/// `program` are the words that start this program: the demo starts a mock of its own.
pub(crate) fn run(args: Args, program: Vec<OsString>) -> Result<Exit, Error> {
    let options = args.options(program);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::new)?;
    let progress = Progress::new();
    let report = runtime.block_on(demo::run(options, &|step| progress.say(step), signal::stop()));
    progress.clear();
    let report = report.map_err(|e| if e.is_usage() { Error::usage(e) } else { Error::new(e) })?;
    exit::print(report.render())?;
    Ok(match report.outcome() {
        Outcome::Ok => Exit::Ok,
        Outcome::NotNamed => Exit::NotNamed,
        Outcome::Interrupted => Exit::Interrupted,
        _ => Exit::Failed,
    })
}

impl Args {
    fn options(self, program: Vec<OsString>) -> Options {
        fn set<T>(slot: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *slot = value;
            }
        }
        let mut options = Options::new(program);
        if self.quick {
            options = options.quick();
        }
        options.out = self.out;
        set(&mut options.streams, self.streams);
        set(&mut options.pool, self.pool);
        set(&mut options.stream_seconds, self.stream_seconds);
        set(&mut options.tokens_per_second, self.tokens_per_second);
        set(&mut options.reload_ms, self.reload_ms);
        set(&mut options.rounds, self.rounds);
        set(&mut options.quiet_seconds, self.quiet_seconds);
        set(&mut options.fault_calls, self.fault_calls);
        set(&mut options.thresholds.queue_ms, self.max_queue_ms);
        set(&mut options.thresholds.rpc_ms, self.max_rpc_ms);
        set(&mut options.max_lag_ms, self.max_lag_ms);
        options
    }
}
