//! Causes that a finding does not exclude.

use serde::Deserialize;

use super::{Kind, Rule};
use crate::{correlate::Call, measure::Metric};

/// What can exclude a rival of a rule of this kind: times of a call, or signals beside the calls.
pub(super) const fn signals(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Part | Kind::ColdStart => &[
            "setup",
            "pool",
            "connect",
            "kernel",
            "handler",
            "respond",
            "network",
            "until_received",
            "rpc",
            "loop_lag",
            "engine_queue",
            "engine_exec",
            "resume",
        ],
        Kind::Value => &["ckpt_write_ms"],
        Kind::ChangePoint => {
            &["step_wait_ms", "buffer_depth", "rollout_s", "reload_s", "uncached_step", "slower"]
        }
        Kind::Straggler | Kind::Trend | Kind::Failures | Kind::NoEnd => &[],
    }
}

/// A cause that a rule does not exclude by itself.
///
/// In TOML a text, or `{ cause = "...", unless = ["..."] }`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(from = "Form")]
#[non_exhaustive]
pub struct Rival {
    /// The cause.
    pub cause: String,
    /// It is excluded where one of these is told: a time that is known is no longer hidden in another one.
    pub unless: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    Always(String),
    Unless { cause: String, unless: Vec<String> },
}

impl From<Form> for Rival {
    fn from(form: Form) -> Self {
        match form {
            Form::Always(cause) => Self { cause, unless: Vec::new() },
            Form::Unless { cause, unless } => Self { cause, unless },
        }
    }
}

impl Rule {
    /// The rivals that these calls do not exclude.
    pub(super) fn rivals_of(&self, calls: &[Call<'_>]) -> Vec<String> {
        self.rivals_but(|signal| {
            let teller = Teller::named(signal);
            teller.is_some_and(|teller| calls.iter().all(|call| teller.tells(call)))
        })
    }

    /// Every rival, for what has no signals that could exclude one.
    pub(super) fn all_rivals(&self) -> Vec<String> {
        self.rivals_but(|_| false)
    }

    /// The rivals of which no signal is one that excludes them.
    pub(super) fn rivals_but(&self, excludes: impl Fn(&str) -> bool) -> Vec<String> {
        let left =
            self.rivals.iter().filter(|rival| !rival.unless.iter().any(|name| excludes(name)));
        left.map(|rival| rival.cause.clone()).collect()
    }
}

/// Where a call tells a time.
#[derive(Clone, Copy)]
enum Teller {
    Metric(Metric),
    UntilReceived,
}

impl Teller {
    fn named(name: &str) -> Option<Self> {
        match name {
            "until_received" => Some(Self::UntilReceived),
            _ => Metric::all().into_iter().find(|metric| metric.as_str() == name).map(Self::Metric),
        }
    }

    fn tells(self, call: &Call<'_>) -> bool {
        match self {
            Self::Metric(metric) => metric.of(call).is_some(),
            Self::UntilReceived => call.until_received().is_some(),
        }
    }
}
