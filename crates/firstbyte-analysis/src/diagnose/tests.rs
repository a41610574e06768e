use std::fmt::Write as _;

use super::*;

fn found(lines: &str, size: &str) -> Vec<Finding> {
    diagnosed(lines, size).findings
}

fn diagnosed(lines: &str, size: &str) -> Diagnosis {
    let rules = Rules::default();
    diagnose(&Log::from_bytes(lines.as_bytes()), &rules, rules.thresholds(size).unwrap())
}

fn ids(lines: &str) -> Vec<String> {
    found(lines, "small").into_iter().map(|finding| finding.rule.id).collect()
}

/// A `client.done` of 2 s whose queue is 1.5 s, with these fields beside.
fn done(fields: &str) -> String {
    format!(
        "[weights][00f067aa0ba902b7] client.done wall_ms=2000.0 rpc_ms=400.0 queue_ms=1600.0 {fields}\n"
    )
}

#[test]
fn the_builtin_rules_are_valid_and_have_names_of_their_own() {
    let rules = Rules::default().extended(include_str!("rules.toml")).unwrap();
    assert_eq!(rules.rules().len(), Rules::default().rules().len());
    assert_eq!(rules.rules().len(), include_str!("rules.toml").matches("\n[[rule]]").count());
    assert_eq!(rules.sizes().collect::<Vec<_>>(), ["large", "medium", "small"]);
}

#[test]
fn every_rule_has_its_section_in_the_runbook() {
    let runbook = include_str!("../../../../docs/runbook.md");
    for rule in Rules::default().rules() {
        assert!(runbook.contains(&format!("\n## {}\n", rule.id)), "{}", rule.id);
    }
}

#[test]
fn every_part_that_can_be_at_fault_has_a_rule() {
    let rules = Rules::default();
    for part in super::parts::PARTS {
        assert!(rules.of_part(part, None).is_some(), "{part}");
    }
}

#[test]
fn the_largest_part_of_a_slow_call_is_named() {
    for (field, id) in [
        ("setup_ms", "client-construction"),
        ("pool_ms", "client-pool"),
        ("dns_ms", "dns"),
        ("connect_ms", "connect"),
        ("tls_ms", "tls"),
        ("send_ms", "send"),
        ("receive_ms", "receive"),
        ("kernel_ms", "server-kernel"),
        ("handler_ms", "handler-queue"),
        ("respond_ms", "respond"),
        ("network_ms", "network"),
        ("unattributed_ms", "unknown-half"),
    ] {
        // In the order of the schema, with a bit of everything.
        let parts = [
            "setup_ms",
            "pool_ms",
            "dns_ms",
            "connect_ms",
            "tls_ms",
            "send_ms",
            "wait_ms",
            "receive_ms",
            "kernel_ms",
            "handler_ms",
            "respond_ms",
            "network_ms",
            "unattributed_ms",
        ];
        let fields: Vec<String> = parts
            .iter()
            .map(|part| format!("{part}={}", if *part == field { "1500.0" } else { "5.0" }))
            .collect();
        assert_eq!(ids(&done(&fields.join(" "))), [id], "{field}");
    }
}

#[test]
fn a_quick_call_is_no_finding() {
    assert!(ids("[weights][00f067aa0ba902b7] client.done wall_ms=90.0 rpc_ms=60.0 queue_ms=30.0 pool_ms=25.0\n").is_empty());
    assert!(ids("").is_empty());
}

#[test]
fn the_size_of_the_model_decides_what_is_slow() {
    let line = "[weights][00f067aa0ba902b7] client.done wall_ms=1700.0 rpc_ms=1500.0 queue_ms=200.0 pool_ms=190.0\n";
    let of = |size| found(line, size).into_iter().map(|f| f.rule.id).collect::<Vec<_>>();
    assert_eq!(of("small"), ["engine-slow", "client-pool"], "either is over its own threshold");
    assert!(of("medium").is_empty());
}

#[test]
fn with_wall_and_rpc_alone_nobody_is_blamed() {
    let findings = found(
        "[weights][00f067aa0ba902b7] client.done wall_ms=3556.1 rpc_ms=233.2 queue_ms=3322.9\n",
        "medium",
    );
    assert_eq!(findings.len(), 1);
    let finding = &findings[0];
    assert_eq!(
        (finding.rule.id.as_str(), finding.confidence),
        ("unknown-queue", Confidence::Undecided)
    );
    for rival in ["pool", "construction", "network", "kernel", "event loop", "handler"] {
        assert!(finding.rivals.iter().any(|known| known.contains(rival)), "{rival}");
    }
}

#[test]
fn on_one_clock_it_is_told_on_which_side_of_server_recv_the_time_was() {
    let lines = |recv: f64| {
        format!(
            "[weights][00f067aa0ba902b7] client.send url=http://h/pause t=10.000000\n\
             [weights][00f067aa0ba902b7] server.recv path=/pause t={recv:.6}\n\
             [weights][00f067aa0ba902b7] rpc.start op=pause t=13.300000\n\
             [weights][00f067aa0ba902b7] client.done wall_ms=3556.1 rpc_ms=233.2 queue_ms=3322.9\n"
        )
    };
    assert_eq!(ids(&lines(13.2)), ["unknown-before-server"]);
    assert_eq!(ids(&lines(10.1)), ["handler-queue"]);
}

#[test]
fn what_waits_behind_a_loop_that_stands_still_waits_for_the_loop() {
    let lines = |lag: &str| {
        format!(
            "[weights][00f067aa0ba902b7] server.recv path=/pause t=1.0 kernel_ms=1500.0 loop_lag_ms={lag}\n{}",
            done("wait_ms=2000.0 kernel_ms=1500.0 handler_ms=1.0")
        )
    };
    assert_eq!(ids(&lines("1400.0")), ["event-loop"]);
    assert_eq!(ids(&lines("3.0")), ["server-kernel"]);
}

#[test]
fn the_engines_own_process_splits_its_time() {
    let lines = |op: &str, queue: &str, exec: &str| {
        format!(
            "[weights][00f067aa0ba902b7] rpc.done op={op} t=1.0 rpc_ms=1500.0 call_id=x\n\
             [engine] call.done call_id=x op={op} t=1.0 engine_queue_ms={queue} engine_exec_ms={exec}\n\
             [weights][00f067aa0ba902b7] client.done wall_ms=1510.0 rpc_ms=1500.0 queue_ms=10.0\n"
        )
    };
    assert_eq!(ids(&lines("update_weights", "1400.0", "90.0")), ["engine-queue"]);
    assert_eq!(ids(&lines("update_weights", "90.0", "1400.0")), ["engine-exec"]);
    assert_eq!(ids(&lines("pause", "90.0", "1400.0")), ["engine-exec-call"]);
    // Longer than the call that it is a part of.
    assert_eq!(ids(&lines("update_weights", "14000.0", "90.0")), ["engine-slow"]);
}

#[test]
fn without_rpc_the_phases_are_judged_all_the_same() {
    let pool = "[weights][00f067aa0ba902b7] client.done wall_ms=400.0 pool_ms=300.0 wait_ms=90.0 unattributed_ms=90.0 flags=rpc_missing\n";
    assert_eq!(ids(pool), ["client-pool"]);
    let wait = "[weights][00f067aa0ba902b7] client.done wall_ms=2010.0 pool_ms=3.0 wait_ms=2000.0 unattributed_ms=2000.0 flags=rpc_missing\n";
    assert_eq!(ids(wait), ["unknown-half"]);
    let wall = found("[weights][00f067aa0ba902b7] client.done wall_ms=2010.0\n", "small");
    assert_eq!(wall[0].rule.id, "unknown-wall");
    assert!(wall[0].rivals[0].contains("the engine's work"), "{:?}", wall[0].rivals);
}

#[test]
fn the_queue_and_the_engine_are_judged_apart() {
    let both = "[weights][00f067aa0ba902b7] client.done wall_ms=35000.0 rpc_ms=20000.0 queue_ms=15000.0 pool_ms=14990.0 op=update_weights\n";
    let findings = found(both, "medium");
    assert_eq!(
        findings.iter().map(|f| f.rule.id.as_str()).collect::<Vec<_>>(),
        ["engine-slow", "client-pool"]
    );
    assert!(
        findings[1].numbers[1].contains("pool took too long: median 14990.0 ms"),
        "{findings:?}"
    );
}

#[test]
fn many_small_parts_are_nobodys_fault() {
    let parts =
        "setup_ms=40.0 pool_ms=40.0 connect_ms=40.0 send_ms=20.0 kernel_ms=30.0 handler_ms=30.0";
    let line = format!(
        "[weights][00f067aa0ba902b7] client.done wall_ms=300.0 rpc_ms=100.0 queue_ms=200.0 {parts}\n"
    );
    assert_eq!(ids(&line), ["many-parts"]);
    let most = "pool_ms=95.0 connect_ms=20.0 send_ms=20.0";
    let line = format!(
        "[weights][00f067aa0ba902b7] client.done wall_ms=240.0 rpc_ms=100.0 queue_ms=140.0 {most}\n"
    );
    assert_eq!(ids(&line), ["client-pool"], "at least half of the queue");
}

#[test]
fn what_only_the_servers_lines_tell_is_used() {
    let server = "\
[weights][00f067aa0ba902b7] server.recv path=/pause t=13.310000 kernel_ms=3300.0
[weights][00f067aa0ba902b7] rpc.start op=pause t=13.311000
[weights][00f067aa0ba902b7] rpc.done op=pause t=13.511000 rpc_ms=200.0
[weights][00f067aa0ba902b7] server.done t=13.512000 dur_ms=202.0 status=200 outcome=ok
";
    assert_eq!(ids(server), ["server-kernel"], "without the client");
    let sent = "[weights][00f067aa0ba902b7] client.send url=http://h/pause t=10.000000\n";
    let wall_and_rpc =
        "[weights][00f067aa0ba902b7] client.done wall_ms=3513.0 rpc_ms=200.0 queue_ms=3313.0\n";
    assert_eq!(ids(&format!("{sent}{server}{wall_and_rpc}")), ["server-kernel"]);
    let phases = "[weights][00f067aa0ba902b7] client.done wall_ms=3513.0 pool_ms=1.0 wait_ms=3510.0 unattributed_ms=3510.0 flags=rpc_missing\n";
    assert_eq!(ids(&format!("{sent}{server}{phases}")), ["server-kernel"]);
    // What is left of the wait is the network's, now that all of the server's half is known.
    let quick = server.replace("kernel_ms=3300.0", "kernel_ms=0.1");
    assert_eq!(ids(&format!("{quick}{phases}")), ["network"]);
}

#[test]
fn a_rival_that_was_measured_is_none() {
    let client =
        "[weights][00f067aa0ba902b7] client.done wall_ms=3513.0 rpc_ms=200.0 queue_ms=3313.0\n";
    let rivals = |server: &str| {
        let findings = found(&format!("{server}{client}"), "medium");
        assert_eq!((findings.len(), findings[0].rule.id.as_str()), (1, "unknown-queue"));
        findings[0].rivals.join("; ")
    };
    let all = rivals("");
    let known = rivals(
        "[weights][00f067aa0ba902b7] server.recv path=/pause t=1.0 kernel_ms=0.1 loop_lag_ms=0.0\n",
    );
    for rival in ["kernel", "event loop"] {
        assert!(all.contains(rival) && !known.contains(rival), "{rival}: {all} / {known}");
    }
    assert!(known.contains("the client's connection pool"), "{known}");
}

#[test]
fn a_call_whose_numbers_cannot_be_is_not_judged() {
    for line in [
        "client.done wall_ms=203.0 rpc_ms=9202.0 queue_ms=1.0",
        "client.done wall_ms=5000.0 rpc_ms=100.0 queue_ms=1.0",
    ] {
        let diagnosis = diagnosed(&format!("[weights][00f067aa0ba902b7] {line}\n"), "small");
        assert_eq!((diagnosis.judged.calls, diagnosis.findings.len()), (0, 0), "{line}");
    }
    // The clock was set while the call went on: no time is told across that.
    let moments = "\
[weights][00f067aa0ba902b7] client.send url=http://h/pause t=10.0
[weights][00f067aa0ba902b7] server.recv path=/pause t=8010.0
[weights][00f067aa0ba902b7] client.done wall_ms=705.0 rpc_ms=5.0 queue_ms=700.0
";
    assert_eq!(ids(moments), ["unknown-queue"]);
    assert!(
        crate::notices(&Log::from_bytes(moments.as_bytes()))[0].contains("after they had ended")
    );
}

#[test]
fn an_operation_that_loads_no_weights_is_not_blamed_on_storage() {
    let line = |op: &str| {
        format!(
            "[weights][00f067aa0ba902b7] client.done wall_ms=5001.0 rpc_ms=5000.0 queue_ms=1.0 op={op}\n"
        )
    };
    assert_eq!(ids(&line("update_weights")), ["engine-slow"]);
    assert_eq!(ids(&line("pause")), ["engine-call"]);
}

#[test]
fn a_caller_that_goes_on_late_is_told() {
    let line = "[weights][00f067aa0ba902b7] client.done wall_ms=20.0 rpc_ms=10.0 queue_ms=10.0 resume_ms=8000.0\n";
    assert_eq!(ids(line), ["caller-loop"]);
}

#[test]
fn a_failure_in_a_phase_is_that_phases() {
    let line = "[weights][00f067aa0ba902b7] client.fail wall_ms=30000.0 phase=pool outcome=not_sent error=pool_timeout op=pause\n";
    assert_eq!(ids(line), ["client-pool", "failures"]);
}

#[test]
fn one_slow_call_of_very_many_is_a_notice() {
    let mut lines = String::new();
    for n in 1..=500 {
        let pool = if n == 7 { 2000.0 } else { 1.0 };
        writeln!(lines, "[weights][{n:016x}] client.done wall_ms={:.1} rpc_ms=100.0 queue_ms={pool:.1} pool_ms={pool:.1}", pool + 100.0).unwrap();
    }
    let findings = found(&lines, "small");
    assert_eq!((findings.len(), findings[0].severity), (1, Severity::Notice));
}

#[test]
fn slow_calls_of_one_server_alone_are_told_as_such() {
    let lines = |server: u32| {
        let mut lines = String::new();
        for n in 0..12_u32 {
            let pool = if n % 3 == server { 500.0 } else { 1.0 };
            writeln!(lines, "[weights][{:016x}] client.done wall_ms={:.1} rpc_ms=100.0 queue_ms={pool:.1} pool_ms={pool:.1} target=h{}:80", n + 1, pool + 100.0, n % 3).unwrap();
        }
        lines
    };
    let findings = found(&lines(1), "small");
    assert_eq!(
        findings[0].numbers[2],
        "all of these are on h1:80, which had 4 of the 12 calls like them"
    );
}

#[test]
fn slow_calls_of_one_server_for_the_most_part_are_told_as_such() {
    // Of 160 calls on 16 servers each of the third one's is slow, and so many others.
    let told = |others: u32| {
        let mut lines = String::new();
        for n in 0..160_u32 {
            let is_slow = n % 16 == 3 || (n % 16 == 5 && n / 16 < others);
            let pool = if is_slow { 500.0 } else { 1.0 };
            writeln!(lines, "[weights][{:016x}] client.done wall_ms={:.1} rpc_ms=100.0 queue_ms={pool:.1} pool_ms={pool:.1} target=h{}:80", n + 1, pool + 100.0, n % 16).unwrap();
        }
        found(&lines, "small")[0].numbers.get(2).cloned()
    };
    assert_eq!(
        told(1).as_deref(),
        Some("10 of these 11 are on h3:80, which had 10 of the 160 calls like them")
    );
    assert_eq!(told(10), None, "as many on another one");
}

#[test]
fn where_slow_calls_are_is_told_by_calls_of_their_operation() {
    // Only the first of three servers is told to load, and loads are slow.
    let mut lines = String::new();
    for n in 0..36_u32 {
        let (op, server, pool) =
            if n < 30 { ("pause", n % 3, 1.0) } else { ("update_weights", 0, 500.0) };
        writeln!(lines, "[weights][{:016x}] client.done wall_ms={:.1} rpc_ms=100.0 queue_ms={pool:.1} pool_ms={pool:.1} op={op} target=h{server}:80", n + 1, pool + 100.0).unwrap();
    }
    assert_eq!(found(&lines, "small")[0].numbers.len(), 2);
}

#[test]
fn two_slow_calls_of_one_server_may_be_there_by_chance() {
    let mut lines = String::new();
    for n in 0..80_u32 {
        let pool = if n == 8 || n == 16 { 500.0 } else { 1.0 };
        writeln!(lines, "[weights][{:016x}] client.done wall_ms={:.1} rpc_ms=100.0 queue_ms={pool:.1} pool_ms={pool:.1} target=h{}:80", n + 1, pool + 100.0, n % 8).unwrap();
    }
    // Of eight servers, one of eight times both are on the same one.
    assert_eq!(found(&lines, "small")[0].numbers.len(), 2);
}

/// Ten calls on each of three servers, whose rpc is `rpc(server, n)`.
fn servers(rpc: impl Fn(u32, u32) -> f64) -> String {
    let mut lines = String::new();
    for n in 0..10_u32 {
        for server in 0..3_u32 {
            let (id, rpc) = (format!("{:016x}", n * 3 + server + 1), rpc(server, n));
            writeln!(lines, "[weights][{id}] client.send url=http://h{server}/pause t={}.0 op=pause target=h{server}:80", 100 * n + server).unwrap();
            writeln!(lines, "[weights][{id}] client.done wall_ms={:.1} rpc_ms={rpc:.1} queue_ms=1.0 op=pause target=h{server}:80", rpc + 1.0).unwrap();
        }
    }
    lines
}

#[test]
fn a_server_that_is_slower_than_the_others_is_named() {
    let lines = servers(|server, n| f64::from(n % 3) + if server == 1 { 250.0 } else { 100.0 });
    let findings = found(&lines, "medium");
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0].numbers[0].contains("pause on h1:80: median rpc 251.0 ms (n 10), 2.5 times"),
        "{findings:?}"
    );
    assert!(ids(&servers(|_, n| 100.0 + f64::from(n % 3))).is_empty());
}

#[test]
fn a_server_that_is_slower_by_chance_is_not_named() {
    let of = |times: [[f64; 3]; 3]| {
        let mut lines = String::new();
        for (server, times) in times.iter().enumerate() {
            for (n, rpc) in times.iter().enumerate() {
                writeln!(lines, "[weights][{:016x}] client.done wall_ms={:.1} rpc_ms={rpc:.1} queue_ms=1.0 op=pause target=h{server}:80", server * 3 + n + 1, rpc + 1.0).unwrap();
            }
        }
        ids(&lines)
    };
    // The second one's median is 2.5 times that of the others, whose calls are as long now and then.
    assert!(of([[100.0, 90.0, 260.0], [250.0, 80.0, 270.0], [100.0, 240.0, 95.0]]).is_empty());
    assert_eq!(
        of([[100.0, 90.0, 99.0], [250.0, 265.0, 270.0], [100.0, 99.0, 95.0]]),
        ["straggler"]
    );
}

#[test]
fn one_of_many_servers_with_a_few_calls_each_is_named() {
    let mut lines = String::new();
    for n in 0..3 * 64_u32 {
        let rpc = if n % 64 == 7 { 300.0 } else { 100.0 + f64::from(n % 5) };
        writeln!(lines, "[weights][{:016x}] client.done wall_ms={:.1} rpc_ms={rpc:.1} queue_ms=1.0 op=pause target=h{}:80", n + 1, rpc + 1.0, n % 64).unwrap();
    }
    assert_eq!(ids(&lines), ["straggler"]);
}

#[test]
fn a_growing_rpc_is_a_trend() {
    let findings = found(&servers(|_, n| 100.0 + 10.0 * f64::from(n)), "medium");
    assert_eq!(findings.iter().map(|f| f.rule.id.as_str()).collect::<Vec<_>>(), ["rpc-trend"; 3]);
    assert!(findings[0].numbers[0].contains("rpc grew by 90.0 ms in 15.0 minutes"), "{findings:?}");
    // Rising without a break, and too little to matter.
    assert!(ids(&servers(|_, n| 100.0 + f64::from(n))).is_empty());
}

#[test]
fn a_tenth_of_a_millisecond_makes_no_straggler() {
    assert!(ids(&servers(|server, _| if server == 1 { 0.5 } else { 0.2 })).is_empty());
}

#[test]
fn a_slow_first_call_is_a_cold_start() {
    let findings = found(
        &servers(|server, n| if n == 0 && server == 2 { 1900.0 } else { 100.0 + f64::from(n % 3) }),
        "medium",
    );
    assert_eq!(findings.iter().map(|f| f.rule.id.as_str()).collect::<Vec<_>>(), ["cold-start"]);
    assert!(
        findings[0].numbers[0].contains("h2:80: rpc of the first call was 1900.0 ms"),
        "{findings:?}"
    );
}

#[test]
fn a_first_call_among_others_that_are_as_slow_is_no_cold_start() {
    let lines = |slow: f64| {
        servers(|server, n| match (server, n) {
            (2, 0) => 450.0,
            (1, 7) => slow,
            _ => 100.0 + f64::from(n % 3),
        })
    };
    assert_eq!(ids(&lines(120.0)), ["cold-start"]);
    assert!(ids(&lines(400.0)).is_empty());
}

#[test]
fn calls_that_fail_or_do_not_end_are_findings() {
    let lines = "\
[weights][00f067aa0ba902b7] client.send url=http://h/pause t=1.0 op=pause target=h:80
[weights][00f067aa0ba902b8] client.fail wall_ms=5000.0 phase=wait outcome=unknown error=reset op=pause
[weights][00f067aa0ba902b9] client.fail wall_ms=5.0 phase=connect outcome=not_sent error=refused op=pause
";
    let findings = found(lines, "small");
    assert_eq!(
        findings.iter().map(|f| f.rule.id.as_str()).collect::<Vec<_>>(),
        ["failures", "no-end"]
    );
    assert_eq!(findings[0].severity, Severity::Critical);
    assert_eq!(
        findings[0].numbers,
        ["1 x refused in connect, outcome not_sent", "1 x reset in wait, outcome unknown"]
    );
}

#[test]
fn an_answer_that_says_no_is_a_failure() {
    let line = "[weights][00f067aa0ba902b7] client.done wall_ms=2.0 rpc_ms=1.0 queue_ms=1.0 status=503 op=pause\n";
    let findings = found(line, "small");
    assert_eq!(findings[0].numbers, ["1 x status 503"]);
    let server = "\
[weights][00f067aa0ba902b7] rpc.done op=pause t=1.0 rpc_ms=1.0 error=RuntimeError
[weights][00f067aa0ba902b7] server.done t=1.1 dur_ms=2.0 status=500 outcome=error
";
    let findings = found(server, "small");
    assert_eq!(
        findings[0].numbers,
        ["1 x status 500, the engine's call failed: RuntimeError, server outcome error"]
    );
}

#[test]
fn a_server_does_not_say_that_its_clients_outcome_is_unknown() {
    let line =
        "[weights][00f067aa0ba902b7] server.done t=1.1 dur_ms=2.0 status=500 outcome=unknown\n";
    let findings = found(line, "small");
    assert_eq!(findings[0].numbers, ["1 x status 500, server outcome unknown"]);
    assert_eq!(findings[0].severity, Severity::Warning);
}

#[test]
fn a_server_that_is_waited_for_does_not_fail() {
    let early = "\
[weights][00f067aa0ba902b7] client.send url=http://h/is_paused t=1.0 op=is_paused target=h:80
[weights][00f067aa0ba902b7] client.fail wall_ms=5.0 phase=connect outcome=not_sent error=connect_refused op=is_paused target=h:80
";
    let up = "\
[weights][00f067aa0ba902b8] client.send url=http://h/is_paused t=2.0 op=is_paused target=h:80
[weights][00f067aa0ba902b8] client.done wall_ms=5.0 rpc_ms=1.0 queue_ms=4.0 op=is_paused target=h:80
";
    assert_eq!(found(early, "small")[0].severity, Severity::Warning);
    assert_eq!(
        found(early, "small")[0].evidence,
        [
            "00f067aa0ba902b7 is_paused on h:80: connect_refused in connect, outcome not_sent after 5.0 ms"
        ]
    );
    assert_eq!(found(&format!("{early}{up}"), "small")[0].severity, Severity::Notice);
}

#[test]
fn a_call_without_an_end_says_where_it_waited() {
    let lines = "\
[weights][00f067aa0ba902b7] client.send url=http://h/pause t=1.0 op=pause target=h:80 attempt=1
[weights][00f067aa0ba902b7] client.waiting elapsed_ms=60000.0 phase=pool state=in_pool sent_bytes=0 op=pause target=h:80 attempt=1
";
    assert_eq!(
        found(lines, "small")[0].evidence,
        [
            "00f067aa0ba902b7 pause on h:80: last seen after 60000.0 ms in pool (in_pool, 0 bytes sent)"
        ]
    );
}

#[test]
fn values_beside_the_calls_have_their_rules() {
    for (line, id) in [
        ("[ckpt] write.done step=1 write_ms=6000.0", "ckpt-write"),
        ("[ckpt] wait.done target_step=1 wait_ms=5432.1", "ckpt-wait"),
        ("[rollout] trunc_pct=12.0 current_step=4 ckpt_step=4 staleness=0", "truncation"),
        ("[rollout] trunc_pct=0.0 current_step=4 ckpt_step=2 staleness=2", "staleness"),
        (
            "[rollout] trunc_pct=0.0 current_step=4 ckpt_step=4 staleness=0 buffer_depth=0\n\
             [rollout] trunc_pct=0.0 current_step=5 ckpt_step=5 staleness=0 buffer_depth=0\n\
             [rollout] trunc_pct=0.0 current_step=6 ckpt_step=6 staleness=0 buffer_depth=0",
            "generation-starvation",
        ),
        (
            "[rollout] trunc_pct=0.0 current_step=4 ckpt_step=4 staleness=0 reload_s=4.5",
            "adapter-reload",
        ),
        (
            "[step] step.done step=4 dur_ms=150000.0 ref_logprobs_cached=0\n\
             [step] step.done step=5 dur_ms=150000.0 ref_logprobs_cached=0\n\
             [step] step.done step=6 dur_ms=150000.0 ref_logprobs_cached=0",
            "reference-logprobs",
        ),
    ] {
        assert_eq!(ids(&format!("{line}\n")), [id], "{line}");
    }
    let fine = "\
[ckpt] write.done step=1 write_ms=600.0
[rollout] trunc_pct=0.4 current_step=4 ckpt_step=3 staleness=1 buffer_depth=5 reload_s=0.5
[step] step.done step=4 dur_ms=150000.0 ref_logprobs_cached=1
";
    assert!(ids(fine).is_empty());
}

#[test]
fn the_step_at_which_times_double_is_found() {
    let mut lines = String::new();
    for step in 0..12 {
        let dur = if step < 3 { 150.0 } else { 300.0 } + f64::from(step * 7 % 5);
        writeln!(lines, "[step] step.done step={step} dur_ms={:.1}", dur * 1000.0).unwrap();
    }
    let findings = found(&lines, "small");
    assert_eq!(findings.len(), 1);
    assert!(findings[0].numbers[0].starts_with("from step 3 on: mean 30"), "{findings:?}");
}

#[test]
fn a_wait_is_not_the_writers_fault_if_writing_was_quick() {
    let rivals = |write: &str| {
        let lines = format!(
            "[ckpt] write.done step=1 write_ms={write}\n[ckpt] wait.done target_step=1 wait_ms=60000.0\n"
        );
        let findings = found(&lines, "small");
        let wait = findings.iter().find(|finding| finding.rule.id == "ckpt-wait").unwrap();
        assert!(wait.numbers[1].starts_with("ckpt_write_ms of the same steps: median"), "{wait:?}");
        wait.rivals.join("; ")
    };
    assert!(
        rivals("900.0").contains("the wrong path") && !rivals("900.0").contains("takes that long")
    );
    assert!(rivals("59000.0").contains("takes that long"));
}

#[test]
fn a_change_of_steps_weighs_what_else_changed() {
    let mut lines = String::new();
    for step in 0..12 {
        let (dur, rollout, reload) =
            if step < 3 { (150.0, 30.0, 0.1) } else { (300.0, 31.0, 150.0) };
        writeln!(
            lines,
            "[step] step.done step={step} dur_ms={:.1} wait_ms=900.0 ref_logprobs_cached=1",
            (dur + f64::from(step * 7 % 5)) * 1000.0
        )
        .unwrap();
        writeln!(lines, "[rollout] trunc_pct=0.0 current_step={step} ckpt_step={step} staleness=0 buffer_depth=500 rollout_s={rollout} reload_s={reload}").unwrap();
    }
    let findings = found(&lines, "small");
    let change = findings.iter().find(|finding| finding.rule.id == "step-change").unwrap();
    assert!(
        change.numbers.contains(&"reload_s: mean 0.1 before, 150.0 after".to_owned()),
        "{change:?}"
    );
    assert_eq!(
        change.rivals,
        ["reloading adapters (reload_s)", "longer completions, or another load on the host"]
    );
    assert!(
        change.numbers.contains(&"step_wait_ms: mean 900.0 before, 900.0 after".to_owned()),
        "{change:?}"
    );
    // Rollouts that take as much longer as the steps are no less a cause.
    let findings = found(&lines.replace("rollout_s=31", "rollout_s=180"), "small");
    let change = findings.iter().find(|finding| finding.rule.id == "step-change").unwrap();
    assert!(
        change.numbers.contains(&"rollout_s: mean 30.0 before, 180.0 after".to_owned()),
        "{change:?}"
    );
    assert_eq!(change.rivals[0], "longer rollouts (rollout_s)");
}

#[test]
fn what_some_steps_do_is_weighed_by_its_mean() {
    let mut lines = String::new();
    for step in 0..120 {
        let is_slow = step >= 60 && step % 5 < 2;
        let (dur, reload) = if is_slow { (450.0, 300.0) } else { (150.0, 0.1) };
        writeln!(
            lines,
            "[step] step.done step={step} dur_ms={:.1}",
            (dur + f64::from(step % 5)) * 1000.0
        )
        .unwrap();
        writeln!(lines, "[rollout] trunc_pct=0.0 current_step={step} ckpt_step={step} staleness=0 reload_s={reload}").unwrap();
    }
    let findings = found(&lines, "small");
    let change = findings.iter().find(|finding| finding.rule.id == "step-change").unwrap();
    assert!(change.rivals.iter().any(|rival| rival.contains("reload_s")), "{change:?}");
}

#[test]
fn what_is_beside_a_step_is_of_its_own_run() {
    let mut lines = String::new();
    for run in 0..2 {
        for step in 0..40 {
            let is_slow = run == 1 && step >= 20;
            let (dur, reload) =
                if is_slow { (300.3, 1.5) } else { (150.0 + 0.3 * f64::from(run), 0.1) };
            let (write, wait) = if run == 0 { (100.0, 100.0) } else { (59_000.0, 60_000.0) };
            writeln!(lines, "[ckpt] write.done step={step} write_ms={write}").unwrap();
            writeln!(lines, "[ckpt] wait.done target_step={step} wait_ms={wait}").unwrap();
            writeln!(lines, "[rollout] trunc_pct=0.0 current_step={step} ckpt_step={step} staleness=0 reload_s={reload}").unwrap();
            writeln!(
                lines,
                "[step] step.done step={step} dur_ms={:.1}",
                (dur + f64::from(step % 5)) * 1000.0
            )
            .unwrap();
        }
    }
    let findings = found(&lines, "small");
    let rivals = |id: &str| {
        let finding = findings.iter().find(|finding| finding.rule.id == id).unwrap();
        finding.rivals.join("; ")
    };
    assert!(rivals("step-change").contains("reload_s"), "{findings:?}");
    let told = findings.iter().flat_map(|finding| &finding.numbers);
    assert!(
        told.clone().any(|told| told == "reload_s: mean 0.1 before, 1.5 after"),
        "{findings:?}"
    );
    assert!(rivals("ckpt-wait").contains("the trainer takes that long"), "{findings:?}");
}

#[test]
fn a_failure_of_another_boot_is_not_before_the_answer() {
    let start = |boot: &str| {
        format!(
            "[firstbyte] process.start pid=1 boot={boot} host={boot} version=0.1.0 t=1.0 unix=1.0\n"
        )
    };
    let answered = start("a")
        + "[weights][00f067aa0ba902b7] client.send url=http://h/pause t=9000.0 op=pause target=h:80\n\
[weights][00f067aa0ba902b7] client.done wall_ms=5.0 rpc_ms=1.0 queue_ms=4.0 op=pause target=h:80\n";
    let refused = "[weights][00f067aa0ba902b8] client.send url=http://h/pause t=10.0 op=pause target=h:80\n\
[weights][00f067aa0ba902b8] client.fail wall_ms=5.0 phase=connect outcome=not_sent error=connect_refused op=pause target=h:80\n";
    let folder = tempfile::tempdir().unwrap();
    let files = [("a.log", answered), ("b.log", start("b") + refused)].map(|(name, lines)| {
        let path = folder.path().join(name);
        std::fs::write(&path, lines).unwrap();
        path
    });
    let log = Log::read(&files, &crate::Options::default()).unwrap();
    let rules = Rules::default();
    let findings = diagnose(&log, &rules, rules.thresholds("small").unwrap()).findings;
    assert_eq!(
        (findings[0].rule.id.as_str(), findings[0].severity),
        ("failures", Severity::Warning)
    );
}

#[test]
fn a_redirect_is_not_what_was_asked_for() {
    let line = "[weights][00f067aa0ba902b7] client.done wall_ms=2.0 rpc_ms=1.0 queue_ms=1.0 status=307 op=pause\n";
    assert_eq!(found(line, "small")[0].numbers, ["1 x status 307"]);
}

#[test]
fn a_slow_drift_of_step_times_is_a_change() {
    let mut lines = String::new();
    for step in 0..60 {
        writeln!(
            lines,
            "[step] step.done step={step} dur_ms={:.1}",
            100_000.0 * 1.02_f64.powi(step)
        )
        .unwrap();
    }
    let findings = found(&lines, "small");
    assert!(findings.iter().any(|finding| finding.rule.id == "step-change"), "{findings:?}");
}

#[test]
fn users_change_rules_and_thresholds() {
    let theirs = "
        [thresholds.tiny]
        wall = 10
        queue = 5
        rpc = 5
        [[rule]]
        id = 'client-pool'
        kind = 'part'
        part = 'pool'
        title = 'Ours'
        next = 'ask'
        [thresholds.small]
        rpc = 7
        [[rule]]
        id = 'staleness'
        over = 3
        [[rule]]
        id = 'stale-by-ours'
        kind = 'value'
        of = 'staleness'
        over = 7
        title = 'Too old'
        next = 'wait'
    ";
    let rules = Rules::default().extended(theirs).unwrap();
    assert_eq!(rules.rules().len(), Rules::default().rules().len() + 1);
    let limits = rules.thresholds("small").unwrap();
    assert_eq!(
        (limits.rpc.to_bits(), limits.queue.to_bits()),
        (7_f64.to_bits(), 100_f64.to_bits())
    );
    let theirs = rules.rules().iter().find(|rule| rule.id == "staleness").unwrap();
    assert!(theirs.over > 2.0 && theirs.title.starts_with("Rollouts use weights"), "{theirs:?}");
    let lines = "[weights][00f067aa0ba902b7] client.done wall_ms=20.0 rpc_ms=1.0 queue_ms=19.0 pool_ms=18.0\n";
    let log = Log::from_bytes(lines.as_bytes());
    let found = diagnose(&log, &rules, rules.thresholds("tiny").unwrap()).findings;
    assert_eq!(found[0].rule.title, "Ours");
}

#[test]
fn rules_that_mean_nothing_are_refused() {
    for (text, says) in [
        ("[[rule]]\nid = 'x'", "has no kind"),
        ("[thresholds.small]\nrpc = nan", "thresholds.small: rpc must be a number from 0 on"),
        ("[thresholds.tiny]\nrpc = 1", "thresholds.tiny: wall is missing"),
        ("[[rule]]\nid = 'staleness'\nover = -1", "over must be a number from 0 on"),
        ("[[rule]]\nid = 'client-pool'\nover = 5", "have no \"over\" of their own"),
        (
            "[[rule]]\nid = 'x'\nkind = 'part'\npart = 'pool'\ntitle = ''\nnext = ''",
            "would never apply: \"client-pool\"",
        ),
        (
            "[[rule]]\nid = 'ckpt-wait'\nrivals = [{ cause = 'x', unless = ['rpc'] }]",
            "unless must be one of ckpt_write_ms",
        ),
        ("[[rule]]\nid = 'step-change'\nover = 0", "over is a multiple here"),
        (
            "[[rule]]\nid = 'dns'\nrivals = [{ cause = 'x', unless = ['luck'] }]",
            "unless must be one of",
        ),
        (
            "[[rule]]\nid = 'x'\nkind = 'part'\ntitle = ''\nnext = ''",
            "part must be one of setup, pool",
        ),
        (
            "[[rule]]\nid = 'x'\nkind = 'part'\npart = 'luck'\ntitle = ''\nnext = ''",
            "part must be one of",
        ),
        (
            "[[rule]]\nid = 'x'\nkind = 'value'\nof = 'luck'\ntitle = ''\nnext = ''",
            "of must be one of ckpt_write_ms",
        ),
        ("[[rule]]\nid = 'x'\nkind = 'guess'\ntitle = ''\nnext = ''", "unknown variant"),
        ("[rules]", "unknown field"),
        ("nonsense", "line 1"),
    ] {
        let error = Rules::default().extended(text).unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}
