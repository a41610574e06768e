//! No log makes a page of its own: elements, attributes and links are a report's, and texts come back as they were.
#![no_main]

#[path = "../../crates/firstbyte-analysis/src/report/audit.rs"]
mod audit;

use firstbyte_analysis::{
    Log,
    diagnose::Rules,
    report::{Options, Report, html, json, markdown, visible},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|lines: &[u8]| {
    let rules = Rules::default();
    let Some(thresholds) = rules.thresholds("small") else { return };
    let log = Log::from_bytes(lines);
    let report = Report::of(&log, &rules, thresholds, &Options::default());
    let page = audit::audit(&html(&report));
    assert!(page.policy.starts_with("default-src 'none'; "));
    assert_eq!((page.styles.len(), page.scripts.len()), (1, 1));
    let arms = report.arms.list.iter().map(|arm| arm.name());
    let ids = report.slowest.iter().map(|call| call.id.as_str());
    let names = report.slowest.iter().flat_map(|call| [&call.operation, &call.target]).flatten();
    let updates = report.updates.iter().filter_map(|updates| updates.slowest.as_ref());
    let pieces = updates.flat_map(|slowest| &slowest.pieces.list).map(|piece| piece.name.as_str());
    for text in arms.chain(ids).chain(names.map(String::as_str)).chain(pieces) {
        assert!(page.text.contains(&visible(text)), "{text:?} is not there");
    }
    assert!(!markdown(&report).contains(|c: char| c.is_control() && c != '\n'));
    assert!(json(&report).is_ascii());
});
