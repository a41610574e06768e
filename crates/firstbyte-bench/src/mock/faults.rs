//! What can be made to go wrong, from the command line and at run time.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use firstbyte_core::Clock;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// The longest delay that may be asked for: ten minutes.
pub const MAX_DELAY_MS: u64 = 600_000;

/// How the mock behaves. Every field is a key of `GET` and `POST /mock/faults`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Faults {
    /// Connections are accepted this long after the first of them arrived.
    pub late_accept_ms: u64,
    /// The event loop stands still for this long, again and again.
    pub block_loop_ms: u64,
    /// From the begin of one standstill to the begin of the next; at least `block_loop_ms` + 1.
    pub block_loop_every_ms: u64,
    /// A control call waits this long in its handler before the engine is free for it.
    pub handler_queue_ms: u64,
    /// Every call of the engine takes this much longer.
    pub engine_ms: u64,
    /// How long the engine takes to update, reload or load weights or an adapter.
    pub reload_ms: u64,
    /// Tokens per second of every completion.
    pub tokens_per_second: f64,
    /// Control calls get this status, and the engine isn't called.
    pub fail_status: Option<u16>,
    /// Control calls get a connection reset (RST) for an answer.
    pub reset: bool,
    /// What control calls say of the engine's time, in `server-timing` and in the body.
    pub rpc_ms_report: RpcReport,
    /// Whether control calls carry a `server-timing` header.
    pub server_timing: bool,
}

/// What the mock says of its engine's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RpcReport {
    /// The truth.
    #[default]
    Truth,
    /// Nothing.
    Missing,
    /// An hour more than the truth.
    Lying,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            late_accept_ms: 0,
            block_loop_ms: 0,
            block_loop_every_ms: 1000,
            handler_queue_ms: 0,
            engine_ms: 0,
            reload_ms: 200,
            tokens_per_second: 10.0,
            fail_status: None,
            reset: false,
            rpc_ms_report: RpcReport::Truth,
            server_timing: true,
        }
    }
}

impl Faults {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// A sentence that names the value and its range.
    pub fn validate(self) -> Result<Self, String> {
        for (key, value) in [
            ("late_accept_ms", self.late_accept_ms),
            ("block_loop_ms", self.block_loop_ms),
            ("block_loop_every_ms", self.block_loop_every_ms),
            ("handler_queue_ms", self.handler_queue_ms),
            ("engine_ms", self.engine_ms),
            ("reload_ms", self.reload_ms),
        ] {
            if value > MAX_DELAY_MS {
                return Err(format!("{key} is {value}: at most {MAX_DELAY_MS} (ten minutes)"));
            }
        }
        if self.block_loop_ms >= self.block_loop_every_ms {
            return Err(format!(
                "block_loop_ms is {}: less than block_loop_every_ms ({}), or the loop never runs",
                self.block_loop_ms, self.block_loop_every_ms
            ));
        }
        let rate = self.tokens_per_second;
        if !(0.01..=1000.0).contains(&rate) {
            return Err(format!("tokens_per_second is {rate}: between 0.01 and 1000"));
        }
        if let Some(status) = self.fail_status
            && !(StatusCode::from_u16(status)
                .is_ok_and(|s| s.is_client_error() || s.is_server_error()))
        {
            return Err(format!("fail_status is {status}: between 400 and 599, or null for none"));
        }
        Ok(self)
    }
}

/// The keys of a `POST /mock/faults`; those that are not there stay as they are.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    late_accept_ms: Option<u64>,
    block_loop_ms: Option<u64>,
    block_loop_every_ms: Option<u64>,
    handler_queue_ms: Option<u64>,
    engine_ms: Option<u64>,
    reload_ms: Option<u64>,
    tokens_per_second: Option<f64>,
    /// `null` takes the fault away, so it must differ from a key that is not there.
    #[serde(default, deserialize_with = "present")]
    fail_status: Option<Option<u16>>,
    reset: Option<bool>,
    rpc_ms_report: Option<RpcReport>,
    server_timing: Option<bool>,
}

fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Option<u16>>, D::Error> {
    Option::deserialize(value).map(Some)
}

impl Change {
    pub(super) fn apply(self, now: Faults) -> Result<Faults, String> {
        Faults {
            late_accept_ms: self.late_accept_ms.unwrap_or(now.late_accept_ms),
            block_loop_ms: self.block_loop_ms.unwrap_or(now.block_loop_ms),
            block_loop_every_ms: self.block_loop_every_ms.unwrap_or(now.block_loop_every_ms),
            handler_queue_ms: self.handler_queue_ms.unwrap_or(now.handler_queue_ms),
            engine_ms: self.engine_ms.unwrap_or(now.engine_ms),
            reload_ms: self.reload_ms.unwrap_or(now.reload_ms),
            tokens_per_second: self.tokens_per_second.unwrap_or(now.tokens_per_second),
            fail_status: self.fail_status.unwrap_or(now.fail_status),
            reset: self.reset.unwrap_or(now.reset),
            rpc_ms_report: self.rpc_ms_report.unwrap_or(now.rpc_ms_report),
            server_timing: self.server_timing.unwrap_or(now.server_timing),
        }
        .validate()
    }
}

/// The faults in force; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Switchboard(Arc<watch::Sender<Faults>>);

impl Switchboard {
    pub(super) fn new(faults: Faults) -> Self {
        Self(Arc::new(watch::Sender::new(faults)))
    }

    pub(super) fn get(&self) -> Faults {
        *self.0.borrow()
    }

    pub(super) fn change(&self, change: Change) -> Result<Faults, String> {
        let mut changed = Ok(Faults::default());
        self.0.send_if_modified(|now| {
            changed = change.apply(*now);
            changed.iter().for_each(|faults| *now = *faults);
            changed.is_ok()
        });
        changed
    }
}

/// Makes the runtime's only thread stand still as `block_loop_ms` wants it; never ends.
///
/// A change of the faults begins a new cycle, with a standstill if there is to be any.
pub(super) async fn block_loop(switchboard: Switchboard) {
    let clock = Clock::system();
    let mut changes = switchboard.0.subscribe();
    loop {
        let faults = *changes.borrow_and_update();
        let blocks = faults.block_loop_ms > 0;
        if blocks {
            stand_still(&clock, Duration::from_millis(faults.block_loop_ms));
        }
        let rest = Duration::from_millis(faults.block_loop_every_ms - faults.block_loop_ms);
        tokio::select! {
            // The sender lives in `switchboard`.
            _ = changes.changed() => {}
            () = tokio::time::sleep(rest), if blocks => {}
        }
    }
}

/// Blocks the thread, as a handler does that forgets to await.
fn stand_still(clock: &Clock, duration: Duration) {
    let end = clock.now() + duration;
    loop {
        let left = end.since(clock.now());
        if left.is_zero() {
            return;
        }
        std::thread::park_timeout(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(json: &str) -> Result<Faults, String> {
        let change: Change = serde_json::from_str(json).map_err(|e| e.to_string())?;
        change.apply(Faults { fail_status: Some(503), engine_ms: 7, ..Faults::default() })
    }

    #[test]
    fn keys_that_are_not_there_stay_and_null_takes_the_status_away() {
        let changed = change(r#"{"reset": true, "rpc_ms_report": "lying"}"#).unwrap();
        assert_eq!((changed.fail_status, changed.engine_ms), (Some(503), 7));
        assert_eq!((changed.reset, changed.rpc_ms_report), (true, RpcReport::Lying));
        assert_eq!(change(r#"{"fail_status": null}"#).unwrap().fail_status, None);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (json, name) in [
            (r#"{"late_accept_ms": 600001}"#, "late_accept_ms"),
            (r#"{"block_loop_ms": 1000}"#, "block_loop_every_ms"),
            (r#"{"tokens_per_second": 0}"#, "tokens_per_second"),
            (r#"{"fail_status": 200}"#, "fail_status"),
            (r#"{"fail_status": 1000}"#, "fail_status"),
            (r#"{"engine_ms": -1}"#, "-1"),
            (r#"{"slow": true}"#, "slow"),
            (r#"{"rpc_ms_report": "maybe"}"#, "maybe"),
        ] {
            let message = change(json).unwrap_err();
            assert!(message.contains(name), "{json}: {message}");
        }
    }
}
