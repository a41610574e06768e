//! A Server-Timing that is read survives being written.
#![no_main]

use firstbyte_core::header::ServerTiming;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (timing, _) = ServerTiming::parse(text);
    if let Some(header) = timing.to_header() {
        let written = header.to_str().expect("digits and names are ASCII");
        assert_eq!(ServerTiming::parse(written).1, Ok(()));
    }
});
