//! A traceparent of version 00 that is read is written as it was.
#![no_main]

use firstbyte_core::header::TraceParent;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|value: &[u8]| {
    if let Ok(parent) = TraceParent::parse(value) {
        let written = parent.to_string();
        assert_eq!(TraceParent::parse(written.as_bytes()), Ok(parent));
        assert_eq!(&written.as_bytes()[3..52], &value[3..52]);
    }
});
