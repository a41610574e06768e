use std::fmt::Write as _;

use super::*;
use crate::correlate::Log;

fn log(walls: impl IntoIterator<Item = f64>) -> Log {
    let mut lines = String::new();
    for (n, wall) in walls.into_iter().enumerate() {
        writeln!(
            lines,
            "[weights][{n:016x}] client.done wall_ms={wall:.1} rpc_ms=1.0 queue_ms={:.1}",
            wall - 1.0
        )
        .unwrap();
    }
    Log::from_bytes(lines.as_bytes())
}

fn wall(before: impl IntoIterator<Item = f64>, after: impl IntoIterator<Item = f64>) -> Comparison {
    let all = compare(&log(before), &log(after), Margin::default()).operations.swap_remove(0);
    all.times.into_iter().find(|comparison| comparison.metric == Metric::Wall).unwrap()
}

#[test]
fn it_agrees_with_a_calculation_by_hand() {
    // Every difference: 9 10 11 12 | 8 9 10 11 | 7 8 9 10, sorted 7 8 8 9 9 9 10 10 10 11 11 12: median 9.5.
    let found = wall([1.0, 2.0, 3.0], [10.0, 11.0, 12.0, 13.0]);
    assert!((found.shift_ms - 9.5).abs() < 1e-9, "{found:?}");
    assert!((found.effect - 1.0).abs() < 1e-9);
    // U = 12, mean 6, variance 12 / 12 * 8 = 8: z = 5.5 / 2.828 = 1.945.
    assert!((found.p - 0.0518).abs() < 1e-3, "{found:?}");
}

#[test]
fn a_fix_is_better_and_its_reverse_is_worse() {
    let slow = || (0..10).map(|n| 3000.0 + f64::from(n * 37 % 11));
    let fast = || (0..10).map(|n| 50.0 + f64::from(n * 37 % 11));
    let fixed = wall(slow(), fast());
    assert_eq!(fixed.change, Change::Better);
    assert!(fixed.p < 0.001 && fixed.effect < 0.01, "{fixed:?}");
    let (low, high) = fixed.interval_ms.unwrap();
    assert!(low <= fixed.shift_ms && fixed.shift_ms <= high && high < -2900.0);
    assert_eq!(wall(fast(), slow()).change, Change::Worse);
}

#[test]
fn a_change_within_the_margin_is_none() {
    let before = (0..30).map(|n| 100.0 + f64::from(n * 7 % 10));
    let after = (0..30).map(|n| 102.0 + f64::from(n * 7 % 10));
    let found = wall(before, after);
    assert_eq!(found.change, Change::Same);
    assert!((found.margin_ms - 10.4).abs() < 0.2);
}

#[test]
fn too_few_or_too_wide_samples_say_how_many_more() {
    assert_eq!(wall([1.0, 2.0], [100.0, 200.0]).change, Change::Undecided { more: 2 });
    let wide = |shift: f64| (0..8).map(move |n| shift + 100.0 * f64::from(n * 5 % 8));
    let Change::Undecided { more } = wall(wide(100.0), wide(120.0)).change else { panic!() };
    assert!((20..5000).contains(&more), "{more}");
}

#[test]
fn an_estimate_has_two_digits() {
    let of = [1, 9, 10, 99, 100, 101, 23_385, 999_001];
    assert_eq!(of.map(estimated), [1, 9, 10, 99, 100, 110, 24_000, 1_000_000]);
    assert_eq!(estimated(usize::MAX), usize::MAX);
}

#[test]
fn so_many_more_settle_it_in_four_cases_of_five() {
    // 1.96 standard errors are 100 ms, with 10 values; 2.80 of them have to be 50 ms: 10 x (100 / 1.96 x 2.80 / 50)^2.
    assert_eq!(more(10, 50.0, 100.0, 5.0, Z95), 72);
    // To be the same: 2.93 of them have to be within 60 ms, on either side.
    assert_eq!(more(10, 0.0, 100.0, 60.0, Z95), 52);
}

#[test]
fn how_many_more_has_an_end() {
    let reach = 100.0;
    for (shift, margin) in [(0.0, 1e-6), (1e-9, 0.0), (0.0, 0.0)] {
        assert_eq!(more(8, shift, reach, margin, Z95), failures::MOST);
    }
}

#[test]
fn equal_values_are_no_difference() {
    let found = wall([5.0; 20], [5.0; 20]);
    assert_eq!((found.change, found.p, found.shift_ms), (Change::Same, 1.0, 0.0));
    assert!((found.effect - 0.5).abs() < 1e-9);
}

/// Calls of eight servers in turn, each of which takes so many milliseconds more or less.
fn in_turn(n: usize, millis: impl Fn(usize) -> f64) -> Log {
    log((0..n).map(|call| millis(call % 8) + (call * 7919 % 11) as f64))
}

#[test]
fn of_many_calls_each_counts_whatever_their_order() {
    // 7 of 8 servers take three times as long: every 8th of 8,000 calls is that of the one that does not.
    let (before, after) =
        (in_turn(8000, |_| 200.0), in_turn(8000, |s| if s == 0 { 200.0 } else { 600.0 }));
    let found = compare(&before, &after, Margin::default());
    let wall = &found.operations[0].times[0];
    assert_eq!((wall.metric, wall.change), (Metric::Wall, Change::Worse));
    assert!((wall.shift_ms - 400.0).abs() < 10.0, "{wall:?}");
    // And the other way round: one of eight is no shift of the median.
    let one = in_turn(8000, |s| if s == 0 { 600.0 } else { 200.0 });
    assert_eq!(
        compare(&before, &one, Margin::default()).operations[0].times[0].change,
        Change::Same
    );
}

/// A cycle of pause, update_weights and resume, ten times; what the load takes, and its status.
fn updates(load_ms: f64, status: u16) -> Log {
    let mut lines = String::new();
    for n in 0..30_u32 {
        let (op, wall) =
            [("pause", 1.5), ("update_weights", load_ms), ("resume", 1.5)][n as usize % 3];
        let status = if op == "update_weights" { status } else { 200 };
        let wall = wall + f64::from(n * 7 % 5) / 10.0;
        writeln!(
            lines,
            "[weights][{n:016x}] client.done wall_ms={wall:.1} rpc_ms={wall:.1} queue_ms=0.0 status={status} op={op}"
        )
        .unwrap();
    }
    Log::from_bytes(lines.as_bytes())
}

fn worse(compared: &Compared) -> Vec<String> {
    let worse = compared.decisive().filter(|(.., change)| *change == Change::Worse);
    worse.map(|(op, what, _)| format!("{op} {what}")).collect()
}

#[test]
fn an_operation_is_not_hidden_by_others() {
    let found = compare(&updates(200.0, 200), &updates(1900.0, 200), Margin::default());
    let names: Vec<_> = found.operations.iter().map(|operation| operation.name.as_str()).collect();
    assert_eq!(names, ["pause", "resume", "update_weights"]);
    assert_eq!(worse(&found), ["update_weights wall", "update_weights rpc"]);
    // wall, queue and rpc of three operations.
    assert_eq!(found.tests, 9);
}

#[test]
fn calls_that_fail_now_are_worse_and_have_no_times() {
    let found = compare(&updates(200.0, 200), &updates(200.0, 500), Margin::default());
    assert_eq!(worse(&found), ["update_weights failed"]);
    let load = &found.operations[2];
    assert!(load.times.is_empty());
    let failures = load.failures.unwrap();
    assert_eq!((failures.before.failed, failures.after.failed, failures.after.n), (0, 10, 10));
    assert_eq!(found.tests, 7);
}

#[test]
fn an_operation_of_one_log_alone_is_told() {
    let found = compare(&updates(200.0, 200), &log([1.0; 9]), Margin::default());
    assert!(found.operations.is_empty() && found.tests == 0);
    assert_eq!(found.only_before.len(), 3);
    assert_eq!(found.only_after, [("(unknown)".to_owned(), 9)]);
}

#[test]
fn the_more_tests_decide_the_surer_each_has_to_be() {
    assert_eq!(reach_of(1), Z95);
    assert!((reach_of(5) - 2.575_829).abs() < 1e-3 && (reach_of(50) - 3.290_527).abs() < 1e-2);
    let apart = |n: usize, tests: usize| {
        let micros = |first: u64| (0..n as u64).map(|i| Micros(first + i)).collect::<Vec<_>>();
        let (before, after) = (micros(1000), micros(900_000));
        of_values(Metric::Wall, &before, &after, Margin::default(), reach_of(tests)).unwrap().change
    };
    assert_eq!(apart(4, 1), Change::Worse);
    // Of 4 and 4 there are 70 orders, of 6 and 6 924: 2 of these are less than 0.5 %.
    assert_eq!(apart(4, 10), Change::Undecided { more: 2 });
    assert_eq!(apart(6, 10), Change::Worse);
}
