//! No bytes make the reader of JSON lines panic.
#![no_main]

use firstbyte_core::json;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    if let Ok(parsed) = json::parse(line) {
        assert!(!parsed.tag.is_empty());
        _ = parsed.misfits().count();
    }
});
