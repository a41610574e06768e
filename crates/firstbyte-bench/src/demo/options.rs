//! What can be adjusted about a demo.

use std::{ffi::OsString, path::PathBuf};

use crate::{mock::MAX_DELAY_MS, verdict::Thresholds};

/// The settings of a demo. The defaults take about two and a half minutes, [`Options::quick`] takes
/// a few seconds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// The words of a command line that start `firstbyte`, which is started as the mock server.
    pub program: Vec<OsString>,
    /// Folder of the logs.
    pub out: PathBuf,
    /// Streamed completions wanted at any time.
    pub streams: usize,
    /// The shared client's connections.
    pub pool: usize,
    /// How long a completion takes, in seconds.
    pub stream_seconds: f64,
    /// Tokens per second of a completion.
    pub tokens_per_second: f64,
    /// How long the engine takes to reload, in milliseconds.
    pub reload_ms: u64,
    /// Reloads of the idle arm, and of every arm under load.
    pub rounds: usize,
    /// How long the token rate without control calls is measured, twice, in seconds.
    pub quiet_seconds: f64,
    /// Calls per injected fault; 0 leaves the faults out.
    pub fault_calls: usize,
    /// From when on a mean call is slow. The faults are injected with twice the queue threshold and
    /// one and a half times that of the engine.
    pub thresholds: Thresholds,
    /// The largest 99th percentile of this process's own delay, in milliseconds; at most ten times
    /// as much may occur at all.
    pub max_lag_ms: f64,
}

impl Options {
    /// The defaults: 150 streams of 40 s on 100 connections, so that a control call through the
    /// shared client waits for about 50 of the 2.5 connections that become free per second.
    #[must_use]
    pub fn new(program: Vec<OsString>) -> Self {
        Self {
            program,
            out: "demo-out".into(),
            streams: 150,
            pool: 100,
            stream_seconds: 40.0,
            tokens_per_second: 10.0,
            reload_ms: 200,
            rounds: 5,
            quiet_seconds: 5.0,
            fault_calls: 3,
            thresholds: Thresholds::default(),
            max_lag_ms: 50.0,
        }
    }

    /// The same in small: for a look, and for tests.
    #[must_use]
    pub fn quick(self) -> Self {
        Self {
            streams: 30,
            pool: 20,
            stream_seconds: 2.0,
            reload_ms: 50,
            rounds: 2,
            quiet_seconds: 0.5,
            fault_calls: 1,
            thresholds: Thresholds { queue_ms: 250.0, rpc_ms: 500.0 },
            max_lag_ms: 250.0,
            ..self
        }
    }

    /// Checks every value.
    ///
    /// # Errors
    ///
    /// A sentence that names the setting and its range.
    pub fn validate(&self) -> Result<(), String> {
        let within = |name: &str, value: f64, min: f64, max: f64| {
            let ok = (min..=max).contains(&value);
            if ok { Ok(()) } else { Err(format!("{name} is {value}: between {min} and {max}")) }
        };
        within("--streams", self.streams as f64, 1.0, 5000.0)?;
        within("--pool", self.pool as f64, 1.0, 5000.0)?;
        within("--stream-seconds", self.stream_seconds, 0.1, 3600.0)?;
        within("--tokens-per-second", self.tokens_per_second, 0.1, 1000.0)?;
        within("--reload-ms", self.reload_ms as f64, 0.0, MAX_DELAY_MS as f64)?;
        within("--rounds", self.rounds as f64, 1.0, 1000.0)?;
        within("--quiet-seconds", self.quiet_seconds, 0.1, 600.0)?;
        within("--fault-calls", self.fault_calls as f64, 0.0, 1000.0)?;
        within("--max-queue-ms", self.thresholds.queue_ms, 100.0, 10_000.0)?;
        within("--max-rpc-ms", self.thresholds.rpc_ms, 100.0, 60_000.0)?;
        within("--max-lag-ms", self.max_lag_ms, 1.0, 60_000.0)?;
        if self.reload_ms as f64 >= self.thresholds.rpc_ms {
            return Err(format!(
                "--reload-ms is {}: less than --max-rpc-ms ({}), or every reload is a fault",
                self.reload_ms, self.thresholds.rpc_ms
            ));
        }
        Ok(())
    }

    /// Tokens of a completion that takes `seconds`.
    pub(super) fn tokens(&self, seconds: f64) -> u32 {
        (seconds * self.tokens_per_second).ceil().max(1.0) as u32
    }

    /// Whether control calls on the shared client must wait for streams.
    pub(super) fn pool_is_short(&self) -> bool {
        self.streams > self.pool
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sets_of_defaults_are_valid() {
        let options = Options::new(vec!["firstbyte".into()]);
        assert_eq!(options.validate(), Ok(()));
        assert_eq!(options.quick().validate(), Ok(()));
    }

    #[test]
    fn a_bad_value_is_named_with_its_range() {
        let mut options = Options::new(vec!["firstbyte".into()]);
        options.stream_seconds = f64::NAN;
        assert_eq!(
            options.validate().unwrap_err(),
            "--stream-seconds is NaN: between 0.1 and 3600"
        );
        options.stream_seconds = 1.0;
        options.reload_ms = 3000;
        assert!(options.validate().unwrap_err().contains("--max-rpc-ms"));
    }
}
