//! The seeds of the fuzz targets that concern data, without the fuzzer: what it once found stays found.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, unreachable_pub)] // also in what the targets share

#[path = "../../fuzz/src/every_seed.rs"]
mod every_seed;
#[path = "../../fuzz/src/runs.rs"]
mod runs;
#[path = "../../fuzz/src/specs.rs"]
mod specs;
#[path = "../../fuzz/src/tables.rs"]
mod tables;

use every_seed::every_seed;

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
