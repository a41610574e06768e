use std::fmt::Write as _;

use super::*;

fn found(lines: &str, size: &str) -> Vec<Finding> {
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
    assert_eq!(of("small"), ["engine-slow"]);
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
        assert!(finding.rule.rivals.iter().any(|known| known.contains(rival)), "{rival}");
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
    let lines = |queue: &str, exec: &str| {
        format!(
            "[weights][00f067aa0ba902b7] rpc.done op=pause t=1.0 rpc_ms=1500.0 call_id=x\n\
             [engine] call.done call_id=x op=pause t=1.0 engine_queue_ms={queue} engine_exec_ms={exec}\n\
             [weights][00f067aa0ba902b7] client.done wall_ms=1510.0 rpc_ms=1500.0 queue_ms=10.0\n"
        )
    };
    assert_eq!(ids(&lines("1400.0", "90.0")), ["engine-queue"]);
    assert_eq!(ids(&lines("90.0", "1400.0")), ["engine-exec"]);
}

#[test]
fn without_rpc_the_phases_are_judged_all_the_same() {
    let pool = "[weights][00f067aa0ba902b7] client.done wall_ms=400.0 pool_ms=300.0 wait_ms=90.0 unattributed_ms=90.0 flags=rpc_missing\n";
    assert_eq!(ids(pool), ["client-pool"]);
    let wait = "[weights][00f067aa0ba902b7] client.done wall_ms=2010.0 pool_ms=3.0 wait_ms=2000.0 unattributed_ms=2000.0 flags=rpc_missing\n";
    assert_eq!(ids(wait), ["unknown-half"]);
    assert_eq!(ids("[weights][00f067aa0ba902b7] client.done wall_ms=2010.0\n"), ["unknown-queue"]);
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
fn a_growing_rpc_is_a_trend() {
    let findings = found(&servers(|_, n| 100.0 + 10.0 * f64::from(n)), "medium");
    assert_eq!(findings.iter().map(|f| f.rule.id.as_str()).collect::<Vec<_>>(), ["rpc-trend"; 3]);
}

#[test]
fn a_slow_first_call_is_a_cold_start() {
    let findings = found(
        &servers(|server, n| if n == 0 && server == 2 { 1900.0 } else { 100.0 + f64::from(n % 3) }),
        "medium",
    );
    assert_eq!(findings.iter().map(|f| f.rule.id.as_str()).collect::<Vec<_>>(), ["cold-start"]);
    assert!(
        findings[0].numbers[0].contains("h2:80: the first call took 1901.0 ms"),
        "{findings:?}"
    );
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
fn values_beside_the_calls_have_their_rules() {
    for (line, id) in [
        ("[ckpt] write.done step=1 write_ms=6000.0", "ckpt-write"),
        ("[ckpt] wait.done target_step=1 wait_ms=5432.1", "ckpt-wait"),
        ("[rollout] trunc_pct=12.0 current_step=4 ckpt_step=4 staleness=0", "truncation"),
        ("[rollout] trunc_pct=0.0 current_step=4 ckpt_step=2 staleness=2", "staleness"),
        (
            "[rollout] trunc_pct=0.0 current_step=4 ckpt_step=4 staleness=0 buffer_depth=0",
            "generation-starvation",
        ),
        (
            "[rollout] trunc_pct=0.0 current_step=4 ckpt_step=4 staleness=0 reload_s=4.5",
            "adapter-reload",
        ),
        ("[step] step.done step=4 dur_ms=150000.0 ref_logprobs_cached=0", "reference-logprobs"),
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
    let lines = "[weights][00f067aa0ba902b7] client.done wall_ms=20.0 rpc_ms=1.0 queue_ms=19.0 pool_ms=18.0\n";
    let found =
        diagnose(&Log::from_bytes(lines.as_bytes()), &rules, rules.thresholds("tiny").unwrap());
    assert_eq!(found[0].rule.title, "Ours");
}

#[test]
fn rules_that_mean_nothing_are_refused() {
    for (text, says) in [
        ("[[rule]]\nid = 'x'", "missing field"),
        (
            "[[rule]]\nid = 'x'\nkind = 'part'\ntitle = ''\nnext = ''",
            "part must be one of wall, queue",
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
