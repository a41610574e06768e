//! The rules, as data.

use std::{collections::BTreeMap, error::Error, fmt};

use serde::Deserialize;

const BUILTIN: &str = include_str!("rules.toml");

/// Names that a rule of kind `part` may have beside those of `firstbyte stats`.
const MORE_PARTS: [&str; 1] = ["until_received"];
/// Names that a rule of kind `value` may be of.
const VALUES: [&str; 7] = [
    "ckpt_write_ms",
    "ckpt_wait_ms",
    "trunc_pct",
    "staleness",
    "buffer_empty",
    "reload_s",
    "uncached_step_ms",
];

/// Rules and thresholds.
#[derive(Clone, Debug)]
pub struct Rules {
    thresholds: BTreeMap<String, Thresholds>,
    rules: Vec<Rule>,
}

/// From when on a call is slow, in milliseconds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Thresholds {
    /// Where rpc is unknown.
    pub wall: f64,
    /// wall - rpc.
    pub queue: f64,
    /// The engine's work.
    pub rpc: f64,
}

/// One thing to look for.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Rule {
    /// Its name, and that of its section in the runbook.
    pub id: String,
    /// How it looks.
    pub kind: Kind,
    /// The part of a call that it is about.
    pub part: Option<String>,
    /// The value beside the calls that it is about.
    pub of: Option<String>,
    /// From when on it applies; its unit depends on the kind.
    #[serde(default)]
    pub over: f64,
    /// What is wrong.
    pub title: String,
    /// Causes that are not excluded by it.
    #[serde(default)]
    pub rivals: Vec<String>,
    /// The one measurement that would separate them.
    pub next: String,
}

/// How a rule looks.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// A part is the largest of slow calls.
    Part,
    /// One server's rpc is a multiple of the others'.
    Straggler,
    /// rpc grows with time.
    Trend,
    /// The first call of a server is a multiple of its others.
    ColdStart,
    /// Calls fail.
    Failures,
    /// Calls do not end.
    NoEnd,
    /// A value beside the calls is over a limit.
    Value,
    /// Step times change.
    ChangePoint,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    thresholds: BTreeMap<String, Thresholds>,
    #[serde(default)]
    rule: Vec<Rule>,
}

/// A file of rules that cannot be used; the message has the line.
#[derive(Debug)]
pub struct RuleError(String);

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for RuleError {}

impl Default for Rules {
    fn default() -> Self {
        let empty = Self { thresholds: BTreeMap::new(), rules: Vec::new() };
        // A test holds that they are valid.
        empty.clone().extended(BUILTIN).unwrap_or(empty)
    }
}

impl Rules {
    /// These and those of a TOML text: a rule replaces the one with its id, thresholds those of their size.
    ///
    /// # Errors
    ///
    /// [`RuleError`] for what is no TOML, and for names that nothing is known by.
    pub fn extended(mut self, text: &str) -> Result<Self, RuleError> {
        let file: File = toml::from_str(text).map_err(|error| RuleError(error.to_string()))?;
        self.thresholds.extend(file.thresholds);
        for rule in file.rule {
            check(&rule)?;
            match self.rules.iter_mut().find(|known| known.id == rule.id) {
                Some(known) => *known = rule,
                None => self.rules.push(rule),
            }
        }
        Ok(self)
    }

    /// The thresholds of a model size.
    #[must_use]
    pub fn thresholds(&self, size: &str) -> Option<Thresholds> {
        self.thresholds.get(size).copied()
    }

    /// The sizes that there are thresholds for.
    pub fn sizes(&self) -> impl Iterator<Item = &str> {
        self.thresholds.keys().map(String::as_str)
    }

    /// All rules.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    pub(super) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(move |rule| rule.kind == kind)
    }

    pub(super) fn of_part(&self, part: &str) -> Option<&Rule> {
        self.of_kind(Kind::Part).find(|rule| rule.part.as_deref() == Some(part))
    }
}

fn check(rule: &Rule) -> Result<(), RuleError> {
    let metrics = crate::measure::Metric::all();
    let names: Vec<&str> = metrics.iter().map(|metric| metric.as_str()).chain(MORE_PARTS).collect();
    let (key, name, known) = match rule.kind {
        Kind::Part => ("part", rule.part.as_deref(), names.as_slice()),
        Kind::Value => ("of", rule.of.as_deref(), &VALUES[..]),
        _ => return Ok(()),
    };
    if name.is_some_and(|name| known.contains(&name)) {
        return Ok(());
    }
    Err(RuleError(format!("rule {:?}: {key} must be one of {}", rule.id, known.join(", "))))
}
