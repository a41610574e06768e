//! The commands that read logs.

pub(crate) mod changepoint;
pub(crate) mod compare;
pub(crate) mod diagnose;
pub(crate) mod export;
mod output;
pub(crate) mod slowest;
pub(crate) mod stats;
pub(crate) mod trace;

use std::{fmt::Write as _, path::PathBuf};

use firstbyte_analysis::{Log, Options, correlate::offsets};

use crate::{bars::plain, exit::Error};

/// What to read.
#[derive(Debug, clap::Args)]
pub(crate) struct Inputs {
    /// Logs: text and JSON lines in any mix and with any prefix; .gz and .zst are unpacked; patterns such as
    /// 'logs/*.log' may be quoted; - is the standard input
    #[arg(required = true, value_name = "LOG")]
    logs: Vec<PathBuf>,
    /// The most trace ids that are kept, about 300 bytes each; lines of further ones are counted
    #[arg(long, value_name = "COUNT", default_value_t = Options::default().max_traces)]
    max_traces: usize,
}

impl Inputs {
    fn read(&self) -> Result<Log, Error> {
        let mut options = Options::default();
        options.max_traces = self.max_traces;
        Log::read(&self.logs, &options).map_err(Error::new)
    }
}

/// What a reader has to know before he believes any number.
fn preface(log: &Log) -> String {
    let files = log.sources().len();
    let mut text =
        format!("{} {}: {}\n", files, if files == 1 { "file" } else { "files" }, log.tally());
    // Writing to a string cannot fail.
    if log.over_limit() > 0 {
        _ = writeln!(
            text,
            "NOTICE: {} lines are of traces beyond those that are kept and count nowhere below; see --max-traces.",
            log.over_limit()
        );
    }
    if log.tally().misfits > 0 {
        _ = writeln!(
            text,
            "NOTICE: a value that is none, such as NaN for a duration, is taken as unknown; lines with one: {}.",
            log.tally().misfits
        );
    }
    for offset in offsets(log) {
        let name = |source: u32| plain(&log.sources()[source as usize].name);
        let ms = |nanos: Option<i128>| {
            nanos.map_or("unknown".to_owned(), |nanos| format!("{:.3} ms", nanos as f64 / 1e6))
        };
        let empty = offset.least.zip(offset.most).is_some_and(|(least, most)| least > most);
        _ = writeln!(
            text,
            "NOTICE: {} and {} are not known to share a clock, so their moments are not compared. By causality \
             the second is ahead by at least {} and at most {} (n {}).{}",
            name(offset.client),
            name(offset.server),
            ms(offset.least),
            ms(offset.most),
            offset.calls,
            if empty {
                " That cannot be: a clock was set, or there are more than two."
            } else {
                ""
            },
        );
    }
    text
}
