//! The seeds of the fuzz targets that concern records, without the fuzzer: what it once found stays found.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, unreachable_pub)] // also in what the targets share

#[path = "../../fuzz/src/every_seed.rs"]
mod every_seed;
#[path = "../../fuzz/src/manifests.rs"]
mod manifests;
#[path = "../../fuzz/src/messages.rs"]
mod messages;
#[path = "../../fuzz/src/reports.rs"]
mod reports;
#[path = "../../fuzz/src/small.rs"]
mod small;

use every_seed::every_seed;

#[test]
fn manifests_of_strangers() {
    every_seed("manifest", manifests::manifest);
}

#[test]
fn messages_of_peers() {
    every_seed("messages", messages::message);
}

#[test]
fn reports_of_volunteers() {
    every_seed("report", reports::report);
}
