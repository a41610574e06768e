use firstbyte_core::Phase;

use crate::support::{Mock, ms, run, stderr, stdout};

#[test]
fn each_fault_of_the_server_shows_in_its_part_of_the_split() {
    let mock = Mock::start(&["--reload-ms", "10"]);
    for (fault, part) in [
        (r#"{"late_accept_ms": 300}"#, "kernel_ms"),
        (r#"{"handler_queue_ms": 300}"#, "handler_ms"),
        (r#"{"engine_ms": 300}"#, "rpc_ms"),
        (r#"{"reload_ms": 300}"#, "rpc_ms"),
    ] {
        mock.faults(fault);
        let done = mock.call("/reload_weights");
        assert!((290.0..600.0).contains(&ms(&done, part)), "{fault}: {done:?}");
        let none =
            r#"{"late_accept_ms": 0, "handler_queue_ms": 0, "engine_ms": 0, "reload_ms": 10}"#;
        mock.faults(none);
        assert!(ms(&mock.call("/reload_weights"), part) < 200.0, "{fault} went away");
    }
}

#[test]
fn a_blocked_event_loop_shows_in_the_kernel() {
    let mock = Mock::start(&["--block-loop-ms", "450", "--block-loop-every-ms", "500"]);
    // Some calls fit between two standstills, but not many of them.
    let stood_still = |_| (100.0..600.0).contains(&ms(&mock.call("/pause"), "kernel_ms"));
    assert!((0..100).any(stood_still));
}

#[test]
fn the_command_line_sets_the_same_faults() {
    let mock = Mock::start(&[
        "--late-accept-ms=150",
        "--handler-queue-ms=160",
        "--engine-ms=170",
        "--reload-ms=0",
        "--rpc-ms-report=missing",
        "--server-timing=off",
        "--tokens-per-second=2.5",
    ]);
    let faults = mock.json("GET", "/mock/faults", "");
    assert_eq!(faults["late_accept_ms"], 150);
    assert_eq!(faults["rpc_ms_report"], "missing");
    assert_eq!(faults["server_timing"], false);
    assert_eq!(faults["tokens_per_second"], 2.5);
    let done = mock.call("/reload_weights");
    assert!(ms(&done, "wall_ms") >= 480.0, "{done:?}");
    assert_eq!((done.micros("rpc_ms"), done.micros("kernel_ms")), (None, None));
}

#[test]
fn without_the_header_the_body_still_tells_the_engines_time() {
    let mock = Mock::start(&["--server-timing", "off", "--reload-ms", "100"]);
    let done = mock.call("/reload_weights");
    assert!(ms(&done, "rpc_ms") >= 100.0);
    assert_eq!(done.micros("handler_ms"), None);
    assert!(done.micros("unattributed_ms").is_some());
}

#[test]
fn what_is_missing_or_a_lie_is_flagged_and_not_used() {
    let mock = Mock::start(&[]);
    for (report, flag) in [("missing", "rpc_missing"), ("lying", "rpc_exceeds_wall")] {
        mock.faults(&format!(r#"{{"rpc_ms_report": "{report}"}}"#));
        let done = mock.call("/pause");
        assert!(done.text("flags").is_some_and(|flags| flags.contains(flag)), "{done:?}");
        assert_eq!((done.micros("rpc_ms"), done.micros("queue_ms")), (None, None), "{report}");
    }
}

#[test]
fn a_status_and_a_reset_can_be_asked_for() {
    let mock = Mock::start(&[]);
    mock.faults(r#"{"fail_status": 503}"#);
    assert_eq!(mock.call("/pause").count("status"), Some(503));
    assert_eq!(mock.http("GET", "/health", "").0, 200, "only control calls fail");
    mock.faults(r#"{"fail_status": null, "reset": true}"#);
    let fail = mock.call("/pause");
    assert_eq!(fail.text("phase"), Some(Phase::Wait.as_str()));
    assert_eq!(fail.text("error"), Some("reset"));
    mock.faults(r#"{"reset": false}"#);
    assert_eq!(mock.call("/pause").count("status"), Some(200));
}

#[test]
fn a_change_that_makes_no_sense_changes_nothing() {
    let mock = Mock::start(&[]);
    let before = mock.json("GET", "/mock/faults", "");
    for change in ["", "[]", r#"{"engine": 1}"#, r#"{"engine_ms": 1, "fail_status": 99}"#] {
        let (status, answer) = mock.http("POST", "/mock/faults", change);
        assert_eq!(status, 400, "{change}: {answer}");
    }
    assert_eq!(mock.json("GET", "/mock/faults", ""), before);
}

#[test]
fn a_fault_that_makes_no_sense_on_the_command_line_is_wrong_usage() {
    let output = run(&["mock", "--port", "0", "--fail-status", "200"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""));
    assert!(stderr(&output).contains("fail_status is 200"), "{}", stderr(&output));
}
