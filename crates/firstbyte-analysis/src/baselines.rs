//! What was expected, and what the lines say: baselines of the user, each with its source.
//!
//! ```
//! use firstbyte_analysis::{Log, baselines::Baselines, measure::Window};
//!
//! let baselines = Baselines::parse(r#"
//!     [[baseline]]
//!     name = "inference"
//!     metric = "infer.output_tps"
//!     statistic = "p50"
//!     value = 500.0
//!     unit = "tokens/s"
//!     source = "our own runs of May"
//! "#)?;
//! let lines = "[infer] batch.done prompts=8 dur_ms=1000.0 input_tokens=40 output_tokens=400 input_tps=40.0 output_tps=400.0\n";
//! let log = Log::from_bytes(lines.as_bytes());
//! let found = baselines.compare(&log, Window::default());
//! assert_eq!((found[0].n, found[0].gap_percent()), (1, Some(-20.0)));
//! # Ok::<(), firstbyte_analysis::baselines::BaselineError>(())
//! ```

mod entry;

use std::{error::Error, fmt};

pub use self::entry::{Baseline, Excludes};
use crate::{correlate::Log, measure::Window, observed::Numbers};

/// The baselines of a file.
#[derive(Clone, Debug)]
pub struct Baselines(Vec<Baseline>);

/// A file of baselines that cannot be used; the message has the line.
#[derive(Debug)]
pub struct BaselineError(String);

impl fmt::Display for BaselineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for BaselineError {}

/// What the lines say to a baseline, and how far that is from it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Gap<'b> {
    /// The baseline.
    pub baseline: &'b Baseline,
    /// How many values the lines have.
    pub n: usize,
    /// Their statistic in the unit of the baseline; `None` without enough values for it.
    pub observed: Option<f64>,
    /// For a baseline `of = "step"`: the share in the same statistic of the steps.
    pub of_step: Option<StepShare>,
    /// Causes that these lines exclude, with what does.
    pub excluded: Vec<(&'b Excludes, f64, usize)>,
    /// The other causes.
    pub not_excluded: Vec<&'b str>,
}

/// A part of a training step.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct StepShare {
    /// In per cent.
    pub percent: f64,
    /// The statistic of the steps in milliseconds.
    pub step_ms: f64,
    /// How many steps.
    pub n: usize,
}

impl Gap<'_> {
    /// Observed minus expected, in per cent of the expected.
    #[must_use]
    pub fn gap_percent(&self) -> Option<f64> {
        let expected = self.baseline.value;
        Some((self.observed? - expected) / expected * 100.0)
    }
}

impl Baselines {
    /// Reads a TOML text.
    ///
    /// # Errors
    ///
    /// [`BaselineError`] with the line, for what is no TOML, an entry without a source, a value that is not above 0,
    /// and for names and units that nothing is known by.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        entry::parse(text).map(Self)
    }

    /// The baselines, in the order of the file.
    #[must_use]
    pub fn entries(&self) -> &[Baseline] {
        &self.0
    }

    /// What a log says to each. The window is for calls; other lines have no moment.
    #[must_use]
    pub fn compare(&self, log: &Log, window: Window) -> Vec<Gap<'_>> {
        let numbers = Numbers::of(log, window);
        self.0.iter().map(|baseline| gap(baseline, &numbers)).collect()
    }
}

fn gap<'b>(baseline: &'b Baseline, numbers: &Numbers) -> Gap<'b> {
    let Baseline { metric, statistic, unit, causes, excludes, .. } = baseline;
    let (n, own) = numbers.get(metric, *statistic);
    let of_step = baseline.of.as_ref().and_then(|of| {
        let (n, step) = numbers.get(of, *statistic);
        let step_ms = step.filter(|ms| *ms > 0.0)?;
        Some(StepShare { percent: own? / step_ms * 100.0, step_ms, n })
    });
    let holds = |condition: &'b Excludes| {
        let (n, value) = numbers.get(&condition.metric, condition.statistic);
        value.filter(|value| condition.holds(*value)).map(|value| (condition, value, n))
    };
    let excluded: Vec<_> = excludes.iter().filter_map(holds).collect();
    let is_excluded =
        |cause: &&str| excluded.iter().any(|(condition, ..)| condition.cause == *cause);
    Gap {
        baseline,
        n,
        observed: own.map(|value| if unit == "s" { value / 1e3 } else { value }),
        of_step,
        not_excluded: causes.iter().map(String::as_str).filter(|c| !is_excluded(c)).collect(),
        excluded,
    }
}

#[cfg(test)]
mod tests;
