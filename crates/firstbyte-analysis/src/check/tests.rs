use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

/// Calls with these queues in milliseconds, each with an rpc of 100 ms.
fn calls(queues: impl IntoIterator<Item = u32>) -> String {
    calls_of(queues.into_iter().map(|queue| (queue, 100)))
}

/// Calls with these queues and rpc times, in milliseconds.
fn calls_of(times: impl IntoIterator<Item = (u32, u32)>) -> String {
    let mut lines = String::new();
    for (id, (queue, rpc)) in (1_u64..).zip(times) {
        let (wall, op) = (queue + rpc, if id % 2 == 0 { "pause" } else { "resume" });
        writeln!(
            lines,
            "[weights][{id:016x}] client.done wall_ms={wall}.0 rpc_ms={rpc}.0 queue_ms={queue}.0 op={op} target=h:1"
        )
        .unwrap();
    }
    lines
}

/// The verdict on one criterion and the sentence on it.
fn said_of(criterion: &str, after: &str, before: &str) -> (Verdict, String) {
    let criteria = Criteria::parse(&format!("[[criterion]]\nname = 'c'\n{criterion}")).unwrap();
    let (after, before) = (Log::from_bytes(after.as_bytes()), Log::from_bytes(before.as_bytes()));
    let outcomes = criteria.check(&after, Some(&before));
    let sentences: Vec<_> = outcomes[0].evidence.iter().map(ToString::to_string).collect();
    (outcomes[0].verdict(), sentences.join("\n"))
}

fn number(metric: &str, statistic: &str, limit: &str, lines: &str) -> (Verdict, String) {
    said_of(&format!("metric = '{metric}'\nstatistic = '{statistic}'\n{limit}"), lines, "")
}

fn wrong(criterion: &str) -> String {
    let text = format!("# ours\n[[criterion]]\nname = 'c'\n{criterion}");
    Criteria::parse(&text).unwrap_err().to_string()
}

#[test]
fn every_statistic_agrees_with_a_calculation_by_hand() {
    // 10, 20 ... 200: mean 105, the deviation that of 1 to 20, root of 35, times 10. Queue is 2,100 of 4,100 ms.
    let lines = calls((1..=20).map(|n| n * 10));
    for (statistic, least, said) in [
        ("min", "10", "queue min 10.0 ms (n 20), at least 10 ms"),
        ("mean", "105", "queue mean 105.0 ms (n 20), at least 105 ms"),
        ("max", "200", "queue max 200.0 ms (n 20), at least 200 ms"),
        ("stddev", "59.1", "queue stddev 59.2 ms (n 20), at least 59.1 ms"),
        ("p50", "1", "queue p50 100.0 ms (n 20), at least 1 ms"),
        ("p95", "190", "queue p95 190.0 ms (n 20), at least 190 ms"),
        ("n", "20", "queue n 20 (n 20), at least 20"),
        ("share", "0.51", "queue share of wall 0.512 (n 20), at least 0.51"),
    ] {
        let found = number("queue", statistic, &format!("at_least = {least}"), &lines);
        assert_eq!(found, (Verdict::Met, said.to_owned()));
    }
    let (verdict, _) = number("queue", "share", "at_least = 0.52", &lines);
    assert_eq!(verdict, Verdict::NotMet);
}

#[test]
fn limits_are_met_at_their_ends_and_not_beyond() {
    let lines = calls([300]);
    let verdict = |limit: &str| number("queue", "max", limit, &lines).0;
    for met in ["at_most = 300", "at_least = 300", "at_least = 299\nat_most = 301"] {
        assert_eq!(verdict(met), Verdict::Met, "{met}");
    }
    for not in ["at_most = 299.9", "at_least = 300.1", "at_least = 1\nat_most = 2"] {
        assert_eq!(verdict(not), Verdict::NotMet, "{not}");
    }
}

#[test]
fn a_number_has_the_digits_that_decide() {
    let (verdict, said) = number("queue", "max", "at_most = 299.96", &calls([300]));
    assert_eq!(
        (verdict, said.as_str()),
        (Verdict::NotMet, "queue max 300.0 ms (n 1), at most 299.96 ms")
    );
    // The mean of 300, 300 and 301 is 300.333; with one digit it would not be over the limit.
    let (verdict, said) = number("queue", "mean", "at_most = 300.3", &calls([300, 300, 301]));
    assert_eq!(verdict, Verdict::NotMet);
    assert!(said.starts_with("queue mean 300.33 ms (n 3)"), "{said}");
}

#[test]
fn an_interval_with_the_limit_in_it_is_told_whatever_the_verdict() {
    // Of 20 values the median's interval is from the 6th to the 15th: 60 to 150.
    let lines = calls((1..=20).map(|n| n * 10));
    let told = |limit: &str| {
        let (verdict, said) = number("queue", "p50", limit, &lines);
        (verdict, said.contains("; its 95 % interval [60.0, 150.0] has the limit in it"))
    };
    assert_eq!(told("at_most = 120"), (Verdict::Met, true));
    assert_eq!(told("at_most = 90"), (Verdict::NotMet, true));
    assert_eq!(told("at_most = 150"), (Verdict::Met, false));
    assert_eq!(told("at_least = 61"), (Verdict::Met, true));
    assert_eq!(told("at_least = 60"), (Verdict::Met, false));
}

#[test]
fn what_the_lines_do_not_tell_is_not_a_pass() {
    let lines = calls((1..=19).map(|n| n * 10));
    assert_eq!(
        number("queue", "p95", "at_most = 300", &lines),
        (
            Verdict::CannotTell,
            "queue p95 unknown (n 19, it is told from 20 on), at most 300 ms".into()
        )
    );
    assert_eq!(number("pool", "max", "at_most = 300", &lines).0, Verdict::CannotTell);
    assert_eq!(number("step", "max", "at_most = 300", &lines).0, Verdict::CannotTell);
    assert_eq!(number("queue", "stddev", "at_most = 300", &calls([1])).0, Verdict::CannotTell);
    assert_eq!(said_of("metric = 'failed_share'\nat_most = 1", "", "").0, Verdict::CannotTell);
    let asked = |n| number("queue", "max", &format!("at_most = 10\nat_least_calls = {n}"), &lines);
    assert_eq!(
        asked(20),
        (
            Verdict::CannotTell,
            "queue max 190.0 ms (n 19, 20 are asked for), at most 10 ms".to_owned()
        )
    );
    assert_eq!(asked(19).0, Verdict::NotMet);
    // How many there are is known in any case.
    assert_eq!(number("pool", "n", "at_least = 1", &lines).0, Verdict::NotMet);
    assert_eq!(number("step", "n", "at_least = 1", &lines).0, Verdict::NotMet);
}

#[test]
fn a_selection_chooses_calls() {
    let server = "[weights][00000000000000ff] server.recv path=/pause t=1.000000\n";
    let lines = calls([10, 20, 30]) + server;
    let count = |selection: &str| {
        said_of(&format!("metric = 'calls'\nat_least = 0\nwhere = {selection}"), &lines, "").1
    };
    for (selection, n) in [
        ("{}", 4),
        ("{ op = 'resume' }", 2),
        ("{ op = 'pause' }", 2),
        ("{ op = 'resume', target = 'h:1' }", 2),
        ("{ target = 'h:2' }", 0),
        ("{ side = 'client' }", 3),
        ("{ side = 'server' }", 1),
        ("{ side = 'both' }", 0),
    ] {
        assert_eq!(count(selection), format!("calls {n} (n {n}), at least 0"), "{selection}");
    }
    let (_, said) = number("queue", "max", "at_most = 9\nwhere = { op = 'pause' }", &lines);
    assert!(said.starts_with("queue max 20.0 ms (n 1)"), "{said}");
}

#[test]
fn failures_are_a_share_of_the_calls_that_ended() {
    let lines = calls([10, 20, 30])
        + "[weights][00000000000000fe] client.fail wall_ms=9.0 phase=pool outcome=error error=timeout\n\
           [weights][00000000000000ff] client.send url=http://h/pause t=1.000000\n";
    let (verdict, said) = said_of("metric = 'failed_share'\nat_most = 0.2", &lines, "");
    assert_eq!(verdict, Verdict::NotMet);
    assert_eq!(
        said,
        "failed_share 0.250 (n 4), at most 0.2; calls without an end, which count in neither: 1"
    );
    // How long a failure took is no time of a call.
    let (_, said) = number("wall", "min", "at_least = 1", &lines);
    assert!(said.starts_with("wall min 110.0 ms (n 3)"), "{said}");
    let lines_of_one = lines.replace("resume", "pause");
    let compared = "metric = 'wall'\ncompare = 'not_worse'";
    let (_, said) = said_of(compared, &lines_of_one, &lines_of_one);
    assert!(said.starts_with("wall median 120.0 ms (n 3) before, 120.0 ms (n 3) after"), "{said}");
    let criteria = "[[criterion]]\nname = 'c'\nmetric = 'failed_share'\nat_most = 0.2";
    let criteria = Criteria::parse(criteria).unwrap();
    let outcome = &criteria.check(&Log::from_bytes(lines.as_bytes()), None)[0];
    assert_eq!(outcome.worst.len(), 1);
    assert_eq!(outcome.worst[0].id, "00000000000000fe");
    assert!(outcome.worst[0].what.contains("failed in pool"), "{:?}", outcome.worst);
}

#[test]
fn not_worse_is_asked_of_each_operation() {
    let cycle = |load_ms: usize| -> String {
        let line = |n: usize| {
            let (op, wall) = [("pause", 2), ("load", load_ms + n % 7), ("resume", 2)][n % 3];
            format!(
                "[weights][{n:016x}] client.done wall_ms={wall}.0 rpc_ms=1.0 queue_ms=1.0 op={op}\n"
            )
        };
        (0..60).map(line).collect()
    };
    let not_worse = |rest: &str| {
        let text = format!("metric = 'wall'\ncompare = 'not_worse'\n{rest}");
        said_of(&text, &cycle(1900), &cycle(200))
    };
    let (verdict, said) = not_worse("");
    assert_eq!(verdict, Verdict::NotMet);
    assert!(said.contains("wall of load median 203.0 ms (n 20) before, 1903.0 ms"), "{said}");
    assert_eq!(said.lines().count(), 3, "{said}");
    assert_eq!(not_worse("where = { op = 'pause' }").0, Verdict::Met);
    assert_eq!(not_worse("where = { op = 'load' }").0, Verdict::NotMet);
}

#[test]
fn an_error_as_an_answer_is_a_failure() {
    let lines = calls([10, 20, 30])
        + "[weights][00000000000000fd] client.done wall_ms=9.0 rpc_ms=1.0 queue_ms=8.0 status=503\n\
           [weights][00000000000000fe] server.done t=2.0 dur_ms=4.0 status=200 outcome=error\n";
    let (_, said) = said_of("metric = 'failed_share'\nat_most = 0.2", &lines, "");
    assert_eq!(said, "failed_share 0.400 (n 5), at most 0.2");
}

#[test]
fn the_worst_calls_are_those_beyond_the_limit() {
    let worst = |limit: &str| {
        let text = format!("[[criterion]]\nname='c'\nmetric='queue'\nstatistic='max'\n{limit}");
        let criteria = Criteria::parse(&text).unwrap();
        let log = Log::from_bytes(calls([30, 10, 50, 20, 40]).as_bytes());
        let outcome = criteria.check(&log, None).swap_remove(0);
        let shown =
            outcome.worst.into_iter().map(|call| call.id[15..].to_owned() + " " + &call.what);
        shown.collect::<Vec<_>>()
    };
    assert_eq!(worst("at_most = 9"), ["3 50.0 ms", "5 40.0 ms", "1 30.0 ms"]);
    assert_eq!(worst("at_least = 9"), ["2 10.0 ms", "4 20.0 ms", "1 30.0 ms"]);
}

#[test]
fn what_happens_beside_the_calls_has_limits_too() {
    let lines = "[step] step.done step=1 dur_ms=1000.0\n[step] step.done step=2 dur_ms=3000.0\n\
        [infer] batch.done prompts=8 dur_ms=1.0 input_tokens=4 output_tokens=4 input_tps=4.0 output_tps=40.0\n";
    for (metric, limit, said) in [
        ("step", "at_most = 2000", "step mean 2000.0 ms (n 2), at most 2000 ms"),
        (
            "infer.output_tps",
            "at_least = 40",
            "infer.output_tps mean 40.0 tokens/s (n 1), at least 40 tokens/s",
        ),
    ] {
        assert_eq!(number(metric, "mean", limit, lines), (Verdict::Met, said.to_owned()));
    }
}

#[test]
fn not_worse_is_what_compare_says() {
    let rpc = |rpc: u32| calls_of((0..20).map(|n| (1, rpc + n % 5))).replace("resume", "pause");
    let said = |before: &str, after: &str, more: &str| {
        said_of(&format!("metric = 'rpc'\ncompare = 'not_worse'\n{more}"), after, before)
    };
    let (verdict, text) = said(&rpc(100), &rpc(101), "");
    assert_eq!(verdict, Verdict::Met);
    assert!(
        text.starts_with(
            "rpc median 102.0 ms (n 20) before, 103.0 ms (n 20) after, shift +1.0 ms ["
        )
    );
    assert!(text.ends_with(": same, within 10.2 ms"), "{text}");
    assert_eq!(said(&rpc(100), &rpc(50), "").0, Verdict::Met);
    assert_eq!(said(&rpc(100), &rpc(150), "").0, Verdict::NotMet);
    let (verdict, text) = said(&rpc(100), &calls([1, 2]).replace("resume", "pause"), "");
    assert_eq!(verdict, Verdict::CannotTell);
    assert!(text.ends_with(": not enough, about 2 more on either side"), "{text}");
    let (verdict, text) = said("", &rpc(100), "");
    assert_eq!(
        (verdict, text.as_str()),
        (Verdict::CannotTell, "rpc median unknown (n 0) before, 102.0 ms (n 20) after")
    );
    let (verdict, text) = said(&rpc(100), &rpc(150), "at_least_calls = 21");
    assert_eq!(verdict, Verdict::CannotTell);
    assert!(text.ends_with(": 21 are asked for on either side"), "{text}");
}

const FIX: &str = "fix_validation = { queue_before_over = 1000, queue_after_under = 300 }";

/// 20 calls with about this queue and this rpc, and 8 batches of about so many tokens per second.
fn run(queue: u32, rpc: u32, tps: u32) -> String {
    let mut lines = calls_of((0..20).map(|n| (queue + n % 5, rpc + n % 3)));
    for n in 0..8 {
        let tps = tps + n % 3;
        writeln!(
            lines,
            "[gen] batch.done completions=16 dur_ms=1000.0 inflight=0 input_tokens=8 output_tokens=8 \
             input_tps=8.0 output_tps={tps}.0"
        )
        .unwrap();
    }
    lines
}

#[test]
fn a_fix_has_a_short_queue_and_costs_nothing() {
    let run = |queue, rpc, tps| run(queue, rpc, tps).replace("resume", "pause");
    let before = run(3000, 40, 500);
    let said = |after: &str| said_of(FIX, after, &before);
    let (verdict, text) = said(&run(50, 40, 510));
    assert_eq!(verdict, Verdict::Met, "{text}");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "queue p50 before 3002.0 ms (n 20), over 1000 ms");
    assert_eq!(lines[1], "queue p50 after 52.0 ms (n 20), under 300 ms");
    assert!(
        lines[2].starts_with("rpc median 41.0 ms (n 20) before, 41.0 ms (n 20) after"),
        "{text}"
    );
    assert!(lines[3].starts_with("gen.output_tps median 501.0 tokens/s (n 8) before, 511.0"));
    for paid in [run(900, 40, 510), run(50, 90, 510), run(50, 40, 400)] {
        assert_eq!(said(&paid).0, Verdict::NotMet);
    }
    let (verdict, text) = said(&run(50, 40, 900));
    assert_eq!(verdict, Verdict::Met);
    assert!(text.contains("shift +400.0 tokens/s [+39") && text.ends_with(": better"), "{text}");
}

/// Rounds of pause and load, each with its queue and rpc in milliseconds, and batches.
fn rounds(pause: (u32, u32), load: (u32, u32), pauses: usize) -> String {
    let mut lines = "[gen] batch.done completions=8 dur_ms=500.0 inflight=0\n".repeat(6);
    for n in 0..20 * (pauses + 1) {
        let is_pause = n % (pauses + 1) != 0;
        let ((queue, rpc), op) = if is_pause { (pause, "pause") } else { (load, "load") };
        let (queue, rpc) = (queue + n as u32 % 5, rpc + n as u32 % 3);
        let wall = queue + rpc;
        writeln!(
            lines,
            "[weights][{n:016x}] client.done wall_ms={wall}.0 rpc_ms={rpc}.0 queue_ms={queue}.0 op={op}"
        )
        .unwrap();
    }
    lines
}

#[test]
fn a_fix_is_judged_operation_by_operation() {
    let said = |before: &str, after: &str| said_of(FIX, after, before);
    // What loads take now is hidden among three pauses each.
    let (verdict, text) = said(&rounds((3000, 2), (3000, 200), 3), &rounds((5, 2), (5, 1900), 3));
    assert_eq!(verdict, Verdict::NotMet, "{text}");
    let worse: Vec<_> = text.lines().filter(|line| line.ends_with(": worse")).collect();
    assert!(worse.len() == 1 && worse[0].starts_with("rpc of load median 201.0 ms"), "{text}");
    // A long queue of loads alone, likewise, and it is as long afterwards.
    let long = rounds((5, 2), (3000, 200), 3);
    let (verdict, text) = said(&long, &long);
    assert_eq!(verdict, Verdict::NotMet, "{text}");
    assert!(
        text.starts_with(
            "queue p50 of load before 3002.0 ms (n 20), over 1000 ms\n\
             queue p50 of load after 3002.0 ms (n 20), under 300 ms\n\
             rpc of load "
        ),
        "{text}"
    );
    assert_eq!(said(&long, &rounds((5, 2), (5, 200), 3)).0, Verdict::Met);
    // It must not be another one that waits instead.
    let (verdict, text) = said(&long, &rounds((3000, 2), (5, 200), 3));
    assert_eq!(verdict, Verdict::NotMet, "{text}");
    assert!(text.contains("\nqueue p50 of pause after 3002.0 ms (n 60), under 300 ms\n"), "{text}");
}

#[test]
fn a_fix_without_a_long_queue_before_cannot_be_told() {
    let after = run(50, 40, 500);
    let (verdict, text) = said_of(FIX, &after, &run(200, 40, 500));
    assert_eq!(verdict, Verdict::CannotTell);
    assert!(text.contains("over 1000 ms; without it there is nothing to validate\n"), "{text}");
    assert_eq!(said_of(FIX, &after, &run(1000, 40, 500)).0, Verdict::Met);
    // One that is as long afterwards is not fixed, whatever it was before.
    assert_eq!(said_of(FIX, &run(400, 40, 500), &run(200, 40, 500)).0, Verdict::NotMet);
}

#[test]
fn the_throughput_may_be_told_by_completions_and_must_be_told() {
    let before = calls((0..20).map(|n| 3000 + n));
    let after = calls(0..20);
    let (verdict, text) = said_of(FIX, &after, &before);
    assert_eq!(verdict, Verdict::CannotTell);
    assert!(
        text.ends_with("generation median unknown (n 0) before, unknown (n 0) after"),
        "{text}"
    );
    let batches = |completions: u32| -> String {
        let line = format!("[gen] batch.done completions={completions} dur_ms=500.0 inflight=0\n");
        line.repeat(6)
    };
    let with = |completions| {
        said_of(FIX, &(after.clone() + &batches(completions)), &(before.clone() + &batches(8)))
    };
    let (verdict, text) = with(8);
    assert_eq!(verdict, Verdict::Met);
    assert!(text.contains("generation median 16.0 completions/s (n 6) before, 16.0"), "{text}");
    assert!(
        text.ends_with("shift +0.0 completions/s [+0.0, +0.0]: same, within 1.6 completions/s"),
        "{text}"
    );
    assert_eq!(with(4).0, Verdict::NotMet);
    // Of nothing there is no share that could be lost.
    let idle = before + &batches(0);
    let (verdict, text) = said_of(FIX, &(after + &batches(8)), &idle);
    assert_eq!(verdict, Verdict::CannotTell);
    assert!(
        text.ends_with("median 0.0 completions/s (n 6) before, 16.0 completions/s (n 6) after"),
        "{text}"
    );
}

#[test]
fn one_that_is_not_met_decides_then_one_that_cannot_be_told() {
    use Verdict::{CannotTell, Met, NotMet};
    assert_eq!(Verdict::of_all([Met, CannotTell, NotMet, Met]), NotMet);
    assert_eq!(Verdict::of_all([CannotTell, Met]), CannotTell);
    assert_eq!(Verdict::of_all([Met, Met]), Met);
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let one = "metric = 'queue'\nstatistic = 'max'\n";
    for (criterion, hint) in [
        (format!("{one}at_mots = 3"), "unknown field `at_mots`"),
        (format!("{one}at_mots = 3"), "line 6"),
        (one.to_owned(), "line 2: criterion \"c\": needs at_most or at_least"),
        (format!("{one}at_most = -1"), "the limit of queue max is a number from 0"),
        (format!("{one}at_most = nan"), "the limit of queue max is a number from 0"),
        (format!("{one}at_most = inf"), "the limit of queue max is a number from 0"),
        (format!("{one}at_most = 1\nat_least = 2"), "at_least is above at_most"),
        (format!("{one}at_most = 1\ncompare = 'not_worse'"), "needs either"),
        (format!("{one}at_most = 1\nwhere = {{ port = 1 }}"), "unknown field `port`"),
        (format!("{one}at_most = 1\nwhere = {{ side = 'left' }}"), "unknown variant `left`"),
        (format!("{one}at_most = 1\nat_least_calls = -1"), "line 7"),
        (
            format!("{one}at_most = 1\n[[criterion]]\nname = 'c'\n{one}at_most = 2"),
            "line 7: criterion \"c\": another",
        ),
        ("metric = 'queue'\nat_most = 1".into(), "needs statistic"),
        ("metric = 'queue'\nstatistic = 'p90'\nat_most = 1".into(), "unknown variant `p90`"),
        (
            "metric = 'queues'\nstatistic = 'max'\nat_most = 1".into(),
            "is not one of failed_share, calls, wall, queue",
        ),
        ("metric = 'calls'\nstatistic = 'n'\nat_most = 1".into(), "has no statistic"),
        ("metric = 'failed_share'\nat_most = 2".into(), "from 0 to 1"),
        ("metric = 'queue'\nstatistic = 'share'\nat_most = 20".into(), "from 0 to 1"),
        ("metric = 'resume'\nstatistic = 'share'\nat_most = 1".into(), "no part of wall"),
        ("metric = 'step'\nstatistic = 'share'\nat_most = 1".into(), "no part of wall"),
        ("metric = 'gen.output_tps'\nstatistic = 'p99'\nat_most = 1".into(), "durations only"),
        (
            "metric = 'step'\nstatistic = 'max'\nat_most = 1\nwhere = { op = 'x' }".into(),
            "where is of calls",
        ),
        ("metric = 'step'\ncompare = 'not_worse'".into(), "is no time of a call"),
        ("compare = 'not_worse'".into(), "needs either"),
        ("metric = 'rpc'\ncompare = 'better'".into(), "unknown variant `better`"),
        (format!("{FIX}\nmetric = 'rpc'"), "needs either"),
        (format!("{FIX}\nat_most = 3"), "needs either"),
        (FIX.replace("1000", "200"), "queue_after_under must not be above"),
        (FIX.replace("1000", "nan"), "has milliseconds, from 0"),
        ("fix_validation = { queue_before_over = 1 }".into(), "missing field `queue_after_under`"),
    ] {
        let error = wrong(&criterion);
        assert!(error.contains(hint), "{hint}: {error}");
    }
    for empty in ["", "# nothing\n", "criterion = []"] {
        let error = Criteria::parse(empty).unwrap_err().to_string();
        assert_eq!(error, "line 1: there is no [[criterion]], so nothing to check");
    }
    assert!(
        Criteria::parse("[[criterion]]\nmetric = 'rpc'")
            .unwrap_err()
            .0
            .contains("missing field `name`")
    );
}

proptest! {
    #[test]
    fn no_text_and_no_log_makes_it_panic(text in "\\PC{0,200}", value in any::<f64>(), lines in any::<Vec<u8>>()) {
        // Whether it is refused does not matter here.
        _ = Criteria::parse(&text);
        let text = format!("[[criterion]]\nname = '''{text}'''\nmetric = 'queue'\nstatistic = 'mean'\nat_most = {value:?}");
        if let Ok(criteria) = Criteria::parse(&text) {
            let log = Log::from_bytes(&[calls([3]).as_bytes(), &lines].concat());
            let outcome = criteria.check(&log, None).swap_remove(0);
            let wanted = if value >= 3.0 { Verdict::Met } else { Verdict::NotMet };
            prop_assert_eq!(outcome.verdict(), wanted, "{}", outcome.evidence[0]);
        }
    }
}
