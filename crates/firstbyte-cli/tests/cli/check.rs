//! Criteria, and whether logs meet them.

use std::{fmt::Write as _, fs, path::Path};

use serde_json::Value;

use crate::{
    read::{corpus, golden_ending},
    support::{firstbyte, stderr, stdout},
};

const EXAMPLE: &str = "../../../examples/criteria.toml";
const LOGS: [&str; 2] = ["client.log", "server.log"];

#[test]
fn the_example_has_every_verdict_on_a_real_run() {
    let args = [&["check", EXAMPLE][..], &LOGS, &["--baseline"], &LOGS].concat();
    golden_ending(4, "demo", "check.txt", &args);
    let args = [&args[..], &["--json"]].concat();
    let output = firstbyte(&args).current_dir(corpus().join("demo")).output().unwrap();
    let json: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&json["verdict"], &json["lines"]["total"]), (&"not met".into(), &136.into()));
    let (met, not, fix) = (&json["criteria"][1], &json["criteria"][3], &json["criteria"][7]);
    let queue = &met["evidence"][0];
    assert_eq!(
        (&met["verdict"], &queue["value"], &queue["n"]),
        (&"met".into(), &0.7.into(), &18.into())
    );
    assert_eq!(
        (&queue["interval_has_limit"], &queue["limits"][0]["at_most"]),
        (&true.into(), &300.0.into())
    );
    assert_eq!(
        (&not["verdict"], &not["worst"][0]["id"]),
        (&"not met".into(), &"ad4196ad2913ecb9".into())
    );
    assert_eq!(fix["evidence"].as_array().unwrap().len(), 4);
    assert_eq!(json["criteria"][2]["evidence"][0]["value"], Value::Null);
}

#[test]
fn the_exit_code_is_the_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let demo = corpus().join("demo/client.log");
    let code = |criteria: &str| {
        fs::write(folder.path().join("ours.toml"), criteria).unwrap();
        let args = ["check", "ours.toml", demo.to_str().unwrap()];
        firstbyte(&args).current_dir(&folder).output().unwrap().status.code()
    };
    let met = "[[criterion]]\nname = 'a'\nmetric = 'calls'\nat_most = 18\n";
    let not = "[[criterion]]\nname = 'b'\nmetric = 'calls'\nat_most = 17\n";
    let unknown = "[[criterion]]\nname = 'c'\nmetric = 'tls'\nstatistic = 'max'\nat_most = 1\n";
    assert_eq!(code(met), Some(0));
    assert_eq!(code(&[met, unknown].concat()), Some(5));
    assert_eq!(code(&[met, unknown, not].concat()), Some(4));
}

#[test]
fn what_cannot_be_used_is_named_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    for (criteria, hint) in [
        (
            "# ours\n[[criterion]]\nname = 'a'\nmetric = 'calls'\n",
            "ours.toml: line 2: criterion \"a\": needs at_most",
        ),
        ("[[criterion]]\nname = 'a'\nmetrics = 'calls'\n", "line 3"),
        ("", "ours.toml: line 1: there is no [[criterion]]"),
        (
            "[[criterion]]\nname = 'a'\nmetric = 'rpc'\ncompare = 'not_worse'\n",
            "line 1: criterion \"a\" compares; give the logs from before by --baseline",
        ),
    ] {
        fs::write(folder.path().join("ours.toml"), criteria).unwrap();
        let args = ["check", "ours.toml", "x.log"];
        let output = firstbyte(&args).current_dir(&folder).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{hint}");
        assert!(stderr(&output).contains(hint), "{}", stderr(&output));
    }
}

#[test]
fn hostile_names_cannot_command_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let criteria = "[[criterion]]\nname = \"a\\u001b[2J\"\nmetric = 'failed_share'\nat_most = 0\n";
    fs::write(folder.path().join("ours.toml"), criteria).unwrap();
    let log = "[weights][00f067aa0ba902b7] client.fail wall_ms=1.0 phase=pool outcome=error error=%1B[2J\n";
    fs::write(folder.path().join("x.log"), log).unwrap();
    let output = firstbyte(&["check", "ours.toml", "x.log"]).current_dir(&folder).output().unwrap();
    let out = stdout(&output);
    assert!(out.contains("00f067aa0ba902b7 failed in pool") && !out.contains('\x1b'), "{out}");
}

/// 20 calls with about this queue, and batches with about so many tokens per second.
fn write_run(folder: &Path, name: &str, queue: u32, tps: u32) {
    let mut lines = String::new();
    for n in 0..20 {
        let queue = queue + n % 5;
        writeln!(
            lines,
            "[weights][{n:016x}] client.done wall_ms={}.0 rpc_ms=40.0 queue_ms={queue}.0\n\
             [gen] batch.done completions=16 dur_ms=1000.0 inflight=0 input_tokens=8 output_tokens=8 input_tps=8.0 \
             output_tps={}.0",
            queue + 40,
            tps + n % 3
        )
        .unwrap();
    }
    fs::write(folder.join(name), lines).unwrap();
}

#[test]
fn a_fix_is_validated_by_check_and_by_compare() {
    let folder = tempfile::tempdir().unwrap();
    write_run(folder.path(), "before.log", 3000, 500);
    write_run(folder.path(), "after.log", 50, 500);
    write_run(folder.path(), "paid.log", 50, 300);
    let criteria = "[[criterion]]\nname = 'the fix'\nfix_validation = { queue_before_over = 1000, queue_after_under = 300 }\n";
    fs::write(folder.path().join("fix.toml"), criteria).unwrap();
    let run = |args: &[&str]| {
        let output = firstbyte(args).current_dir(&folder).output().unwrap();
        (output.status.code(), stdout(&output))
    };
    let (code, out) = run(&["check", "fix.toml", "after.log", "--baseline", "before.log"]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("met          the fix\n             met: queue p50 before 3002.0 ms (n 20), over 1000 ms\n"), "{out}");
    let (code, out) = run(&["check", "fix.toml", "paid.log", "--baseline", "before.log"]);
    assert_eq!(code, Some(4), "{out}");
    assert!(
        out.contains("not met: gen.output_tps median 501.0 tokens/s (n 20) before, 301.0"),
        "{out}"
    );
    let (_, out) = run(&["compare", "before.log", "after.log"]);
    assert!(
        out.contains("\nfix validation: met\n  met: queue p50 before 3002.0 ms (n 20)"),
        "{out}"
    );
    let (_, out) = run(&["compare", "before.log", "paid.log"]);
    assert!(out.contains("\nfix validation: not met\n"), "{out}");
    // The margin of a comparison is that of its fix too.
    let narrow = ["compare", "before.log", "after.log", "--margin-ms", "1", "--margin-share", "0"];
    assert!(run(&narrow).1.contains("same, within 1.0 ms\n  met: gen.output_tps"), "{out}");
    let (_, out) = run(&["compare", "after.log", "before.log"]);
    assert!(!out.contains("fix validation"), "{out}");
    let (_, out) = run(&["compare", "before.log", "after.log", "--json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["fix_validation"]["verdict"], "met");
}
