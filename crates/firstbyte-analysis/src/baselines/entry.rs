//! An entry of the file, and what is wrong with it.

use serde::Deserialize;
use toml::Spanned;

use super::BaselineError;
use crate::{measure::Statistic, observed};

/// One number that was expected.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Baseline {
    /// What it is called.
    pub name: String,
    /// What it is of: a time of `firstbyte stats` such as `queue`, or `infer.output_tps`, `update.duration`.
    pub metric: String,
    /// Which number of the sample.
    pub statistic: Statistic,
    /// The number that was expected.
    pub value: f64,
    /// Its unit: that of the metric; a duration is in `ms` or `s`.
    pub unit: String,
    /// Where the number is from.
    pub source: String,
    /// What else there is to know.
    pub note: Option<String>,
    /// `step`: tell the share of a training step as well.
    pub of: Option<String>,
    /// What a gap could come from.
    #[serde(default)]
    pub causes: Vec<String>,
    /// What would exclude one of the causes.
    #[serde(default)]
    pub excludes: Vec<Excludes>,
}

/// A cause is excluded if a statistic is within these bounds.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Excludes {
    /// One of the causes.
    pub cause: String,
    /// What is looked at.
    pub metric: String,
    /// Which number of it; durations in milliseconds.
    pub statistic: Statistic,
    /// It must not be below.
    pub at_least: Option<f64>,
    /// It must not be above.
    pub at_most: Option<f64>,
}

impl Excludes {
    pub(super) fn holds(&self, value: f64) -> bool {
        self.at_least.is_none_or(|least| value >= least)
            && self.at_most.is_none_or(|most| value <= most)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    baseline: Vec<Spanned<Baseline>>,
}

pub(super) fn parse(text: &str) -> Result<Vec<Baseline>, BaselineError> {
    let file: File = toml::from_str(text).map_err(|error| BaselineError(error.to_string()))?;
    let entries = file.baseline.into_iter().map(|entry| {
        let before = text.get(..entry.span().start).unwrap_or(text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let entry = entry.into_inner();
        match wrong(&entry) {
            None => Ok(entry),
            Some(what) => {
                Err(BaselineError(format!("line {line}: baseline {:?}: {what}", entry.name)))
            }
        }
    });
    entries.collect()
}

fn wrong(entry: &Baseline) -> Option<String> {
    if entry.source.trim().is_empty() {
        return Some("source must say where the number is from".to_owned());
    }
    if !(entry.value.is_finite() && entry.value > 0.0) {
        return Some(
            "value must be a number above 0, as the gap is told in per cent of it".to_owned(),
        );
    }
    let statistics = entry.excludes.iter().map(|condition| condition.statistic);
    if let Some(other) = statistics.chain([entry.statistic]).find(|statistic| !is_value(*statistic))
    {
        return Some(format!(
            "statistic {} is none of values; it must be min, mean, max, stddev, p50, p95 or p99",
            other.as_str()
        ));
    }
    let Some(units) = observed::units(&entry.metric) else { return Some(unknown(&entry.metric)) };
    if !units.contains(&entry.unit.as_str()) {
        return Some(format!("the unit of {} is {}", entry.metric, units.join(" or ")));
    }
    if entry.of.as_ref().is_some_and(|of| of != "step" || !units.contains(&"ms")) {
        return Some("of must be \"step\", and the metric a duration".to_owned());
    }
    entry.excludes.iter().find_map(|condition| {
        let Excludes { cause, metric, at_least, at_most, .. } = condition;
        if !entry.causes.contains(cause) {
            Some(format!("excludes {cause:?}, which is none of its causes"))
        } else if observed::units(metric).is_none() {
            Some(unknown(metric))
        } else {
            let has_none = at_least.is_none() && at_most.is_none();
            has_none.then(|| format!("excludes {cause:?} needs at_least or at_most"))
        }
    })
}

/// Whether it is in the unit of the values that it is of.
const fn is_value(statistic: Statistic) -> bool {
    !matches!(statistic, Statistic::N | Statistic::Share)
}

fn unknown(metric: &str) -> String {
    format!("metric {metric:?} is not one of {}", observed::metrics().join(", "))
}
