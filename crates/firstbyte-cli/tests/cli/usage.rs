use std::{fs, process::Stdio};

use crate::{
    read::corpus,
    support::{firstbyte, run, signal, stderr, stdout, wait_until},
};

const COMMANDS: [&str; 16] = [
    "demo",
    "mock",
    "call",
    "stats",
    "slowest",
    "trace",
    "diagnose",
    "compare",
    "claims",
    "check",
    "changepoint",
    "updates",
    "report",
    "export",
    "watch",
    "runbook",
];

#[test]
fn every_help_has_examples_and_the_exit_codes() {
    for command in COMMANDS {
        let output = run(&[command, "--help"]);
        let help = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{command}");
        assert!(help.contains(&format!("Examples:\n  firstbyte {command}")), "{help}");
        let interrupted = match command {
            "demo" | "call" | "watch" => {
                "  130  interrupted by Ctrl-C or SIGTERM; what was measured"
            }
            "mock" => "Ctrl-C and SIGTERM end it as they should: 0, not 130.",
            _ => "  130  interrupted by Ctrl-C, as a shell shows it\n",
        };
        assert!(help.contains("Exit codes:") && help.contains(interrupted), "{help}");
        // Wrapped once: a line that is short for no reason has been wrapped twice.
        let (_, after) = help.split_once("Examples:").unwrap();
        for (line, next) in after.lines().zip(after.lines().skip(1)) {
            let word = next.split(' ').next().unwrap_or_default();
            let is_wrapped = !line.is_empty() && !line.ends_with(['.', ':']) && !word.is_empty();
            let is_full = line.len() + 1 + word.len() > 100;
            assert!(!is_wrapped || is_full, "{command}: {line}\n{next}");
        }
    }
    let help = stdout(&run(&["--help"]));
    for command in COMMANDS {
        assert!(help.contains(&format!("\n  {command}")), "{help}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_command_that_reads_is_ended_by_ctrl_c_itself() {
    use std::os::unix::process::ExitStatusExt as _;
    let mut child = firstbyte(&["stats", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    wait_until("the command", || {
        let name = fs::read_to_string(format!("/proc/{}/comm", child.id()));
        name.is_ok_and(|name| name == "firstbyte\n")
    });
    assert!(signal("INT", child.id()));
    // A shell shows 128 and the number of the signal.
    assert_eq!(child.wait().unwrap().signal(), Some(2));
}

#[test]
fn the_runbook_is_there_whole_or_by_finding() {
    let whole = stdout(&run(&["runbook"]));
    assert_eq!(whole, fs::read_to_string(corpus().join("../../docs/runbook.md")).unwrap());
    let output = run(&["runbook", "client-pool"]);
    let section = stdout(&output);
    assert!(section.starts_with("## client-pool\n\n") && whole.contains(&section), "{section}");
    assert_eq!(section.matches("## ").count(), 1);
    let output = run(&["runbook", "pool"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("pool: no such finding; there are client-construction, "));
}

#[test]
fn one_thing_is_not_several() {
    let folder = tempfile::tempdir().unwrap();
    let line = "[weights][00f067aa0ba902b7] server.recv path=/x t=1.0 inflight=1\n";
    fs::write(folder.path().join("a.log"), line).unwrap();
    let out = |args: &[&str]| {
        let output = firstbyte(args).current_dir(&folder).output().unwrap();
        stdout(&output) + &stderr(&output)
    };
    for (args, told) in [
        (&["stats", "a.log"][..], "1 file: 1 line = 1 parsed + 0 skipped\n\n1 call: "),
        (&["stats", "--field", "inflight", "a.log"], "1 line; inflight of each record"),
        (&["trace", "00f067aa0ba902b7", "a.log"], ", 1 request in progress"),
        (
            &["report", "a.log", "--format", "md", "-o", "-"],
            "none of 1 call tells enough to be judged",
        ),
        (&["export", "a.log", "--to", "otlp", "-o", "-"], "or events, that are left out: 1; no "),
    ] {
        assert!(out(args).contains(told), "{args:?}: {}", out(args));
    }
}

#[test]
fn a_name_cannot_command_the_terminal() {
    let name = "a\u{1b}[31m\u{9b}2J\u{202e}b";
    for args in [
        &["check", name, "x.log"][..],
        &["stats", name],
        &["stats", &format!("{name}*")],
        &["stats", "--baselines", name, "x.log"],
        &["stats", "--field", name, "x.log"],
        &["diagnose", "--rules", name, "x.log"],
        &["diagnose", "--model", name, "x.log"],
        &["report", "x.log", "-o", name],
        &["claims", name],
        &["watch", &format!("{name}.gz")],
        &["trace", name, "/dev/null"],
    ] {
        let output = run(args);
        assert!(!output.status.success(), "{args:?}");
        let told = stderr(&output);
        assert!(told.contains("a\u{fffd}[31m\u{fffd}2J\u{fffd}b"), "{args:?}: {told}");
        assert!(!told.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{args:?}: {told}");
    }
}

#[test]
fn what_a_message_quotes_keeps_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    fs::write(&path, "[[criterion]\nname = 1\n").unwrap();
    let output = run(&["check", path.to_str().unwrap(), "x.log"]);
    assert!(stderr(&output).lines().count() > 1, "{}", stderr(&output));
    assert!(!stderr(&output).contains('\u{fffd}'), "{}", stderr(&output));
}

#[test]
fn wrong_usage_is_exit_code_2_and_says_what_is_wrong() {
    for (args, hint) in [
        (&["bogus"][..], "bogus"),
        (&[], "Usage"),
        (&["call"], "<URL>"),
        (&["call", "not a url"], "http://HOST:PORT/PATH"),
        (&["call", "ftp://host/x"], "is not http: expected http://HOST:PORT/PATH"),
        (&["call", "http://h/", "-H", "bad name: x", "--json"], "the name of a header has bytes"),
        (&["call", "http://h/", "-H", "a\u{e9}: x", "--watch", "1"], "no header may have"),
        (&["call", "http://h/", "-H", "Content-Length: 3"], "content-length is the transport's"),
        (&["call", "http://h/", "-H", "host: a", "-H", "host: b"], "one host header"),
        (&["call", "https://h/", "--cacert", "/no/such.pem"], "--cacert /no/such.pem"),
        (&["call", "https://h/", "--cacert", "/dev/null"], "--cacert /dev/null: there is no"),
        (&["call", "http://h/", "-d", "{"], "--data is no JSON"),
        (&["call", "http://h/", "-d", "@/nonexistent"], "/nonexistent"),
        (&["call", "http://h/", "-H", "secret"], "Name: value"),
        (&["call", "http://h/", "-X", "a b"], "HTTP method"),
        (&["call", "http://h/", "--token-env", "NO_SUCH_VAR_HERE"], "NO_SUCH_VAR_HERE"),
        (&["call", "http://h/", "--timeout", "0"], "between 1e-9 and"),
        (&["call", "http://h/", "-n", "0"], "0"),
        (&["demo", "--streams", "0"], "--streams"),
        (&["demo", "--stream-seconds", "NaN"], "--stream-seconds"),
        (&["demo", "--reload-ms", "2000"], "--max-rpc-ms"),
        (&["mock", "--server-timing", "maybe"], "on, off"),
        (&["stats"], "<LOG>"),
        (&["compare", "a.log"], "<AFTER>"),
        (&["compare", "a.log", "b.log", "--margin-ms=-1"], "--margin-ms"),
        (&["compare", "a.log", "b.log", "--margin-ms", "0", "--margin-share", "0"], "nor both 0"),
        (&["slowest", "-n", "0", "a.log"], "0 is not in 1.."),
        (&["slowest", "--by", "luck", "a.log"], "wall, queue, rpc"),
        (&["trace", "00f067aa0ba902b7"], "<LOG>"),
        (&["check", "ours.toml"], "<LOG>"),
        (&["check", "/no/such.toml", "a.log"], "/no/such.toml: No such file"),
        (&["claims"], "<REPORT>"),
        (&["watch", "a.log", "--interval", "1e-12"], "not between 1e-9 and 604800 seconds"),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(hint), "{args:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{args:?}");
    }
}
