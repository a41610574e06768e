//! Faults injected into a real server, and whether diagnose names them.

use std::{fs, path::Path, thread, time::Duration};

use serde_json::Value;

use crate::support::{Mock, firstbyte, run, stderr, stdout};

/// Calls a mock with these faults three times, and returns the folder of both logs.
fn logs(faults: &[&str]) -> tempfile::TempDir {
    logs_of(3, Duration::ZERO, faults)
}

/// So many calls, with a pause between them.
fn logs_of(calls: u32, pause: Duration, faults: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mock = Mock::start(&[&["--log", &path("server.log")], faults].concat());
    for _ in 0..calls {
        thread::park_timeout(pause);
        run(&["call", &mock.url("/reload_weights"), "--log", &path("client.log")]);
    }
    drop(mock);
    folder
}

fn diagnose(folder: &Path, args: &[&str]) -> Vec<Value> {
    let args = [&["diagnose", "--model", "small", "--json"], args].concat();
    let output = firstbyte(&args).current_dir(folder).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mut json: Value = serde_json::from_str(&stdout(&output)).unwrap();
    json["findings"].as_array_mut().map(std::mem::take).unwrap()
}

fn ids(findings: &[Value]) -> Vec<&str> {
    findings.iter().map(|finding| finding["id"].as_str().unwrap()).collect()
}

#[test]
fn the_fault_that_was_injected_is_named() {
    for (faults, id) in [
        (&["--late-accept-ms", "300"][..], "server-kernel"),
        (&["--handler-queue-ms", "300"], "handler-queue"),
        (&["--engine-ms", "700"], "engine-slow"),
        (&["--reload-ms", "700"], "engine-slow"),
        (&["--reset"], "failures"),
    ] {
        let folder = logs(faults);
        let both = diagnose(folder.path(), &["client.log", "server.log"]);
        assert_eq!(ids(&both), [id], "{faults:?}");
        let client = diagnose(folder.path(), &["client.log"]);
        assert_eq!(ids(&client), [id], "{faults:?}: client.done has the server's half as well");
    }
}

#[test]
fn a_loop_that_stands_still_is_named_with_its_rival() {
    let faults = ["--block-loop-ms", "450", "--block-loop-every-ms", "1000", "--reload-ms", "0"];
    // Some come while it stands still.
    let folder = logs_of(12, Duration::from_millis(137), &faults);
    let findings = diagnose(folder.path(), &["client.log", "server.log"]);
    assert!(ids(&findings).contains(&"server-kernel"), "{findings:?}");
    assert!(findings[0]["rivals"].to_string().contains("event loop stands still"), "{findings:?}");
}

#[test]
fn without_the_servers_half_it_says_what_cannot_be_told_apart() {
    for fault in [["--late-accept-ms", "800"], ["--handler-queue-ms", "800"]] {
        let folder =
            logs(&[&fault[..], &["--server-timing", "off", "--rpc-ms-report", "missing"]].concat());
        let findings = diagnose(folder.path(), &["client.log"]);
        assert_eq!(ids(&findings), ["unknown-half"], "{fault:?}");
        let rivals = findings[0]["rivals"].to_string();
        for rival in ["network", "kernel", "event loop", "handler"] {
            assert!(rivals.contains(rival), "{rivals}");
        }
        assert!(findings[0]["confidence"].as_str().unwrap().starts_with("undecided"));
        assert!(findings[0]["next"].as_str().unwrap().contains("FirstByteMiddleware"));
    }
}

#[test]
fn without_the_clients_half_the_servers_is_judged() {
    for (fault, id) in
        [(["--handler-queue-ms", "800"], "handler-queue"), (["--engine-ms", "800"], "engine-slow")]
    {
        let folder = logs(&fault);
        let findings = diagnose(folder.path(), &["server.log"]);
        assert_eq!(ids(&findings), [id], "{fault:?}: {findings:?}");
    }
}

#[test]
fn json_says_of_how_many_calls_anything_can_be_said() {
    let folder = tempfile::tempdir().unwrap();
    let log = "[weights][00f067aa0ba902b7] client.done wall_ms=203.0 rpc_ms=9202.0 queue_ms=1.0\n";
    fs::write(folder.path().join("client.log"), log).unwrap();
    let output =
        firstbyte(&["diagnose", "--json", "client.log"]).current_dir(&folder).output().unwrap();
    let told: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(told["calls"], serde_json::json!({ "all": 1, "judged": 0, "slow": 0 }));
    assert_eq!(
        (&told["lines"]["total"], &told["thresholds_ms"]["rpc"]),
        (&1.into(), &2000.0.into())
    );
    assert!(told["notices"][0].as_str().unwrap().contains("longer than its wall"), "{told}");
}

#[test]
fn with_wall_and_rpc_alone_nobody_is_blamed() {
    let folder = logs(&["--late-accept-ms", "300"]);
    let log = fs::read_to_string(folder.path().join("client.log")).unwrap();
    // As the seeds' clients write it.
    let bare: String = log
        .lines()
        .filter(|line| line.contains("client.done"))
        .map(|line| line.split(" setup_ms").next().unwrap().to_owned() + "\n")
        .collect();
    fs::write(folder.path().join("bare.log"), bare).unwrap();
    let findings = diagnose(folder.path(), &["bare.log"]);
    assert_eq!(ids(&findings), ["unknown-queue"]);
    let rivals = findings[0]["rivals"].to_string();
    assert!(
        rivals.contains("client's connection pool") && rivals.contains("accept queue"),
        "{rivals}"
    );
}

#[test]
fn rules_of_the_user_are_read_and_their_mistakes_named() {
    let folder = logs(&[]);
    let rules = folder.path().join("rules.toml");
    fs::write(&rules, "[thresholds.tiny]\nwall = 1\nqueue = 0\nrpc = 1\n").unwrap();
    let args = ["diagnose", "--model", "tiny", "--rules", "rules.toml", "client.log"];
    let output = firstbyte(&args).current_dir(&folder).output().unwrap();
    assert!(stdout(&output).contains("slow calls: 3 of 3 (queue over 0 ms"), "{}", stdout(&output));
    fs::write(&rules, "[thresholds.tiny]\nwall = 'long'\n").unwrap();
    let output = firstbyte(&args).current_dir(&folder).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("rules.toml: ") && stderr(&output).contains("line 2"),
        "{}",
        stderr(&output)
    );
    let output = run(&["diagnose", "--model", "huge", "x.log"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("not one of large, medium, small"), "{}", stderr(&output));
}
