//! Names the phase at fault, from measured times alone.

use std::fmt;

use crate::breakdown::{Breakdown, Part};

/// From when on a call counts as slow. The defaults are those of people who run such systems.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// The largest mean queue time without a finding, in milliseconds.
    pub queue_ms: f64,
    /// The largest mean engine time without a finding, in milliseconds; depends on the model.
    pub rpc_ms: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { queue_ms: 300.0, rpc_ms: 2000.0 }
    }
}

/// The finding about an arm.
///
/// ```
/// use firstbyte_bench::{Breakdown, Thresholds, Verdict};
///
/// let verdict = Verdict::of(&Breakdown::default(), &Thresholds::default());
/// assert_eq!(verdict.part(), None);
/// assert_eq!(verdict.to_string(), "unknown: no call was measured");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// There is nothing to judge.
    NoCalls,
    /// Queue and engine time are within the thresholds.
    NoFault {
        /// Mean queue time in milliseconds.
        queue_ms: f64,
        /// Mean engine time in milliseconds, if it is known.
        rpc_ms: Option<f64>,
    },
    /// One part takes most of what is too long.
    Fault {
        /// The part.
        part: Part,
        /// Its mean, in milliseconds.
        ms: f64,
        /// Its share of the wall time, 0 to 1.
        share: f64,
        /// Other parts of what is too long with at least a quarter of its time, largest first.
        rivals: Vec<(Part, f64)>,
    },
}

impl Verdict {
    /// Judges the mean call of an arm.
    ///
    /// If the queue time is beyond its threshold, every part of it is a suspect; if the engine
    /// time is, the engine is one too. The largest suspect is at fault.
    #[must_use]
    pub fn of(mean: &Breakdown, thresholds: &Thresholds) -> Self {
        if mean.n == 0 {
            return Self::NoCalls;
        }
        let (queue_ms, rpc_ms) = (mean.queue_ms(), mean.get(Part::Rpc));
        let mut suspects = Vec::new();
        if queue_ms > thresholds.queue_ms {
            suspects.extend(mean.queue_parts());
        }
        suspects.extend(rpc_ms.filter(|ms| *ms > thresholds.rpc_ms).map(|ms| (Part::Rpc, ms)));
        suspects.sort_by(|a, b| b.1.total_cmp(&a.1));
        let Some((&(part, ms), others)) = suspects.split_first() else {
            return Self::NoFault { queue_ms, rpc_ms };
        };
        let rivals = others.iter().copied().filter(|(_, rival)| *rival >= ms / 4.0).collect();
        Self::Fault { part, ms, share: ms / mean.wall_ms, rivals }
    }

    /// The part at fault, if there is one.
    #[must_use]
    pub fn part(&self) -> Option<Part> {
        match self {
            Self::Fault { part, .. } => Some(*part),
            Self::NoCalls | Self::NoFault { .. } => None,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCalls => f.write_str("unknown: no call was measured"),
            Self::NoFault { queue_ms, rpc_ms: Some(rpc_ms) } => {
                write!(f, "no fault found: queue {queue_ms:.1} ms, rpc {rpc_ms:.1} ms")
            }
            Self::NoFault { queue_ms, rpc_ms: None } => {
                write!(f, "no fault found: {queue_ms:.1} ms in all; the engine's share is unknown")
            }
            Self::Fault { part, ms, share, rivals } => {
                let percent = share * 100.0;
                write!(f, "{part}: {ms:.1} ms, {percent:.1} % of wall: {}", part.meaning())?;
                for (i, (rival, ms)) in rivals.iter().enumerate() {
                    let lead = if i == 0 { "; also" } else { "," };
                    write!(f, "{lead} {rival} {ms:.1} ms")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use firstbyte_core::{Split, header::ServerTiming};

    use super::*;
    use crate::breakdown::tests::{call, server};

    fn verdict(calls: &[Split]) -> Verdict {
        Verdict::of(&Breakdown::of(calls), &Thresholds::default())
    }

    #[test]
    fn every_part_can_be_at_fault() {
        for (slow, part) in [
            (call(400, None, 210, server(1, 1, 200)), Part::Pool),
            (call(0, Some(1000), 210, server(1, 1, 200)), Part::Connect),
            (call(0, None, 700, server(480, 1, 200)), Part::Kernel),
            (call(0, None, 700, server(1, 480, 200)), Part::Handler),
            (call(0, None, 2700, server(1, 1, 2600)), Part::Rpc),
            (call(0, None, 900, server(1, 1, 200)), Part::Network),
            (call(0, None, 900, ServerTiming::default()), Part::Unattributed),
        ] {
            assert_eq!(verdict(&[slow]).part(), Some(part));
        }
    }

    #[test]
    fn within_the_thresholds_there_is_no_fault() {
        let healthy = verdict(&[call(5, Some(1), 215, server(1, 1, 200))]);
        assert_eq!(healthy.to_string(), "no fault found: queue 51.0 ms, rpc 200.0 ms");
        let mute = verdict(&[call(5, Some(1), 20, ServerTiming::default())]);
        assert_eq!(
            mute.to_string(),
            "no fault found: 56.0 ms in all; the engine's share is unknown"
        );
    }

    #[test]
    fn a_long_reload_is_no_suspect_while_it_is_within_its_threshold() {
        // 1,900 ms of engine are fine; the 310 ms of pool are not.
        assert_eq!(verdict(&[call(310, None, 1910, server(1, 1, 1900))]).part(), Some(Part::Pool));
    }

    #[test]
    fn rivals_are_named_with_their_times() {
        let text = verdict(&[call(400, Some(200), 210, server(1, 1, 200))]).to_string();
        assert!(text.starts_with("pool: 400.0 ms, 47.6 % of wall: "), "{text}");
        assert!(text.ends_with("; also connect 200.0 ms"), "{text}");
    }
}
