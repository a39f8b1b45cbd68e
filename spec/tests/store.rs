//! The shard store: nothing passes but through its gate, and nothing that breaks below it stops a training.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, clippy::panic)] // also in what the tests share

use std::fs;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use snake::{Cancel, Cell};
use spec::{Finding, RecordSource, Router, RoutingCheck, Shard, ShardError, ShardHash, VecSource};

#[path = "support/store_rig.rs"]
mod store_rig;
mod support;

use store_rig::{Rig, Watched};

#[test]
fn shards_come_from_memory_then_disk_then_source() {
    let rig = Rig::new();
    let store = rig.start();
    let cancel = Cancel::new();
    for path in [0, 0, 1, 2, 0] {
        let table = store.shard(path, &cancel).unwrap();
        assert_eq!(Shard::of_table(&table), rig.spec.shards[path as usize]);
        assert!(store.in_memory().len() <= 2);
    }
    let counters = store.counters();
    assert_eq!((counters.memory.hits, counters.memory.misses, counters.memory.evictions), (1, 4, 2));
    assert_eq!((counters.rebuilds, counters.disk.hits, counters.checks), (3, 1, 1));
    assert_eq!((store.in_memory(), store.on_disk()), (vec![0, 2], vec![0, 1, 2]));
    assert_eq!(store.shard(3, &cancel).unwrap_err(), ShardError::NoSuchPath { path: 3, paths: 3 });
}

#[test]
fn a_routing_mismatch_is_refused_and_remembered() {
    let mut rig = Rig::new();
    rig.forge_routing();
    let store = rig.start();
    rig.expect_refused(&store, 0, "the routing is not what the source gives");
    assert!(store.in_memory().is_empty() && store.on_disk().is_empty());
    let passes = rig.passes();
    rig.expect_refused(&store, 1, "the routing is not what the source gives");
    rig.expect_refused(&rig.start(), 0, "delete");
    rig.check = RoutingCheck::Off;
    rig.expect_refused(&rig.start(), 0, "the routing is not what the source gives");
    assert_eq!(rig.passes(), passes, "nothing is read again");
}

#[test]
fn what_is_cached_passes_the_gate_too() {
    let mut rig = Rig::new();
    rig.check = RoutingCheck::Off;
    // A store that need not check fills the disk; one that must finds everything there, and refuses all the same.
    let store = rig.start();
    (0..3).for_each(|path| drop(store.shard(path, &Cancel::new()).unwrap()));
    assert_eq!(store.counters().checks, 0);
    rig.check = RoutingCheck::Required;
    rig.forge_routing();
    rig.expect_refused(&rig.start(), 0, "the routing is not what the source gives");
}

#[test]
fn a_shard_that_is_not_the_signed_one_is_refused() {
    let mut rig = Rig::new();
    rig.spec.shards[1].hash = ShardHash::from_bytes([7; 32]);
    let store = rig.start();
    store.shard(0, &Cancel::new()).unwrap();
    rig.expect_refused(&store, 1, "not what the operator signed");
    rig.expect_refused(&store, 0, "not what the operator signed");
    let passes = rig.passes();
    rig.expect_refused(&rig.start(), 0, "not what the operator signed");
    assert_eq!(rig.passes(), passes);
}

#[test]
fn an_unreadable_source_may_be_tried_again() {
    let rig = Rig::new();
    let store = rig.start();
    *rig.source.broken.lock().unwrap() = true;
    for _ in 0..2 {
        let error = store.shard(0, &Cancel::new()).unwrap_err();
        assert_eq!(error, ShardError::Failed { reason: "rows: the cable is out".into() });
    }
    *rig.source.broken.lock().unwrap() = false;
    store.shard(0, &Cancel::new()).unwrap();
}

#[test]
fn cancelling_stops_check_and_shard_and_finds_nothing() {
    let rig = Rig::new();
    let store = rig.start();
    let cancel = Cancel::new();
    cancel.cancel();
    assert_eq!(store.shard(0, &cancel).unwrap_err(), ShardError::Cancelled);
    store.shard(0, &Cancel::new()).unwrap();
    assert_eq!(store.shard(1, &cancel).unwrap_err(), ShardError::Cancelled);
    assert_eq!(store.counters().checks, 1);
}

#[test]
fn a_folder_that_cannot_be_written_is_warned_of_once() {
    let mut rig = Rig::new();
    let file = rig.folder.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    rig.data_dir = Some(file);
    rig.shards = 1;
    let store = rig.start();
    for path in [0, 1, 2, 0] {
        store.shard(path, &Cancel::new()).unwrap();
    }
    let counters = store.counters();
    assert_eq!((counters.rebuilds, counters.disk.failures), (4, 4));
    let warnings = rig.warnings.lock().unwrap();
    let about = |text: &str| warnings.iter().filter(|warning| warning.contains(text)).count();
    assert_eq!(
        (about("shards can't be kept"), about("can't be kept over a restart"), warnings.len()),
        (1, 1, 2)
    );
}

#[test]
fn a_damaged_file_is_rebuilt() {
    let rig = Rig::new();
    rig.start().shard(0, &Cancel::new()).unwrap();
    let shards = rig.folder.path().join("data/shards");
    let file = fs::read_dir(&shards).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let store = rig.start();
    let table = store.shard(0, &Cancel::new()).unwrap();
    assert_eq!(Shard::of_table(&table), rig.spec.shards[0]);
    let counters = store.counters();
    assert_eq!((counters.disk.damaged, counters.rebuilds), (1, 1));
    assert_eq!(rig.start().shard(0, &Cancel::new()).unwrap(), table);
}

#[test]
fn threads_that_want_one_shard_make_it_once() {
    let rig = Rig::new();
    let store = rig.start();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| store.shard(1, &Cancel::new()).unwrap());
        }
    });
    let counters = store.counters();
    assert_eq!((counters.rebuilds, counters.checks), (1, 1));
}

#[test]
fn an_unverifiable_router_is_warned_of_once() {
    let mut rig = Rig::new();
    // The source now has fewer rows than the router has paths; the shard hash decides, and it is wrong.
    let two = rig.source.inner.records()[..2].to_vec();
    let header = rig.source.inner.open().unwrap().header().to_vec();
    let inner = VecSource::new("people.csv", header, two);
    rig.source = Arc::new(Watched { inner, passes: AtomicUsize::new(0), broken: Mutex::new(false) });
    let store = rig.start();
    rig.expect_refused(&store, 0, "not what the operator signed");
    rig.expect_refused(&store, 1, "not what the operator signed");
    let warnings = rig.warnings.lock().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("the routing can't be checked"), "{}", warnings[0]);
}

#[test]
fn every_finding_is_remembered_over_a_restart() {
    // Two rows of different classes, fewer than the paths, and a path that gets neither of them: its shard is the empty
    // one, so that the run is unverifiable and not refused.
    let mut rig = Rig::new();
    let records = rig.source.inner.records();
    let first = records[0].clone();
    let other = records.iter().find(|record| record[3] != first[3]).unwrap().clone();
    let header = rig.source.inner.open().unwrap().header().to_vec();
    let inner = VecSource::new("people.csv", header, vec![first, other]);
    let mut router = Router::new(&rig.spec.routing, &rig.spec.schema).unwrap();
    let taken: Vec<u32> = (0u64..)
        .zip(inner.records())
        .map(|(ordinal, cells)| {
            let number = |cell: &str| Cell::Number(cell.parse().unwrap());
            router.route(ordinal, &[number(&cells[0]), Cell::Text(&cells[1]), number(&cells[2])])
        })
        .collect();
    let free = (0..3).find(|path| !taken.contains(path)).unwrap();
    rig.spec.shards[free as usize] =
        Shard { rows: 0, hash: ShardHash::from_bytes(*blake3::hash(&[]).as_bytes()) };
    rig.source = Arc::new(Watched { inner, passes: AtomicUsize::new(0), broken: Mutex::new(false) });
    let store = rig.start();
    store.shard(free, &Cancel::new()).unwrap();
    assert_eq!((store.finding(), store.counters().checks), (Some(Finding::Unverifiable), 1));
    let again = rig.start();
    assert_eq!(again.finding(), Some(Finding::Unverifiable));
    again.shard(free, &Cancel::new()).unwrap();
    assert_eq!((again.counters().checks, rig.warnings.lock().unwrap().len()), (0, 1));

    // Verified: a source that has gone away meanwhile is not asked, as long as the disk has the shard.
    let rig = Rig::new();
    rig.start().shard(0, &Cancel::new()).unwrap();
    *rig.source.broken.lock().unwrap() = true;
    let again = rig.start();
    assert_eq!(again.finding(), Some(Finding::Verified));
    again.shard(0, &Cancel::new()).unwrap();
    assert_eq!(again.counters().checks, 0);

    // Refused, for the router and for a shard.
    for forge in [Rig::forge_routing as fn(&mut Rig), |rig| rig.spec.shards[0].rows += 1] {
        let mut rig = Rig::new();
        forge(&mut rig);
        let error = rig.start().shard(0, &Cancel::new()).unwrap_err();
        let again = rig.start();
        assert!(matches!(again.finding(), Some(Finding::Refused(_))));
        let passes = rig.passes();
        assert_eq!(again.shard(1, &Cancel::new()).unwrap_err(), error);
        assert_eq!((again.counters().checks, rig.passes()), (0, passes));
    }
}
