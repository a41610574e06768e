use std::collections::BTreeSet;

use super::*;
use crate::{
    measure::{GroupBy, Stats},
    observed,
};

const ENTRY: &str = r#"
[[baseline]]
name = "inference"
metric = "infer.output_tps"
statistic = "mean"
value = 500
unit = "tokens/s"
source = "our own runs of May"
causes = ["LoRA", "small batches"]
[[baseline.excludes]]
cause = "small batches"
metric = "infer.prompts"
statistic = "min"
at_least = 8
"#;

const LINES: &str = "\
[infer] batch.done prompts=8 dur_ms=1000.0 input_tokens=40 output_tokens=400 input_tps=40.0 output_tps=400.0
[infer] batch.done prompts=9 dur_ms=1000.0 input_tokens=40 output_tokens=200 input_tps=40.0 output_tps=200.0
[gen] batch.done completions=16 dur_ms=700.0 inflight=0 input_tokens=80 output_tokens=366 input_tps=115.1 output_tps=526.4
[rollout] trunc_pct=31.2 current_step=0 ckpt_step=0 staleness=0 buffer_depth=16 rollout_s=0.3 reload_s=0.4
[ckpt] write.done step=1 write_ms=80.0 bytes=1000
[ckpt] wait.done target_step=1 wait_ms=50.0
[queue] batch.flush size=4 wait_ms=2.0 depth=3
[step] step.done step=1 dur_ms=1000.0 wait_ms=20.0
[step] step.done step=2 dur_ms=3000.0
";

fn compared(text: &str, lines: &str) -> (Option<f64>, usize, Vec<String>, Vec<String>) {
    let baselines = Baselines::parse(text).unwrap();
    let log = Log::from_bytes(lines.as_bytes());
    let gap = baselines.compare(&log, Window::default()).swap_remove(0);
    let excluded = gap.excluded.iter().map(|(condition, ..)| condition.cause.clone()).collect();
    let not = gap.not_excluded.iter().map(|cause| (*cause).to_owned()).collect();
    (gap.gap_percent(), gap.n, excluded, not)
}

#[test]
fn the_gap_is_told_and_what_the_lines_exclude() {
    // Mean 300 of 400 and 200, n 2: 40 % below 500. The smallest batch has 8 prompts.
    let (gap, n, excluded, not) = compared(ENTRY, LINES);
    assert_eq!((gap, n), (Some(-40.0), 2));
    assert_eq!((excluded, not), (vec!["small batches".to_owned()], vec!["LoRA".to_owned()]));
    let (_, _, excluded, not) = compared(&ENTRY.replace("at_least = 8", "at_least = 9"), LINES);
    assert_eq!((excluded.len(), not.len()), (0, 2));
    let (_, _, excluded, _) = compared(&ENTRY.replace("at_least = 8", "at_most = 7"), LINES);
    assert!(excluded.is_empty());
    // What the lines do not tell excludes nothing.
    let (gap, n, excluded, _) = compared(ENTRY, "");
    assert_eq!((gap, n, excluded.len()), (None, 0, 0));
}

#[test]
fn a_percentile_needs_its_values() {
    let (gap, n, ..) = compared(&ENTRY.replace("\"mean\"", "\"p95\""), LINES);
    assert_eq!((gap, n), (None, 2));
}

#[test]
fn the_share_of_a_step_is_of_the_same_statistic() {
    let text = "[[baseline]]\nname = 'wait'\nmetric = 'ckpt.wait'\nstatistic = 'mean'\nvalue = 0.04\nunit = 's'\n\
                source = 'us'\nof = 'step'\n";
    let baselines = Baselines::parse(text).unwrap();
    let log = Log::from_bytes(LINES.as_bytes());
    let gap = &baselines.compare(&log, Window::default())[0];
    // 50 ms of a mean of 2,000 ms; 0.05 s are 25 % above 0.04 s.
    let share = gap.of_step.unwrap();
    assert_eq!((share.percent, share.step_ms, share.n), (2.5, 2000.0, 2));
    assert!((gap.gap_percent().unwrap() - 25.0).abs() < 1e-9);
    let log = Log::from_bytes(b"[ckpt] wait.done target_step=1 wait_ms=50.0");
    assert_eq!(baselines.compare(&log, Window::default())[0].of_step, None);
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let wrong = |from: &str, to: &str| {
        let text = format!("# baselines\n{}", ENTRY.replace(from, to));
        Baselines::parse(&text).unwrap_err().to_string()
    };
    let error = wrong("source = \"our own runs of May\"\n", "");
    assert!(error.contains("line 3") && error.contains("missing field `source`"), "{error}");
    let error = wrong("our own runs of May", " ");
    assert_eq!(error, "line 3: baseline \"inference\": source must say where the number is from");
    for (from, to, hint) in [
        (
            "value = 500",
            "value = 0",
            "line 3: baseline \"inference\": value must be a number above 0",
        ),
        ("value = 500", "value = nan", "value must be a number above 0"),
        ("infer.output_tps", "output", "is not one of wall, queue, rpc"),
        ("tokens/s", "TPS", "the unit of infer.output_tps is tokens/s"),
        ("\"mean\"", "\"average\"", "line 6"),
        ("\"mean\"", "\"share\"", "statistic share is none of values"),
        ("\"min\"", "\"n\"", "statistic n is none of values"),
        ("cause = \"small batches\"", "cause = \"snow\"", "none of its causes"),
        ("at_least = 8", "", "needs at_least or at_most"),
        ("infer.prompts", "prompts", "is not one of"),
        ("value = 500", "value = 500\nof = \"step\"", "the metric a duration"),
        ("value = 500", "valu = 500", "unknown field `valu`"),
    ] {
        let error = wrong(from, to);
        assert!(error.contains(hint), "{hint}: {error}");
    }
}

#[test]
fn every_amount_and_duration_of_stats_has_a_name_here() {
    let log = Log::from_bytes(LINES.as_bytes());
    let stats = Stats::of(&log, GroupBy::Nothing, Window::default());
    let told: BTreeSet<_> =
        stats.amounts.iter().map(|(name, unit, _)| (*name, unit.as_str())).collect();
    let known: BTreeSet<_> =
        observed::AMOUNTS.iter().map(|(name, unit)| (*name, unit.as_str())).collect();
    assert_eq!(told, known);
    for (name, _) in &stats.timeline {
        assert_eq!(observed::units(name), Some(vec!["ms", "s"]), "{name}");
    }
}
