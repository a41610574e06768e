//! The columns of what happens beside the calls.

use firstbyte_core::Micros;

use super::column::{Column, Kind, Value, file};
use crate::correlate::{Moment, What};

/// The name of an event: its tag and record.
pub(super) const fn name(what: &What) -> &'static str {
    match what {
        What::CkptWritten { .. } => "ckpt.write",
        What::CkptWaited { .. } => "ckpt.wait",
        What::Generated { .. } => "gen.batch",
        What::Rollout { .. } => "rollout",
        What::Stepped { .. } => "step",
        What::Inferred { .. } => "infer.batch",
        What::Flushed { .. } => "queue.flush",
        What::Other => "other",
    }
}

/// How long it took, up to its line.
pub(super) const fn duration(what: &What) -> Option<Micros> {
    match what {
        What::CkptWritten { write: duration, .. }
        | What::CkptWaited { wait: duration, .. }
        | What::Generated { duration, .. }
        | What::Stepped { duration, .. }
        | What::Inferred { duration, .. }
        | What::Flushed { wait: duration, .. } => *duration,
        What::Rollout { .. } | What::Other => None,
    }
}

/// A count that some events have.
macro_rules! count {
    ($name:literal, $doc:literal, $($of:pat_param)|+ => $value:expr) => {
        Column::event($name, Kind::Count, $doc, |_, moment| match moment.what {
            $($of)|+ => $value.map(Value::Int),
            _ => None,
        })
    };
}

/// A text that some events have.
macro_rules! word {
    ($name:literal, $doc:literal, $of:pat_param => $value:expr) => {
        Column::event($name, Kind::Text, $doc, |log, moment| match moment.what {
            $of => Value::word(log.name($value?)),
            _ => None,
        })
    };
}

/// A number that some events have.
macro_rules! real {
    ($name:literal, $doc:literal, $($of:pat_param)|+ => $value:expr) => {
        Column::event($name, Kind::Real, $doc, |_, moment| match moment.what {
            $($of)|+ => $value.filter(|real: &f64| real.is_finite()).map(Value::Real),
            _ => None,
        })
    };
}

pub(super) const EVENTS: &[Column] = &[
    Column::event(
        "event",
        Kind::Text,
        "`ckpt.write`, `ckpt.wait`, `gen.batch`, `rollout`, `step`, `infer.batch` or `queue.flush`.",
        |_, moment| Value::word(name(&moment.what)),
    ),
    Column::event(
        "t_ns",
        Kind::MonotonicNanos,
        "The line, which is the event's end.",
        |_, moment| Value::monotonic(moment.at),
    ),
    Column::event(
        "unix_ns",
        Kind::UnixNanos,
        "The line, which is the event's end.",
        |log, moment| Value::unix(log, moment.source, moment.at),
    ),
    Column::event(
        "dur_us",
        Kind::Micros,
        "How long it took; of `queue.flush` how long the oldest request waited.",
        |_, Moment { what, .. }| Value::micros(duration(what)),
    ),
    Column::event(
        "wait_us",
        Kind::Micros,
        "How long of it a training step waited for data.",
        |_, moment| match moment.what {
            What::Stepped { wait, .. } => Value::micros(wait),
            _ => None,
        },
    ),
    count!("step", "Training step.",
        What::CkptWritten { step, .. } | What::CkptWaited { step, .. } | What::Rollout { step, .. }
        | What::Stepped { step, .. } => step),
    count!("bytes", "Size of the checkpoint.", What::CkptWritten { bytes, .. } => bytes),
    word!("path", "Path of the checkpoint.", What::CkptWritten { path, .. } => path),
    count!("completions", "Completions received.", What::Generated { completions, .. } => completions),
    count!("target_batch", "Completions wanted, as the `batch.start` in front says, if no other batch was open.",
        What::Generated { wanted, .. } => wanted),
    count!("inflight", "Requests of generation in progress.", What::Generated { in_flight, .. } => in_flight),
    count!("prompts", "Prompts in the batch.", What::Inferred { prompts, .. } => prompts),
    count!("size", "Requests in the batch.", What::Flushed { size, .. } => size),
    word!("reason", "Why the queue was flushed.", What::Flushed { reason, .. } => reason),
    count!("depth", "Requests left in the queue.", What::Flushed { depth, .. } => depth),
    count!("input_tokens", "Prompt tokens.",
        What::Generated { input_tokens, .. } | What::Inferred { input_tokens, .. } => input_tokens),
    count!("output_tokens", "Generated tokens.",
        What::Generated { output_tokens, .. } | What::Inferred { output_tokens, .. } => output_tokens),
    real!("input_tps", "Prompt tokens per second.",
        What::Generated { input_tps, .. } | What::Inferred { input_tps, .. } => input_tps),
    real!("output_tps", "Generated tokens per second.",
        What::Generated { output_tps, .. } | What::Inferred { output_tps, .. } => output_tps),
    real!("trunc_pct", "Share of truncated completions in per cent.",
        What::Rollout { truncated, .. } => truncated),
    count!("ckpt_step", "Step of the weights in use.", What::Rollout { ckpt_step, .. } => ckpt_step),
    count!("staleness", "Steps that the weights in use are behind.", What::Rollout { staleness, .. } => staleness),
    count!("buffer_depth", "Rollouts waiting for the trainer.", What::Rollout { buffer_depth, .. } => buffer_depth),
    real!("rollout_s", "Longest rollout in seconds.", What::Rollout { rollout_s, .. } => rollout_s),
    real!("reload_s", "Longest reload in seconds.", What::Rollout { reload_s, .. } => reload_s),
    count!("ref_logprobs_cached", "1 if the reference log-probabilities came from the cache, 0 if not.",
        What::Stepped { is_cached, .. } => is_cached.map(i64::from)),
    Column::event("file", Kind::Text, "File of the line.", |log, moment| {
        Value::word(file(log, moment.source))
    }),
];
