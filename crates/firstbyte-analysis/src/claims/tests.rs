use proptest::prelude::*;

use super::*;

fn claims(text: &str) -> Claims {
    Claims::of(text, Format::Markdown).unwrap()
}

/// What is said of a document, and how many of its numbers were checked.
fn said(text: &str) -> (Vec<String>, usize) {
    let claims = claims(text);
    (claims.findings.into_iter().map(|finding| finding.message).collect(), claims.checked)
}

#[track_caller]
fn wrong(text: &str, message: &str) {
    let (found, _) = said(text);
    assert_eq!(found, [message], "{text}");
}

#[track_caller]
fn right(text: &str, checked: usize) {
    assert_eq!(said(text), (Vec::new(), checked), "{text}");
}

#[test]
fn a_share_is_that_of_its_parts() {
    // 23.14 / 27.39 = 0.84483.
    wrong("It took 23.14 s of 27.39 s, 99 % of wall.", "99 % should be 84.5 %");
    wrong("99 % of wall (23.14 of 27.39 s).", "99 % should be 84.5 %");
    wrong("23.14 of 27.39 s = 99 %", "99 % should be 84.5 %");
    right("It took 23.14 s of 27.39 s, 84 % of wall.", 3);
    wrong("20 % of 500 ms is 120 ms.", "20 % should be 24.0 %");
    right("20 % of 500 ms is 100 ms.", 3);
    wrong("5 % of 200 requests is 12 requests.", "5 % should be 6.0 %");
    right("5 % of 200 requests are 10 requests.", 3);
    // Which share is of what is not told.
    right("23.14 s of 27.39 s, 99 % here and 3 % there", 0);
    right("9 of 18 calls in 3 runs had 99 % of the load", 0);
}

#[test]
fn arithmetic_that_is_written_down_holds_within_rounding() {
    wrong("23.14 / 27.39 = 99 %", "99 % should be 84.5 %");
    wrong("27.39 - 23.14 = 4.52 s", "4.52 s should be 4.250 s");
    wrong("12 + 13 = 26 calls", "26 should be 25");
    wrong("wall 206.5 ms = rpc 201.0 + queue 7.5", "206.5 ms should be 208.50 ms");
    wrong("4 x 250 ms = 1200 ms", "1200 ms should be 1000.0 ms");
    wrong("Staleness = 12 - 10 = 3.", "3 should be 2");
    right("Staleness = 12 - 10 = 2, and 3 = 1 + 2 = 3", 7);
    right("x = 2 + 3 y = 7", 0);
    right("447.9 - 437.5 = 10.3", 3);
    right("wall 206.5 ms = rpc 201.0 + queue 5.5", 3);
    right("23.14/27.39 = 0.845", 3);
    // It goes on after words.
    right("It is 65,507 bytes = 65,535 - 8 bytes UDP header - 20 bytes IP header", 0);
    // Brackets and mixed operators are left alone, and so is what is about so much.
    right("(2 + 3) * 4 = 21, 2 + 3 * 4 = 21, 1 + 1 = about 3", 0);
}

#[test]
fn a_ratio_of_two_numbers_is_right_in_either_direction() {
    wrong("It fell from 2028.7 to 246.2 ms, 82.4x faster.", "82.4x should be 8.24x, off by ten");
    wrong(
        "The shared client (2028.7 ms) is 82.4x slower than the other one (246.2 ms).",
        "82.4x should be 8.24x, off by ten",
    );
    wrong("2.0 s against 1.0 s: 80 % less", "80 % should be 50.0 %");
    right("From 2028.7 to 246.2 ms, 8.2 times faster, and from 2028.7 to 246.2 ms", 0);
    right("It fell from 2028.7 to 246.2 ms, 88 % less.", 3);
    right("It fell from 2028.7 to 246.2 ms, about 90 % less.", 0);
    // The numbers beside it are not said to be what is compared.
    right("150 streams of 40 s: 3x faster than before, at 20 s", 0);
}

#[test]
fn what_is_said_to_be_more_is_more() {
    wrong(
        "Throughput improved from 35.0 tok/s to 17.6 tok/s, a 50 % increase.",
        "50 % is said to be more, but 17.6 tok/s is less than 35.0 tok/s",
    );
    right("Throughput fell from 35.0 tok/s to 17.6 tok/s, a 50 % decrease.", 3);
    wrong(
        "It went from 246.2 to 2028.7 ms, 8.24x faster.",
        "8.24x is said to be less, but 2028.7 ms is more than 246.2 ms",
    );
    // Words that disagree tell nothing: then only the number is looked at.
    right("It rose from 246.2 to 2028.7 ms, 8.24x faster.", 3);
    // Nor do a word and a sign: one may be shut down at any time.
    right("We shut it down from 100 ms to 150 ms, +50 %.", 3);
    wrong(
        "From 80.0 ms to 60.0 ms, +25 %.",
        "25 % is said to be more, but 60.0 ms is less than 80.0 ms",
    );
    wrong(
        "The shared client (246.2 ms) is 8.24x slower than the other one (2028.7 ms).",
        "8.24x is said to be more, but 246.2 ms is less than 2028.7 ms",
    );
    right("From 80.0 ms to 60.0 ms, 33 % faster.", 3);
    right("From 17.5 req/s to 35.0 req/s, 2.0x faster.", 3);
    // A word elsewhere may be of something else.
    right("Throughput increased: the queue went from 80.0 ms to 60.0 ms, 25 %.", 3);
    let table = |change| {
        format!(
            "| x | before (req/s) | after (req/s) | change |\n|-|-|-|-|\n| a | 35.0 | 17.5 | {change} |\n"
        )
    };
    wrong(&table("+50 %"), "50 % is said to be more, but 17.5 /s is less than 35.0 /s");
    right(&table("-50 %"), 3);
    right(&table("50 %"), 3);
    let improvement = table("+50 %").replace("change", "improvement").replace("req/s", "ms");
    right(&improvement, 3);
}

#[test]
fn what_is_set_against_each_other_has_no_order_of_its_own() {
    right("8.24x faster: 50 ms vs 412 ms.", 3);
    right("8.24x faster: 412 ms vs 50 ms.", 3);
    right("The shared client took 1012 ms vs 1.1 ms, 920x slower.", 3);
    right("Queue 30 ms versus 300 ms before: 90 % less.", 3);
    right("Throughput 35.0 tok/s against 17.5 tok/s: 50 % lower.", 3);
    right("Throughput 35.0 tok/s against 17.5 tok/s: 100 % higher.", 3);
    // Without a word either may be the base.
    right("Queue 30 ms against 300 ms, 90 %.", 3);
    right("Queue 300 ms against 30 ms, 90 %.", 3);
    wrong("82.4x faster: 50 ms vs 412 ms.", "82.4x should be 8.24x, off by ten");
    wrong("Queue 30 ms versus 300 ms before: 80 % less.", "80 % should be 90.0 %");
    wrong(
        "From 50 ms to 412 ms, 8.24x faster.",
        "8.24x is said to be less, but 412 ms is more than 50 ms",
    );
}

#[test]
fn a_head_may_be_a_unit_alone() {
    let table = |ratio| {
        format!(
            "| arm | ms | vs baseline |\n|-|-|-|\n| baseline | 10 | 1.00x |\n| b | 824 | {ratio} |\n"
        )
    };
    wrong(&table("8.24x"), "8.24x should be 82.400x, off by ten");
    right(&table("82.4x"), 4);
    wrong(&table("8.24x").replace("| ms |", "| mean |"), "8.24x should be 82.400x, off by ten");
    let scaling = "## Linear scaling\n\n| workers | req/s |\n|-|-|\n| 1 | 100 |\n| 4 | 157 |\n";
    wrong(scaling, "4.00x the workers and 1.57x the throughput are not linear: 39 % of it");
}

#[test]
fn rows_are_compared_by_their_names() {
    let table = "| client | mean (ms) |\n| - | - |\n| own | 246.2 |\n| shared | 2028.7 |\n\n";
    let text = |ratio| format!("{table}The shared client is {ratio} slower than the own client.");
    wrong(&text("82.4x"), "82.4x should be 8.24x, off by ten");
    right(&text("8.24x"), 3);
    right(&format!("{table}The slow client is 82.4x slower than the own client."), 0);
}

#[test]
fn the_queue_is_what_rounding_lets_it_be() {
    let table = |queue| {
        format!("| wall | rpc (ms) | queue (ms) |\n|-|-|-|\n| 447.9 ms | 437.5 | {queue} |\n")
    };
    right(&table("10.3"), 3);
    right(&table("10.5"), 3);
    wrong(&table("10.1"), "10.1 ms should be 10.40 ms");
    // A median of differences is no difference of medians.
    let turned = |stat| {
        format!("| x | {stat} (ms) |\n|-|-|\n| wall | 447.9 |\n| rpc | 437.5 |\n| queue | 99 |\n")
    };
    right(&turned("p50"), 0);
    right(&format!("Medians of each:\n\n{}", turned("time")), 0);
    wrong(&turned("mean"), "99 ms should be 10.4 ms");
    let of_others = turned("mean").replace("wall | 447.9", "n | 5 |\n| wall | 447.9");
    wrong(&of_others, "99 ms should be 10.4 ms");
}

#[test]
fn statistics_have_their_order() {
    let table =
        |row| format!("| n | min | mean | p50 | p95 | max | stddev |\n|-|-|-|-|-|-|-|\n{row}");
    right(&table("| 5 | 1.0 | 2.0 | 2.0 | 3.0 | 3.0 | 0.9 |"), 7);
    wrong(&table("| 5 | 1.0 | 4.0 | 2.0 | 3.0 | 3.0 | 0.9 |"), "max 3.0 is less than mean 4.0");
    wrong(&table("| 5 | 1.0 | 2.0 | 2.5 | 2.0 | 3.0 | 0.9 |"), "p95 2.0 is less than p50 2.5");
    wrong(&table("| 5 | 1.0 | 0.8 | 2.0 | 3.0 | 3.0 | 0.9 |"), "mean 0.8 is less than min 1.0");
    wrong(
        &table("| 5 | 1.0 | 2.0 | 2.0 | 3.0 | 3.0 | -0.9 |"),
        "a standard deviation of -0.9 is less than 0",
    );
    // (3 - 1) / 2 x sqrt(5 / 4) = 1.118, and 1.05 x 1.118 with both rounded.
    wrong(
        &table("| 5 | 1.0 | 2.0 | 2.0 | 3.0 | 3.0 | 1.3 |"),
        "a standard deviation of 1.3 cannot be: it is at most 1.17",
    );
    // Without n, it is that of two values at most: 2 / sqrt(2) = 1.414, and 1.05 x 1.414 with both rounded.
    let without =
        |stddev| format!("| x | min | max | stddev |\n|-|-|-|-|\n| a | 1.0 | 3.0 | {stddev} |\n");
    wrong(&without("5.0"), "a standard deviation of 5.0 cannot be: it is at most 1.48");
    right(&without("1.4"), 3);
    let turned = "| | wall (ms) |\n|-|-|\n| p50 | 9.0 |\n| p99 | 8.0 |\n";
    wrong(turned, "p99 8.0 ms is less than p50 9.0 ms");
}

#[test]
fn summary_rows_are_those_of_the_rows_above() {
    let runs =
        |rows| format!("| run | wall (ms) |\n|-|-|\n| 1 | 3.0 |\n| 2 | 5.0 |\n| 3 | 4.4 |\n{rows}");
    right(&runs("| mean | 4.1 |\n| min | 3.0 |\n| max | 5.0 |\n| median | 4.4 |\n"), 7);
    wrong(&runs("| max | 4.4 |\n"), "4.4 ms should be 5.00 ms");
    wrong(&runs("| mean | 4.4 |\n"), "4.4 ms should be 4.13 ms");
    wrong(&runs("| total | 12.9 |\n"), "12.9 ms should be 12.40 ms");
    wrong(&runs("| range | 3.0 – 4.4 |\n"), "4.4 ms should be 5.00 ms");
    right(&runs("| range | 3.0 – 5.0 |\n"), 5);
    let files = |total| {
        format!(
            "| x | files | rate (req/s) |\n|-|-|-|\n| a | 12 | 1.0 |\n| b | 4 | 1.0 |\n| Total | {total} | 9.0 |\n"
        )
    };
    right(&files("16"), 3);
    wrong(&files("17"), "17 should be 16");
    let column = |total| {
        format!(
            "| x | n | a (ms) | b (ms) | total (ms) |\n|-|-|-|-|-|\n| y | 7 | 1.0 | 2.0 | {total} |\n"
        )
    };
    right(&column("3.0"), 3);
    wrong(&column("4.0"), "4.0 ms should be 3.00 ms");
}

#[test]
fn shares_and_changes_in_a_column_are_computed_anew() {
    let shares = |share| {
        format!(
            "| part | ms | share of wall |\n|-|-|-|\n| a | 20.0 | {share} |\n| wall | 80.0 | 100 % |\n"
        )
    };
    right(&shares("25.0 %"), 4);
    wrong(&shares("35.0 %"), "35.0 % should be 25.00 %");
    let change = |change| {
        format!(
            "| x | before (ms) | after (ms) | change |\n|-|-|-|-|\n| a | 80.0 | 60.0 | {change} |\n"
        )
    };
    right(&change("-25 %"), 3);
    wrong(&change("-35 %"), "-35 % should be -25.0 %");
    let speed = |speed| {
        format!(
            "| x | p50 (ms) | speedup |\n|-|-|-|\n| old | 80.0 | 1.0x |\n| new | 20.0 | {speed} |\n"
        )
    };
    right(&speed("4.0x"), 4);
    wrong(&speed("40.0x"), "40.0x should be 4.00x, off by ten");
}

const VOLUMES: &str =
    "The limit is 24 h.\n\n| Requests | Rate (req/s) | Time (h) | SLA |\n|-|-|-|-|\n";

#[test]
fn a_factor_in_some_rows_only_is_found() {
    // 1e6 / 202 / 3600 = 1.3751 h, x 1.2 = 1.65; 17e6: 23.377 h, x 1.2 = 28.05.
    let (found, _) = said(&format!(
        "{VOLUMES}| 1M | 202.0 | 1.65 | yes |\n| 10M | 202.0 | 16.50 | yes |\n| 17M | 202.0 | 23.38 | yes |\n\nThe maximum is 17.4M requests."
    ));
    assert_eq!(
        found,
        [
            "these rows imply different factors: 1.20, 1.20, 1.00",
            "with the 1.20 of the other rows 17M needs 28.050 h, which does not fit in 24 h",
            "17.4M should be 14.55M",
        ]
    );
}

#[test]
fn a_factor_of_all_rows_is_a_note_unless_it_is_stated() {
    let rows = "| 1M | 202.0 | 1.65 | yes |\n| 10M | 202.0 | 16.50 | yes |\n";
    let found = claims(&format!("{VOLUMES}{rows}"));
    assert!(!found.is_wrong());
    assert_eq!(
        found.findings[0].message,
        "every row has a factor of 1.20 in it that is stated nowhere"
    );
    right(&format!("With a reserve of 20 %. {VOLUMES}{rows}"), 7);
    right(&format!("{VOLUMES}| 1M | 202.0 | 1.38 | yes |\n\nThe maximum is 17.5M requests.\n"), 5);
}

#[test]
fn what_does_not_fit_is_not_compliant() {
    let row = |verdict| format!("{VOLUMES}| 20M | 202.0 | 27.50 | {verdict} |\n");
    wrong(&row("compliant"), "27.50 h does not fit in 24 h, but the opposite is said");
    right(&row("not compliant"), 4);
    wrong("10M requests at 202 req/s take 16.5 h.", "16.5 h should be 13.75 h");
    wrong("10M requests at 202 requests per second take 16.5 h.", "16.5 h should be 13.75 h");
}

#[test]
fn linear_is_no_word_for_less() {
    let message = "4.00x the workers and 1.57x the throughput are not linear: 39 % of it";
    wrong("It scales linearly: 4x the workers give 1.57x the throughput.", message);
    right("It does not scale linearly: 4x the workers give 1.57x the throughput.", 0);
    right("It scales linearly: 4x the workers give 3.9x the throughput.", 2);
    let table = "| workers | throughput (req/s) |\n|-|-|\n| 1 | 50.0 |\n| 4 | 78.5 |\n";
    wrong(&format!("## Linear scaling\n\n{table}"), message);
    right(&format!("## Scaling\n\n{table}"), 0);
    let ratios =
        "| workers | req/s | vs 1 worker |\n|-|-|-|\n| 1 | 50.0 | 1.0x |\n| 4 | 78.5 | 1.57x |\n";
    wrong(&format!("It scales linearly.\n\n{ratios}"), message);
}

#[test]
fn simulated_and_measured_are_not_the_same() {
    let found = claims("The simulated reload took 246.2 ms.\n\nThe measured 246.2 ms are good.\n");
    assert!(!found.is_wrong());
    assert_eq!(
        (found.findings[0].line, found.findings[0].message.as_str()),
        (3, "246.2 ms is called simulated (line 1) and measured or fit for production (line 3)")
    );
    assert_eq!(claims("Simulated: 246.2 ms.\n\nMeasured: 250.1 ms.\n").findings, []);
}

#[test]
fn words_dates_versions_and_code_have_no_numbers() {
    let text =
        "At p95 on 2026-11-24 at 10:30 with 0.32.0 (x86_64, 7B)\n\n```text\n1 + 1 = 3\n```\n";
    assert_eq!(claims(text).numbers, 0);
    assert_eq!(claims("1,234.5 ms, 3.2x, 17M, -4 %, 1e3 and 12").numbers, 6);
}

#[test]
fn json_keeps_lines_and_digits() {
    let text = "{\n \"a\": {\n  \"min_ms\": 1.0, \"mean_ms\": 4.00, \"max_ms\": 3.0\n },\n \"b\": [1, 2]\n}";
    let claims = Claims::of(text, Format::Json).unwrap();
    assert_eq!((claims.numbers, claims.checked), (5, 3));
    assert_eq!(claims.findings[0].message, "max 3.0 ms is less than mean 4.00 ms");
    assert_eq!(claims.findings[0].line, 3);
    assert!(Claims::of(&"[".repeat(100_000), Format::Json).is_err());
    let deep = "[".repeat(100) + &"]".repeat(100);
    assert!(Claims::of(&deep, Format::Json).unwrap_err().to_string().contains("deeper than 64"));
}

#[test]
fn what_was_expected_is_set_against_what_was_observed() {
    let gap = |gap| {
        format!(
            "| metric | expected (tok/s) | observed (tok/s) | gap |\n|-|-|-|-|\n| decode | 2,500 | 46.84 | {gap} |\n"
        )
    };
    right(&gap("-98.1%"), 3);
    // A gap may be told without its sign, or be what is missing.
    right(&gap("98.1 %"), 3);
    wrong(&gap("-89.1%"), "-89.1 % should be -98.13 %");
    let difference = |rows: &str| {
        format!("| stage | expected (s) | actual (s) | difference |\n|-|-|-|-|\n{rows}")
    };
    let rows = "| gen | 80.0 | 88.4 | +8.4 |\n| ref | 10.0 | 10.9 | 0.9 |\n";
    right(&difference(rows), 6);
    let written = format!("{rows}| write | 5.0 | 21.3 | 15.3 |\n");
    wrong(&difference(&written), "15.3 s should be 16.30 s");
    // Without a unit it may be anything: most rows have to say that it is a difference.
    right(&difference("| write | 5.0 | 21.3 | 15.3 |\n"), 0);
    let plain = |change| {
        format!("| x | before | after | change |\n|-|-|-|-|\n| tests | 1000 | 1100 | {change} |\n")
    };
    right(&plain("+100"), 3);
    right(&plain("10"), 0);
    let points = "| x | before | after | change |\n|-|-|-|-|\n| util | 31 % | 92 % | +61 % |\n";
    right(points, 3);
    let delta = "| op | before (ms) | after (ms) | delta (ms) |\n|-|-|-|-|\n| pause | 12.0 | 11.0 | +1.0 |\n";
    wrong(delta, "1.0 ms is said to be more, but 11.0 ms is less than 12.0 ms");
}

#[test]
fn a_column_of_the_baseline_is_no_change() {
    right(
        "| x | baseline (ms) | ours (ms) |\n|-|-|-|\n| before | 10.0 | 8.0 |\n| after | 9.0 | 7.0 |\n",
        0,
    );
}

#[test]
fn a_relative_number_is_a_ratio() {
    let table = |ratio| {
        format!(
            "| backend | latency (ms) | relative |\n|-|-|-|\n| nccl | 120.0 | 1.00 |\n| fs | 2,040.0 | {ratio} |\n"
        )
    };
    right(&table("17.00"), 4);
    wrong(&table("1.70"), "1.70x should be 17.000x, off by ten");
    let percent = |percent| {
        format!(
            "| quant | tok/s | relative |\n|-|-|-|\n| fp16 | 1,200 | 100% |\n| fp8 | 1,740 | {percent} |\n"
        )
    };
    right(&percent("145%"), 4);
    right(&percent("+45%"), 4);
    wrong(&percent("154%"), "154 % should be 145.0 %");
}

#[test]
fn two_columns_are_compared_if_most_rows_say_so() {
    let table = |rows: &str| {
        format!(
            "| metric | main | this PR | change |\n|-|-|-|-|\n| TTFT (ms) | 142.3 | 118.9 | -16.4% |\n{rows}"
        )
    };
    let throughput = "| throughput (req/s) | 15.2 | 16.1 | +5.9% |\n";
    right(&table(throughput), 6);
    wrong(
        &table(&format!("{throughput}| p99 TTFT (ms) | 512.0 | 401.7 | -31.5% |\n")),
        "-31.5 % should be -21.54 %",
    );
    right(&table("| p99 TTFT (ms) | 512.0 | 401.7 | -31.5% |\n"), 0);
}

#[test]
fn an_average_of_rows_that_are_no_runs_may_be_weighted() {
    let table = |rpc, wait| {
        format!(
            "| model | rpc (s) | wait (s) |\n|-|-|-|\n| 1.5B | 0.4 | 0.1 |\n| 7B | 2.0 | 0.5 |\n| 32B | 9.3 | 2.4 |\n| Average | {rpc} | {wait} |\n"
        )
    };
    right(&table("3.9", "1.0"), 8);
    // Neither is that of the rows: by calls, maybe.
    right(&table("2.1", "0.6"), 0);
    // But it is never outside of them.
    wrong(&table("12.1", "0.6"), "12.1 s should be 3.90 s");
    right(
        "| server | n | mean (ms) | stddev (ms) |\n|-|-|-|-|\n| a | 100 | 210 | 1.1 |\n| b | 120 | 231 | 1.2 |\n| Average | 220 | 221.5 | 10.5 |\n",
        3,
    );
    let p50 = "| server | p50 (ms) |\n|-|-|\n| a | 210 |\n| b | 231 |\n| Average | 321 |\n";
    wrong(p50, "321 ms should be 220.5 ms");
    // Where most columns are not weighted, the others are not either.
    let three = |last| {
        format!(
            "| model | a (s) | b (s) | c (s) |\n|-|-|-|-|\n| x | 1.0 | 2.0 | 3.0 |\n| y | 2.0 | 4.0 | 9.0 |\n| Average | 1.5 | 3.0 | {last} |\n"
        )
    };
    right(&three("6.0"), 9);
    wrong(&three("7.0"), "7.0 s should be 6.00 s");
}

#[test]
fn servers_are_no_runs() {
    right(
        "| server | rpc (ms) | calls |\n|-|-|-|\n| vllm-0 | 200.0 | 900 |\n| vllm-1 | 800.0 | 100 |\n| Average | 260.0 | 500 |\n",
        0,
    );
}

#[test]
fn counts_add_up() {
    let errors = |resets| {
        format!(
            "| error | count |\n|-|-|\n| timeout | 21 |\n| reset | {resets} |\n| total | 24 |\n"
        )
    };
    right(&errors(3), 3);
    wrong(&errors(4), "24 should be 25");
    right(
        "| phase | n | mean (ms) |\n|-|-|-|\n| pool | 30 | 1.0 |\n| wait | 29 | 20.0 |\n| total | 30 | 20.3 |\n",
        0,
    );
}

#[test]
fn a_summary_of_some_of_the_rows_is_left_alone() {
    let runs = "| run | queue (ms) |\n|-|-|\n| 1 | 48.1 |\n| 2 | 9.9 |\n| 3 | 10.1 |\n";
    right(&format!("{runs}| mean without warm-up | 10.0 |\n"), 0);
    right(&format!("{runs}| mean | 22.7 |\n| mean without warm-up | 10.0 |\n"), 4);
}

#[test]
fn shares_of_different_calls_need_not_add_up() {
    let table = "| ms | n | of wall |\n|-|-|-|\n| wall | 34 | 100.0 % |\n| queue | 34 | 51.7 % |\n| rpc | 34 | 48.1 % |\n";
    right(table, 0);
}

#[test]
fn a_sentence_with_wall_rpc_and_queue_is_one_call() {
    let queue = |queue| {
        format!(
            "In it wall was 3556.1 ms with rpc 233.2 ms, so queue {queue} ms: it is nothing to blame the engine for."
        )
    };
    right(&queue("3322.9"), 3);
    right(&queue("3322.8"), 3);
    wrong(&queue("3222.9"), "3222.9 ms should be 3322.90 ms");
    let line = |queue| {
        format!(
            "The slow one is `client.done wall_ms=3556.1 rpc_ms=233.2 queue_ms=3322.9`, the other one `wall_ms=447.9 rpc_ms=437.5 queue_ms={queue}`"
        )
    };
    right(&line("10.3"), 6);
    wrong(&line("13.3"), "13.3 should be 10.40");
    // Percentiles, limits and changes are none.
    for text in [
        "Median wall 27.5 s, median rpc 241 ms, median queue 27.2 s.",
        "p95: wall 900.1 ms, rpc 200.1 ms, queue 800.1 ms",
        "Small models: wall 1000, queue 100, rpc 500",
        "The limits are wall 910 ms, rpc 205 ms, queue 333 ms.",
        "wall fell from 900.1 ms to 300.1 ms, rpc 200.1 ms, queue 10.1 ms",
        "wall 900.1 -> 300.1 ms, rpc 200.1 ms, queue 100.1 ms",
        "wall 900.1 to 950.1 ms, rpc 200.1 ms, queue 100.1 ms",
        "wall about 900.1 ms, rpc 200.1 ms, queue 100.1 ms",
    ] {
        right(text, 0);
    }
    let table = "| x | budget (ms) | measured (ms) |\n|-|-|-|\n| wall | 3000 | 2408.1 |\n| rpc | 2000 | 2405.0 |\n| queue | 300 | 3.1 |\n";
    right(table, 3);
}

#[test]
fn what_is_said_to_fit_does_so() {
    right("17M requests at 202 req/s fit in 24 h.", 3);
    right("17M requests at 202 req/s finish within the 24 h window.", 3);
    right("10M requests at 202 req/s take 13.75 h, which fits in 24 h.", 4);
    right("20M requests at 202 req/s do not fit into the 24 h window.", 3);
    wrong(
        "20M requests at 202 req/s fit in 24 h.",
        "20M does not fit in 24 h, but the opposite is said",
    );
    wrong(
        "17M requests at 202 req/s cannot finish within 24 h.",
        "17M fits in 24 h, but the opposite is said",
    );
    wrong(
        "The whole run needs 28.05 h, which fits 24 h.",
        "28.05 h does not fit in 24 h, but the opposite is said",
    );
    // Of which time it is, is not told.
    right("It needs 28.05 h, so only half of it fits in 24 h.", 0);
    for other in [
        "One takes 28 h, another takes 30 h; two fit in 24 h.",
        "One server takes 28 h, two fit in 24 h.",
        "With 4 servers it takes 28 h, with 8 servers it fits in 24 h.",
        "It took 28 h before, and now fits in 24 h.",
        "It fits in 24 h now, and took 28 h before.",
    ] {
        right(other, 0);
    }
}

#[test]
fn a_rate_that_is_not_that_of_the_whole_is_left_alone() {
    right("With 20 % reserve 10M requests at 202 req/s take 16.5 h.", 0);
    right("10M requests at 50.5 req/s per GPU on 4 GPUs take 13.75 h.", 0);
    right("1M requests at 2,500 tok/s take 55.6 h with 500 tokens in each.", 0);
    right("1M prompts at 2,500 tokens/s take 55.6 h.", 0);
}

proptest! {
    /// The same as the fuzz target, with pieces that mean something.
    #[test]
    fn no_document_makes_anything_panic_or_loses_a_number(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("\n".to_owned()),
                Just("\n\n| a | b ms | total | share of wall |\n|-|-|-|-|\n| wall | ".to_owned()),
                Just("\n\n| n | min | mean | p95 | max | stddev |\n|-|-|-|-|-|-|\n| ".to_owned()),
                Just("\n\n| requests | req/s | time (h) | SLA |\n|-|-|-|-|\n| ".to_owned()),
                Just("\n\n| x | expected | observed | gap | relative |\n|-|-|-|-|-|\n| Average | ".to_owned()),
                Just(" wall 3 rpc 2 queue 1 ".to_owned()),
                Just(" takes 3 h, which fits 24 h ".to_owned()),
                Just(" | ".to_owned()),
                Just(" | yes |\n| total | ".to_owned()),
                Just(" of 3 s = ".to_owned()),
                Just(" is 8x slower than ".to_owned()),
                Just(" linear workers maximum 3M requests at 5 req/s take ".to_owned()),
                Just(" from 0 ms to ".to_owned()),
                Just("{\"a\":[{\"min\":".to_owned()),
                (0_u64..).prop_map(|n| n.to_string()),
                any::<f64>().prop_map(|n| n.to_string()),
                prop::sample::select(vec!["+", "-", " - ", "/", "=", "x", "%", "M", " ms ", "**"]).prop_map(str::to_owned),
                ".{0,8}",
            ],
            0..60,
        )
    ) {
        let text = pieces.concat();
        for format in [Format::Markdown, Format::Json] {
            if let Ok(claims) = Claims::of(&text, format) {
                prop_assert!(claims.checked <= claims.numbers);
                prop_assert!(claims.findings.iter().all(|finding| !finding.message.contains("NaN")));
            }
        }
    }
}
