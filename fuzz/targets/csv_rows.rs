//! A table as CSV.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::tables::csv_rows(input));
