//! A table as Parquet.
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz::panics::forgive_the_decoder(),
    |input: &[u8]| fuzz::tables::parquet_rows(input)
);
