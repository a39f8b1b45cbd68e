//! The seeds of the fuzz targets that concern data, without the fuzzer: what it once found stays found.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, unreachable_pub)] // also in what the targets share

use std::fs;

#[path = "../../fuzz/src/runs.rs"]
mod runs;
#[path = "../../fuzz/src/specs.rs"]
mod specs;
#[path = "../../fuzz/src/tables.rs"]
mod tables;

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
fn specs_of_strangers() {
    every_seed("spec", specs::spec);
}

#[test]
fn run_files() {
    every_seed("run_file", runs::run_file);
}

#[test]
fn csv() {
    every_seed("csv_rows", tables::csv_rows);
}

#[test]
fn json_lines() {
    every_seed("json_rows", tables::json_rows);
}

#[test]
fn parquet() {
    every_seed("parquet_rows", tables::parquet_rows);
}
