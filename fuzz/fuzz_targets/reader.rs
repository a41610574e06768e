//! No log makes the reader panic, or lose a line: parsed + skipped = total.
#![no_main]

use firstbyte_analysis::{
    Log,
    diagnose::{Rules, diagnose},
    measure::{GroupBy, Stats, Window},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|lines: &[u8]| {
    let log = Log::from_bytes(lines);
    let ends = lines.iter().filter(|byte| **byte == b'\n').count();
    let last = usize::from(lines.last().is_some_and(|byte| *byte != b'\n'));
    assert_eq!(log.tally().total(), (ends + last) as u64);
    _ = Stats::of(&log, GroupBy::Op, Window::default());
    let rules = Rules::default();
    if let Some(thresholds) = rules.thresholds("small") {
        _ = diagnose(&log, &rules, thresholds);
    }
});
