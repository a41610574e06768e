use std::fmt::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use firstbyte_core::Micros;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::{audit::audit, *};
use crate::{measure::Edge, updates::State};

/// Texts that mean something in HTML, in Markdown, or to a terminal.
pub(super) const NASTY: [&str; 12] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</title></style></script><script>x</script>",
    "<!-- ",
    "]]>",
    "&lt;&#60;&amp",
    "a|b`c*d_e[f](http://g)",
    "\u{202e}txt.exe\u{2066}",
    "\x1b[2J\x07\x7f\u{9b}",
    "\u{0}\u{feff}\u{ffff}\r\n\t",
    "javascript:alert(1)",
];

fn report_with(lines: &str, change: impl FnOnce(&mut Options)) -> Report {
    let rules = Rules::default();
    let mut options = Options::default();
    change(&mut options);
    let log = Log::from_bytes(lines.as_bytes());
    Report::of(&log, &rules, rules.thresholds("small").unwrap(), &options)
}

fn report(lines: &str) -> Report {
    report_with(lines, |_| {})
}

/// A call of this number, sent at this second, with this queue, on a server that has an rpc of 100 ms.
fn call(n: usize, second: f64, queue_ms: usize, op: &str) -> String {
    let wall = queue_ms + 100;
    format!(
        "[weights][{n:016x}] client.send url=http://h/{op} t={second:.6} op={op} target=h:80\n\
         [weights][{n:016x}] client.done wall_ms={wall}.0 rpc_ms=100.0 queue_ms={queue_ms}.0 pool_ms={queue_ms}.0 \
         wait_ms=100.0 op={op} target=h:80\n"
    )
}

/// A call as JSON lines, with its begin, so that it is on the axis of time.
fn json_call(id: &str, op: &str, target: &str, wall_us: u64) -> String {
    let line = |name: &str| {
        serde_json::json!({
            "v": 1, "tag": "weights", "tid": id, "name": name, "t_ns": 5, "unix_ns": 6, "op": op, "target": target,
            "attempt": 1,
        })
    };
    let (send, mut done) = (line("client.send"), line("client.done"));
    done["wall_us"] = wall_us.into();
    done["rpc_us"] = (wall_us / 3).into();
    done["queue_us"] = (wall_us - wall_us / 3).into();
    format!("{send}\n{done}\n")
}

/// Everything in a report that a log says.
fn texts(report: &Report) -> Vec<&str> {
    let mut texts: Vec<&str> = report.arms.list.iter().map(Arm::name).collect();
    for call in &report.slowest {
        texts.extend([call.id.as_str(), &call.ending]);
        texts.extend(call.operation.as_deref());
        texts.extend(call.target.as_deref());
    }
    texts.extend(report.clocks.list.iter().flat_map(|clock| &clock.points).map(|p| p.id.as_str()));
    texts.extend(
        report.findings.list.iter().flat_map(|finding| &finding.evidence).map(String::as_str),
    );
    texts.extend(report.files.list.iter().chain(&report.notices.list).map(String::as_str));
    if let Some(updates) = &report.updates {
        texts.extend(updates.warnings.list.iter().chain(&updates.notes).map(String::as_str));
        for row in &updates.rows.list {
            texts.extend(row.straggler.iter().map(|(target, _)| target.as_str()));
            texts.extend(row.largest.iter().map(|(name, _)| name.as_str()));
        }
        let slowest = updates.slowest.iter();
        texts.extend(slowest.flat_map(|slow| &slow.pieces.list).map(|piece| piece.name.as_str()));
    }
    texts.push(&report.title);
    texts
}

/// Holds a page to its own policy, and to say what the report says.
fn check(report: &Report) {
    let page = audit(&html(report));
    assert_eq!((page.styles.len(), page.scripts.len()), (1, 1));
    let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
    assert_eq!(
        page.policy,
        format!(
            "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; \
             form-action 'none'",
            hash(&page.styles[0]),
            hash(&page.scripts[0])
        )
    );
    for text in texts(report) {
        assert!(page.text.contains(&visible(text)), "{text:?} is not there");
    }
}

#[test]
fn each_region_has_a_label_of_its_own() {
    let page = html(&report(&(call(1, 1.0, 5, "pause") + &call(2, 2.0, 5, "update_weights"))));
    let regions = page.split("role=\"region\" aria-label=\"").skip(1);
    let labels: Vec<_> = regions.filter_map(|rest| rest.split('"').next()).collect();
    assert!(labels.contains(&"Percentiles of pause"), "{labels:?}");
    let different: std::collections::HashSet<_> = labels.iter().collect();
    assert_eq!(different.len(), labels.len(), "{labels:?}");
}

#[test]
fn nasty_texts_are_texts_wherever_they_stand() {
    for (n, nasty) in NASTY.into_iter().enumerate() {
        let lines = json_call(&format!("{n:016x}"), nasty, nasty, 900_000)
            + &json_call("00000000000000ff", "pause", nasty, 5_000_000);
        for by in [GroupBy::Op, GroupBy::Target, GroupBy::File] {
            let report = report_with(&lines, |options| {
                options.by = Some(by);
                options.title = nasty.to_owned();
            });
            assert_eq!(report.calls, 2);
            check(&report);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_log_makes_a_page_of_its_own(
        calls in prop::collection::vec((".{0,20}", ".{0,20}", ".{0,20}", 0_u64..u64::MAX, 0..NASTY.len()), 0..6),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut lines = String::from_utf8_lossy(&noise).into_owned();
        for (n, (id, op, target, wall, nasty)) in calls.iter().enumerate() {
            lines += "\n";
            lines += &json_call(id, op, &format!("{target}{}", NASTY[*nasty]), *wall);
            lines += &json_call(&format!("{n:016x}"), NASTY[*nasty], target, wall / 1000);
        }
        let report = report(&lines);
        check(&report);
        let json: serde_json::Value = serde_json::from_str(&json(&report)).unwrap();
        prop_assert_eq!(json["calls"].as_u64(), Some(report.calls as u64));
        prop_assert!(!markdown(&report).contains(|c: char| c.is_control() && c != '\n'));
    }
}

#[test]
fn markdown_and_json_have_no_text_that_is_more_than_text() {
    let lines: String =
        NASTY.iter().map(|nasty| json_call("00000000000000ff", nasty, "h", 10_000)).collect();
    let report = report(&lines);
    let text = markdown(&report);
    let table = text.lines().filter(|line| line.starts_with("| 00000000000000ff"));
    let cells: Vec<usize> =
        table.map(|line| line.matches('|').count() - line.matches("\\|").count()).collect();
    assert_eq!(cells, [9; 10], "{text}");
    assert!(!text.contains("<script") && text.contains("\\[f\\](http:&#47;/g)"), "{text}");
    assert!(json(&report).bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
}

#[test]
fn parts_add_up_to_the_wall_of_their_arm() {
    let lines = call(1, 1.0, 50, "a") + &call(2, 2.0, 150, "a") + &call(3, 3.0, 7, "b");
    let report = report(&lines);
    let told: Vec<_> =
        report.arms.list.iter().map(|arm| (arm.name(), arm.n, arm.wall_ms())).collect();
    assert_eq!(told, [("a", 2, Some(200.0)), ("b", 1, Some(107.0))]);
    let parts: Vec<_> = report.arms.list[0].parts.iter().map(|p| (p.name, p.mean_ms)).collect();
    assert_eq!(parts, [("pool", 100.0), ("rpc", 100.0)]);
}

#[test]
fn a_failed_call_is_no_part_of_the_means_and_is_among_the_slowest() {
    let lines = call(1, 1.0, 50, "a")
        + "[weights][00000000000000aa] client.fail wall_ms=60000.0 error=timeout outcome=unknown phase=wait op=a\n";
    let report = report(&lines);
    assert_eq!(report.arms.list[0].wall_ms(), Some(150.0));
    assert_eq!(report.slowest[0].ending, "failed in wait: timeout, outcome unknown");
    assert_eq!(report.distributions[0].arms[0].n, 1);
}

#[test]
fn the_colour_of_no_fault_is_for_calls_that_were_judged() {
    let verdict = |lines: &str| {
        let html = html(&report(lines));
        html.split_once("class=\"verdict ").unwrap().1.split_once('"').unwrap().0.to_owned()
    };
    assert_eq!(verdict(""), "open");
    assert_eq!(verdict("[weights][00000000000000aa] server.recv path=/a t=1.100000\n"), "open");
    assert_eq!(verdict(&call(1, 1.0, 5, "a")), "none");
    assert_eq!(verdict(&call(1, 1.0, 2000, "a")), "critical");
}

#[test]
fn what_is_unknown_is_said_to_be() {
    let verdict = |lines: &str| report(lines).verdict.sentence();
    assert_eq!(verdict(""), "Nothing can be said: there is no call in these lines.");
    let open = "[weights][00000000000000aa] client.send url=http://h/a t=1.000000\n\
                [weights][00000000000000aa] server.recv path=/a t=1.100000\n";
    assert!(
        verdict("[weights][00000000000000aa] server.recv path=/a t=1.100000\n")
            .starts_with("Nothing can be said: none of 1 call ")
    );
    assert!(verdict(open).starts_with("Calls have no end"), "{}", verdict(open));
    assert_eq!(
        verdict(&call(1, 1.0, 5, "a")),
        "No fault found: of 1 call none is over its threshold (queue 100 ms, rpc 500 ms; without rpc, a wait of 600 ms or wall 1000 ms)."
    );
    let pool = verdict(&call(1, 1.0, 2000, "a"));
    assert!(
        pool.starts_with("The client's connection pool has no free connection: slow calls: 1 of 1"),
        "{pool}"
    );
    assert!(pool.ends_with("; measured."), "{pool}");
    check(&report(""));
}

fn files(files: &[String]) -> Log {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..files.len()).map(|n| folder.path().join(format!("{n}.log"))).collect();
    for (path, lines) in paths.iter().zip(files) {
        std::fs::write(path, lines).unwrap();
    }
    Log::read(&paths, &crate::Options::default()).unwrap()
}

fn clocks_of(log: &Log) -> (Vec<usize>, usize) {
    let rules = Rules::default();
    let report = Report::of(log, &rules, rules.thresholds("small").unwrap(), &Options::default());
    (report.clocks.list.iter().map(|clock| clock.calls).collect(), report.without_moment)
}

#[test]
fn clocks_that_do_not_compare_have_charts_of_their_own() {
    let boot = |boot: &str| {
        format!("[firstbyte] process.start pid=1 boot={boot} host=h version=0.1.0 t=1.0 unix=2.0\n")
    };
    let (one, two) = (call(1, 1.0, 5, "a") + &call(2, 2.0, 5, "a"), call(3, 3.0, 5, "a"));
    assert_eq!(clocks_of(&files(&[one.clone(), two.clone()])), (vec![2, 1], 0));
    let same = [boot("x") + &one, boot("x") + &two];
    assert_eq!(clocks_of(&files(&same)), (vec![3], 0));
    let other = [boot("x") + &one, boot("y") + &two];
    assert_eq!(clocks_of(&files(&other)), (vec![2, 1], 0));
    let mixed = [boot("x") + &boot("y") + &one, two];
    assert_eq!(clocks_of(&files(&mixed)), (vec![1], 2));
}

#[test]
fn of_many_calls_the_picture_is_of_all() {
    // Every 50th call is slow, and one is slower than all.
    let queue = |n: usize| match n {
        3333 => 9000,
        _ if n.is_multiple_of(50) => 600,
        _ => 10 + n % 7,
    };
    let mut lines = String::new();
    for n in 0..5000 {
        lines += &call(n, n as f64, queue(n), ["a", "b"][n % 2]);
    }
    let report = report(&lines);
    let clock = &report.clocks.list[0];
    assert_eq!((clock.columns.len(), clock.points.len()), (100, 10));
    assert_eq!(clock.columns.iter().map(|column| column.calls).sum::<usize>(), 5000);
    for column in &clock.columns {
        let spread = column.queue.unwrap();
        assert!((48..=52).contains(&spread.n), "{spread:?}");
        assert!((10.0..=16.0).contains(&spread.low) && spread.high <= 16.0, "{spread:?}");
        assert!(spread.low <= spread.median && spread.median <= spread.high && spread.max >= 600.0);
    }
    let slowest = clock.points.iter().find(|point| point.slowest == Some(0)).unwrap();
    assert_eq!((slowest.at_s, slowest.queue), (3333.0, Some(Micros(9_000_000))));
    let html = html(&report);
    assert_eq!(html.matches("class=\"middle\"").count(), 100);
    assert!(html.contains("All 5000 calls, by hundredths of the time"));
    assert!(html.len() < 1_000_000, "{}", html.len());
    check(&report);
    for arm in &report.distributions[0].arms {
        assert_eq!((arm.n, arm.steps.len()), (2500, 200));
        assert_eq!(arm.steps.last().map(|step| step.1), Some(1.0));
    }
}

#[test]
fn the_queue_over_time_is_that_of_calls_that_ended_well() {
    let failed = "[weights][00000000000000aa] client.send url=http://h/a t=3.000000 op=a target=h:80\n\
        [weights][00000000000000aa] rpc.done op=a t=4.000000 rpc_ms=100.0\n\
        [weights][00000000000000aa] client.fail wall_ms=60000.0 error=read_timeout outcome=unknown phase=wait op=a\n";
    let lines: String = (0..9).map(|n| call(n, n as f64, 5, "a")).collect();
    let clock = report(&(lines + failed)).clocks.list.remove(0);
    assert_eq!((clock.calls, clock.with_queue), (10, 9));
    assert!(clock.columns.iter().filter_map(|column| column.queue).all(|queue| queue.max == 5.0));
    assert!(clock.points.iter().all(|point| point.queue.is_none_or(|queue| queue.0 == 5000)));
}

#[test]
fn few_calls_are_points_each() {
    let lines: String = (0..1000).map(|n| call(n, n as f64, n % 7, "a")).collect();
    let report = report(&lines);
    assert_eq!(report.clocks.list[0].points.len(), 1000);
    let html = html(&report);
    assert!(
        html.contains("queue: 1000 of 1000. Each of these is a point.")
            && !html.contains("class=\"middle\"")
    );
    let text = markdown(&report);
    let row = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().len();
    assert_eq!(row("largest "), row("median "), "{text}");
}

#[test]
fn an_arm_too_many_is_counted() {
    let lines: String = (0..30).map(|n| call(n, n as f64, 5, &format!("op{n}"))).collect();
    let report = report(&lines);
    assert_eq!((report.arms.list.len(), report.arms.left_out), (12, 18));
    assert!(html(&report).contains("Not shown: 18 more of these arms."));
    assert!(markdown(&report).contains("Not shown: 18 more of these arms."));
}

/// An update of this number that begins at this second: pause and load of each server, and a resume if it ends.
fn update(n: usize, second: f64, servers: &[(&str, usize)], is_resumed: bool) -> String {
    let mut lines = String::new();
    for (server, (target, load_ms)) in servers.iter().enumerate() {
        let end = second + 0.2 + *load_ms as f64 / 1e3;
        let stages = [("pause", second, 100), ("update_weights", second + 0.1, *load_ms)];
        let resume = is_resumed.then_some(("resume", end, 50));
        for (place, (op, at, wall)) in stages.into_iter().chain(resume).enumerate() {
            let id = format!("{:016x}", n * 100 + server * 10 + place);
            _ = writeln!(
                lines,
                "[weights][{id}] client.send url=http://{target}/{op} t={at:.6} op={op} target={target} step={n}\n\
                 [weights][{id}] client.done wall_ms={wall}.0 rpc_ms=40.0 queue_ms={}.0 op={op} target={target}",
                wall - 40
            );
        }
    }
    lines
}

#[test]
fn bands_are_the_updates_of_the_ledger() {
    // From 0 to 1.25 s, from 5 s until a load ends, and from 7 s until one is sent: the last that is known of it.
    let mut lines = update(1, 0.0, &[("a", 1000)], true) + &update(2, 5.0, &[("a", 900)], false);
    for (op, at) in [("pause", "7.0"), ("update_weights", "7.3")] {
        _ = writeln!(
            lines,
            "[weights][a{op}] client.send url=http://b/{op} t={at} op={op} target=b"
        );
    }
    lines += &call(0xfff, 9.0, 900, "generate").replace("[weights]", "[admin]");
    let clock = &report(&lines).clocks.list[0];
    assert_eq!((clock.updates, clock.length_s), (3, 10.0));
    let bands: Vec<String> =
        clock.bands.iter().map(|(from, to)| format!("{from:.2}-{to:.2}")).collect();
    assert_eq!(bands, ["0.00-1.26", "5.00-6.02", "7.00-7.32"]);
}

#[test]
fn updates_are_rows_and_the_incomplete_are_loud() {
    let lines = update(7, 1.0, &[("a", 1000), ("b", 3000)], true)
        + &update(8, 9.0, &[("a", 500)], true)
        + &update(9, 20.0, &[("a", 500), ("b", 800)], false);
    let report = report(&lines);
    let updates = report.updates.as_ref().unwrap();
    let told: Vec<_> =
        updates.rows.list.iter().map(|row| captions::update(row).join(" ")).collect();
    assert_eq!(
        told,
        [
            "1 7 complete 1.000 3250.0 2 b 2000.0 100.0 update_weights on b 92.3 %",
            "2 8 complete 9.000 750.0 1 - - - update_weights on a 66.7 %",
            "3 9 not resumed 20.000 900.0 2 b 300.0 300.0 update_weights on b 88.9 %",
        ]
    );
    assert_eq!(updates.states, [(State::Complete, 2), (State::NotResumed, 1)]);
    assert_eq!(updates.warnings.list.len(), 2);
    let slowest = updates.slowest.as_ref().unwrap();
    assert_eq!((slowest.number, slowest.duration), (1, Micros(3_250_000)));
    let sum: u64 = slowest.pieces.list.iter().map(|piece| piece.length().0).sum();
    assert_eq!(sum, slowest.duration.0);
    let names: Vec<_> = slowest.pieces.list.iter().map(|p| (p.name.as_str(), p.start.0)).collect();
    assert_eq!(
        names,
        [
            ("pause on b", 0),
            ("update_weights on b", 100_000),
            ("orchestrator", 3_100_000),
            ("resume on b", 3_200_000)
        ]
    );
    check(&report);
    assert_eq!(html(&report).matches("<tr class=\"critical\">").count(), 1);
    let text = markdown(&report);
    assert!(text.contains("> **WARNING:** a was paused by update 3"), "{text}");
    assert!(text.contains("| 3 | 9 | **not resumed** |"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&json(&report)).unwrap();
    assert_eq!(json["updates"]["list"][0]["largest"]["name"], "update_weights on b");
    assert_eq!(json["updates"]["ms"]["duration"]["n"], 3);
}

#[test]
fn of_many_updates_the_incomplete_and_the_longest_are_listed() {
    let lines: String =
        (0..250).map(|n| update(n, n as f64 * 10.0, &[("a", 100 + n)], n != 3)).collect();
    let updates = report(&lines).updates.unwrap();
    assert_eq!((updates.n, updates.rows.list.len(), updates.rows.left_out), (250, 200, 50));
    let numbers: Vec<_> = updates.rows.list.iter().map(|row| row.number).collect();
    assert_eq!(numbers[..3], [4, 52, 53]);
    assert_eq!(updates.rows.list[0].state, State::ResumedLater);
    assert_eq!(updates.summaries[0].1.n, 250);
}

#[test]
fn a_window_has_the_updates_that_begin_in_it() {
    let lines = update(1, 1.0, &[("a", 5000)], true) + &update(2, 9.0, &[("a", 500)], true);
    let late = report_with(&lines, |options| {
        options.window = Window::new(Some(Edge::Monotonic(5.0)), None);
    });
    let updates = late.updates.unwrap();
    assert_eq!((updates.n, updates.rows.list[0].step), (1, Some(2)));
    assert!(report(&call(1, 1.0, 5, "generate")).updates.is_none());
}

#[test]
fn a_window_is_of_calls_and_findings() {
    let lines = call(1, 1.0, 5, "a") + &call(2, 8.0, 5000, "a");
    let early = report_with(&lines, |options| {
        options.window = Window::new(None, Some(Edge::Monotonic(5.0)));
    });
    assert_eq!((early.calls, early.findings.list.len(), early.slowest.len()), (1, 0, 1));
    assert!(
        html(&early).contains("only those that were sent before second 5 of the monotonic clock")
    );
    assert_eq!(report(&lines).findings.list.len(), 1);
}
