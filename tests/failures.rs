//! Failure is normal: whoever is killed, whenever, the model is the same.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "rig/mod.rs"]
mod rig;
#[path = "rig/stored.rs"]
mod stored;

use std::collections::BTreeSet;
use std::fs;

use protocol::{GossipRecord, Manifest};
use rig::{Peer, Run, unit};
use serde_json::Value;

/// Six units that take a few hundred milliseconds each.
const LONG: &str = "[routing]\nkind = \"round_robin\"\npaths = 2\n[training]\nlayers = 3\nlookahead = 200\n";
/// Eighty units that take some ten milliseconds each.
const MANY: &str = "[routing]\nkind = \"round_robin\"\npaths = 4\n[training]\nlayers = 20\nlookahead = 100\n";

fn long(name: &str) -> Run {
    Run::new(name, &rig::riddle(3_000, 12, 3), LONG)
}

fn many(name: &str) -> Run {
    Run::new(name, &rig::riddle(1_200, 9, 5), MANY)
}

fn units(events: &[&Value]) -> BTreeSet<(u64, u64)> {
    events.iter().map(|event| unit(event)).collect()
}

/// The coordinator writes the model that one machine trains, and everyone leaves content.
fn same_bytes(run: &Run, coordinator: &mut Peer, volunteers: &mut [Peer], alone: &[u8]) {
    let written = coordinator.expect("model_written");
    assert!(run.model(&written) == alone, "{}: the model differs from the one trained alone", run.name);
    volunteers.iter_mut().for_each(Peer::succeed);
    coordinator.succeed();
}

#[test]
fn a_volunteer_is_killed_while_it_holds_a_lease() {
    let run = long("lease-lost");
    let alone = run.trained_alone();
    run.publish();
    let (mut coordinator, address) = run.coordinator_with_source();
    let mut second = run.volunteer(2, &address, &[]);
    second.expect("training");
    let mut first = run.volunteer(1, &address, &[]);
    let first_key = first.key();
    let held = unit(&first.expect("training"));
    // Its claim is out: the unit is its own as long as the lease lasts.
    second.expect_where("claim_heard", |event| event["peer"] == first_key.as_str() && unit(event) == held);
    first.kill();
    first.rest();
    assert!(!units(&first.seen("trained")).contains(&held), "it was to be killed before it had finished");
    second.expect_where("training", |event| unit(event) == held);
    same_bytes(&run, &mut coordinator, &mut [second], &alone);
}

/// What this volunteer had a receipt for it never trained again.
fn assert_no_report_asked_for_again(volunteer: &Peer) {
    let mut acknowledged = BTreeSet::new();
    for event in volunteer.all() {
        if event["event"] == "receipt" {
            acknowledged.insert(unit(event));
        } else if event["event"] == "training" {
            assert!(!acknowledged.contains(&unit(event)), "trained again after its receipt: {event}");
        }
    }
    assert!(!acknowledged.is_empty(), "it delivered something");
}

#[test]
fn the_coordinator_is_killed_in_the_middle() {
    let run = many("restarted");
    let alone = run.trained_alone();
    run.publish();
    let (mut coordinator, address) = run.coordinator_with_source();
    let mut volunteers: Vec<Peer> = (1..=2).map(|i| run.volunteer(i, &address, &[])).collect();
    for _ in 0..10 {
        coordinator.expect("stored");
    }
    // Somebody has the coordinator's word for a report before it is killed.
    volunteers[0].expect("receipt");
    coordinator.kill();
    coordinator.rest();
    let before = units(&coordinator.seen("stored"));
    let (mut again, address_again) = run.coordinator_with_source();
    assert_eq!(address_again, address, "a coordinator takes its old port again");
    let progress = again.expect("progress");
    assert!(progress["units_done"].as_u64().unwrap() >= before.len() as u64, "reports were lost: {progress}");
    let written = again.expect("model_written");
    assert!(run.model(&written) == alone, "the model differs from the one trained alone");
    again.succeed();
    let after = units(&again.seen("stored"));
    assert!(
        before.is_disjoint(&after),
        "stored twice: {:?}",
        before.intersection(&after).collect::<Vec<_>>()
    );
    volunteers.iter_mut().for_each(Peer::succeed);
    for volunteer in &volunteers {
        assert_no_report_asked_for_again(volunteer);
    }
}

#[test]
fn the_coordinator_is_killed_when_all_reports_are_there() {
    let run = long("last-moment");
    let alone = run.trained_alone();
    run.publish();
    let (mut coordinator, address) = run.coordinator_with_source();
    let mut volunteer = run.volunteer(1, &address, &[]);
    coordinator.expect_where("progress", |event| event["units_done"] == event["units"]);
    coordinator.kill();
    let (mut again, _) = run.coordinator_with_source();
    let written = again.expect("model_written");
    assert!(run.model(&written) == alone, "the model differs from the one trained alone");
    volunteer.succeed();
    again.succeed();
    assert!(again.seen("stored").is_empty(), "all reports were there already");
}

#[test]
fn a_damaged_store_is_refused_and_once_it_is_moved_away_volunteers_bring_their_reports_again() {
    let run = many("damaged-store");
    let alone = run.trained_alone();
    run.publish();
    let (mut coordinator, address) = run.coordinator_with_source();
    let mut volunteers: Vec<Peer> = (1..=2).map(|i| run.volunteer(i, &address, &[])).collect();
    for _ in 0..10 {
        coordinator.expect("stored");
    }
    volunteers[0].expect("receipt");
    coordinator.kill();
    let file = stored::file(&run).unwrap();
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let (mut refused, _) = run.coordinator_with_source();
    let (code, message) = refused.wait();
    assert_eq!(code, Some(3), "{message}");
    for word in ["run.redb", "damaged", "move the file away", "offer them again"] {
        assert!(message.contains(word), "{message}");
    }
    assert_eq!(fs::metadata(&file).unwrap().len(), whole.len() as u64 / 2, "it is left as it is");
    fs::rename(&file, run.path("damaged.redb")).unwrap();
    let (mut again, _) = run.coordinator_with_source();
    same_bytes(&run, &mut again, &mut volunteers, &alone);
    assert_words_outlast_a_restart(&run);
}

/// The coordinator's words about all units, of which some were opened again, are the same bytes after it was started once
/// more, with nobody there to tell it what it had said.
fn assert_words_outlast_a_restart(run: &Run) {
    let manifest = Manifest::open(&fs::read(run.manifest()).unwrap()).unwrap();
    let words = || {
        let (store, found) = stored::open(run);
        store.close();
        found.words
    };
    let before = words();
    let generations = before.values().map(|word| match GossipRecord::open(word, manifest.run()).unwrap() {
        GossipRecord::Receipt(receipt) => receipt.value().generation,
        other => panic!("no receipt: {other:?}"),
    });
    let generations: Vec<u32> = generations.collect();
    assert_eq!(generations.len(), 80);
    assert!(generations.contains(&1), "what was acknowledged and lost is opened again: {generations:?}");
    let (mut coordinator, _) = run.coordinator_with_source();
    coordinator.expect("model_written");
    coordinator.succeed();
    assert!(words() == before, "something else is said after a restart");
}

/// Everyone hears a claim of everyone else's.
fn everyone_hears_everyone(volunteers: &mut [Peer], keys: &[String]) {
    for (i, volunteer) in volunteers.iter_mut().enumerate() {
        let mut unheard: BTreeSet<&String> =
            keys.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, key)| key).collect();
        while !unheard.is_empty() {
            let claim = volunteer.expect("claim_heard");
            unheard.retain(|key| claim["peer"] != key.as_str());
        }
    }
}

#[test]
fn five_volunteers_lose_the_volunteer_that_brought_them_together() {
    let run = many("bootstrap-lost");
    let alone = run.trained_alone();
    run.publish();
    let (mut coordinator, address) = run.coordinator_with_source();
    let mut bootstrap = run.volunteer(1, &address, &[]);
    let bootstrap_key = bootstrap.key();
    let bootstrap_address = bootstrap.expect("listening")["address"].as_str().unwrap().to_owned();
    bootstrap.expect("run");
    let mut volunteers: Vec<Peer> = (2..=6).map(|i| run.volunteer(i, &bootstrap_address, &[])).collect();
    let keys: Vec<String> = volunteers.iter_mut().map(Peer::key).collect();
    for volunteer in &mut volunteers {
        volunteer.expect_where("connected", |event| keys.iter().any(|key| event["peer"] == key.as_str()));
    }
    bootstrap.kill();
    for volunteer in &mut volunteers {
        volunteer.expect_where("disconnected", |event| event["peer"] == bootstrap_key.as_str());
    }
    everyone_hears_everyone(&mut volunteers, &keys);
    same_bytes(&run, &mut coordinator, &mut volunteers, &alone);
}

#[test]
fn volunteers_lose_the_coordinator_that_brought_them_together() {
    let run = many("coordinator-away");
    let alone = run.trained_alone();
    run.publish();
    let (mut coordinator, address) = run.coordinator_with_source();
    let coordinator_key = coordinator.seen("started")[0]["key"].as_str().unwrap().to_owned();
    let mut volunteers: Vec<Peer> = (1..=3).map(|i| run.volunteer(i, &address, &[])).collect();
    let keys: Vec<String> = volunteers.iter_mut().map(Peer::key).collect();
    for volunteer in &mut volunteers {
        volunteer.expect_where("connected", |event| keys.iter().any(|key| event["peer"] == key.as_str()));
    }
    coordinator.kill();
    for volunteer in &mut volunteers {
        volunteer.expect_where("disconnected", |event| event["peer"] == coordinator_key.as_str());
    }
    everyone_hears_everyone(&mut volunteers, &keys);
    // They go on without it, and their reports wait.
    for volunteer in &mut volunteers {
        volunteer.expect("trained");
    }
    let (mut coordinator, _) = run.coordinator_with_source();
    same_bytes(&run, &mut coordinator, &mut volunteers, &alone);
}

#[test]
fn a_volunteer_that_is_asked_to_end_gives_its_unit_back() {
    // A lease that outlasts the test: only a release opens the unit again.
    let run = Run { lease_ms: 600_000, ..long("released") };
    let alone = run.trained_alone();
    run.publish();
    let (mut coordinator, address) = run.coordinator_with_source();
    let mut first = run.volunteer(1, &address, &[]);
    let held = unit(&first.expect("training"));
    let first_key = first.seen("started")[0]["key"].as_str().unwrap().to_owned();
    let mut second = run.volunteer(2, &address, &[]);
    // By now it knows who holds the unit.
    second.expect_where("claim_heard", |event| event["peer"] == first_key.as_str());
    first.terminate();
    first.left();
    if !units(&first.seen("trained")).contains(&held) {
        second.expect_where("training", |event| unit(event) == held);
    }
    same_bytes(&run, &mut coordinator, &mut [second], &alone);
}

#[test]
fn reports_that_wait_are_delivered_after_a_restart() {
    let run = Run::new(
        "outbox",
        &rig::table(1_000, 6, 31),
        "[routing]\npaths = 2\n[training]\nlayers = 3\nbucket = 60\n",
    );
    let alone = run.trained_alone();
    run.publish();
    let (mut coordinator, address) = run.coordinator_with_source();
    let mut volunteer = run.volunteer(1, &address, &[]);
    volunteer.expect("training");
    coordinator.kill();
    coordinator.rest();
    let stored = units(&coordinator.seen("stored"));
    while units(&volunteer.seen("trained")).len() < 6 {
        volunteer.expect("trained");
    }
    volunteer.terminate();
    volunteer.left();
    let (mut coordinator, address) = run.coordinator_with_source();
    let mut volunteer = run.volunteer(1, &address, &[]);
    let written = coordinator.expect("model_written");
    assert!(run.model(&written) == alone, "the model differs from the one trained alone");
    volunteer.succeed();
    coordinator.succeed();
    assert!(volunteer.seen("training").is_empty(), "everything had been trained already");
    assert!(units(&coordinator.seen("stored")).is_disjoint(&stored));
}
