use std::collections::BTreeSet;

use firstbyte_core::Micros;

use super::*;
use crate::{
    measure::{GroupBy, Metric, Stats, Window},
    tally::Reason,
};

const WHOLE: &str = "\
[weights][00f067aa0ba902b7] client.send url=http://h:1/update_weights?x=*** t=10.000000 op=update_weights target=h:1 attempt=1
[weights][00f067aa0ba902b7] server.recv path=/update_weights t=10.400000 kernel_ms=300.0 inflight=150 loop_lag_ms=2.0
[weights][00f067aa0ba902b7] rpc.start op=update_weights t=10.500000
[weights][00f067aa0ba902b7] rpc.done op=update_weights t=10.733200 rpc_ms=233.2 call_id=abc
[weights][00f067aa0ba902b7] server.first_byte t=10.799000 ttfb_ms=399.0 status=200
[weights][00f067aa0ba902b7] server.done t=10.800000 dur_ms=400.0 status=200 outcome=ok bytes=2 frames=1
[weights][00f067aa0ba902b7] client.done wall_ms=900.0 rpc_ms=233.2 queue_ms=666.8 setup_ms=1.0 pool_ms=9.0 wait_ms=880.0 receive_ms=10.0 kernel_ms=300.0 handler_ms=100.0 respond_ms=66.7 network_ms=180.1 status=200 attempt=1 op=update_weights target=h:1
[engine] call.done call_id=abc op=update_weights t=10.7 engine_queue_ms=33.0 engine_exec_ms=200.0
";

fn only(log: &Log) -> Call<'_> {
    let calls: Vec<_> = log.calls().collect();
    assert_eq!(calls.len(), 1);
    calls[0]
}

fn ms(metric: Metric, call: &Call<'_>) -> Option<f64> {
    metric.of(call).map(Micros::as_millis_f64)
}

#[test]
fn both_halves_and_the_engines_make_a_call() {
    let log = Log::from_bytes(WHOLE.as_bytes());
    let call = only(&log);
    assert_eq!(call.id(), "00f067aa0ba902b7");
    assert_eq!((call.operation(), call.target()), (Some("update_weights"), Some("h:1")));
    assert_eq!(call.client.unwrap().end, ClientEnd::Done);
    let told = |metric| ms(metric, &call);
    assert_eq!(
        (told(Metric::Wall), told(Metric::Rpc), told(Metric::Queue)),
        (Some(900.0), Some(233.2), Some(666.8))
    );
    assert_eq!(told(Metric::Server(Server::Network)), Some(180.1));
    assert_eq!(told(Metric::LoopLag), Some(2.0));
    assert_eq!((told(Metric::EngineQueue), told(Metric::EngineExec)), (Some(33.0), Some(200.0)));
    assert_eq!(call.server.unwrap().handler(), Some(Micros(100_000)));
    assert_eq!(call.server.unwrap().in_flight(), Some(150));
    assert_eq!(call.until_received(), Some(Micros(400_000)));
}

#[test]
fn the_order_of_the_halves_does_not_matter() {
    let told = |log: &Log| Metric::all().iter().map(|m| m.of(&only(log))).collect::<Vec<_>>();
    let expected = told(&Log::from_bytes(WHOLE.as_bytes()));
    let block = |which: fn(&str) -> bool| {
        WHOLE.lines().filter(|line| which(line)).map(|line| format!("{line}\n")).collect::<String>()
    };
    let client = block(|line| line.contains("] client."));
    let server = block(|line| line.contains("] server.") || line.contains("] rpc."));
    let engine = block(|line| line.contains("[engine]"));
    for [a, b, c] in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let blocks = [&client, &server, &engine];
        let text = [blocks[a].as_str(), blocks[b], blocks[c]].concat();
        assert_eq!(told(&Log::from_bytes(text.as_bytes())), expected);
    }
}

/// A call that fails, and the attempt that goes well.
const ATTEMPTS: &str = "\
[weights][00f067aa0ba902b7] client.send url=http://h/pause t=1.0 op=pause target=h:80 attempt=1
[weights][00f067aa0ba902b7] server.recv path=/pause t=1.1
[weights][00f067aa0ba902b7] rpc.start op=pause t=1.2
[weights][00f067aa0ba902b7] rpc.done op=pause t=1.3 rpc_ms=100.0
[weights][00f067aa0ba902b7] server.done t=1.4 dur_ms=300.0 status=500 outcome=ok
[weights][00f067aa0ba902b7] client.fail wall_ms=500.0 phase=wait outcome=unknown error=status attempt=1 op=pause target=h:80
[weights][00f067aa0ba902b7] client.send url=http://h/pause t=2.0 op=pause target=h:80 attempt=2
[weights][00f067aa0ba902b7] server.recv path=/pause t=2.1
[weights][00f067aa0ba902b7] rpc.start op=pause t=2.2
[weights][00f067aa0ba902b7] rpc.done op=pause t=2.7 rpc_ms=500.0
[weights][00f067aa0ba902b7] server.done t=2.8 dur_ms=700.0 status=200 outcome=ok
[weights][00f067aa0ba902b7] client.done wall_ms=900.0 rpc_ms=500.0 queue_ms=400.0 attempt=2 op=pause target=h:80
";

/// A handler's timer around a plugin's.
const NESTED: &str = "\
[weights][00f067aa0ba902b7] server.recv path=/pause t=1.0
[weights][00f067aa0ba902b7] rpc.start op=pause t=1.1
[weights][00f067aa0ba902b7] rpc.start op=pause t=1.2
[weights][00f067aa0ba902b7] rpc.done op=pause t=1.3 rpc_ms=100.0
[weights][00f067aa0ba902b7] rpc.done op=pause t=1.4 rpc_ms=300.0
[weights][00f067aa0ba902b7] server.done t=1.5 dur_ms=500.0 status=200 outcome=ok
";

const ONE_AFTER_THE_OTHER: &str = "\
[weights][00f067aa0ba902b7] server.recv path=/pause t=1.0
[weights][00f067aa0ba902b7] rpc.start op=pause t=1.1
[weights][00f067aa0ba902b7] rpc.done op=pause t=1.2 rpc_ms=100.0
[weights][00f067aa0ba902b7] rpc.start op=pause t=1.3
[weights][00f067aa0ba902b7] rpc.done op=pause t=1.5 rpc_ms=200.0
[weights][00f067aa0ba902b7] server.done t=1.6 dur_ms=600.0 status=200 outcome=ok
";

/// All that the calls of these files tell, by the moment of sending.
fn told(files: &[Vec<&str>]) -> Vec<String> {
    told_with_duplicates(files, 0)
}

fn told_with_duplicates(files: &[Vec<&str>], duplicates: usize) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..files.len()).map(|n| folder.path().join(format!("{n}.log"))).collect();
    for (path, lines) in paths.iter().zip(files) {
        std::fs::write(path, lines.join("\n") + "\n").unwrap();
    }
    let log = Log::read(&paths, &crate::Options::default()).unwrap();
    assert_eq!(log.tally().skipped(), duplicates as u64);
    let half = |call: &Call<'_>| {
        let server = call.server.map(|half| {
            (half.recv_at, half.rpc_started_at(), half.rpc_done_at(), half.done_at, half.status)
        });
        let metrics: Vec<_> = Metric::all().iter().map(|metric| metric.of(call)).collect();
        let sent_at = call.client.map(|half| half.sent_at);
        format!("{sent_at:?} {} {server:?} {metrics:?}", call.ending())
    };
    let mut calls: Vec<_> = log.calls().map(|call| half(&call)).collect();
    calls.sort();
    calls
}

#[test]
fn lines_and_files_may_be_in_any_order() {
    for lines in [WHOLE, ATTEMPTS, NESTED, ONE_AFTER_THE_OTHER] {
        let lines: Vec<&str> = lines.lines().collect();
        let reversed: Vec<&str> = lines.iter().rev().copied().collect();
        let expected = told(std::slice::from_ref(&lines));
        assert_eq!(told(&[reversed]), expected);
        for cut in 1..lines.len() {
            let (old, new) = lines.split_at(cut);
            for files in [[old.to_vec(), new.to_vec()], [new.to_vec(), old.to_vec()]] {
                assert_eq!(told(&files), expected, "{cut}: {files:?}");
            }
            // As a collector of logs may deliver them.
            let mut swapped = lines.clone();
            swapped.swap(cut - 1, cut);
            assert_eq!(told(&[swapped]), expected, "{cut}");
        }
    }
}

#[test]
fn the_same_line_twice_counts_once() {
    let twice = WHOLE.replace('\n', "\r\n") + WHOLE;
    let log = Log::from_bytes(twice.as_bytes());
    assert_eq!(ms(Metric::Rpc, &only(&log)), Some(233.2));
    assert_eq!(log.tally().skipped_by(Reason::Duplicate), 7);
    assert_eq!(log.tally().total(), 16);
}

#[test]
fn a_text_line_and_its_json_line_are_one_event() {
    let text = "\
[weights][00f067aa0ba902b7] client.send url=http://h/pause t=10.000000 op=pause target=h:80 attempt=1
[weights][00f067aa0ba902b7] client.done wall_ms=1.5 rpc_ms=1.0 queue_ms=0.5 op=pause target=h:80 attempt=1
[weights][00f067aa0ba902b7] server.recv path=/pause t=10.000500
[weights][00f067aa0ba902b7] server.done t=10.001000 dur_ms=0.5 status=200 outcome=ok
";
    let json = "\
{\"v\":1,\"tag\":\"weights\",\"tid\":\"00f067aa0ba902b7\",\"name\":\"client.send\",\"t_ns\":10000000123,\"url\":\"http://h/pause\",\"op\":\"pause\",\"target\":\"h:80\",\"attempt\":1}
{\"v\":1,\"tag\":\"weights\",\"tid\":\"00f067aa0ba902b7\",\"name\":\"client.done\",\"t_ns\":10001500123,\"wall_us\":1512,\"rpc_us\":1000,\"queue_us\":512,\"op\":\"pause\",\"target\":\"h:80\",\"attempt\":1}
{\"v\":1,\"tag\":\"weights\",\"tid\":\"00f067aa0ba902b7\",\"name\":\"server.recv\",\"t_ns\":10000500999,\"path\":\"/pause\"}
{\"v\":1,\"tag\":\"weights\",\"tid\":\"00f067aa0ba902b7\",\"name\":\"server.done\",\"t_ns\":10001000999,\"dur_us\":500,\"status\":200,\"outcome\":\"ok\"}
";
    for lines in [[text, json].concat(), [json, text].concat()] {
        let log = Log::from_bytes(lines.as_bytes());
        let call = only(&log);
        assert!(call.client.is_some() && call.server.is_some());
        assert_eq!(log.tally().skipped_by(Reason::Duplicate), 4);
    }
}

#[test]
fn half_a_trace_is_a_call_that_says_so() {
    for (which, client, server) in [("client.", true, false), ("server.", false, true)] {
        let lines: String =
            WHOLE.lines().filter(|l| l.contains(which)).map(|l| format!("{l}\n")).collect();
        let log = Log::from_bytes(lines.as_bytes());
        let call = only(&log);
        assert_eq!((call.client.is_some(), call.server.is_some()), (client, server));
        assert_eq!(call.operation(), Some("update_weights"));
        assert_eq!(call.until_received(), None);
    }
}

#[test]
fn attempts_are_calls_of_one_id() {
    let lines = "\
[weights][00f067aa0ba902b7] client.send url=http://h/pause t=1.0 op=pause target=h:80 attempt=1
[weights][00f067aa0ba902b7] client.fail wall_ms=5.0 phase=connect outcome=not_sent error=refused attempt=1 op=pause target=h:80
[weights][00f067aa0ba902b7] client.send url=http://h/pause t=2.0 op=pause target=h:80 attempt=2
[weights][00f067aa0ba902b7] server.recv path=/pause t=2.1
[weights][00f067aa0ba902b7] server.done t=2.2 dur_ms=100.0 status=200 outcome=ok
[weights][00f067aa0ba902b7] client.done wall_ms=250.0 status=200 attempt=2 op=pause target=h:80
";
    let log = Log::from_bytes(lines.as_bytes());
    let calls: Vec<_> = log.calls().collect();
    assert_eq!(calls.len(), 2);
    assert!(matches!(calls[0].client.unwrap().end, ClientEnd::Failed { .. }));
    assert!(calls[0].server.is_none(), "it was never sent");
    assert_eq!(calls[1].client.unwrap().end, ClientEnd::Done);
    assert!(calls[1].server.is_some());
}

#[test]
fn a_call_failed_if_either_half_says_so() {
    let failed = |client: &str, server: &str| {
        let line = |rest: &str| match rest {
            "" => String::new(),
            _ => format!("[weights][00f067aa0ba902b7] {rest}\n"),
        };
        only(&Log::from_bytes((line(client) + &line(server)).as_bytes())).failed()
    };
    let fail = "client.fail wall_ms=5.0 phase=wait outcome=unknown error=reset";
    let done = |status: u16| format!("client.done wall_ms=5.0 status={status}");
    let server = |status: u16, outcome: &str| {
        format!("server.done t=2.0 dur_ms=4.0 status={status} outcome={outcome}")
    };
    assert!(failed(fail, "") && failed(fail, &server(200, "ok")));
    assert!(
        failed(&done(500), "")
            && failed(&done(400), "")
            && failed(&done(307), "")
            && !failed(&done(204), "")
    );
    assert!(failed("", &server(503, "ok")) && !failed("", &server(200, "ok")));
    assert!(failed("", &server(200, "error")) && failed(&done(200), &server(200, "panic")));
    // What the client was told goes before what the server says it sent: a proxy may answer by itself.
    assert!(!failed(&done(200), &server(502, "ok")));
    assert!(!failed("", &server(200, "early_drop")) && !failed("", &server(200, "cancelled")));
    assert!(!failed("client.send url=http://h/pause t=1.0", ""));
}

#[test]
fn a_call_that_failed_has_no_times_and_says_why() {
    let lines = "\
[weights][01] client.done wall_ms=900.0 rpc_ms=1.0 queue_ms=899.0 status=500 op=a
[weights][02] client.done wall_ms=5.0 rpc_ms=1.0 queue_ms=4.0 status=200 op=a
[weights][03] server.done t=2.0 dur_ms=4.0 status=503 outcome=ok
[weights][04] server.done t=2.0 dur_ms=4.0 status=200 outcome=panic
[weights][04] client.done wall_ms=7.0 rpc_ms=1.0 queue_ms=6.0 status=200 op=a
";
    let log = Log::from_bytes(lines.as_bytes());
    let told: Vec<_> = log.calls().map(|call| (call.ended_well(), call.ending())).collect();
    let told: Vec<_> = told.iter().map(|(is_well, ending)| (*is_well, ending.as_str())).collect();
    assert_eq!(
        told,
        [
            (false, "status 500"),
            (true, "status 200"),
            (false, "the client's half is missing; the server says status 503"),
            (false, "status 200; the server says outcome panic"),
        ]
    );
    let stats = Stats::of(&log, GroupBy::Nothing, Window::default());
    let (_, wall, _) = stats.groups[0].rows[0];
    assert_eq!((stats.groups[0].failed, wall.n, wall.max), (3, 1, Micros(5000)));
}

#[test]
fn the_calls_of_an_update_are_told_apart_by_their_paths() {
    let mut lines = String::new();
    for (n, op) in ["pause", "update_weights", "resume"].iter().enumerate() {
        lines += &format!(
            "[weights][00f067aa0ba902b7] client.send url=http://h/{op} t={n}.0 op={op} target=h:80 attempt=1\n"
        );
        lines += &format!(
            "[weights][00f067aa0ba902b7] client.done wall_ms={n}00.0 rpc_ms={n}0.0 queue_ms={n}0.0 op={op} target=h:80 attempt=1\n"
        );
    }
    for (n, op) in ["pause", "update_weights", "resume"].iter().enumerate() {
        lines +=
            &format!("[weights][00f067aa0ba902b7] server.recv path=/{op} t={n}.1 inflight={n}\n");
        lines += &format!(
            "[weights][00f067aa0ba902b7] server.done t={n}.2 dur_ms=1.0 status=200 outcome=ok\n"
        );
    }
    let log = Log::from_bytes(lines.as_bytes());
    let calls: Vec<_> = log.calls().collect();
    assert_eq!(calls.len(), 3);
    for (n, call) in calls.iter().enumerate() {
        assert_eq!(ms(Metric::Wall, call), Some(n as f64 * 100.0));
        assert_eq!(call.server.unwrap().in_flight(), Some(n as u32), "{call:?}");
    }
}

#[test]
fn the_members_of_a_fan_out_are_told_apart_by_the_engines_time() {
    let mut lines = String::new();
    for n in 1..=3 {
        lines += &format!(
            "[weights][00f067aa0ba902b7] client.send url=http://h{n}/pause t=1.0 op=pause target=h{n}:80 attempt=1\n"
        );
    }
    for n in [2, 3, 1] {
        lines +=
            &format!("[weights][00f067aa0ba902b7] server.recv path=/pause t=1.{n} inflight={n}\n");
        lines +=
            &format!("[weights][00f067aa0ba902b7] rpc.done op=pause t=1.{n}5 rpc_ms={n}00.0\n");
        lines += &format!(
            "[weights][00f067aa0ba902b7] server.done t=1.{n}6 dur_ms=1.0 status=200 outcome=ok\n"
        );
        lines += &format!(
            "[weights][00f067aa0ba902b7] client.done wall_ms=400.0 rpc_ms={n}00.0 queue_ms=1.0 op=pause target=h{n}:80 attempt=1\n"
        );
    }
    let log = Log::from_bytes(lines.as_bytes());
    let pairs: BTreeSet<_> = log
        .calls()
        .map(|call| (call.target().unwrap().to_owned(), call.server.unwrap().in_flight().unwrap()))
        .collect();
    let expected = [1, 2, 3].map(|n| (format!("h{n}:80"), n));
    assert_eq!(pairs, BTreeSet::from(expected));
}

#[test]
fn what_comes_twice_counts_once_whatever_timers_there_are() {
    for lines in [WHOLE, ATTEMPTS, NESTED, ONE_AFTER_THE_OTHER] {
        let lines: Vec<&str> = lines.lines().collect();
        let expected = told(std::slice::from_ref(&lines));
        let twice = [lines.clone(), lines.clone()];
        assert_eq!(told_with_duplicates(&twice, lines.len() - lines_of_engine(&lines)), expected);
        let one_file = [lines.repeat(2)];
        assert_eq!(
            told_with_duplicates(&one_file, lines.len() - lines_of_engine(&lines)),
            expected
        );
        // The first of two copies is cut.
        let cut = [lines[..lines.len() - 1].to_vec(), lines.clone()];
        let copies = lines.len() - 1 - lines_of_engine(&lines[..lines.len() - 1]);
        assert_eq!(told_with_duplicates(&cut, copies), expected);
    }
}

/// Lines of the engine are not looked at for duplicates: the first one counts.
fn lines_of_engine(lines: &[&str]) -> usize {
    lines.iter().filter(|line| line.contains("[engine]")).count()
}

/// Two servers of one fan-out, whose files are rotated in the middle of their calls.
#[test]
fn pieces_of_different_servers_stay_apart() {
    let client = "\
[weights][ab] client.send url=http://a/pause t=10.0 op=pause target=a:80 attempt=1
[weights][ab] client.send url=http://b/pause t=10.0 op=pause target=b:80 attempt=1
[weights][ab] client.done wall_ms=120.0 rpc_ms=100.0 queue_ms=20.0 op=pause target=a:80 attempt=1
[weights][ab] client.done wall_ms=9020.0 rpc_ms=9000.0 queue_ms=20.0 op=pause target=b:80 attempt=1
";
    let a = "\
[weights][ab] server.recv path=/pause t=10.0
[weights][ab] rpc.start op=pause t=10.001
[weights][ab] rpc.done op=pause t=10.101 rpc_ms=100.0
[weights][ab] server.done t=10.102 dur_ms=102.0 status=200 outcome=ok
";
    let b = "\
[weights][ab] server.recv path=/pause t=10.0002
[weights][ab] rpc.start op=pause t=10.0012
[weights][ab] rpc.done op=pause t=19.0012 rpc_ms=9000.0
[weights][ab] server.done t=19.0022 dur_ms=9002.0 status=500 outcome=ok
";
    let [client, a, b] = [client, a, b].map(|text| text.lines().collect::<Vec<_>>());
    let expected = told(&[client.clone(), a.clone(), b.clone()]);
    for cut in 1..4 {
        let pieces = [&a[..cut], &a[cut..], &b[..cut], &b[cut..]].map(<[&str]>::to_vec);
        let [a1, a2, b1, b2] = pieces;
        for order in [
            [&client, &a1, &b1, &b2, &a2],
            [&a2, &b2, &client, &b1, &a1],
            [&b2, &a1, &b1, &a2, &client],
        ] {
            assert_eq!(told(&order.map(Clone::clone)), expected, "{cut}: {order:?}");
        }
    }
    // Both into one file, as a container's log has them.
    let mut both = [a, b].concat();
    both.sort_by(|x, y| moment(x).total_cmp(&moment(y)));
    assert_eq!(told(&[client, both]), expected);
}

fn moment(line: &str) -> f64 {
    line.split(" t=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn an_exchange_is_of_one_boot_and_one_operation() {
    let begin =
        "[weights][ab] server.recv path=/pause t=1.0\n[weights][ab] rpc.start op=pause t=1.1\n";
    let end = "[weights][ab] rpc.done op=OP t=1.6\n[weights][ab] server.done t=1.7 status=200 outcome=ok\n";
    let calls = |boot: &str, op: &str| {
        let start = |boot| {
            format!("[firstbyte] process.start pid=1 boot={boot} host=h version=0 t=0.5 unix=2.0\n")
        };
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a.log", "b.log"].map(|name| folder.path().join(name));
        std::fs::write(&paths[0], start("AAA") + begin).unwrap();
        std::fs::write(&paths[1], start(boot) + &end.replace("OP", op)).unwrap();
        Log::read(&paths, &crate::Options::default()).unwrap().calls().count()
    };
    assert_eq!([calls("BBB", "pause"), calls("AAA", "resume")], [2, 2]);
}

#[test]
fn json_lines_of_calls_of_one_id_may_be_in_any_order() {
    let mut lines = Vec::new();
    for n in 1..=4_u64 {
        let (sent, wall) = (n * 10_000_000_000, n * 700_000);
        lines.push(format!(
            "{{\"v\":1,\"tag\":\"weights\",\"tid\":\"run\",\"name\":\"client.send\",\"t_ns\":{sent},\"url\":\"http://h/x\",\"op\":\"pause\"}}"
        ));
        lines.push(format!(
            "{{\"v\":1,\"tag\":\"weights\",\"tid\":\"run\",\"name\":\"client.done\",\"t_ns\":{},\"wall_us\":{wall},\"op\":\"pause\"}}",
            sent + wall * 1000
        ));
    }
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let expected = told(std::slice::from_ref(&lines));
    assert_eq!(expected.len(), 4);
    let mut order: Vec<usize> = (0..lines.len()).collect();
    for round in 0..200 {
        // All kinds of orders, the same in every run.
        order.sort_by_key(|n| (n + 3) * (round * 7919 + 13) % 101);
        let shuffled = order.iter().map(|n| lines[*n]).collect();
        assert_eq!(told(&[shuffled]), expected, "{order:?}");
    }
}

#[test]
fn a_call_that_only_waits_is_open() {
    let waiting = "[weights][ab] client.waiting elapsed_ms=60000.0 phase=wait state=in_pool op=pause target=h:80 attempt=1";
    let send = "[weights][ab] client.send url=http://h/pause t=1.0 op=pause target=h:80 attempt=1";
    for lines in [vec![waiting], vec![waiting, waiting], vec![waiting, send], vec![send, waiting]] {
        let log = Log::from_bytes((lines.join("\n") + "\n").as_bytes());
        assert_eq!(only(&log).client.unwrap().end, ClientEnd::Open, "{lines:?}");
    }
}

#[test]
fn work_that_goes_on_after_the_answer_is_no_part_of_the_call() {
    let id = "[weights][00f067aa0ba902b7]";
    let log = Log::from_bytes(
        format!(
            "{id} client.send url=http://h:1/update_weights t=10.000000 op=update_weights target=h:1 attempt=1
{id} server.recv path=/update_weights t=10.001000 kernel_ms=0.0 inflight=0
{id} server.done t=10.041000 dur_ms=40.0 status=200 outcome=ok bytes=2 frames=1
{id} client.done wall_ms=43.0 wait_ms=43.0 status=200 attempt=1 flags=rpc_missing op=update_weights target=h:1
{id} rpc.start op=update_weights t=10.085000
{id} rpc.done op=update_weights t=15.085000 rpc_ms=5000.0
"
        )
        .as_bytes(),
    );
    let call = log.calls().find(|call| call.client.is_some()).unwrap();
    assert_eq!(ms(Metric::Wall, &call), Some(43.0));
    assert_eq!(call.server.unwrap().duration(), Some(Micros(40_000)));
    assert_eq!(ms(Metric::Rpc, &call), None);
}

#[test]
fn two_calls_at_one_moment_are_two() {
    let lines = "\
[weights][ab] client.send url=http://h/pause t=1.0 op=pause
[weights][ab] client.send url=http://h/resume t=1.0 op=resume
";
    assert_eq!(Log::from_bytes(lines.as_bytes()).calls().count(), 2);
}

#[test]
fn timers_within_each_other_count_once() {
    let lines = "\
[weights][00f067aa0ba902b7] server.recv path=/pause t=1.0
[weights][00f067aa0ba902b7] rpc.start op=pause t=1.1
[weights][00f067aa0ba902b7] rpc.start op=pause t=1.2
[weights][00f067aa0ba902b7] rpc.done op=pause t=1.3 rpc_ms=100.0
[weights][00f067aa0ba902b7] rpc.done op=pause t=1.4 rpc_ms=300.0
[weights][00f067aa0ba902b7] rpc.start op=pause t=1.5
[weights][00f067aa0ba902b7] rpc.done op=pause t=1.6 rpc_ms=100.0
";
    let log = Log::from_bytes(lines.as_bytes());
    assert_eq!(ms(Metric::Rpc, &only(&log)), Some(400.0));
}

#[test]
fn moments_of_two_files_are_compared_only_within_one_boot() {
    let (client, server): (Vec<_>, Vec<_>) =
        WHOLE.lines().partition(|line| line.contains("client."));
    let read = |client_boot: &str, server_boot: &str| {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["client.log", "server.log"].map(|name| folder.path().join(name));
        let start = |boot: &str| match boot {
            "" => String::new(),
            boot => format!(
                "[firstbyte] process.start pid=1 boot={boot} host=h version=0 t=1.0 unix=2.0\n"
            ),
        };
        std::fs::write(&paths[0], start(client_boot) + &client.join("\n") + "\n").unwrap();
        std::fs::write(&paths[1], start(server_boot) + &server.join("\n") + "\n").unwrap();
        Log::read(&paths, &crate::Options::default()).unwrap()
    };
    let one = read("b1", "b1");
    assert_eq!(only(&one).until_received(), Some(Micros(400_000)));
    assert_eq!(offsets(&one), []);
    for log in [read("b1", "b2"), read("", ""), read("b1", "")] {
        assert_eq!(only(&log).until_received(), None);
        let offsets = offsets(&log);
        assert_eq!(offsets.len(), 1);
        // It was received 0.4 s after it was sent, and done 0.1668 s before the client had it.
        assert_eq!(offsets[0].most, Some(400_000_000));
        assert_eq!(offsets[0].least, Some(-166_850_000));
    }
}

#[test]
fn a_file_of_two_boots_has_no_clock() {
    let start = |boot| {
        format!("[firstbyte] process.start pid=1 boot={boot} host=h version=0 t=1.0 unix=2.0\n")
    };
    let log = Log::from_bytes((start("a") + &start("b") + WHOLE).as_bytes());
    assert!(log.sources()[0].is_mixed);
    assert_eq!(only(&log).until_received(), None);
    let same = Log::from_bytes((start("a") + &start("a") + WHOLE).as_bytes());
    assert!(only(&same).until_received().is_some());
}

#[test]
fn a_call_that_has_not_ended_is_open() {
    let lines = "\
[weights][00f067aa0ba902b7] client.send url=http://h/pause t=1.0 op=pause target=h:80 attempt=1
[weights][00f067aa0ba902b7] client.waiting elapsed_ms=60000.0 phase=wait state=in_pool op=pause target=h:80 attempt=1
";
    let log = Log::from_bytes(lines.as_bytes());
    assert_eq!(only(&log).client.unwrap().end, ClientEnd::Open);
    assert_eq!(Metric::Wall.of(&only(&log)), None);
}

#[test]
fn ids_of_other_writers_are_joined_too() {
    let lines = "\
[weights][ab12] client.send url=http://h/pause t=1.0
[weights][ab12] server.recv path=/pause t=1.5
[weights][AB12] server.recv path=/pause t=1.5
";
    let log = Log::from_bytes(lines.as_bytes());
    let ids: Vec<_> = log.calls().map(|call| call.id()).collect();
    assert_eq!(ids, ["ab12", "AB12"]);
    assert!(log.calls().next().unwrap().server.is_some());
}

#[test]
fn a_second_arrival_tells_all_of_it_anew() {
    let lines = "\
[weights][a] server.recv path=/x loop_lag_ms=5.0
[weights][a] server.recv path=/x t=1.0 kernel_ms=1.0
";
    let log = Log::from_bytes(lines.as_bytes());
    let half = only(&log).server.unwrap();
    assert_eq!((half.kernel(), half.loop_lag()), (Some(Micros(1_000)), None));
}

#[test]
fn a_number_of_requests_that_is_none_is_unknown_and_no_new_call() {
    let lines = "\
[weights][a] server.recv path=/x t=1.0 inflight=4294967295
[weights][a] server.done t=1.2 dur_ms=200.0 status=200 outcome=ok
";
    let log = Log::from_bytes(lines.repeat(2).as_bytes());
    assert_eq!(only(&log).server.unwrap().in_flight(), None);
    assert_eq!(log.tally().skipped_by(Reason::Duplicate), 2);
}

#[test]
fn engine_calls_without_a_moment_are_one_of_each_exchange() {
    let lines = "\
[weights][a] server.recv path=/x t=1.0
[weights][a] server.recv path=/y t=1.01
[weights][a] rpc.start op=first
[weights][a] rpc.start op=second
[weights][a] server.done t=1.2 dur_ms=200.0 status=200 outcome=ok
[weights][a] server.done t=1.3 dur_ms=290.0 status=200 outcome=ok
";
    let log = Log::from_bytes(lines.as_bytes());
    let ops: Vec<_> = log.calls().map(|call| call.operation().unwrap().to_owned()).collect();
    assert_eq!(ops, ["first", "second"]);
}
