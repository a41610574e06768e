//! Whether a long queue became short, and nothing was paid for it.

use serde::Deserialize;

use super::{Bound, Evidence, Limit, Quantity, Reading, Selection, Shift, Verdict};
use crate::{
    compare::{Margin, by_operation},
    correlate::{Call, Log, What},
    measure::{Metric, Statistic},
};

/// From when on a queue is long, and from when on it is short: medians, in milliseconds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Fix {
    /// An operation's median before has to be over it; if none is, these logs have nothing to validate.
    pub queue_before_over: f64,
    /// The median after of each such operation has to be under it.
    pub queue_after_under: f64,
}

impl Default for Fix {
    fn default() -> Self {
        Self { queue_before_over: 1000.0, queue_after_under: 300.0 }
    }
}

/// What a fix of the default size shows in two logs: the queue before and after of each operation that had a long one
/// (and of each that has one only now), rpc of each operation, and the throughput of generation. `None` if no operation
/// had a long queue before. The margin is that of rpc; a change of throughput may be 10 % of the median before.
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
        let operations = by_operation(selection.calls(before), selection.calls(after));
        let is_one = operations.len() == 1;
        let old_limit = Limit::new(Bound::Over, self.queue_before_over);
        let new_limit = Limit::new(Bound::Under, self.queue_after_under);
        let old = |reading: Reading| Reading { is_premise: true, ..named(reading, "before") };
        let (mut fixed, mut grown) = (Vec::new(), Vec::new());
        for (name, (old_calls, new_calls)) in &operations {
            let of = |reading: Reading| {
                let what = format!("{} of {name}", reading.what);
                Reading { what: if is_one { reading.what } else { what }, ..reading }
            };
            let was = of(queue(&|| old_calls.iter().copied(), old_limit, asked));
            let is = of(queue(&|| new_calls.iter().copied(), new_limit, asked));
            let is_long = |reading: &Reading| reading.value.is_some_and(|p50| old_limit.holds(p50));
            if is_long(&was) {
                fixed.extend([old(was), named(is, "after")]);
            } else if is_long(&is) {
                grown.push(named(is, "after"));
            }
        }
        if fixed.is_empty() {
            let was = queue(&|| selection.calls(before), old_limit, asked);
            let is = queue(&|| selection.calls(after), new_limit, asked);
            fixed.extend([old(was), named(is, "after")]);
        }
        let (old_calls, new_calls) = (selection.calls(before), selection.calls(after));
        let rpc = Shift::of_operations(Metric::Rpc, old_calls, new_calls, margin, asked);
        let queues = fixed.into_iter().chain(grown).map(Evidence::Number);
        let paid = rpc.into_iter().chain([throughput(before, after)]).map(Evidence::Change);
        queues.chain(paid).collect()
    }
}

/// The median queue of calls.
fn queue<'a, I: Iterator<Item = Call<'a>>>(
    calls: &dyn Fn() -> I,
    limit: Limit,
    asked: usize,
) -> Reading {
    Quantity::Call(Metric::Queue, Statistic::P50).read(calls, None, &[limit], asked)
}

fn named(reading: Reading, side: &str) -> Reading {
    Reading { what: format!("{} {side}", reading.what), ..reading }
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
