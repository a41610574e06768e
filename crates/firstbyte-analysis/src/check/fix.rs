//! Whether a long queue became short, and nothing was paid for it.

use serde::Deserialize;

use super::{Bound, Evidence, Limit, Quantity, Reading, Selection, Shift, Statistic, Verdict};
use crate::{
    compare::Margin,
    correlate::{Log, What},
    measure::Metric,
};

/// From when on a queue is long, and from when on it is short: medians, in milliseconds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Fix {
    /// The median before has to be over it; if it is not, these logs have nothing to validate.
    pub queue_before_over: f64,
    /// The median after has to be under it.
    pub queue_after_under: f64,
}

impl Default for Fix {
    fn default() -> Self {
        Self { queue_before_over: 1000.0, queue_after_under: 300.0 }
    }
}

/// What a fix of the default size shows in two logs: the queue before and after, rpc, and the throughput of
/// generation. `None` if the queue before was not long. The margin is that of rpc; a change of throughput may be
/// 10 % of the median before.
///
/// ```
/// use firstbyte_analysis::{Log, check::fix_validation, compare::Margin};
///
/// let log = |queue: u32| {
///     let line = format!("[weights][00f067aa0ba902b7] client.done wall_ms={queue}.0 rpc_ms=0.0 queue_ms={queue}.0");
///     Log::from_bytes(line.as_bytes())
/// };
/// assert_eq!(fix_validation(&log(2000), &log(10), Margin::default()).map(|evidence| evidence.len()), Some(4));
/// assert_eq!(fix_validation(&log(900), &log(10), Margin::default()), None);
/// ```
#[must_use]
pub fn fix_validation(before: &Log, after: &Log, margin: Margin) -> Option<Vec<Evidence>> {
    let evidence = Fix::default().validate(before, after, &Selection::default(), margin, 0);
    evidence.first().is_some_and(|queue| queue.verdict() == Verdict::Met).then_some(evidence)
}

impl Fix {
    pub(super) fn validate(
        &self,
        before: &Log,
        after: &Log,
        selection: &Selection,
        margin: Margin,
        asked: usize,
    ) -> Vec<Evidence> {
        let queue = |log, side, limit| {
            let quantity = Quantity::Call(Metric::Queue, Statistic::P50);
            let reading = quantity.read(&|| selection.calls(log), None, &[limit], asked);
            Reading { what: format!("{quantity} {side}"), ..reading }
        };
        let old = queue(before, "before", Limit::new(Bound::Over, self.queue_before_over));
        let new = queue(after, "after", Limit::new(Bound::Under, self.queue_after_under));
        let (old_calls, new_calls) = (selection.calls(before), selection.calls(after));
        vec![
            Evidence::Number(Reading { is_premise: true, ..old }),
            Evidence::Number(new),
            Evidence::Change(Shift::of_calls(Metric::Rpc, old_calls, new_calls, margin, asked)),
            Evidence::Change(throughput(before, after)),
        ]
    }
}

/// Tokens per second of generation; where not both logs tell these, completions per second.
fn throughput(before: &Log, after: &Log) -> Shift {
    let (old, new) = (rates(before, tokens), rates(after, tokens));
    if !old.is_empty() && !new.is_empty() {
        return Shift::of_rates("gen.output_tps", "tokens/s", &old, &new, 0);
    }
    let (old, new) = (rates(before, completions), rates(after, completions));
    Shift::of_rates("generation", "completions/s", &old, &new, 0)
}

/// Of each batch of generation that tells it.
fn rates(log: &Log, rate: fn(&What) -> Option<f64>) -> Vec<f64> {
    let rates = log.timeline().moments().iter().filter_map(|moment| rate(&moment.what));
    rates.filter(|rate| rate.is_finite() && *rate >= 0.0).collect()
}

const fn tokens(what: &What) -> Option<f64> {
    match what {
        What::Generated { output_tps, .. } => *output_tps,
        _ => None,
    }
}

fn completions(what: &What) -> Option<f64> {
    match what {
        What::Generated { completions, duration, .. } => {
            let seconds = duration.filter(|duration| duration.0 > 0)?.as_millis_f64() / 1e3;
            Some((*completions)? as f64 / seconds)
        }
        _ => None,
    }
}
