//! No document makes the checks of claims panic, and no number is lost: checked + not checked = found.
#![no_main]

use firstbyte_analysis::claims::{Claims, Format};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for format in [Format::Markdown, Format::Json] {
        if let Ok(claims) = Claims::of(text, format) {
            assert!(claims.checked <= claims.numbers);
        }
    }
});
