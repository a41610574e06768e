//! Whether a generation batch was open when a call began.

use firstbyte_core::{Timestamp, field, record};

use crate::entry::Entry;

/// What generation did when a call began, by the order of the lines in its log: `[gen]` lines have no moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Generation {
    /// The log has no `[gen]` line of this process in front of the call.
    #[default]
    Unknown,
    /// No batch was open.
    Idle,
    /// A `batch.start` had come, and not yet its `batch.done`.
    Batch {
        /// Requests in progress, as the latest `batch.start` says.
        in_flight: Option<u32>,
    },
}

/// The batches of one file that are open.
#[derive(Clone, Debug, Default)]
pub(super) struct Batches {
    open: u32,
    now: Generation,
    /// The latest start of a process, and its boot.
    started: Option<(Box<str>, Timestamp)>,
    /// Completions that the latest batch wants.
    wanted: Option<i64>,
}

impl Batches {
    pub(super) const fn now(&self) -> Generation {
        self.now
    }

    /// Takes a line that is no call's. If a batch ends with it that alone was open, returns how many completions that wanted.
    pub(super) fn take(&mut self, entry: &Entry<'_>) -> Option<i64> {
        if entry.is(&record::GEN_BATCH_START) {
            self.open = self.open.saturating_add(1);
            let in_flight = entry.count(field::INFLIGHT).and_then(|n| u32::try_from(n).ok());
            self.now = Generation::Batch { in_flight };
            // Of several batches nobody knows which one a line ends.
            self.wanted = entry.count(field::TARGET_BATCH).filter(|_| self.open == 1);
        } else if entry.is(&record::GEN_BATCH_DONE) {
            self.open = self.open.saturating_sub(1);
            if self.open == 0 {
                self.now = Generation::Idle;
            }
            return self.wanted.take();
        } else if entry.is(&record::PROCESS_START) && self.has_begun_anew(entry) {
            // What was open in a process that was killed is so no longer.
            (self.open, self.now, self.wanted) = (0, Generation::Unknown, None);
        }
        None
    }

    /// Whether this is no repetition, as at the head of the next file of a rotated log: a process that begins later tells
    /// a later moment, or another boot.
    fn has_begun_anew(&mut self, entry: &Entry<'_>) -> bool {
        let told = entry.text(field::BOOT).zip(entry.at);
        let is_known = self.started.as_ref().zip(told.as_ref()).is_some_and(
            |((known_boot, known_at), (boot, at))| **known_boot == **boot && at <= known_at,
        );
        if !is_known {
            self.started = told.map(|(boot, at)| (boot.into(), at));
        }
        !is_known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Log;

    fn told(lines: &str) -> Vec<Generation> {
        let log = Log::from_bytes(lines.as_bytes());
        log.calls().map(|call| call.client.expect("a client's half").generation).collect()
    }

    fn call(id: u32) -> String {
        format!("[weights][{id:016x}] client.send url=http://h/pause t={id}.000000\n")
    }

    #[test]
    fn a_batch_goes_on_in_the_next_file_of_a_rotated_log() {
        let start = "[gen] batch.start inflight=8 target_batch=16\n";
        let done = "[gen] batch.done completions=16 dur_ms=700.0 inflight=0\n";
        let process = |at: u32| {
            format!("[firstbyte] process.start pid=1 boot=b host=h version=0 t={at}.0 unix=9.0\n")
        };
        let told = |names: [&str; 2], head: &str| {
            let folder = tempfile::tempdir().unwrap();
            let paths = names.map(|name| folder.path().join(name));
            std::fs::write(&paths[0], process(1) + start).unwrap();
            let lines = head.to_owned() + &call(2) + done + &call(3);
            std::fs::write(&paths[1], lines).unwrap();
            let log = Log::read(&paths, &crate::Options::default()).unwrap();
            let generation = |call: crate::Call<'_>| call.client.map(|half| half.generation);
            log.calls().filter_map(generation).collect::<Vec<_>>()
        };
        let open = Generation::Batch { in_flight: Some(8) };
        for head in ["", &process(1)] {
            assert_eq!(told(["o.log.1", "o.log"], head), [open, Generation::Idle], "{head}");
        }
        let unknown = Generation::Unknown;
        assert_eq!(told(["o.log.1", "o.log"], &process(2)), [unknown, Generation::Idle]);
        assert_eq!(told(["o.log.1", "p.log"], ""), [unknown, Generation::Idle], "another log");
        let runs = ["o.2026-11-01_10-00-00.log", "o.2026-11-01_11-00-00.log"];
        assert_eq!(told(runs, ""), [unknown, Generation::Idle], "another run");
    }

    #[test]
    fn a_call_knows_whether_a_batch_was_open_when_it_was_sent() {
        let start = "[gen] batch.start inflight=8 target_batch=16\n";
        let done = "[gen] batch.done completions=16 dur_ms=700.0 inflight=0\n";
        let restart =
            "[firstbyte] process.start pid=1 boot=b host=h version=0 t=9.000000 unix=9.000000\n";
        let second = "[gen] batch.start inflight=3 target_batch=16\n";
        let end = "[weights][0000000000000002] client.done wall_ms=1.0 rpc_ms=0.5 queue_ms=0.5\n";
        let lines = [
            &call(1),
            start,
            &call(2),
            done,
            end,
            &call(3),
            start,
            second,
            &call(4),
            done,
            &call(5),
            done,
            &call(6),
            start,
            restart,
            &call(7),
            start,
            restart,
            &call(8),
        ]
        .concat();
        let batch = |n| Generation::Batch { in_flight: Some(n) };
        assert_eq!(
            told(&lines),
            [
                Generation::Unknown,
                batch(8),
                Generation::Idle,
                batch(3),
                batch(3),
                Generation::Idle,
                Generation::Unknown,
                // The same process says so again, at the head of its next file.
                batch(8)
            ]
        );
    }

    #[test]
    fn a_number_that_is_none_is_unknown() {
        let lines = format!("[gen] batch.start inflight=-1 target_batch=16\n{}", call(1));
        assert_eq!(told(&lines), [Generation::Batch { in_flight: None }]);
    }
}
