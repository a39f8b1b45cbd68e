//! The folder of shards in a hard world: two volunteers share it, it is damaged, its disk is full.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "rig/mod.rs"]
mod rig;
#[path = "rig/small_disk.rs"]
mod small_disk;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rig::{Peer, Run, unit};
use small_disk::SmallDisk;

const PATHS: usize = 4;
const UNITS: usize = 16;

fn four_paths(name: &str) -> Run {
    let settings = "[routing]\npaths = 4\n[training]\nlayers = 4\nbucket = 60\n";
    Run::new(name, &rig::table(1_600, 6, 41), settings)
}

/// The names in a folder.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The folder of the only run that a data folder knows.
fn run_folder(data_dir: &Path) -> PathBuf {
    let runs: Vec<String> = names(&data_dir.join("runs")).into_iter().collect();
    assert_eq!(runs.len(), 1, "{runs:?}");
    data_dir.join("runs").join(&runs[0])
}

/// A volunteer of the shared data folder, with a key of its own.
fn sharing(run: &Run, i: usize, address: &str) -> Peer {
    run.volunteer(i, address, &["--data-dir", "shared", "--key", &format!("key-{i}.pem"), "--verify-routing"])
}

#[test]
fn two_volunteers_share_shards_and_nothing_else() {
    let run = four_paths("shared");
    let alone = run.trained_alone();
    run.publish();
    let (mut coordinator, address) = run.coordinator_with_source();
    let mut volunteers: Vec<Peer> = (1..=2).map(|i| sharing(&run, i, &address)).collect();
    let keys: Vec<String> = volunteers.iter_mut().map(Peer::key).collect();
    // One is killed in the middle of it and comes again.
    volunteers[0].expect("trained");
    volunteers[0].kill();
    volunteers[0].rest();
    let mut again = sharing(&run, 1, &address);
    assert_eq!(again.key(), keys[0]);
    let written = coordinator.expect("model_written");
    assert!(run.model(&written) == alone, "the model differs from the one trained alone");
    again.succeed();
    volunteers[1].succeed();
    coordinator.succeed();
    let stored: BTreeSet<_> = coordinator.seen("stored").iter().map(|event| unit(event)).collect();
    assert_eq!(stored.len(), UNITS);

    let shared = run.path("shared");
    let shards = names(&shared.join("shards"));
    let whole = shards.iter().filter(|name| name.ends_with(".rows")).count();
    assert_eq!(whole, PATHS, "each shard once, whoever made it: {shards:?}");
    let outboxes: BTreeSet<String> =
        names(&run_folder(&shared)).into_iter().filter(|name| name.starts_with("outbox")).collect();
    assert_eq!(outboxes, keys.iter().map(|key| format!("outbox-{key}")).collect());
}

#[test]
fn a_key_is_one_volunteers() {
    // A lease that outlasts the test, and units enough for it.
    let run = Run { lease_ms: 600_000, ..Run::new("twice", &rig::riddle(6_000, 9, 3), "") };
    run.publish();
    let (_coordinator, address) = run.coordinator_with_source();
    let mut first = run.volunteer(1, &address, &[]);
    first.expect("training");
    let (code, message) = run.volunteer(1, &address, &[]).wait();
    assert_eq!(code, Some(1), "{message}");
    assert!(
        message.contains("another join works with this key") && message.contains("--data-dir"),
        "{message}"
    );
    // The same key as another file, which has a lock of its own.
    fs::copy(run.path("volunteer-1/volunteer.pem"), run.path("copy.pem")).unwrap();
    let (code, message) = run.volunteer(1, &address, &["--key", "copy.pem"]).wait();
    assert_eq!(code, Some(1), "{message}");
    assert!(message.contains("with the same key") && message.contains("a key of its own"), "{message}");
    let outboxes = names(&run_folder(&run.path("volunteer-1")));
    assert!(outboxes.contains("outbox") && !outboxes.iter().any(|name| name.starts_with("outbox-")));
    first.terminate();
    first.left();
    // The lock is the process's: nothing is in the way of the next one.
    let mut next = run.volunteer(1, &address, &["--key", "volunteer-1/volunteer.pem"]);
    next.expect("training");
    assert_eq!(names(&run_folder(&run.path("volunteer-1"))), outboxes, "the same outbox");
}

#[test]
fn what_is_damaged_or_left_behind_is_cleared_away() {
    let run = four_paths("damaged");
    let alone = run.trained_alone();
    run.publish();
    let (mut coordinator, address) = run.coordinator_with_source();
    let mut first = run.volunteer(1, &address, &[]);
    first.expect("trained");
    first.kill();
    let shards = run.path("volunteer-1/shards");
    let files: Vec<String> = names(&shards).into_iter().filter(|name| name.ends_with(".rows")).collect();
    assert_eq!(files.len(), PATHS, "one pass made them all");
    let path = |i: usize| shards.join(&files[i]);
    let mut bytes = fs::read(path(0)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path(0), bytes).unwrap();
    fs::write(path(1), "").unwrap();
    fs::copy(path(3), path(2)).unwrap();
    fs::remove_file(path(3)).unwrap();
    fs::create_dir(path(3)).unwrap();
    let left = fs::File::create(shards.join(".writing-left")).unwrap();
    left.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(600)).unwrap();
    drop(left);
    let mut again = run.volunteer(1, &address, &[]);
    let written = coordinator.expect("model_written");
    assert!(run.model(&written) == alone, "the model differs from the one trained alone");
    again.succeed();
    coordinator.succeed();
    assert!(again.seen("warning").is_empty(), "{:?}", again.seen("warning"));
    let rebuilt = again.seen("cache").last().unwrap()["rebuilds"].as_u64().unwrap();
    assert!((1..=PATHS as u64).contains(&rebuilt), "{rebuilt}");
    assert!(!names(&shards).contains(".writing-left"));
}

#[test]
fn a_full_disk_for_shards_is_told_once_and_survived() {
    let run = four_paths("full");
    let alone = run.trained_alone();
    run.publish();
    // Room for one shard or two, not for four.
    let Some(disk) = SmallDisk::mount(run.path("volunteer-1/shards"), 64 << 10) else { return };
    let (mut coordinator, address) = run.coordinator_with_source();
    let mut volunteer = run.volunteer(1, &address, &["--max-shards", "2"]);
    let written = coordinator.expect("model_written");
    assert!(run.model(&written) == alone, "the model differs from the one trained alone");
    volunteer.succeed();
    coordinator.succeed();
    let warnings = volunteer.seen("warning");
    let about =
        warnings.iter().filter(|event| event["text"].as_str().unwrap().contains("shards can't be kept"));
    assert_eq!((about.count(), warnings.len()), (1, 1), "{warnings:?}");
    let left = names(&disk.0);
    assert!(left.iter().all(|name| name.ends_with(".rows")), "nothing half written: {left:?}");
    assert_eq!(volunteer.seen("trained").len(), UNITS);
}
