use std::{
    collections::HashSet,
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use firstbyte_core::{json, text};
use tempfile::TempDir;

use crate::support::{firstbyte, run, signal, stderr, stdout, wait_until};

/// One quick demo for all tests that read what it left behind.
fn quick() -> &'static (TempDir, String) {
    static RUN: OnceLock<(TempDir, String)> = OnceLock::new();
    RUN.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let output = run(&["demo", "--quick", "--out", dir.path().to_str().unwrap()]);
        let out = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{out}{}", stderr(&output));
        assert!(stderr(&output).contains("round 1 of 2: shared\n"), "{}", stderr(&output));
        (dir, out)
    })
}

#[test]
fn it_names_the_pool_for_the_shared_client_and_no_fault_for_the_others() {
    let (_, out) = quick();
    let verdict = |arm: &str| {
        let verdicts = out.split("Verdicts").nth(1).unwrap();
        let line = verdicts.lines().find(|line| line.trim_start().starts_with(arm)).unwrap();
        line.trim_start().strip_prefix(arm).unwrap().trim_start().to_owned()
    };
    assert!(verdict("shared").starts_with("pool: "), "{out}");
    for arm in ["idle", "keep-alive", "one-shot"] {
        assert!(verdict(arm).starts_with("no fault found"), "{arm}: {out}");
    }
}

#[test]
fn it_names_every_injected_fault() {
    let (_, out) = quick();
    let faults =
        ["pool", "connect", "network", "late accept", "blocked loop", "server handler", "engine"];
    let table = out.split("\nfault ").nth(1).expect(out);
    for fault in faults {
        let row = table.lines().find(|line| line.starts_with(&format!("{fault:<15}")));
        assert!(row.expect(fault).ends_with("ok"), "{out}");
    }
    assert!(out.ends_with("result: every phase at fault was named\n"), "{out}");
}

#[test]
fn its_logs_join_by_trace_id_and_lose_nothing() {
    let (dir, _) = quick();
    let read = |name| fs::read_to_string(dir.path().join(name)).unwrap();
    let (client, server) = (read("client.log"), read("server.log"));
    let ids = |log: &str, name: &str| -> HashSet<String> {
        log.lines()
            .filter_map(|line| text::parse(line.as_bytes()).ok())
            .filter(|parsed| parsed.name.as_deref() == Some(name))
            .map(|parsed| parsed.trace_id.unwrap().into_owned())
            .collect()
    };
    let sent = ids(&client, "client.send");
    // 3 warm-up calls, 4 arms of 2, 7 faults of 1.
    assert_eq!(sent.len(), 3 + 8 + 7);
    assert_eq!(sent, ids(&client, "client.done"));
    for name in ["server.recv", "rpc.start", "rpc.done", "server.done"] {
        assert_eq!(sent, ids(&server, name), "{name}");
    }
    for log in [&client, &server] {
        assert!(log.lines().last().unwrap().ends_with("dropped=0"), "{log}");
    }
    let events = read("events.jsonl");
    assert!(events.lines().all(|line| json::parse(line.as_bytes()).is_ok()));
    assert_eq!(events.lines().count(), client.lines().count() + server.lines().count());
}

/// What a shell makes of a command, with LOG for the log.
fn shell(command: &str, log: &Path) -> String {
    let script = format!("LOG='{}'; {}", log.display(), command.replace("LOG", "\"$LOG\""));
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{command}: {}", stderr(&output));
    stdout(&output)
}

#[test]
fn the_shell_commands_of_the_field_work_on_its_logs() {
    let (dir, out) = quick();
    let (client, server) = (dir.path().join("client.log"), dir.path().join("server.log"));

    let operations =
        r"grep '\[weights\]' LOG | grep -E 'client\.(send|done)|server\.recv|rpc\.(start|done)'";
    assert_eq!(shell(operations, &client).lines().count(), 2 * 18);
    assert_eq!(shell(operations, &server).lines().count(), 3 * 18);

    let awk = "'{s+=$1; q+=$1*$1; if($1>m)m=$1; n++} \
               END {printf \"%d %.4f %.4f %.4f\", n, s/n, sqrt((q-s*s/n)/(n-1)), m}'";
    let queues = r"grep 'queue_ms=' LOG | sed -n 's/.*queue_ms=\([0-9.]*\).*/\1/p'";
    let statistics = shell(&format!("{queues} | awk {awk}"), &client);
    let theirs: Vec<f64> = statistics.split(' ').map(|n| n.parse().unwrap()).collect();
    // ".../client.log: 18 calls with queue_ms, mean 382.9, stddev 526.4, max 1716.7"
    let ours = out.lines().find(|line| line.contains("calls with queue_ms")).unwrap();
    let ours = ours.split_once("client.log: ").unwrap().1;
    let ours: Vec<f64> = ours.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
    assert_eq!((ours.len(), theirs.len()), (4, 4), "{ours:?} {theirs:?}");
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert!((ours - theirs).abs() <= 0.1, "{ours} vs {theirs}");
    }

    let slowest = shell("grep 'wall_ms=' LOG | sort -t= -k2 -n | tail -10", &client);
    let walls: Vec<f64> = slowest
        .lines()
        .map(|line| text::parse(line.as_bytes()).unwrap().micros("wall_ms").unwrap())
        .map(|wall| wall.as_millis_f64())
        .collect();
    assert!(walls.len() == 10 && walls.is_sorted(), "{walls:?}");
    assert!(walls[9] >= theirs[3], "the slowest is not faster than the longest queue");

    let interleaved = shell(r"grep -E '\[gen\] batch\.(start|done)|\[weights\]' LOG", &client);
    let count = |what: &str| interleaved.lines().filter(|line| line.starts_with(what)).count();
    assert!(count("[gen] batch.start inflight=") >= 1, "{interleaved}");
    assert_eq!(count("[gen] batch.start inflight="), count("[gen] batch.done completions="));
    assert_eq!(count("[weights]"), 2 * 18);
}

#[test]
fn a_verdict_that_does_not_name_the_pool_is_exit_code_3() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(&[
        "demo",
        "--quick",
        "--rounds",
        "1",
        "--fault-calls",
        "0",
        "--max-queue-ms",
        "10000",
        "--out",
        dir.path().to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(3), "{}", stdout(&output));
    assert!(stdout(&output).ends_with("result: NOT every phase at fault was named\n"));
}

#[test]
fn files_of_others_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("server.log"), "mine\n").unwrap();
    let output = run(&["demo", "--quick", "--out", dir.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("was not written by firstbyte"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(dir.path().join("server.log")).unwrap(), "mine\n");
}

/// A demo whose shared arm waits for half a minute, and the process id of its mock.
fn stuck_demo(out: &Path) -> (Child, u32) {
    let mut child = firstbyte(&["demo", "--quick", "--stream-seconds", "60", "--out"])
        .arg(out)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut progress = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(progress.any(|line| line.unwrap() == "round 1 of 2: shared"));
    // Nobody reads on; what is left fits into the pipe.
    std::mem::forget(progress);
    let log = fs::read_to_string(out.join("server.log")).unwrap();
    let start = text::parse(log.lines().next().unwrap().as_bytes()).unwrap();
    (child, u32::try_from(start.count("pid").unwrap()).unwrap())
}

#[test]
fn ctrl_c_leaves_a_partial_report_and_no_mock() {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, mock) = stuck_demo(dir.path());
    assert!(signal("0", mock), "the mock runs");
    assert!(signal("INT", child.id()));
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{out}");
    assert!(out.contains("idle       queue_ms    2"), "{out}");
    assert!(out.ends_with("partial, n=2 of 8 reloads\n"), "{out}");
    assert!(!signal("0", mock), "the mock outlived the demo");
    let log = fs::read_to_string(dir.path().join("client.log")).unwrap();
    assert!(log.contains("client.fail") && log.contains("phase=pool"), "{log}");
}

#[test]
fn the_mock_ends_even_if_the_demo_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, mock) = stuck_demo(dir.path());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the mock's end", || !signal("0", mock));
}
