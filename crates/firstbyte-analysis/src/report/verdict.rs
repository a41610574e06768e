//! The first sentence: what is at fault, how sure that is, and by which n.

use crate::{
    counted,
    diagnose::{Diagnosis, Severity, Thresholds},
};

use super::cut_sentence;

/// What is at fault.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verdict {
    /// That of the worst finding; `None` if there is no finding.
    pub severity: Option<Severity>,
    /// Whether there is a finding, or a call that could be judged: otherwise no finding says nothing.
    pub is_judged: bool,
    /// What is wrong, or that nothing is, or that nothing can be said.
    pub fault: String,
    /// How many calls, against which threshold, how sure.
    pub grounds: String,
}

impl Verdict {
    /// Of a diagnosis of so many calls.
    pub(super) fn of(
        Diagnosis { judged, findings }: &Diagnosis,
        calls: usize,
        limits: Thresholds,
    ) -> Self {
        let Some(worst) = findings.first() else {
            return Self::without(calls, judged.calls, limits);
        };
        let more = match findings.len() - 1 {
            0 => String::new(),
            1 => "; one more finding".to_owned(),
            more => format!("; {more} more findings"),
        };
        Self {
            severity: Some(worst.severity),
            is_judged: true,
            fault: cut_sentence(&worst.rule.title),
            grounds: cut_sentence(&worst.numbers.join(", "))
                + &format!("; {}{more}", worst.confidence),
        }
    }

    fn without(calls: usize, judged: usize, limits: Thresholds) -> Self {
        let (fault, grounds) = match (calls, judged) {
            (0, _) => ("Nothing can be said", "there is no call in these lines".to_owned()),
            (_, 0) => (
                "Nothing can be said",
                format!("none of {} tells enough to be judged", counted(calls, "call")),
            ),
            _ => (
                "No fault found",
                format!(
                    "of {} none is over its threshold (queue {} ms, rpc {} ms; without rpc, a wait of {} ms or wall {} ms){}",
                    counted(judged, "call"),
                    limits.queue,
                    limits.rpc,
                    limits.wait(),
                    limits.wall,
                    match calls - judged {
                        0 => String::new(),
                        others => format!("; calls that do not tell enough to be judged: {others}"),
                    }
                ),
            ),
        };
        Self { severity: None, is_judged: judged > 0, fault: fault.to_owned(), grounds }
    }

    /// It as one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!("{}: {}.", self.fault, self.grounds)
    }
}
