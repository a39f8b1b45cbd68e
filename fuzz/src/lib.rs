//! The bodies of the fuzz targets: one function each, which panics when something is not as it must be.
//!
//! `targets/` calls them with what libFuzzer makes up; `spec/tests/seeds.rs` and `protocol/tests/seeds.rs` call them with the
//! files in `seeds/`, in every ordinary test run. So a module here names nothing but what those two crates have.

pub mod manifests;
pub mod messages;
pub mod panics;
pub mod reports;
pub mod runs;
pub mod small;
pub mod specs;
pub mod tables;
