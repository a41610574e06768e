//! From measured calls to causes: what is at fault, how sure that is, and what to measure next.
//!
//! Rules are data: [`Rules`] has them, in TOML, and users add theirs. A finding never says more than the lines
//! do. With wall and rpc alone it names all that could be the cause, on both sides.

mod beside;
mod calls;
mod change;
mod parts;
mod rival;
mod rules;
mod several;
mod straggler;

use std::fmt;

pub use self::{
    calls::Judged,
    change::{ChangePoint, FEWEST_FOR_A_CHANGE, change_points, neighbours},
    rival::Rival,
    rules::{Kind, Rule, RuleError, Rules, Thresholds},
};
use crate::{
    correlate::{Call, Log},
    measure::Window,
};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing.
    Notice,
    /// Over its threshold.
    Warning,
    /// More than a second, typically, or the outcome of calls is unknown.
    Critical,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Confidence {
    /// The part was measured by itself.
    Measured,
    /// It is what remains of a whole, a timer that something else may stretch, or a comparison of samples.
    Inferred,
    /// The lines cannot tell the rival causes apart.
    Undecided,
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Measured => "measured",
            Self::Inferred => "inferred: a residual, a timer that something else may stretch, or a comparison of samples",
            Self::Undecided => "undecided: these lines cannot tell the causes apart",
        })
    }
}

/// Something that is wrong.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// The rule that found it: its title, rival causes, and the measurement that would separate them.
    pub rule: Rule,
    /// How bad it is.
    pub severity: Severity,
    /// How sure it is.
    pub confidence: Confidence,
    /// The rivals of its rule that these lines do not exclude.
    pub rivals: Vec<String>,
    /// What was measured, and against which threshold; sentences.
    pub numbers: Vec<String>,
    /// Calls, or moments, that show it best.
    pub evidence: Vec<String>,
    /// Milliseconds, or so, to order findings of one severity by.
    weight: f64,
}

/// What is wrong in some logs, and of how many calls that could be said.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Diagnosis {
    /// How many calls could be judged, and how many of them are slow. Without any, no finding does not mean that all is well.
    pub judged: Judged,
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
}

/// What is wrong in these logs.
#[must_use]
pub fn diagnose(log: &Log, rules: &Rules, thresholds: Thresholds) -> Diagnosis {
    diagnose_within(log, Window::default(), rules, thresholds)
}

/// The same, of the calls within a window; what happens beside the calls is looked at whole.
pub(crate) fn diagnose_within(
    log: &Log,
    window: Window,
    rules: &Rules,
    thresholds: Thresholds,
) -> Diagnosis {
    let calls: Vec<Call<'_>> = log.calls().filter(|call| window.has(call)).collect();
    let (judged, mut findings) = calls::findings(&calls, rules, thresholds);
    findings.extend(several::findings(&calls, rules, thresholds));
    findings.extend(beside::findings(log, rules));
    findings.sort_by(|a, b| b.severity.cmp(&a.severity).then(b.weight.total_cmp(&a.weight)));
    Diagnosis { judged, findings }
}

#[cfg(test)]
mod tests;
