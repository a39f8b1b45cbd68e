//! The recipe of a run's shards.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::specs::spec(input));
