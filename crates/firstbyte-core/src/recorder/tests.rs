use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::mpsc, thread};

use super::*;
use crate::{field, json, process::Process, record, text};

const SOON: Duration = Duration::from_secs(5);

/// Shuts down and checks the law that every recorder test ends with.
fn close(recorder: &Recorder) -> Accounting {
    let balance = recorder.shutdown(SOON);
    assert_eq!(balance.offered, balance.written + balance.dropped(), "{balance:?}");
    assert_eq!(balance, recorder.accounting());
    balance
}

fn event(n: i64) -> Event {
    Event::new(&record::SERVER_DONE, Clock::system().now()).with(field::STATUS, n)
}

/// A sink that waits for permission before each batch.
struct Gate(mpsc::Receiver<()>, MemorySink);

impl Sink for Gate {
    fn write(&mut self, batch: &[Entry], process: &Process) -> Result<(), WriteError> {
        if batch.iter().any(|entry| entry.seq.is_some()) {
            _ = self.0.recv();
        }
        self.1.write(batch, process)
    }
}

fn gated(capacity: usize) -> (Recorder, mpsc::Sender<()>, MemorySink) {
    let (open, gate) = mpsc::channel();
    let memory = MemorySink::new();
    let recorder =
        Recorder::builder().capacity(capacity).sink(Gate(gate, memory.clone())).build().unwrap();
    (recorder, open, memory)
}

fn make_pipe(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_file_holds_every_event_between_the_first_and_the_last_word() {
    let dir = tempfile::tempdir().unwrap();
    let (log, jsonl) = (dir.path().join("a.log"), dir.path().join("a.jsonl"));
    let recorder = Recorder::builder().text_file(&log).json_file(&jsonl).build().unwrap();
    for n in 0..1000 {
        recorder.record(&event(n));
    }
    assert_eq!(close(&recorder).written, 1000);
    let text = lines(&log);
    assert!(text[0].starts_with("[firstbyte] process.start pid="), "{}", text[0]);
    assert_eq!(text[1001], "[firstbyte] process.end offered=1000 written=1000 dropped=0");
    let statuses: Vec<_> =
        text[1..1001].iter().map(|l| text::parse(l.as_bytes()).unwrap().count("status")).collect();
    assert_eq!(statuses, (0..1000).map(Some).collect::<Vec<_>>());
    let seqs: Vec<_> =
        lines(&jsonl).iter().filter_map(|l| json::parse(l.as_bytes()).unwrap().seq).collect();
    assert_eq!(seqs, (0..1000).collect::<Vec<_>>());
    for path in [log, jsonl] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_checkpoint_tells_the_balance_and_the_recorder_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("a.log");
    let recorder = Recorder::builder().text_file(&log).build().unwrap();
    let ends = || -> Vec<_> {
        lines(&log).into_iter().filter(|line| line.contains("process.end")).collect()
    };
    let first = "[firstbyte] process.end offered=3 written=3 dropped=0";
    assert!(recorder.checkpoint(SOON));
    assert_eq!(ends(), [""; 0], "nothing has happened yet");
    (0..3).for_each(|n| recorder.record(&event(n)));
    assert!(recorder.checkpoint(SOON) && recorder.checkpoint(SOON));
    assert_eq!(ends(), [first]);
    assert_eq!(lines(&log).last().unwrap(), first);
    recorder.record(&event(3));
    assert!(recorder.flush(SOON));
    assert_eq!(ends(), [first]);
    assert_eq!(close(&recorder).written, 4);
    assert_eq!(ends(), [first, "[firstbyte] process.end offered=4 written=4 dropped=0"]);
}

#[test]
fn a_shutdown_does_not_repeat_the_balance_of_a_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("a.log");
    let recorder = Recorder::builder().text_file(&log).build().unwrap();
    recorder.record(&event(0));
    assert!(recorder.checkpoint(SOON));
    close(&recorder);
    assert_eq!(lines(&log).len(), 3, "{:?}", lines(&log));
}

#[test]
fn several_threads_lose_nothing_that_is_not_counted() {
    let memory = MemorySink::new();
    let recorder = Recorder::builder().capacity(64).sink(memory.clone()).build().unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..20_000).for_each(|n| recorder.record(&event(n))));
        }
    });
    let balance = close(&recorder);
    assert_eq!(balance.offered, 80_000);
    assert_eq!(balance.written, memory.events().len() as u64);
}

#[test]
fn a_burst_into_a_sleeping_writer_finds_room() {
    let memory = MemorySink::new();
    let recorder = Recorder::builder().sink(memory.clone()).build().unwrap();
    for n in 0..8192 {
        recorder.record(&event(n));
    }
    assert_eq!(close(&recorder).written, 8192);
}

#[test]
fn a_stalled_sink_costs_the_caller_nothing_and_every_loss_is_counted() {
    let (recorder, open, memory) = gated(16);
    let start = Clock::system().now();
    for n in 0..10_000 {
        recorder.record(&event(n));
    }
    assert!(Clock::system().now().since(start) < Duration::from_secs(2));
    assert!(
        !recorder.flush(Duration::from_millis(20)),
        "nothing can be flushed into a stalled sink"
    );
    drop(open);
    assert!(recorder.flush(SOON));
    let balance = close(&recorder);
    assert_eq!(balance.written, memory.events().len() as u64);
    // One batch in the sink's hands, filled while it was taken, and one queue.
    assert!(balance.written <= 400 + 16, "{balance:?}");
    assert_eq!(balance.dropped_by(DropReason::QueueFull), 10_000 - balance.written);
}

#[test]
fn shutdown_gives_up_on_a_stalled_sink_in_time() {
    let (recorder, open, memory) = gated(64);
    for n in 0..10 {
        recorder.record(&event(n));
    }
    let start = Clock::system().now();
    let balance = recorder.shutdown(Duration::from_millis(50));
    assert!(Clock::system().now().since(start) < Duration::from_secs(1));
    assert_eq!(
        (balance.offered, balance.written, balance.dropped_by(DropReason::Shutdown)),
        (10, 0, 10)
    );
    // What the sink does later changes no figure.
    drop(open);
    let mut late = 0;
    while memory.events().len() < 10 && late < 5_000 {
        thread::park_timeout(Duration::from_millis(1));
        late += 1;
    }
    assert_eq!(recorder.shutdown(SOON), balance);
    recorder.record(&event(11));
    let balance = recorder.accounting();
    assert_eq!(balance.offered, balance.written + balance.dropped(), "{balance:?}");
}

#[test]
fn dropping_the_last_handle_writes_what_is_queued() {
    let memory = MemorySink::new();
    let recorder = Recorder::builder().sink(memory.clone()).build().unwrap();
    let clone = recorder.clone();
    recorder.record(&event(1));
    drop(recorder);
    clone.record(&event(2));
    drop(clone);
    assert_eq!(memory.events().len(), 2);
}

#[test]
fn an_event_after_shutdown_is_counted_and_a_second_shutdown_changes_nothing() {
    let memory = MemorySink::new();
    let recorder = Recorder::builder().sink(memory.clone()).build().unwrap();
    recorder.record(&event(1));
    close(&recorder);
    recorder.record(&event(2));
    let balance = close(&recorder);
    assert_eq!(
        (balance.offered, balance.written, balance.dropped_by(DropReason::Closed)),
        (2, 1, 1)
    );
    assert_eq!(memory.events().len(), 1);
}

#[test]
fn threads_that_record_through_a_shutdown_are_accounted_for() {
    for _ in 0..50 {
        let recorder = Recorder::builder().sink(MemorySink::new()).build().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| (0..2_000).for_each(|n| recorder.record(&event(n))));
            scope.spawn(|| recorder.shutdown(SOON));
        });
        assert_eq!(close(&recorder).offered, 2_000);
    }
}

#[test]
fn a_full_disk_is_counted_and_the_file_stays_readable() {
    // Writing to /dev/full fails with ENOSPC, as a full disk does.
    let recorder = Recorder::builder().text_file("/dev/full").build().unwrap();
    for n in 0..100 {
        recorder.record(&event(n));
    }
    let balance = close(&recorder);
    assert_eq!((balance.written, balance.dropped_by(DropReason::Sink)), (0, 100));
}

#[test]
fn a_torn_line_is_closed_and_whole_ones_count_as_written() {
    /// Takes `room` bytes, then fails.
    struct Full(Vec<u8>, usize);
    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let n = bytes.len().min(self.1);
            self.1 -= n;
            self.0.extend_from_slice(&bytes[..n]);
            if n == 0 { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(n) }
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for (room, file) in [(7, "aa\nbb\nc %torn\ndd\n"), (6, "aa\nbb\ndd\n")] {
        let (mut out, mut writer) = (Full(Vec::new(), room), sink::LineWriter::default());
        assert_eq!(writer.write(&mut out, b"aa\nbb\ncc\n").unwrap_err().written, 2);
        out.1 = usize::MAX;
        writer.write(&mut out, b"dd\n").unwrap();
        assert_eq!(String::from_utf8_lossy(&out.0), file);
    }
}

#[test]
fn a_pipe_that_nobody_empties_stalls_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    make_pipe(&pipe);
    let unread = Recorder::builder().text_file(&pipe).build().unwrap_err().to_string();
    assert!(unread.contains("start its reader first"), "{unread}");
    let _reader = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let recorder = Recorder::builder().text_file(&pipe).build().unwrap();
    // A pipe holds 64 KiB: about 700 lines.
    for n in 0..5_000 {
        recorder.record(&event(n));
    }
    let balance = close(&recorder);
    assert!(balance.written > 100 && balance.dropped_by(DropReason::Sink) > 1_000, "{balance:?}");
}

#[test]
fn a_pipe_whose_reader_reads_loses_nothing_of_a_burst() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    make_pipe(&pipe);
    let path = pipe.clone();
    let reader = thread::spawn(move || fs::read_to_string(path).unwrap());
    let recorder = loop {
        // The reader may not have opened it yet.
        match Recorder::builder().text_file(&pipe).build() {
            Ok(recorder) => break recorder,
            Err(_) => thread::yield_now(),
        }
    };
    // Ten times what a pipe holds, and less than the queue.
    for n in 0..8_000 {
        recorder.record(&event(n));
    }
    let balance = close(&recorder);
    assert_eq!((balance.written, balance.dropped()), (8_000, 0));
    assert_eq!(reader.join().unwrap().lines().count(), 8_002);
}

#[test]
fn a_torn_line_is_no_event_to_a_reader() {
    let mut torn = 0;
    for padding in 0..16 {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        make_pipe(&pipe);
        let mut reader = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
        let recorder = Recorder::builder().text_file(&pipe).build().unwrap();
        let long = |n| event(n).with(field::OUTCOME, &"x".repeat(padding));
        (0..2_000).for_each(|n| recorder.record(&long(n)));
        recorder.flush(SOON);
        let before = recorder.accounting();
        assert!(before.dropped_by(DropReason::Sink) > 0, "{before:?}");
        // There is room again: what is torn is closed, and the next line is whole.
        let mut bytes = vec![0; 1 << 20];
        let mut count = std::io::Read::read(&mut reader, &mut bytes).unwrap();
        recorder.record(&long(2_000));
        let balance = close(&recorder);
        count += std::io::Read::read(&mut reader, &mut bytes[count..]).unwrap();
        let lines = bytes[..count].split(|byte| *byte == b'\n');
        let parsed: Vec<_> = lines.map(|line| (line, text::parse(line))).collect();
        torn += parsed.iter().filter(|(line, parsed)| !line.is_empty() && parsed.is_err()).count();
        let events = parsed.iter().filter_map(|(_, parsed)| parsed.as_ref().ok());
        let events = events.filter(|event| event.name.as_deref() == Some("server.done")).count();
        assert_eq!(events as u64, balance.written, "padding {padding}");
    }
    assert!(torn > 0, "no line was torn");
}

#[test]
fn a_rotated_and_a_deleted_file_is_opened_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (log, old) = (dir.path().join("a.log"), dir.path().join("a.log.1"));
    let recorder = Recorder::builder().text_file(&log).build().unwrap();
    let record_and_flush = |n| {
        recorder.record(&event(n));
        assert!(recorder.flush(SOON));
    };
    record_and_flush(1);
    fs::rename(&log, &old).unwrap();
    record_and_flush(2);
    fs::remove_file(&log).unwrap();
    record_and_flush(3);
    assert_eq!(close(&recorder).written, 3);
    assert_eq!(lines(&old).len(), 2, "process.start and the first event");
    let last: Vec<_> =
        lines(&log).iter().filter(|line| line.contains("server.done")).cloned().collect();
    assert!(last.len() == 1 && last[0].contains("status=3"), "{last:?}");
}

#[cfg(unix)]
#[test]
fn a_file_whose_folder_is_moved_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::create_dir(path("run")).unwrap();
    let recorder = Recorder::builder().text_file(path("run/a.log")).build().unwrap();
    let record_and_flush = |n| {
        recorder.record(&event(n));
        assert!(recorder.flush(SOON));
    };
    record_and_flush(1);
    fs::rename(path("run"), path("done")).unwrap();
    record_and_flush(2);
    // There is a folder of this name again: the next file is in it.
    fs::create_dir(path("run")).unwrap();
    record_and_flush(3);
    fs::remove_dir_all(path("run")).unwrap();
    // Now the file is nowhere.
    record_and_flush(4);
    let balance = close(&recorder);
    assert_eq!((balance.written, balance.dropped_by(DropReason::Sink)), (3, 1), "{balance:?}");
    let moved = lines(&path("done/a.log"));
    let started = moved.iter().filter(|line| line.contains("process.start")).count();
    let told = moved.iter().filter(|line| line.contains("server.done")).count();
    assert_eq!((started, told), (1, 2), "{moved:?}");
}

#[test]
fn every_file_of_a_rotated_log_says_first_whose_lines_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let (log, jsonl) = (path("a.log"), path("a.jsonl"));
    let recorder = Recorder::builder().text_file(&log).json_file(&jsonl).build().unwrap();
    let record_and_flush = |n| {
        recorder.record(&event(n));
        assert!(recorder.flush(SOON));
    };
    record_and_flush(1);
    for name in ["a.log", "a.jsonl"] {
        fs::rename(path(name), path(&format!("{name}.2"))).unwrap();
    }
    record_and_flush(2);
    record_and_flush(3);
    // As logrotate's copytruncate does.
    for name in ["a.log", "a.jsonl"] {
        fs::copy(path(name), path(&format!("{name}.1"))).unwrap();
        fs::OpenOptions::new().write(true).open(path(name)).unwrap().set_len(0).unwrap();
    }
    record_and_flush(4);
    // Once more, although only one block of lines came since.
    for name in ["a.log", "a.jsonl"] {
        fs::copy(path(name), path(&format!("{name}.0"))).unwrap();
        fs::OpenOptions::new().write(true).open(path(name)).unwrap().set_len(0).unwrap();
    }
    record_and_flush(5);
    assert_eq!(close(&recorder).written, 5);
    let parsed = |line: &str| {
        let parsed = json::parse(line.as_bytes()).or_else(|_| text::parse(line.as_bytes()));
        text::into_owned(parsed.unwrap())
    };
    for name in ["a.log", "a.jsonl"] {
        let start = parsed(&lines(&path(&format!("{name}.2")))[0]);
        for (age, statuses) in [(".2", &[1][..]), (".1", &[2, 3]), (".0", &[4]), ("", &[5])] {
            let file: Vec<_> =
                lines(&path(&format!("{name}{age}"))).iter().map(|line| parsed(line)).collect();
            assert_eq!(file[0].name.as_deref(), Some("process.start"), "{name}{age}");
            assert_eq!((file[0].at, file[0].pid), (start.at, start.pid), "{name}{age}");
            let told: Vec<_> = file.iter().filter_map(|line| line.count("status")).collect();
            assert_eq!(told, statuses, "{name}{age}");
        }
    }
}

#[test]
fn the_head_of_a_file_tells_the_wall_clock_as_it_is_then() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("a.log");
    let mut sink = FileSink::open(&log, FileFormat::Text).unwrap();
    let process = Process::current();
    let at = |seconds: u64| crate::Timestamp::from_nanos(seconds * 1_000_000_000);
    let offset = |seconds: u64| seconds * 1_000_000_000;
    let start = process.start(at(1), offset(101));
    sink.write(&[Entry::new(start, None, offset(100))], &process).unwrap();
    fs::remove_file(&log).unwrap();
    // Meanwhile the wall clock was set back.
    let late = Event::new(&record::SERVER_DONE, at(9));
    sink.write(&[Entry::new(late, Some(0), offset(40))], &process).unwrap();
    let head = lines(&log)[0].clone();
    assert!(head.ends_with(" t=1.000000 unix=41.000000"), "{head}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_head_of_a_file_is_no_event_in_the_balance() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("a.log");
    let mut sink = FileSink::open(&log, FileFormat::Text).unwrap();
    let process = Process::current();
    let entry = |event| Entry::new(event, None, 0);
    sink.write(&[entry(process.start(Clock::system().now(), 0))], &process).unwrap();
    fs::remove_file(&log).unwrap();
    // A disk that is full from the first byte on.
    std::os::unix::fs::symlink("/dev/full", &log).unwrap();
    let error = sink.write(&[entry(event(1)), entry(event(2))], &process).unwrap_err();
    assert_eq!(error.written, 0);
    fs::remove_file(&log).unwrap();
    sink.write(&[entry(event(3))], &process).unwrap();
    assert_eq!(lines(&log).len(), 2);
}

#[test]
fn a_path_that_cannot_be_opened_anew_loses_only_what_came_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("a.log");
    let recorder = Recorder::builder().text_file(&log).build().unwrap();
    let record_and_flush = |n| {
        recorder.record(&event(n));
        assert!(recorder.flush(SOON));
    };
    record_and_flush(1);
    // Nobody can append to a folder, not even root.
    fs::rename(&log, dir.path().join("a.log.1")).unwrap();
    fs::create_dir(&log).unwrap();
    record_and_flush(2);
    fs::remove_dir(&log).unwrap();
    record_and_flush(3);
    let balance = close(&recorder);
    assert_eq!((balance.written, balance.dropped_by(DropReason::Sink)), (2, 1), "{balance:?}");
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains("status=3") && text.contains("dropped count=1 reason=sink"), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_a_socket_is_not_called_a_pipe() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let error = Recorder::builder().text_file(&path).build().unwrap_err().to_string();
    assert!(!error.contains("pipe") && error.contains("is a socket"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_is_read_only_is_refused_at_construction() {
    // The kernel lets nobody write this one, not even root.
    let error = Recorder::builder().text_file("/sys/kernel/notes").build().unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("/sys/kernel/notes") && error.contains("this user may write"),
        "{error}"
    );
}

#[test]
fn two_recorders_share_a_file_and_tear_no_line() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("shared.log");
    let recorders = [0, 1].map(|_| Recorder::builder().text_file(&log).build().unwrap());
    thread::scope(|scope| {
        for recorder in &recorders {
            scope.spawn(|| (0..5_000).for_each(|n| recorder.record(&event(n))));
        }
    });
    let written: u64 = recorders.iter().map(|recorder| close(recorder).written).sum();
    let lines = lines(&log);
    let events = lines
        .iter()
        .filter(|l| text::parse(l.as_bytes()).unwrap().name.as_deref() == Some("server.done"));
    assert_eq!(events.count() as u64, written);
}

#[test]
fn a_sink_that_panics_is_given_up_and_the_others_go_on() {
    struct Bomb;
    impl Sink for Bomb {
        fn write(&mut self, _: &[Entry], _: &Process) -> Result<(), WriteError> {
            panic!("a sink's defect")
        }
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("another defect of it")
        }
    }
    let memory = MemorySink::new();
    let recorder = Recorder::builder().sink(Bomb).sink(memory.clone()).build().unwrap();
    recorder.record(&event(1));
    let balance = close(&recorder);
    assert_eq!(balance.dropped_by(DropReason::Sink), 1, "not every sink took it");
    assert_eq!(memory.events().len(), 1);
}

#[test]
fn drops_are_reported_in_the_log_itself() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("a.log");
    let (open, gate) = mpsc::channel();
    let recorder = Recorder::builder()
        .capacity(1)
        .text_file(&log)
        .sink(Gate(gate, MemorySink::new()))
        .build()
        .unwrap();
    for n in 0..1000 {
        recorder.record(&event(n));
    }
    drop(open);
    let balance = close(&recorder);
    let reported: i64 = lines(&log)
        .iter()
        .filter(|line| line.contains("dropped count="))
        .map(|line| text::parse(line.as_bytes()).unwrap().count("count").unwrap())
        .sum();
    assert!(balance.dropped() > 900);
    assert_eq!(reported.cast_unsigned(), balance.dropped());
}

#[test]
fn long_texts_have_a_share_of_memory_and_no_more() {
    let (recorder, open, _memory) = gated(8192);
    let path = "x".repeat(2000);
    for _ in 0..8000 {
        recorder.record(
            &Event::new(&record::SERVER_RECV, Clock::system().now()).with(field::PATH, &path),
        );
    }
    let before = recorder.accounting();
    assert!(before.dropped_by(DropReason::Memory) > 3_000, "{before:?}");
    drop(open);
    close(&recorder);
}

#[test]
fn bad_configuration_fails_at_construction_and_says_what_to_do() {
    let missing =
        Recorder::builder().text_file("/does/not/exist/a.log").build().unwrap_err().to_string();
    assert!(
        missing.contains("/does/not/exist/a.log") && missing.contains("create its folder"),
        "{missing}"
    );
    let builder = || Recorder::builder().sink(MemorySink::new());
    assert!(builder().capacity(0).build().is_err());
    assert!(builder().capacity(usize::MAX).build().is_err());
    assert!(builder().flush_interval(Duration::ZERO).build().is_err());
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("a.log");
    assert!(Recorder::builder().capacity(0).text_file(&log).build().is_err());
    assert!(!log.exists(), "what was refused leaves no file behind");
}

#[test]
fn a_recorder_without_sinks_takes_nothing() {
    for recorder in [Recorder::disabled(), Recorder::builder().build().unwrap()] {
        recorder.record(&event(1));
        assert!(!recorder.is_enabled() && recorder.flush(Duration::ZERO));
        assert_eq!(close(&recorder), Accounting::default());
    }
}

#[cfg(feature = "tracing")]
#[test]
fn a_tracing_subscriber_gets_the_line_and_the_id() {
    use std::sync::{Arc, Mutex};

    use ::tracing::{Event as TracingEvent, Metadata, Subscriber, field::Visit, span};

    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<String>>>);
    impl Visit for Seen {
        fn record_debug(&mut self, field: &::tracing::field::Field, value: &dyn fmt::Debug) {
            self.0.lock().unwrap().push(format!("{}={value:?}", field.name()));
        }
    }
    impl Subscriber for Seen {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == "firstbyte"
        }
        fn event(&self, event: &TracingEvent<'_>) {
            event.record(&mut self.clone());
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    let seen = Seen::default();
    let entry = Entry::new(event(7).trace_id(crate::TraceId::new(0xb7).unwrap()), Some(0), 0);
    ::tracing::subscriber::with_default(seen.clone(), || {
        TracingSink::new().write(&[entry], &Process::current()).unwrap();
    });
    let seen = seen.0.lock().unwrap().join(" ");
    assert!(
        seen.contains("trace_id=00000000000000b7") && seen.contains("server.done t="),
        "{seen}"
    );
}
