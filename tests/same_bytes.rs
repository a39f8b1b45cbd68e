//! The model's bytes are the same, however many volunteers there are and whatever they keep in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "rig/mod.rs"]
mod rig;

use rig::Run;

#[test]
fn volunteers_and_one_machine_write_the_same_bytes() {
    let settings = "holdout = 0.1\n[routing]\npaths = 4\n[training]\nlayers = 3\nbucket = 40\n";
    let run = Run::new("four-paths", &rig::table(1_500, 6, 7), settings);
    let alone = run.trained_alone();
    run.publish();
    let (mut coordinator, address) = run.coordinator_with_source();
    let mut volunteers: Vec<_> = (1..=2).map(|i| run.volunteer(i, &address, &["--verify-routing"])).collect();
    let written = coordinator.expect("model_written");
    assert!(run.model(&written) == alone, "the network's model differs from the one trained alone");
    volunteers.iter_mut().for_each(rig::Peer::succeed);
    coordinator.succeed();
}
