//! A run file.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::runs::run_file(input));
