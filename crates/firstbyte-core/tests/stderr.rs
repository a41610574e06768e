//! The standard error stream as a file on a disk that is full for a while.
#![cfg(unix)]

use std::{env, fs, path::Path, process::Command, time::Duration};

use firstbyte_core::{Event, Recorder, field, record};

const CHILD: &str = "FIRSTBYTE_TEST_CHILD";

/// Its standard error stream has no room for the first event, and then for the second.
fn child(log: &Path) {
    let recorder = Recorder::builder().stderr().build().expect("a stream needs nothing");
    let record_and_flush = |path: &str| {
        let event = Event::new(&record::SERVER_RECV, recorder.clock().now());
        recorder.record(&event.with(field::PATH, path));
        assert!(recorder.flush(Duration::from_secs(10)));
    };
    record_and_flush(&"%".repeat(1_000));
    fs::OpenOptions::new().write(true).open(log).and_then(|file| file.set_len(0)).expect("room");
    record_and_flush("/pause");
}

#[test]
fn a_line_that_was_torn_spoils_no_other() {
    if let Some(log) = env::var_os(CHILD) {
        return child(log.as_ref());
    }
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("stderr.log");
    // A file may have two blocks, and to want a third is an error, no signal.
    let script = "trap '' XFSZ; ulimit -f 2; exec \"$0\" --exact a_line_that_was_torn_spoils_no_other 2>>\"$1\"";
    let child = Command::new("sh")
        .args([
            "-c".as_ref(),
            script.as_ref(),
            env::current_exe().unwrap().as_os_str(),
            log.as_ref(),
        ])
        .env(CHILD, &log)
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.starts_with(" %torn\n["), "{text}");
}
