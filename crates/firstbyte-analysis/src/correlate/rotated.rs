//! Files that are one log, cut by rotation: only the oldest one may say who wrote it.

use std::time::Duration;

use firstbyte_core::Timestamp;

use super::Source;

/// By so much lines may be in another order than their moments: each process that writes a file keeps its own for a while.
const LATE: Duration = Duration::from_secs(1);

/// Goes through the files of one log, from the oldest on, and tells each what is known from the one before it.
pub(super) fn join(sources: &mut [Source], files: &[u32]) {
    let mut older: Option<u32> = None;
    for file in files {
        let known = older.map(|older| (sources[older as usize].clone(), older));
        let source = &mut sources[*file as usize];
        // A file without a moment tells neither that it goes on nor that it does not. It may say whose the next one is.
        let is_news = source.boot.is_some()
            && known.as_ref().is_none_or(|(known, _)| known.boot != source.boot);
        if source.span.is_none() && !is_news {
            continue;
        }
        if let Some((known, number)) = &known {
            source.go_on_from(known, *number);
        }
        older = Some(*file);
    }
}

impl Source {
    /// Takes the clock of the file before this one, unless its own lines tell another one. Monotonic moments go on within
    /// one boot, and begin anew with the next.
    fn go_on_from(&mut self, older: &Self, number: u32) {
        let ends = self.span.map(|(first, _)| first).zip(older.last());
        let is_later = ends.is_some_and(|(first, last)| first + LATE >= last);
        if older.is_mixed || self.is_mixed || !is_later {
            return;
        }
        if self.boot.is_none() && self.unix_offset.is_none() {
            self.boot = older.boot;
        }
        if self.boot == older.boot {
            self.unix_offset = self.unix_offset.or(older.unix_offset);
            self.older = older.boot.map(|_| number);
        }
    }

    /// The last moment in it: where its lines have none, that its process began.
    fn last(&self) -> Option<Timestamp> {
        self.span.map(|(_, last)| last).or(self.began)
    }
}

#[cfg(test)]
mod tests {
    use firstbyte_core::{Clock, Event, Micros, Recorder, TraceId, field, record};

    use super::*;
    use crate::{
        Log, Options, export,
        updates::{Ledger, State, Update},
    };

    /// Reads files of these lines, in this order.
    fn read(files: &[(&str, &str)]) -> Log {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<_> = files.iter().map(|(name, _)| folder.path().join(name)).collect();
        for (path, (_, lines)) in paths.iter().zip(files) {
            std::fs::write(path, lines).unwrap();
        }
        Log::read(&paths, &Options::default()).unwrap()
    }

    fn start(boot: &str, at: f64) -> String {
        format!(
            "[firstbyte] process.start pid=1 boot={boot} host=h version=0 t={at} unix={}\n",
            at + 100.0
        )
    }

    fn call(id: u32, op: &str, target: &str, at: f64) -> String {
        format!(
            "[weights][{id:016x}] client.send url=http://{target}/{op} t={at} op={op} target={target} attempt=1\n\
             [weights][{id:016x}] client.done wall_ms=100.0 rpc_ms=90.0 queue_ms=10.0 op={op} target={target} attempt=1\n"
        )
    }

    #[test]
    fn a_later_file_of_a_log_is_on_the_clock_of_the_one_before() {
        let (a, b, c) =
            (call(1, "pause", "h", 5.0), call(2, "pause", "h", 6.0), call(3, "pause", "h", 7.0));
        let oldest = start("x", 4.0) + &a;
        let silent = "[gen] batch.start inflight=1 target_batch=2\n";
        for files in [
            [("o.log.3", &*oldest), ("o.log.2", &b), ("o.log.1", silent), ("o.log", &c)],
            [("o.log", &c), ("o.log.1", silent), ("o.log.2", &b), ("o.log.3", &*oldest)],
            [
                ("0.log.20261101-000000", &*oldest),
                ("0.log.20261102-000000", &b),
                ("0.log.20261103-000000", silent),
                ("0.log", &c),
            ],
            [
                ("1.2026-11-01_00-00-00_000000.log", &*oldest),
                ("1.2026-11-02_00-00-00_000000.log", &b),
                ("1.2026-11-03_00-00-00_000000.log", silent),
                ("1.log", &c),
            ],
        ] {
            let log = read(&files);
            let told: Vec<_> = log.sources().iter().map(|file| file.unix_offset).collect();
            let number = |wanted: &str| files.iter().position(|(name, _)| *name == wanted).unwrap();
            for (name, lines) in files {
                let is_told = lines != silent;
                assert_eq!(told[number(name)], is_told.then_some(100_000_000_000), "{name}");
            }
            let (first, last) = (number(files[0].0) as u32, number(files[3].0) as u32);
            assert!(log.share_a_clock(first, last), "{files:?}");
        }
    }

    #[test]
    fn a_file_takes_no_clock_that_may_not_be_its_own() {
        let (early, late) = (call(1, "pause", "h", 5.0), call(2, "pause", "h", 9.0));
        let boot = |files: &[(&str, &str)]| {
            let log = read(files);
            log.sources().last().unwrap().boot.map(|boot| log.name(boot).to_owned())
        };
        let known = start("x", 4.0) + &early;
        assert_eq!(boot(&[("o.log.1", &known), ("o.log", &late)]).as_deref(), Some("x"));
        assert_eq!(boot(&[("o.log.1", &known), ("p.log", &late)]), None, "another log");
        assert_eq!(boot(&[("h-10.0.0.2", &known), ("h-10.0.0.1", &late)]), None, "another host");
        assert_eq!(boot(&[("o.log.1", &early), ("o.log", &late)]), None, "nothing is known");
        assert_eq!(boot(&[("o.log", &known), ("o.log.1", &late)]), None, "it is the older one");
        let later = start("x", 4.0) + &late;
        assert_eq!(boot(&[("o.log.1", &later), ("o.log", &early)]), None, "the clock began anew");
        let mixed = start("x", 1.0) + &start("y", 1.0) + &early;
        assert_eq!(boot(&[("o.log.1", &mixed), ("o.log", &late)]), None, "one of two");
        let own = start("y", 8.0) + &late;
        assert_eq!(boot(&[("o.log.1", &known), ("o.log", &own)]).as_deref(), Some("y"));
        // Another process had kept its lines when the file was rotated.
        let a_little_earlier = call(2, "pause", "h", 4.9);
        assert_eq!(
            boot(&[("o.log.1", &known), ("o.log", &a_little_earlier)]).as_deref(),
            Some("x")
        );
    }

    #[test]
    fn the_files_of_a_log_may_be_named_by_other_ways_to_their_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("inner")).unwrap();
        std::fs::write(path("o.log.1"), start("x", 4.0) + &call(1, "pause", "h", 5.0)).unwrap();
        std::fs::write(path("o.log"), call(2, "resume", "h", 9.0)).unwrap();
        let paths = [path("inner/../o.log"), path("o.log.1")];
        let log = Log::read(&paths, &Options::default()).unwrap();
        assert_eq!(log.oldest(0), 1);
        assert!(log.share_a_clock(0, 1));
    }

    #[test]
    fn a_file_whose_lines_have_no_moment_says_whose_the_next_one_is() {
        let silent = "[step] step.done step=1 dur_ms=900.0\n";
        let told = |oldest: String, at: f64| {
            let newest = call(1, "pause", "h", at);
            let log = read(&[("o.log.2", &oldest), ("o.log.1", silent), ("o.log", &newest)]);
            log.sources()[2].unix_offset
        };
        assert_eq!(told(start("x", 4.0) + silent, 5.0), Some(100_000_000_000));
        assert_eq!(told(start("x", 4.0), 5.0), Some(100_000_000_000));
        assert_eq!(told(start("x", 400.0) + silent, 5.0), None, "the clock began anew");
        // A head that says again who writes ends nothing.
        let head = start("x", 4.0);
        let (first, last) =
            (start("x", 4.0) + &call(1, "pause", "h", 9.0), call(2, "pause", "h", 5.0));
        let log = read(&[("o.log.2", &first), ("o.log.1", &head), ("o.log", &last)]);
        assert_eq!(log.sources()[2].boot, None, "the clock began anew");
    }

    #[test]
    fn the_head_of_a_later_file_is_no_moment_of_it() {
        let known = start("x", 4.0) + &call(1, "pause", "h", 5.0);
        let again = start("x", 4.0) + &call(2, "pause", "h", 9.0);
        let log = read(&[("o.log.1", &known), ("o.log", &again)]);
        assert_eq!(log.oldest(1), 0);
        assert_eq!(
            log.sources()[1].span.map(|(first, _)| first),
            Some(Timestamp::from_nanos(9_000_000_000))
        );
    }

    #[test]
    fn an_update_that_rotation_cuts_is_one() {
        let all = [
            start("x", 1.0),
            call(1, "pause", "a", 5.0),
            call(2, "pause", "b", 5.05),
            call(3, "update_weights", "a", 6.0),
            call(4, "update_weights", "b", 6.05),
            call(5, "resume", "a", 7.0),
            call(6, "resume", "b", 7.05),
        ];
        for cut in 2..all.len() {
            for head in ["", &start("x", 1.0)] {
                let newer = head.to_owned() + &all[cut..].concat();
                let log = read(&[("o.log.1", &all[..cut].concat()), ("o.log", &newer)]);
                let ledger = Ledger::of(&log);
                let states: Vec<_> = ledger
                    .updates
                    .iter()
                    .map(|update| (update.state(), update.servers.len()))
                    .collect();
                assert_eq!(states, [(State::Complete, 2)], "{cut} {head}");
                let report = export::otlp(&log, std::io::sink()).unwrap();
                assert_eq!((report.written, report.left_out.len()), (6, 0), "{cut} {head}");
            }
        }
    }

    #[test]
    fn a_log_that_is_renamed_while_a_recorder_writes_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let clock = Clock::manual(Timestamp::from_nanos(5_000_000_000), Duration::from_secs(105));
        let recorder =
            Recorder::builder().clock(clock.clone()).text_file(path("o.log")).build().unwrap();
        for (id, op) in [(1, "pause"), (2, "update_weights"), (3, "resume")] {
            let event = |record| {
                let event = Event::new(record, clock.now()).trace_id(TraceId::new(id).unwrap());
                event.with(field::OP, op).with(field::TARGET, "h")
            };
            recorder.record(&event(&record::CLIENT_SEND).with(field::URL, "http://h/x"));
            clock.advance(Duration::from_millis(10));
            recorder.record(&event(&record::CLIENT_DONE).with(field::WALL, Micros(10_000)));
            assert!(recorder.flush(Duration::from_secs(5)));
            if op == "pause" {
                std::fs::rename(path("o.log"), path("o.log.1")).unwrap();
            }
        }
        recorder.shutdown(Duration::from_secs(5));
        // The newer file alone knows its clock.
        let newer = Log::read(&[path("o.log")], &Options::default()).unwrap();
        assert_eq!(newer.sources()[0].unix_offset, Some(100_000_000_000));
        let log = Log::read(&[path("o.log*")], &Options::default()).unwrap();
        let states: Vec<_> = Ledger::of(&log).updates.iter().map(Update::state).collect();
        assert_eq!((log.sources().len(), states), (2, vec![State::Complete]));
    }
}
