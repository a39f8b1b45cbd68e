//! A manifest from the network.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::manifests::manifest(input));
