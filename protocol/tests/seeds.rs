//! The seeds of the fuzz targets that concern records, without the fuzzer: what it once found stays found.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, unreachable_pub)] // also in what the targets share

use std::fs;

#[path = "../../fuzz/src/manifests.rs"]
mod manifests;
#[path = "../../fuzz/src/messages.rs"]
mod messages;
#[path = "../../fuzz/src/reports.rs"]
mod reports;
#[path = "../../fuzz/src/small.rs"]
mod small;

fn every_seed(target: &str, body: fn(&[u8])) {
    let folder = format!("{}/../fuzz/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut seeds: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{folder} is empty");
    for seed in seeds {
        println!("{}", seed.display());
        body(&fs::read(seed).unwrap());
    }
}

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
