//! No log makes the reader panic, or lose a line: parsed + skipped = total.
#![no_main]

use firstbyte_analysis::{
    Log,
    diagnose::{Rules, diagnose},
    measure::{GroupBy, Stats, Window},
    updates::Ledger,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|lines: &[u8]| {
    let log = Log::from_bytes(lines);
    let ends = lines.iter().filter(|byte| **byte == b'\n').count();
    let last = usize::from(lines.last().is_some_and(|byte| *byte != b'\n'));
    assert_eq!(log.tally().total(), (ends + last) as u64);
    _ = Stats::of(&log, GroupBy::Op, Window::default());
    for update in Ledger::of(&log).updates {
        let total = update.critical_path().map(|path| path.total());
        assert_eq!(total, update.duration());
        _ = (update.straggler(), update.barrier(), update.state());
    }
    let rules = Rules::default();
    if let Some(thresholds) = rules.thresholds("small") {
        _ = diagnose(&log, &rules, thresholds);
    }
});
