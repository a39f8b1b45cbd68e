//! Bad input is an error with location and remedy, and nothing is half written.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "rig/mod.rs"]
mod rig;
