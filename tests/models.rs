//! Models of the program and of others: vectors, Adult.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "rig/mod.rs"]
mod rig;
