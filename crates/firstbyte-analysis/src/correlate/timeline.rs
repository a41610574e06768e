//! What happens beside the calls: checkpoints, generation, rollouts, steps, batches.

use std::{
    collections::HashMap,
    mem::{Discriminant, discriminant},
};

use firstbyte_core::{Micros, Timestamp, field, record};
use foldhash::fast::RandomState;
use smallvec::SmallVec;

use super::names::{Name, Names};
use crate::{entry::Entry, tally::Reason};

/// The most moments that are kept.
const MOST: usize = 1_000_000;

/// So many durations of one step are compared with.
const LATEST: usize = 64;

/// Everything that is no call, in the order of the lines.
#[derive(Debug, Default)]
pub struct Timeline {
    moments: Vec<Moment>,
    over_limit: u64,
    lost: u64,
    /// What steps took, as far as it is known, by what and by the step.
    of_steps: HashMap<(Discriminant<What>, i64), SmallVec<[Micros; 1]>, RandomState>,
}

/// One line of it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Moment {
    /// The file that it is from.
    pub source: u32,
    /// When, if the line tells.
    pub at: Option<Timestamp>,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum What {
    /// A checkpoint is written.
    CkptWritten {
        /// Training step.
        step: Option<i64>,
        /// How long it took.
        write: Option<Micros>,
        /// Its size.
        bytes: Option<i64>,
        /// Where it is.
        path: Option<Name>,
    },
    /// A checkpoint that was waited for is there.
    CkptWaited {
        /// Training step.
        step: Option<i64>,
        /// How long.
        wait: Option<Micros>,
    },
    /// A generation batch ended.
    Generated {
        /// Completions received.
        completions: Option<i64>,
        /// Completions that were wanted, as the line of its beginning says, if no other batch was open.
        wanted: Option<i64>,
        /// How long it took.
        duration: Option<Micros>,
        /// Requests in progress.
        in_flight: Option<i64>,
        /// Prompt tokens.
        input_tokens: Option<i64>,
        /// Generated tokens.
        output_tokens: Option<i64>,
        /// Prompt tokens per second.
        input_tps: Option<f64>,
        /// Generated tokens per second.
        output_tps: Option<f64>,
    },
    /// The state of the rollouts.
    Rollout {
        /// Share of truncated completions in per cent.
        truncated: Option<f64>,
        /// Steps that the weights in use are behind.
        staleness: Option<i64>,
        /// Rollouts waiting for the trainer.
        buffer_depth: Option<i64>,
        /// Step of the trainer.
        step: Option<i64>,
        /// Step of the weights in use.
        ckpt_step: Option<i64>,
        /// Longest rollout in seconds.
        rollout_s: Option<f64>,
        /// Longest reload in seconds.
        reload_s: Option<f64>,
    },
    /// A training step ended.
    Stepped {
        /// Its number.
        step: Option<i64>,
        /// How long it took.
        duration: Option<Micros>,
        /// How long of that it waited for data.
        wait: Option<Micros>,
        /// Whether the reference log-probabilities came from the cache.
        is_cached: Option<bool>,
    },
    /// An inference batch ended.
    Inferred {
        /// Prompts in it.
        prompts: Option<i64>,
        /// How long it took.
        duration: Option<Micros>,
        /// Prompt tokens.
        input_tokens: Option<i64>,
        /// Generated tokens.
        output_tokens: Option<i64>,
        /// Prompt tokens per second.
        input_tps: Option<f64>,
        /// Generated tokens per second.
        output_tps: Option<f64>,
    },
    /// A batching queue was flushed.
    Flushed {
        /// Requests in the batch.
        size: Option<i64>,
        /// How long the oldest waited.
        wait: Option<Micros>,
        /// Why it was flushed.
        reason: Option<Name>,
        /// Requests left in the queue.
        depth: Option<i64>,
    },
    /// Something that begins, or that firstbyte says of itself.
    Other,
}

impl Timeline {
    /// All moments.
    #[must_use]
    pub fn moments(&self) -> &[Moment] {
        &self.moments
    }

    /// How many more there were.
    #[must_use]
    pub const fn over_limit(&self) -> u64 {
        self.over_limit
    }

    /// Events that never reached these logs, as their writers say.
    pub(crate) const fn lost(&self) -> u64 {
        self.lost
    }

    /// Takes a line that is no call's. Of a generation batch that ended, so many completions were `wanted`.
    pub(super) fn take(
        &mut self,
        entry: &Entry<'_>,
        source: u32,
        wanted: Option<i64>,
        names: &mut Names,
    ) -> Result<(), Reason> {
        if entry.is(&record::DROPPED) {
            let lost = entry.count(field::COUNT).and_then(|count| u64::try_from(count).ok());
            self.lost = self.lost.saturating_add(lost.unwrap_or_default());
        }
        let what = what(entry, wanted, names);
        if what == What::Other {
            return Ok(());
        }
        if self.moments.len() >= MOST {
            self.over_limit += 1;
            return Ok(());
        }
        if let Some((step, duration)) = what.of_a_step() {
            let known = self.of_steps.entry((discriminant(&what), step)).or_default();
            // A text line is rounded to a tenth of a millisecond.
            if known.iter().rev().take(LATEST).any(|other| other.0.abs_diff(duration.0) <= 50) {
                return Err(Reason::Duplicate);
            }
            known.push(duration);
        }
        self.moments.push(Moment { source, at: entry.at, what });
        Ok(())
    }
}

impl What {
    /// The step and the duration of what a step has once: the same again is the same line from elsewhere.
    fn of_a_step(self) -> Option<(i64, Micros)> {
        match self {
            Self::CkptWritten { step, write: duration, .. }
            | Self::CkptWaited { step, wait: duration }
            | Self::Stepped { step, duration, .. } => step.zip(duration),
            _ => None,
        }
    }
}

fn what(entry: &Entry<'_>, wanted: Option<i64>, names: &mut Names) -> What {
    let mut name = |field| entry.word(field).map(|word| names.take(word));
    let record = |record| entry.is(record);
    if record(&record::CKPT_WRITE_DONE) {
        What::CkptWritten {
            step: entry.count(field::STEP),
            write: entry.millis(field::WRITE),
            bytes: entry.count(field::BYTES),
            path: name(field::PATH),
        }
    } else if record(&record::CKPT_WAIT_DONE) {
        What::CkptWaited { step: entry.count(field::TARGET_STEP), wait: entry.millis(field::WAIT) }
    } else if record(&record::GEN_BATCH_DONE) {
        What::Generated {
            completions: entry.count(field::COMPLETIONS),
            wanted,
            duration: entry.millis(field::DUR),
            in_flight: entry.count(field::INFLIGHT),
            input_tokens: entry.count(field::INPUT_TOKENS),
            output_tokens: entry.count(field::OUTPUT_TOKENS),
            input_tps: entry.real(field::INPUT_TPS),
            output_tps: entry.real(field::OUTPUT_TPS),
        }
    } else if record(&record::ROLLOUT) {
        What::Rollout {
            truncated: entry.real(field::TRUNC),
            staleness: entry.count(field::STALENESS),
            buffer_depth: entry.count(field::BUFFER_DEPTH),
            step: entry.count(field::CURRENT_STEP),
            ckpt_step: entry.count(field::CKPT_STEP),
            rollout_s: entry.real(field::ROLLOUT),
            reload_s: entry.real(field::RELOAD),
        }
    } else if record(&record::STEP_DONE) {
        What::Stepped {
            step: entry.count(field::STEP),
            duration: entry.millis(field::DUR),
            wait: entry.millis(field::WAIT),
            is_cached: entry.count(field::REF_LOGPROBS_CACHED).map(|cached| cached != 0),
        }
    } else if record(&record::INFER_BATCH_DONE) {
        What::Inferred {
            prompts: entry.count(field::PROMPTS),
            duration: entry.millis(field::DUR),
            input_tokens: entry.count(field::INPUT_TOKENS),
            output_tokens: entry.count(field::OUTPUT_TOKENS),
            input_tps: entry.real(field::INPUT_TPS),
            output_tps: entry.real(field::OUTPUT_TPS),
        }
    } else if record(&record::QUEUE_FLUSH) {
        What::Flushed {
            size: entry.count(field::SIZE),
            wait: entry.millis(field::WAIT),
            reason: name(field::REASON),
            depth: entry.count(field::DEPTH),
        }
    } else {
        What::Other
    }
}
