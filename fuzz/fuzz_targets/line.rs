//! No bytes make the reader of text lines panic, and what it reads is within the grammar.
#![no_main]

use firstbyte_core::text;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    if let Ok(parsed) = text::parse(line) {
        assert!(
            parsed.tag.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        );
        assert!(parsed.trace_id.is_none_or(|id| (1..=64).contains(&id.len())));
    }
});
