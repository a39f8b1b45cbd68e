//! Panics inside the Parquet decoder, which the program catches and libFuzzer would not forgive.

use std::panic::{set_hook, take_hook};

/// Panics in the decoder's own code, or below it, unwind as they do in the program; those in ours end the process.
///
/// Called once the fuzzer has set its hook, which ends the process at any panic.
pub fn forgive_the_decoder() {
    let fuzzer = take_hook();
    set_hook(Box::new(move |panic| {
        let file = panic.location().map_or("", |location| location.file());
        let decoder = [
            "/parquet-",
            "/arrow-",
            "/rustc/",
            "/library/",
            "/bytes-",
            "/flate2-",
            "/zlib-rs-",
            "/snap-",
            "/zstd",
            "/lz4",
            "/chrono-",
            "/thrift-",
            "/half-",
            "/num-",
        ];
        // What unwinds through our own code and is not caught there ends the process at the target's edge all the same.
        if !decoder.iter().any(|part| file.contains(part)) {
            fuzzer(panic);
        }
    }));
}
