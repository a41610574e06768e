//! Exports of the corpus, to the letter, and files that are whole or not there.

use std::{fs, path::Path};

use crate::{
    read::corpus,
    support::{firstbyte, signal, stderr, stdout, wait_until},
};

/// Exports both sides of the demo's logs.
fn export(args: &[&str]) -> std::process::Output {
    let all = [&["export", "client.log", "server.log"], args].concat();
    firstbyte(&all).current_dir(corpus().join("demo")).output().unwrap()
}

/// Compares with the file; with `UPDATE_GOLDEN=1` in the environment it is written anew.
fn golden(file: &str, args: &[&str]) {
    let output = export(&[args, &["-o", "-"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let (path, out) = (corpus().join("demo").join(file), stdout(&output));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &out).unwrap();
    }
    assert_eq!(out, fs::read_to_string(&path).unwrap(), "{}", path.display());
}

#[test]
fn exports_of_the_corpus_are_known() {
    golden("calls.csv", &["--to", "csv"]);
    golden("perfetto.json", &["--to", "perfetto"]);
    golden("otlp.jsonl", &["--to", "otlp"]);
    golden("events.jsonl", &["--to", "jsonl", "--table", "events"]);
}

#[test]
fn a_file_is_written_whole_and_its_old_self_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.csv");
    fs::write(&file, "old").unwrap();
    let output = export(&["--to", "csv", "-o", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    assert!(stderr(&output).contains("calls.csv: 18 written"), "{}", stderr(&output));
    let golden = corpus().join("demo/calls.csv");
    assert_eq!(fs::read(&file).unwrap(), fs::read(golden).unwrap());
    assert_eq!(names(folder.path()), ["calls.csv"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = || fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        // An old file keeps its permissions, a new one is its owner's.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o664)).unwrap();
        export(&["--to", "csv", "-o", file.to_str().unwrap()]);
        assert_eq!(mode(), 0o664);
        fs::remove_file(&file).unwrap();
        export(&["--to", "csv", "-o", file.to_str().unwrap()]);
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
        let output = export(&["--to", "jsonl", "-o", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("calls.csv is read-only; choose another path, or remove"));
        assert!(fs::read_to_string(&file).unwrap().starts_with("trace_id,"));
    }
}

#[test]
fn a_log_without_calls_says_where_its_lines_are() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("trainer.log"), "[step] step.done step=1 dur_ms=150000.0\n")
        .unwrap();
    let export = |args: &[&str]| {
        let all = [&["export", "trainer.log", "-o", "out", "--to"], args].concat();
        stderr(&firstbyte(&all).current_dir(folder.path()).output().unwrap())
    };
    let notice = "NOTICE: there is no call in these lines; 1 line beside the calls: --table events.\nout: 0 written\n";
    assert!(export(&["csv"]).ends_with(notice), "{}", export(&["csv"]));
    assert!(!export(&["csv", "--table", "events"]).contains("NOTICE"));
}

#[test]
#[cfg(target_os = "linux")]
fn an_export_that_is_interrupted_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let line = "client.done wall_ms=5.0 rpc_ms=2.0 queue_ms=3.0\n";
    let lines: String = (1..=99_999).map(|n| format!("[weights][{n:016x}] {line}")).collect();
    fs::write(folder.path().join("run.log"), lines).unwrap();
    for name in ["INT", "TERM", "HUP", "KILL"] {
        let mut command = firstbyte(&["export", "run.log", "--to", "csv", "-o", "calls.csv"]);
        command.current_dir(&folder).stderr(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        let open = format!("/proc/{}/fd", child.id());
        wait_until("the file that is written", || {
            let mut files = fs::read_dir(&open).unwrap().filter_map(|file| {
                fs::read_link(file.unwrap().path()).ok().filter(|path| path.starts_with(&folder))
            });
            files.any(|path| !path.ends_with("run.log"))
        });
        assert!(signal(name, child.id()));
        assert_eq!(child.wait().unwrap().code(), None, "{name}");
        assert_eq!(names(folder.path()), ["run.log"], "{name}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_gets_nothing_that_it_could_take_for_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let (log, screen) = (folder.path().join("a.log"), folder.path().join("screen"));
    fs::write(&log, "[weights][aa] client.send url=http://h/x t=1.0 op=a%1b[2J%07b\n").unwrap();
    let firstbyte = env!("CARGO_BIN_EXE_firstbyte");
    let shell = format!("{firstbyte} export {} --to csv -o -", log.display());
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &shell, screen.to_str().unwrap()]).env("SHELL", "/bin/sh");
    assert!(script.output().unwrap().status.success());
    let screen = fs::read_to_string(screen).unwrap();
    assert!(screen.contains("a\u{fffd}[2J\u{fffd}b") && !screen.contains('\u{7}'), "{screen:?}");
}

#[test]
fn parquet_is_written_to_a_file_or_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.parquet");
    let output = export(&["--to", "parquet", "-o", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let written = fs::read(&file).unwrap();
    assert!(written.starts_with(b"PAR1") && written.ends_with(b"PAR1"));
    assert_eq!(export(&["--to", "parquet", "-o", "-"]).stdout, written);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let line = "client.done wall_ms=5.0 rpc_ms=2.0 queue_ms=3.0\n";
    let lines: String = (1..=9999).map(|n| format!("[weights][{n:016x}] {line}")).collect();
    fs::write(folder.path().join("run.log"), lines).unwrap();
    for format in ["csv", "jsonl", "parquet", "perfetto"] {
        let mut command = firstbyte(&["export", "run.log", "--to", format, "-o", "-"]);
        let (gone, stdout) = std::io::pipe().unwrap();
        drop(gone);
        let output = command.current_dir(&folder).stdout(stdout).output().unwrap();
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""), "{format}");
    }
}

#[test]
fn what_is_left_out_is_said() {
    let output = export(&["--to", "perfetto", "-o", "-"]);
    let expected = "NOTICE: halves of calls, or events, that are left out: 3; no line tells when they were.\nstandard output: 36 written\n";
    assert!(stderr(&output).ends_with(expected), "{}", stderr(&output));
}

#[test]
fn a_log_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let line = "[weights][00f067aa0ba902b7] client.done wall_ms=5.0 rpc_ms=2.0 queue_ms=3.0\n";
    let others = "a line of somebody else\n".repeat(999);
    let packed = b"\x1f\x8b\x08\x00";
    fs::write(path("run.log"), line).unwrap();
    fs::write(path("server.log"), others + line).unwrap();
    fs::write(path("packed.log.gz"), packed).unwrap();
    fs::hard_link(path("run.log"), path("hard")).unwrap();
    std::os::unix::fs::symlink(path("run.log"), path("link")).unwrap();
    let input = "is one of the logs that are read; choose another path";
    let other = "is a log itself, and is not written over; choose another path, or remove it first";
    for (file, why) in [
        ("run.log", input),
        ("./run.log", input),
        ("link", input),
        ("hard", input),
        ("server.log", other),
        ("packed.log.gz", other),
    ] {
        let before = fs::read(path(file)).unwrap();
        for log in ["run.log", "-"] {
            let mut command = firstbyte(&["export", log, "--to", "csv", "-o", file]);
            command.stdin(fs::File::open(path("run.log")).unwrap());
            let output = command.current_dir(&folder).output().unwrap();
            assert_eq!(output.status.code(), Some(1));
            assert_eq!(stderr(&output), format!("firstbyte: {file} {why}\n"));
            assert_eq!(fs::read(path(file)).unwrap(), before);
        }
    }
}

#[test]
fn what_cannot_be_written_is_named_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no/such/calls.csv");
    let output = export(&["--to", "csv", "-o", missing.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no/such/calls.csv: cannot be written: "));
    assert!(!stderr(&output).contains(".firstbyte"), "{}", stderr(&output));
    let output = export(&["--to", "csv", "-o", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(" is a directory; name a file in it"), "{}", stderr(&output));
    assert_eq!(names(folder.path()), [""; 0]);
    // A device is written to as it is, and stays one.
    let output = export(&["--to", "csv", "-o", "/dev/full"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("/dev/full: cannot be written: No space left"));
    assert_eq!(export(&["--to", "csv", "-o", "/dev/null"]).status.code(), Some(0));
    assert_eq!(
        export(&["--to", "perfetto", "--table", "events", "-o", "-"]).status.code(),
        Some(2)
    );
    assert_eq!(export(&["--to", "csv"]).status.code(), Some(2));
    assert_eq!(export(&["--to", "nothing", "-o", "-"]).status.code(), Some(2));
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}
