//! The commands that read logs.

pub(crate) mod changepoint;
pub(crate) mod check;
pub(crate) mod claims;
pub(crate) mod compare;
pub(crate) mod diagnose;
pub(crate) mod export;
mod output;
pub(crate) mod report;
pub(crate) mod slowest;
pub(crate) mod stats;
pub(crate) mod trace;
pub(crate) mod updates;
pub(crate) mod watch;

use std::{fmt::Write as _, path::PathBuf};

use firstbyte_analysis::{Log, Options, counted, notices};

use crate::{
    bars::plain,
    exit::{Error, Exit},
};

/// What to read.
#[derive(Debug, clap::Args)]
pub(crate) struct Inputs {
    /// Logs: text and JSON lines in any mix and with any prefix; what gzip or zstd has packed is unpacked; patterns such
    /// as 'logs/*.log' may be quoted; - is the standard input
    #[arg(required = true, value_name = "LOG")]
    logs: Vec<PathBuf>,
    /// The most trace ids that are kept, about 300 bytes each, 460 with all phases; lines of further ones are counted
    #[arg(long, value_name = "COUNT", default_value_t = Options::default().max_traces)]
    max_traces: usize,
}

impl Inputs {
    /// Reads them into memory that the end of the process frees: call by call takes longer.
    fn read(&self) -> Result<&'static Log, Error> {
        let log = Log::read(&self.logs, &self.options()).map_err(Error::new)?;
        Ok(Box::leak(Box::new(log)))
    }

    fn options(&self) -> Options {
        let mut options = Options::default();
        options.max_traces = self.max_traces;
        options
    }
}

/// How a command ends that has printed what it found in these logs: that a file could not be read is an error, whatever the
/// others say.
fn end(exit: Exit, logs: &[&Log]) -> Result<Exit, Error> {
    end_with(exit, logs.iter().flat_map(|log| log.unread()))
}

fn end_with<'a>(exit: Exit, unread: impl Iterator<Item = &'a String>) -> Result<Exit, Error> {
    let unread: Vec<&str> = unread.map(String::as_str).collect();
    if unread.is_empty() { Ok(exit) } else { Err(Error::new(unread.join("\n"))) }
}

/// What a reader has to know before he believes any number.
fn preface(log: &Log) -> String {
    preface_with(log, &notices(log))
}

fn preface_with(log: &Log, notices: &[String]) -> String {
    let mut text = format!("{}: {}\n", counted(log.sources().len(), "file"), log.tally());
    for notice in notices {
        // Writing to a string cannot fail.
        _ = writeln!(text, "NOTICE: {}", plain(notice));
    }
    text
}
