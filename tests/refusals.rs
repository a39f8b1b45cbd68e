//! A manifest that is not what its signer says, or not of the operator who was asked for, is refused.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "rig/mod.rs"]
mod rig;
