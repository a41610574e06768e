//! Logs of the corpus, and what is printed of them, to the letter.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use crate::support::{firstbyte, run, stderr, stdout};

pub(crate) fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus")
}

/// Compares with the file; with `UPDATE_GOLDEN=1` in the environment it is written anew.
pub(crate) fn golden(folder: &str, file: &str, args: &[&str]) {
    golden_ending(0, folder, file, args);
}

/// The same of a command that ends with this code.
pub(crate) fn golden_ending(code: i32, folder: &str, file: &str, args: &[&str]) {
    let folder = corpus().join(folder);
    let output = firstbyte(args).current_dir(&folder).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    let (path, out) = (folder.join(file), stdout(&output));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &out).unwrap();
    }
    assert_eq!(out, fs::read_to_string(&path).unwrap(), "{}", path.display());
}

#[test]
fn stats_of_the_corpus_are_known() {
    golden("demo", "stats.txt", &["stats", "client.log", "server.log", "--by", "op"]);
    golden("seed", "stats.txt", &["stats", "*.log"]);
    golden("faulty", "stats.txt", &["stats", "mixed.log"]);
}

#[test]
fn the_slowest_of_the_corpus_are_known() {
    golden(
        "demo",
        "slowest.txt",
        &["slowest", "-n", "4", "--by", "queue", "client.log", "server.log"],
    );
    golden("faulty", "slowest.txt", &["slowest", "mixed.log"]);
}

#[test]
fn a_trace_of_the_corpus_is_known() {
    golden("seed", "trace.txt", &["trace", "a1b2c3d4e5f60718", "*.log"]);
    golden("demo", "trace.txt", &["trace", "ad4196ad2913ecb9", "client.log", "server.log"]);
}

#[test]
fn what_is_wrong_in_the_corpus_is_known() {
    golden("demo", "diagnose.txt", &["diagnose", "--model", "small", "client.log", "server.log"]);
    golden("seed", "diagnose.txt", &["diagnose", "--model", "small", "*.log"]);
    golden("faulty", "diagnose.txt", &["diagnose", "mixed.log"]);
}

#[test]
fn wide_values_do_not_touch_each_other_and_huge_ones_are_short() {
    let folder = tempfile::tempdir().unwrap();
    let widest = "9223372036854775.8";
    let lines: String = (0..20)
        .map(|id| {
            format!(
                "[weights][{id:016x}] client.done wall_ms={widest} rpc_ms={widest} queue_ms=0.0\n\
                 [rollout] trunc_pct=1.0 reload_s=1e308\n"
            )
        })
        .collect();
    fs::write(folder.path().join("a.log"), lines).unwrap();
    let row = |args: &[&str], name: &str| -> Vec<String> {
        let output = firstbyte(args).current_dir(&folder).output().unwrap();
        let out = stdout(&output);
        let row = out.lines().find(|line| line.starts_with(name)).expect(&out);
        row.split_whitespace().map(str::to_owned).collect()
    };
    let mean = "9223372036854776.0";
    for args in [&["stats", "a.log"][..], &["stats", "--field", "wall_ms", "a.log"]] {
        let wall = row(args, "wall");
        assert_eq!(wall[1..7], ["20", widest, mean, widest, "0.0", widest]);
        assert_eq!(wall[9..11], [widest, "-"]);
    }
    let reload = row(&["stats", "--field", "reload_s", "a.log"], "reload_s");
    assert_eq!(reload[2..6], ["20", "1.000e308", "inf", "1.000e308"]);
    let slowest = row(&["slowest", "a.log"], "0000000000000000");
    assert_eq!(slowest[1..4], [widest, "0.0", widest]);
}

#[test]
fn the_slowest_calls_say_that_they_failed() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "[weights][00000000000000aa] client.fail wall_ms=60000.0 phase=wait outcome=unknown error=reset op=a\n\
        [weights][00000000000000bb] client.done wall_ms=9.0 rpc_ms=2.0 queue_ms=7.0 status=503 op=a target=h:1\n\
        [weights][00000000000000cc] client.done wall_ms=8.0 rpc_ms=2.0 queue_ms=6.0 status=200 op=a target=h:1\n";
    std::fs::write(folder.path().join("a.log"), lines).unwrap();
    let output = firstbyte(&["slowest", "a.log"]).current_dir(&folder).output().unwrap();
    let out = stdout(&output);
    let rows: Vec<&str> = out.lines().rev().take(3).collect();
    assert!(rows[2].ends_with(" -  FAILED: reset in wait, outcome unknown"), "{out}");
    assert!(rows[1].ends_with(" h:1  FAILED: status 503"), "{out}");
    assert!(rows[0].ends_with(" h:1"), "{out}");
}

#[test]
fn json_has_the_same_numbers() {
    let folder = corpus().join("seed");
    let output = firstbyte(&["stats", "*.log", "--json"]).current_dir(folder).output().unwrap();
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(json["lines"]["total"], 20);
    assert_eq!(json["groups"][0]["metrics"]["wall"]["p50"]["value"], 3556.1);
    assert_eq!(json["groups"][0]["metrics"]["queue"]["max"], 3322.9);
    assert_eq!(json["timeline"]["ckpt.wait"]["mean"], 5432.1);
    let folder = corpus().join("demo");
    let args = ["slowest", "client.log", "server.log", "-n", "4", "--by", "queue", "--json"];
    let output = firstbyte(&args).current_dir(&folder).output().unwrap();
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&json["by"], &json["lines"]["total"]), (&"queue".into(), &136.into()));
    let table = fs::read_to_string(folder.join("slowest.txt")).unwrap();
    let calls = json["calls"].as_array().unwrap();
    let rows = table.lines().skip(3);
    assert_eq!((calls.len(), rows.clone().count()), (4, 4));
    for (call, row) in calls.iter().zip(rows) {
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(call["id"].as_str(), Some(cells[0]));
        let times = ["wall", "queue", "rpc"].map(|time| call[time].as_f64().unwrap());
        assert_eq!(times.map(|time| format!("{time:.1}")), cells[1..4]);
        let parts = call["parts"].as_object().unwrap();
        let sum: f64 = parts.values().map(|part| part.as_f64().unwrap()).sum();
        // Each part is rounded alone.
        assert!((sum - call["wall"].as_f64().unwrap()).abs() < 1.0, "{call}");
        assert_eq!(call["largest"].as_str(), Some(cells[4]));
    }
}

#[test]
fn hostile_text_cannot_command_the_terminal() {
    let folder = corpus().join("faulty");
    for args in [
        &["slowest", "mixed.log"][..],
        &["stats", "--by", "op", "mixed.log"],
        &["trace", "00f067aa0ba902b8", "mixed.log"],
    ] {
        let output = firstbyte(args).current_dir(&folder).output().unwrap();
        assert!(!stdout(&output).contains('\x1b'), "{}", stdout(&output));
    }
}

#[test]
fn json_is_printable_ascii_in_every_command() {
    let folder = tempfile::tempdir().unwrap();
    // Of two calls, so that there is something to find and to compare.
    let call = |id: u64| {
        format!(
            "[weights][{id:016x}] client.send url=http://h/pause t={id}.0 op=a%c2%9b2J target=h%e2%80%ae\n\
             [weights][{id:016x}] client.done wall_ms=5000.0 rpc_ms=10.0 queue_ms=4990.0 pool_ms=4990.0\n"
        )
    };
    let name = "a\u{9b}2J\u{202e}.log";
    fs::write(folder.path().join(name), call(1) + &call(2)).unwrap();
    let criterion =
        "[[criterion]]\nname = 'a\u{9b}2J'\nmetric = 'queue'\nstatistic = 'p50'\nat_most = 1\n";
    fs::write(folder.path().join("a.toml"), criterion).unwrap();
    fs::write(folder.path().join("\u{9b}.md"), "It took 1.0 s of 2.0 s = 90 %\n").unwrap();
    let mut escaped = 0;
    for args in [
        &["stats", "--by", "op", name][..],
        &["stats", "--field", "queue_ms", name],
        &["diagnose", "--model", "small", name],
        &["compare", name, name],
        &["check", "a.toml", name],
        &["updates", name],
        &["slowest", name],
        &["claims", "\u{9b}.md"],
        &["watch", "--for", "0.1", name],
    ] {
        let args = [args, &["--json"]].concat();
        let out = stdout(&firstbyte(&args).current_dir(&folder).output().unwrap());
        assert!(!out.is_empty(), "{args:?}");
        assert!(out.chars().all(|c| c == '\n' || (' '..='~').contains(&c)), "{args:?}: {out}");
        escaped += u32::from(out.contains("\\u009b"));
    }
    // All but the one that prints no text of others.
    assert_eq!(escaped, 8);
}

#[test]
fn a_call_without_an_end_is_told_with_what_it_said_last() {
    let folder = tempfile::tempdir().unwrap();
    let send = "client.send url=http://h:80/pause t=1.0 op=pause target=h:80 attempt=1";
    let waiting = "client.waiting elapsed_ms=60000.0 phase=wait state=sent_not_acknowledged sent_bytes=512 \
                   unacked_bytes=512 op=pause target=h:80 attempt=1";
    let lines = format!(
        "[weights][00000000000000aa] {send}\n[weights][00000000000000bb] {send}\n\
         [weights][00000000000000bb] {waiting}\n"
    );
    fs::write(folder.path().join("a.log"), lines).unwrap();
    let told = |args: &[&str]| {
        stdout(&firstbyte(&[args, &["a.log"]].concat()).current_dir(&folder).output().unwrap())
    };
    let seen = "last seen after 60000.0 ms in wait (sent_not_acknowledged, 512 bytes sent, 512 unacknowledged)";
    let slowest = told(&["slowest"]);
    let open =
        format!("00000000000000bb   pause on h:80: {seen}\n00000000000000aa   pause on h:80\n");
    assert!(slowest.ends_with(&open), "{slowest}");
    assert!(told(&["slowest", "-n", "1"]).ends_with(&format!("{seen}\n")));
    let trace = told(&["trace", "00000000000000bb"]);
    assert!(trace.contains(&format!("it has no end in these logs: {seen}")), "{trace}");
    assert!(told(&["diagnose"]).contains(&format!("00000000000000bb pause on h:80: {seen}")));
    let json: serde_json::Value = serde_json::from_str(&told(&["slowest", "--json"])).unwrap();
    assert_eq!(json["without_end"][0]["id"], "00000000000000bb");
}

#[test]
fn calls_are_chosen_by_the_wall_clock_too() {
    let client = corpus().join("demo/client.log");
    let stats = |since: &str| run(&["stats", "--json", "--since", since, client.to_str().unwrap()]);
    let calls = |since: &str| {
        let json: serde_json::Value = serde_json::from_str(&stdout(&stats(since))).unwrap();
        json["groups"][0]["calls"].as_u64()
    };
    let all = calls("0");
    assert_eq!(calls("2020-01-01T00:00:00+01:00"), all);
    assert_eq!((calls("2090-01-01 00:00:00Z"), calls("1e12")), (None, None));
    for none in ["10:00", "2026-11-28T10:00:00"] {
        let output = stats(none);
        assert_eq!(output.status.code(), Some(2));
        assert!(
            stderr(&output).contains("a time with day, seconds and zone"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn of_several_logs_those_that_can_be_read_are_and_the_exit_code_tells_of_the_others() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("b.log")).unwrap();
    let line =
        "[weights][00000000000000aa] client.done wall_ms=9.0 rpc_ms=8.0 queue_ms=1.0 op=pause\n";
    fs::write(folder.path().join("c.log"), line).unwrap();
    let met = "[[criterion]]\nname = 'a'\nmetric = 'calls'\nat_most = 1\n";
    fs::write(folder.path().join("criteria.toml"), met).unwrap();
    let three = ["no.log", "b.log", "c.log"];
    for command in [
        &["stats"][..],
        &["stats", "--field", "wall_ms"],
        &["slowest"],
        &["trace", "00000000000000aa"],
        &["diagnose"],
        &["changepoint"],
        &["updates"],
        &["export", "--to", "csv", "-o", "-"],
        &["report", "-o", "-", "--format", "md"],
        &["check", "criteria.toml"],
    ] {
        let output = firstbyte(&[command, &three].concat()).current_dir(&folder).output().unwrap();
        let (out, error) = (stdout(&output), stderr(&output));
        assert_eq!(output.status.code(), Some(1), "{command:?}: {out}{error}");
        let told = out + &error;
        assert!(
            told.contains("no.log: No such file or directory (os error 2); nothing of it counts."),
            "{told}"
        );
        assert!(
            error.contains("b.log: is a directory") && error.contains("firstbyte: no.log: No"),
            "{error}"
        );
    }
    let output =
        firstbyte(&["compare", "?.log", "c.log", "--json"]).current_dir(&folder).output().unwrap();
    // A pattern passes over folders.
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    let output =
        firstbyte(&["stats", "--json", "no.log", "c.log"]).current_dir(&folder).output().unwrap();
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(
        json["lines"]["unread"],
        serde_json::json!(["no.log: No such file or directory (os error 2)"])
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_cannot_be_read_is_named() {
    let output = run(&["stats", "/no/such.log"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("/no/such.log: No such file"), "{}", stderr(&output));
    let output =
        run(&["trace", "ffffffffffffffff", corpus().join("seed/checkpoint.log").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("no call has the id ffffffffffffffff (6 lines"),
        "{}",
        stderr(&output)
    );
    assert_eq!(run(&["stats"]).status.code(), Some(2));
    assert_eq!(run(&["slowest", "--by", "nothing", "x"]).status.code(), Some(2));
}

#[test]
fn the_standard_input_is_a_file_too() {
    let log = fs::File::open(corpus().join("seed/server_queue.log")).unwrap();
    let output = firstbyte(&["stats", "-"]).stdin(Stdio::from(log)).output().unwrap();
    assert!(stdout(&output).contains("1 call: 1 with both halves"), "{}", stdout(&output));
}

#[test]
fn a_window_is_of_the_moments_in_the_lines() {
    let folder = corpus().join("seed");
    let count = |args: &[&str]| {
        let output = firstbyte(args).current_dir(&folder).output().unwrap();
        let out = stdout(&output);
        let line = out.lines().find(|line| line.contains("with both halves")).map(str::to_owned);
        line.and_then(|line| line.split(' ').next().map(str::to_owned))
    };
    assert_eq!(count(&["stats", "*.log", "--since", "7000"]).as_deref(), Some("2"));
    assert_eq!(count(&["stats", "*.log", "--until", "7000"]).as_deref(), Some("1"));
    assert_eq!(
        count(&["stats", "*.log", "--since", "7000", "--until", "7050"]).as_deref(),
        Some("1")
    );
    assert_eq!(count(&["stats", "*.log", "--since", "9000"]), None);
}

#[test]
fn the_shell_gives_the_same_mean() {
    let folder = corpus().join("demo");
    let shell = r#"cat client.log server.log | grep 'queue_ms=' | sed -n 's/.*queue_ms=\([0-9.]*\).*/\1/p' |
        awk '{s += $1} END {printf "%.4f", s / NR}'"#;
    let shell = std::process::Command::new("sh").args(["-c", shell]).current_dir(&folder).output();
    let mean: f64 = stdout(&shell.unwrap()).parse().unwrap();
    let mut ours = firstbyte(&["stats", "client.log", "server.log", "--json"]);
    let json = stdout(&ours.current_dir(&folder).output().unwrap());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let ours = json["groups"][0]["metrics"]["queue"]["mean"].as_f64().unwrap();
    assert!((ours - mean).abs() < 1e-3, "{ours} and {mean}");
}

/// A log of calls with these wall times.
fn log_of(folder: &Path, name: &str, walls: impl IntoIterator<Item = u32>) {
    let lines: String = (1..)
        .zip(walls)
        .map(|(n, wall)| {
            format!(
                "[weights][{n:016x}] client.done wall_ms={wall}.0 rpc_ms=40.0 queue_ms={}.0\n",
                wall - 40
            )
        })
        .collect();
    fs::write(folder.join(name), lines).unwrap();
}

#[test]
fn compare_says_better_worse_same_or_how_many_more() {
    let folder = tempfile::tempdir().unwrap();
    log_of(folder.path(), "slow.log", (0..20).map(|n| 30_000 + n * 7 % 20));
    log_of(folder.path(), "fast.log", (0..20).map(|n| 100 + n * 7 % 20));
    log_of(folder.path(), "few.log", [100, 30_000]);
    let compare = |before: &str, after: &str| {
        firstbyte(&["compare", before, after]).current_dir(&folder).output().unwrap()
    };
    let fixed = compare("slow.log", "fast.log");
    assert_eq!(fixed.status.code(), Some(0));
    let out = stdout(&fixed);
    let row = |name: &str| out.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(row("queue").ends_with("better"), "{out}");
    assert!(row("rpc").ends_with("same, within 5.0 ms"), "{out}");
    let broken = compare("fast.log", "slow.log");
    assert_eq!(broken.status.code(), Some(4));
    assert!(stdout(&broken).contains("WORSE"));
    let unknown = compare("slow.log", "few.log");
    // Nothing can be compared: that is no pass.
    assert_eq!(unknown.status.code(), Some(5));
    assert!(stdout(&unknown).contains("not enough calls: about 2 more"), "{}", stdout(&unknown));
}

#[test]
fn compare_tells_operations_failures_and_what_is_in_one_log_alone() {
    let folder = tempfile::tempdir().unwrap();
    let log = |name: &str, load_ms: usize, status: u16, other: &str| {
        let mut lines = String::new();
        for n in 0..30 {
            let (op, wall, status) = match n % 3 {
                0 => ("pause", 2, 200),
                1 => ("update_weights", load_ms + n, status),
                _ => (other, 2, 200),
            };
            lines += &format!(
                "[weights][{n:016x}] client.done wall_ms={wall}.0 rpc_ms={wall}.0 queue_ms=0.0 status={status} op={op}\n"
            );
        }
        fs::write(folder.path().join(name), lines).unwrap();
    };
    log("a.log", 200, 200, "resume");
    log("slow.log", 1900, 200, "resume");
    log("failing.log", 200, 503, "resume");
    log("other.log", 200, 200, "sleep");
    let compare = |after: &str| {
        let output = firstbyte(&["compare", "a.log", after]).current_dir(&folder).output().unwrap();
        (output.status.code(), stdout(&output))
    };
    let (code, out) = compare("slow.log");
    assert_eq!(code, Some(4), "{out}");
    assert!(out.contains("verdict: WORSE: update_weights wall, update_weights rpc\n"), "{out}");
    assert!(out.contains("\n9 tests decide"), "{out}");
    let (code, out) = compare("failing.log");
    assert_eq!(code, Some(4), "{out}");
    assert!(out.contains("0 = 0.0 %") && out.contains("10 = 100.0 %"), "{out}");
    assert!(out.contains("verdict: WORSE: update_weights failed\n"), "{out}");
    let (code, out) = compare("other.log");
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("NOTICE: calls of only the log before: resume (10)\n"), "{out}");
    assert!(out.contains("NOTICE: calls of only the log after: sleep (10)\n"), "{out}");
    assert!(out.contains("verdict: not worse: 6 of 8; cannot tell: pause failed"), "{out}");
}

#[test]
fn changepoint_finds_the_step() {
    let folder = tempfile::tempdir().unwrap();
    let steps: String = (0..12)
        .map(|step| {
            format!(
                "[step] step.done step={step} dur_ms={}.0\n",
                if step < 3 { 150_000 } else { 300_000 } + step * 7 % 5 * 100
            )
        })
        .collect();
    fs::write(folder.path().join("trainer.log"), steps).unwrap();
    let output = firstbyte(&["changepoint", "trainer.log"]).current_dir(&folder).output().unwrap();
    assert!(
        stdout(&output).contains(
            "from step 3 on: mean 300.2 s (steps 3 to 11, n 9) instead of mean 150.2 s (steps 0 to 2, n 3), p 0.0"
        ),
        "{}",
        stdout(&output)
    );
}

#[test]
fn changepoint_keeps_runs_apart() {
    let folder = tempfile::tempdir().unwrap();
    let step = |step: usize, ms: usize| {
        format!("[step] step.done step={step} dur_ms={}.0\n", ms + step * 7 % 5 * 100)
    };
    let steps: String = (0..10)
        .map(|n| step(n, 300_000))
        .chain((0..10).map(|n| step(n, if n < 5 { 100_000 } else { 200_000 })))
        .chain((0..3).map(|n| step(n, 400_000)))
        .collect();
    fs::write(folder.path().join("trainer.log"), steps).unwrap();
    let changepoint = |args: &[&str]| {
        let args = [&["changepoint", "trainer.log"], args].concat();
        stdout(&firstbyte(&args).current_dir(&folder).output().unwrap())
    };
    let out = changepoint(&[]);
    assert!(out.contains("\nrun of trainer.log, steps 0 to 9:\nno change in 10 steps\n"), "{out}");
    assert!(
        out.contains("\nrun of trainer.log, steps 0 to 9:\nfrom step 5 on: mean 200.2 s"),
        "{out}"
    );
    assert!(
        out.contains(
            "\nruns of less than the 8 steps that a change takes to be told from chance: 1\n"
        ),
        "{out}"
    );
    let json: serde_json::Value = serde_json::from_str(&changepoint(&["--json"])).unwrap();
    assert_eq!(json["runs"].as_array().unwrap().len(), 3);
    assert_eq!(json["runs"][1]["changes"][0]["step"], 5);
    assert_eq!(json["runs"][1]["changes"][0]["before"]["n"], 5);
    assert_eq!(json["runs"][2]["is_long_enough"], false);
}

#[test]
fn a_trace_tells_the_way_from_a_proxy() {
    let folder = tempfile::tempdir().unwrap();
    let line = "[weights][00000000000000aa] server.recv path=/pause t=5.000000 proxy_ms=12.5\n";
    fs::write(folder.path().join("a.log"), line).unwrap();
    let output = firstbyte(&["trace", "00000000000000aa", "a.log"]).current_dir(&folder).output();
    let out = stdout(&output.unwrap());
    assert!(
        out.contains("\n12.5 ms from the proxy to server.recv, on the wall clocks of both"),
        "{out}"
    );
}
