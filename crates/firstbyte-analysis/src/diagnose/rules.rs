//! The rules, as data.

use std::{collections::BTreeMap, error::Error, fmt};

use serde::Deserialize;

use super::{
    parts::PARTS,
    rival::{Rival, signals},
};

const BUILTIN: &str = include_str!("rules.toml");

/// Names that a rule of kind `value` may be of.
const VALUES: [&str; 9] = [
    "ckpt_write_ms",
    "ckpt_wait_ms",
    "trunc_pct",
    "staleness",
    "buffer_empty",
    "rollout_s",
    "reload_s",
    "step_wait_ms",
    "uncached_step_ms",
];

/// Rules and thresholds.
#[derive(Clone, Debug)]
pub struct Rules {
    thresholds: BTreeMap<String, Thresholds>,
    rules: Vec<Rule>,
}

/// From when on a call is slow, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Thresholds {
    /// Where rpc is unknown.
    pub wall: f64,
    /// wall - rpc, and each of its parts.
    pub queue: f64,
    /// The engine's work.
    pub rpc: f64,
}

impl Thresholds {
    /// From when on a wait is too long that the engine may be a part of, in milliseconds.
    #[must_use]
    pub fn wait(self) -> f64 {
        self.queue + self.rpc
    }
}

/// One thing to look for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Rule {
    /// Its name, and that of its section in the runbook.
    pub id: String,
    /// How it looks.
    pub kind: Kind,
    /// The part of a call that it is about.
    pub part: Option<String>,
    /// The operations that it is about; none stands for all that no other rule is about.
    pub ops: Vec<String>,
    /// The value beside the calls that it is about.
    pub of: Option<String>,
    /// From when on it applies; its unit depends on the kind.
    pub over: f64,
    /// Differences of fewer milliseconds do not count.
    pub at_least_ms: f64,
    /// With fewer lines over the limit it does not apply.
    pub lines: usize,
    /// What is wrong.
    pub title: String,
    /// Causes that it does not exclude by itself.
    pub rivals: Vec<Rival>,
    /// The one measurement that would separate them.
    pub next: String,
}

/// How a rule looks.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// A part of slow calls took too long.
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
    thresholds: BTreeMap<String, Limits>,
    #[serde(default)]
    rule: Vec<Change>,
}

/// Thresholds as a file has them: what is left out stays as it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    wall: Option<f64>,
    queue: Option<f64>,
    rpc: Option<f64>,
}

/// A rule as a file has it: what is left out stays as it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    id: String,
    kind: Option<Kind>,
    part: Option<String>,
    ops: Option<Vec<String>>,
    of: Option<String>,
    over: Option<f64>,
    at_least_ms: Option<f64>,
    lines: Option<usize>,
    title: Option<String>,
    rivals: Option<Vec<Rival>>,
    next: Option<String>,
}

/// A file of rules that cannot be used; the message says which rule, or which line.
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
    /// These and those of a TOML text. What it says of a rule or a size that is known replaces that, and the rest of it stays.
    ///
    /// # Errors
    ///
    /// [`RuleError`] for what is no TOML, for names that nothing is known by, for numbers that are no limits, and for a rule that
    /// could never apply.
    pub fn extended(mut self, text: &str) -> Result<Self, RuleError> {
        let file: File = toml::from_str(text).map_err(|error| RuleError(error.to_string()))?;
        for (size, limits) in file.thresholds {
            let thresholds = limits.over(self.thresholds.get(&size).copied(), &size)?;
            self.thresholds.insert(size, thresholds);
        }
        for change in file.rule {
            let place = self.rules.iter().position(|known| known.id == change.id);
            let rule = change.over(place.map(|place| &self.rules[place]))?;
            self.check(&rule)?;
            match place {
                Some(place) => self.rules[place] = rule,
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

    /// The rule of a part of a call of this operation: one that names the operation, or else the one that names none. The first
    /// one, if the operation is not told.
    pub(super) fn of_part(&self, part: &str, op: Option<&str>) -> Option<&Rule> {
        let of_part = || self.of_kind(Kind::Part).filter(|rule| rule.part.as_deref() == Some(part));
        let Some(op) = op else { return of_part().next() };
        let names = |rule: &&Rule| rule.ops.iter().any(|known| known == op);
        of_part().find(names).or_else(|| of_part().find(|rule| rule.ops.is_empty()))
    }

    /// Whether a rule means something, beside the others.
    fn check(&self, rule: &Rule) -> Result<(), RuleError> {
        let id = &rule.id;
        for (key, number) in [("over", rule.over), ("at_least_ms", rule.at_least_ms)] {
            limit(number, || format!("rule {id:?}: {key}"))?;
        }
        let one_of = |key: &str, name: Option<&str>, known: &[&str]| {
            let is_known = name.is_some_and(|name| known.contains(&name));
            let error = || format!("rule {id:?}: {key} must be one of {}", known.join(", "));
            is_known.then_some(()).ok_or_else(|| RuleError(error()))
        };
        match rule.kind {
            Kind::Part => {
                one_of("part", rule.part.as_deref(), &PARTS)?;
                if rule.over > 0.0 {
                    return Err(RuleError(format!(
                        "rule {id:?}: parts of calls are judged by the thresholds, and have no \"over\" of their own"
                    )));
                }
            }
            Kind::Value => one_of("of", rule.of.as_deref(), &VALUES)?,
            _ => {}
        }
        for name in rule.rivals.iter().flat_map(|rival| &rival.unless) {
            one_of("unless", Some(name), signals(rule.kind))?;
        }
        let is_multiple =
            matches!(rule.kind, Kind::Straggler | Kind::ColdStart | Kind::ChangePoint);
        if is_multiple && rule.over < 1.0 {
            return Err(RuleError(format!("rule {id:?}: over is a multiple here, from 1 on")));
        }
        let is_same = |known: &&Rule| {
            let ops = |op| known.ops.contains(op);
            known.id != *id
                && known.kind == Kind::Part
                && known.part == rule.part
                && (known.ops.is_empty() == rule.ops.is_empty())
                && (rule.ops.is_empty() || rule.ops.iter().any(ops))
        };
        match self.rules.iter().filter(|_| rule.kind == Kind::Part).find(is_same) {
            Some(known) => Err(RuleError(format!(
                "rule {id:?} would never apply: {:?} is about the same part. Change that one, or name ops of your own",
                known.id
            ))),
            None => Ok(()),
        }
    }
}

impl Limits {
    /// These over those that are known.
    fn over(&self, known: Option<Thresholds>, size: &str) -> Result<Thresholds, RuleError> {
        let of = |key: &str, theirs: Option<f64>, known: Option<f64>| {
            let what = || format!("thresholds.{size}: {key}");
            let value =
                theirs.or(known).ok_or_else(|| RuleError(format!("{} is missing", what())))?;
            limit(value, what).map(|()| value)
        };
        Ok(Thresholds {
            wall: of("wall", self.wall, known.map(|known| known.wall))?,
            queue: of("queue", self.queue, known.map(|known| known.queue))?,
            rpc: of("rpc", self.rpc, known.map(|known| known.rpc))?,
        })
    }
}

impl Change {
    /// This over the rule that is known by its id.
    fn over(self, known: Option<&Rule>) -> Result<Rule, RuleError> {
        let mut rule = match known {
            Some(known) => known.clone(),
            None => {
                let missing =
                    |key| RuleError(format!("rule {:?} is a new one, and has no {key}", self.id));
                Rule {
                    id: self.id.clone(),
                    kind: self.kind.ok_or_else(|| missing("kind"))?,
                    part: None,
                    ops: Vec::new(),
                    of: None,
                    over: 0.0,
                    at_least_ms: 0.0,
                    lines: 1,
                    title: self.title.clone().ok_or_else(|| missing("title"))?,
                    rivals: Vec::new(),
                    next: self.next.clone().ok_or_else(|| missing("next"))?,
                }
            }
        };
        fn set<T>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        set(&mut rule.kind, self.kind);
        set(&mut rule.part, self.part.map(Some));
        set(&mut rule.ops, self.ops);
        set(&mut rule.of, self.of.map(Some));
        set(&mut rule.over, self.over);
        set(&mut rule.at_least_ms, self.at_least_ms);
        set(&mut rule.lines, self.lines);
        set(&mut rule.title, self.title);
        set(&mut rule.rivals, self.rivals);
        set(&mut rule.next, self.next);
        Ok(rule)
    }
}

/// Whether a number can be a limit.
fn limit(number: f64, what: impl FnOnce() -> String) -> Result<(), RuleError> {
    let is_one = number.is_finite() && number >= 0.0;
    let error = || RuleError(format!("{} must be a number from 0 on, not {number}", what()));
    is_one.then_some(()).ok_or_else(error)
}
