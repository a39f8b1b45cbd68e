//! What travels: pinned bytes, round trips, and everything that must be refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod arbitrary;
mod check;
mod golden;
mod manifest;
mod messages;
mod refused;
mod report;
mod samples;
mod trained;
