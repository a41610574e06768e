//! What a demo found, whole or partial.

use firstbyte_core::Split;

use super::{Options, faults::Injected};
use crate::{
    breakdown::{Breakdown, Part},
    stats::Summary,
    verdict::{Thresholds, Verdict},
};

/// The reloads of one way to make them.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Arm {
    /// Its name.
    pub name: &'static str,
    /// Its calls, warm-up not included.
    pub calls: Vec<Split>,
    /// Tokens that the streams received while its calls went on.
    pub rate: Rate,
}

/// Tokens over time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Rate {
    /// Tokens received.
    pub tokens: u64,
    /// In this many seconds.
    pub seconds: f64,
}

/// The calls with one injected fault.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FaultRow {
    /// What was injected.
    pub injected: Injected,
    /// What it was in numbers.
    pub what: String,
    /// The calls.
    pub calls: Vec<Split>,
}

/// How a demo ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Every part that had to be named was.
    Ok,
    /// Something failed, or this process was too slow to measure: nothing can be concluded.
    Failed,
    /// A verdict did not name the part at fault.
    NotNamed,
    /// It was told to stop.
    Interrupted,
}

/// The result of a demo.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The settings that it ran with.
    pub options: Options,
    /// Reloads without load, then those under load: shared, keep-alive, one-shot.
    pub arms: Vec<Arm>,
    /// Tokens while no control call went on.
    pub quiet: Rate,
    /// Completions that ended, and that failed.
    pub completions: (u64, u64),
    /// The injected faults.
    pub faults: Vec<FaultRow>,
    /// Every call that is in the client's log with a queue time: arms, faults, warm-up.
    pub logged_queue_ms: Vec<f64>,
    /// How late this process was, in milliseconds.
    pub lag: Option<Summary>,
    /// Why it ended early, if it failed.
    pub error: Option<String>,
    /// Whether it was told to stop.
    pub interrupted: bool,
}

impl Rate {
    /// Tokens per second; `None` if no time was measured.
    #[must_use]
    pub fn per_second(self) -> Option<f64> {
        (self.seconds > 0.0).then(|| self.tokens as f64 / self.seconds)
    }

    pub(super) fn add(&mut self, tokens: u64, seconds: f64) {
        self.tokens += tokens;
        self.seconds += seconds;
    }
}

impl Arm {
    /// Its mean call.
    #[must_use]
    pub fn mean(&self) -> Breakdown {
        Breakdown::of(&self.calls)
    }

    /// The finding about it.
    #[must_use]
    pub fn verdict(&self, thresholds: &Thresholds) -> Verdict {
        Verdict::of(&self.mean(), thresholds)
    }
}

impl FaultRow {
    /// Its mean call.
    #[must_use]
    pub fn mean(&self) -> Breakdown {
        Breakdown::of(&self.calls)
    }

    /// Which part the verdict names.
    #[must_use]
    pub fn named(&self, thresholds: &Thresholds) -> Option<Part> {
        Verdict::of(&self.mean(), thresholds).part()
    }

    /// Whether that is the injected one.
    #[must_use]
    pub fn is_right(&self, thresholds: &Thresholds) -> bool {
        self.named(thresholds) == Some(self.injected.part())
    }
}

impl Report {
    pub(super) fn new(options: Options) -> Self {
        let arm = |name| Arm { name, ..Arm::default() };
        Self {
            options,
            arms: [IDLE, SHARED, KEEP_ALIVE, ONE_SHOT].map(arm).into(),
            quiet: Rate::default(),
            completions: (0, 0),
            faults: Vec::new(),
            logged_queue_ms: Vec::new(),
            lag: None,
            error: None,
            interrupted: false,
        }
    }

    pub(super) fn arm_mut(&mut self, name: &str) -> Option<&mut Arm> {
        self.arms.iter_mut().find(|arm| arm.name == name)
    }

    /// Whether this process was so late that its measurements mean nothing: all the time, or once
    /// ten times as much, as when the machine stands still.
    #[must_use]
    pub fn is_saturated(&self) -> bool {
        let limit = self.options.max_lag_ms;
        self.lag.is_some_and(|lag| lag.p99 > limit || lag.max > limit * 10.0)
    }

    /// How it ended: the reason that weighs most.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let thresholds = &self.options.thresholds;
        let shared_is_named = self
            .arms
            .iter()
            .filter(|arm| arm.name == SHARED && self.options.pool_is_short())
            .all(|arm| arm.verdict(thresholds).part() == Some(Part::Pool));
        if self.interrupted {
            Outcome::Interrupted
        } else if self.error.is_some() || self.is_saturated() {
            Outcome::Failed
        } else if shared_is_named && self.faults.iter().all(|row| row.is_right(thresholds)) {
            Outcome::Ok
        } else {
            Outcome::NotNamed
        }
    }
}

pub(super) const IDLE: &str = "idle";
pub(super) const SHARED: &str = "shared";
pub(super) const KEEP_ALIVE: &str = "keep-alive";
pub(super) const ONE_SHOT: &str = "one-shot";

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::new(Options::new(vec!["firstbyte".into()]));
        report.options.streams = report.options.pool;
        report
    }

    fn late(ms: &[f64]) -> Option<Summary> {
        Summary::of(ms)
    }

    #[test]
    fn a_process_that_was_late_concludes_nothing() {
        let mut report = report();
        report.lag = late(&[0.1, 0.2]);
        assert_eq!(report.outcome(), Outcome::Ok);
        report.lag = late(&[51.0; 10]);
        assert_eq!(report.outcome(), Outcome::Failed);
        // Once is enough, if it is long: the machine stood still.
        let mut samples = vec![0.1; 1000];
        samples.push(501.0);
        report.lag = late(&samples);
        assert_eq!(report.outcome(), Outcome::Failed);
        assert!(report.render().contains("INVALID"));
    }

    #[test]
    fn what_was_not_measured_is_no_number() {
        let mut report = report();
        report.interrupted = true;
        report.logged_queue_ms = vec![4.0];
        let (injected, what) = (Injected::Pool, "2 of 2 connections busy".to_owned());
        report.faults.push(FaultRow { injected, what, calls: Vec::new() });
        let text = report.render();
        let row = text.lines().find(|line| line.starts_with("pool ")).unwrap();
        assert!(row.ends_with("   0        -"), "{row}");
        assert!(text.contains("1 calls with queue_ms, mean 4.0, stddev -, max 4.0"), "{text}");
    }

    #[test]
    fn a_short_pool_must_be_named_and_an_interruption_comes_first() {
        let mut report = report();
        report.options.streams += 1;
        assert_eq!(report.outcome(), Outcome::NotNamed);
        report.error = Some("no answer".into());
        assert_eq!(report.outcome(), Outcome::Failed);
        assert!(report.render().ends_with("FAILED: no answer\n"));
        report.interrupted = true;
        assert_eq!(report.outcome(), Outcome::Interrupted);
    }

    #[test]
    fn a_report_without_calls_prints_no_tables() {
        let mut report = report();
        report.interrupted = true;
        let text = report.render();
        assert!(
            !text.contains("stddev") && text.ends_with("partial, n=0 of 20 reloads\n"),
            "{text}"
        );
    }
}
