//! A table as JSON lines.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::tables::json_rows(input));
