//! One pass over the source makes several shards: how many passes, which shards, and what stays within the limits.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, clippy::panic)] // also in what the tests share

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use snake::Cancel;
use spec::{LocalShards, MemoryLimits, RoutingCheck, Shard, ShardError, ShardHash, train_locally};

#[path = "support/store_rig.rs"]
mod store_rig;
mod support;

use store_rig::{Rig, Watched};

/// A rig of six paths, without a check, so that every pass makes shards.
fn rig(shards: usize) -> Rig {
    let mut rig = Rig::with_paths(6);
    rig.check = RoutingCheck::Off;
    rig.shards = shards;
    assert!(rig.spec.shards.iter().all(|shard| shard.rows > 1), "{:?}", rig.spec.shards);
    rig
}

const ALL: [u32; 6] = [0, 1, 2, 3, 4, 5];

#[test]
fn a_pass_makes_what_is_wanted_soon() {
    let rig = rig(4);
    let store = rig.start();
    let cancel = Cancel::new();
    let table = store.shard_and_soon(2, &[5, 2, 9, 5, 1, 0, 3], &cancel).unwrap();
    assert_eq!(Shard::of_table(&table), rig.spec.shards[2]);
    assert_eq!((store.in_memory(), store.on_disk()), (vec![0, 1, 2, 5], vec![0, 1, 2, 5]));
    assert_eq!((rig.passes(), store.counters().passes, store.counters().rebuilds), (1, 1, 4));
    for path in [5, 1, 0] {
        let table = store.shard(path, &cancel).unwrap();
        assert_eq!(Shard::of_table(&table), rig.spec.shards[path as usize]);
    }
    assert_eq!((rig.passes(), store.counters().memory.hits), (1, 3));
    // The path that was wanted is the most recently used, then what comes first: 5 is the next to go.
    let store = rig.start();
    store.shard_and_soon(3, &[4], &cancel).unwrap();
    assert_eq!((store.in_memory(), rig.passes()), (vec![3, 4], 2));
    store.shard_and_soon(0, &[], &cancel).unwrap();
    store.shard_and_soon(1, &[], &cancel).unwrap();
    store.shard_and_soon(2, &[], &cancel).unwrap();
    assert_eq!((store.in_memory(), rig.passes()), (vec![0, 1, 2, 3], 2), "4 was used before 3");
}

#[test]
fn all_paths_in_as_few_passes_as_memory_allows() {
    for (shards, disk, passes) in [
        (1, true, 6),
        (2, true, 3),
        (3, true, 2),
        (4, true, 2),
        (6, true, 1),
        (9, true, 1),
        (1, false, 6),
        (4, false, 2),
        (6, false, 1),
    ] {
        let mut rig = rig(shards);
        if !disk {
            rig.data_dir = None;
        }
        let store = rig.start();
        for (at, path) in ALL.into_iter().enumerate() {
            let table = store.shard_and_soon(path, &ALL[at + 1..], &Cancel::new()).unwrap();
            assert_eq!(Shard::of_table(&table), rig.spec.shards[path as usize]);
            assert!(store.in_memory().len() <= shards && store.in_memory().contains(&path));
        }
        let counters = store.counters();
        assert_eq!(
            (rig.passes(), counters.passes, counters.rebuilds),
            (passes, passes as u64, 6),
            "{shards}"
        );
    }
}

#[test]
fn what_is_wanted_soon_and_there_is_neither_made_again_nor_let_go_of() {
    let rig = rig(3);
    let cancel = Cancel::new();
    let store = rig.start();
    store.shard(0, &cancel).unwrap();
    store.shard(1, &cancel).unwrap();
    store.shard(2, &cancel).unwrap();
    // 0 would be the first to go; 1 is, and there is room for one more beside 0, not for two.
    store.shard_and_soon(3, &[0, 4, 5], &cancel).unwrap();
    assert_eq!((store.in_memory(), rig.passes()), (vec![0, 3, 4], 4));
    // What is on disk is not made again.
    store.shard_and_soon(5, &[1, 2, 0], &cancel).unwrap();
    let counters = store.counters();
    assert_eq!((counters.rebuilds, counters.passes, counters.disk.evictions), (6, 5, 0));
    assert!(store.in_memory().contains(&0) && store.in_memory().contains(&5));
}

#[test]
fn bytes_count_as_well() {
    let mut rig = rig(6);
    let cancel = Cancel::new();
    let sizes: Vec<usize> =
        ALL.iter().map(|path| rig.start().shard(*path, &cancel).unwrap().memory()).collect();
    let largest = *sizes.iter().max().unwrap();
    for (memory, at_most) in [(1, 1), (largest, 1), (2 * largest, 2), (1 << 30, 6)] {
        rig.memory = memory;
        rig.data_dir = None;
        let store = rig.start();
        let table = store.shard_and_soon(0, &ALL, &cancel).unwrap();
        assert_eq!(Shard::of_table(&table), rig.spec.shards[0]);
        let made = store.counters().rebuilds;
        assert!(made <= at_most && (at_most != 6 || made == 6), "{memory}: {made}");
        let held: usize = store.in_memory().iter().map(|path| sizes[*path as usize]).sum();
        assert!(held <= memory);
        assert_eq!(store.counters().memory.evictions, 0, "nothing that was just made goes");
    }
}

#[test]
fn a_wrong_shard_made_ahead_refuses_the_run() {
    let mut rig = rig(3);
    rig.spec.shards[4].hash = ShardHash::from_bytes([7; 32]);
    let store = rig.start();
    store.shard_and_soon(0, &[1], &Cancel::new()).unwrap();
    match store.shard_and_soon(2, &[4], &Cancel::new()) {
        Err(ShardError::Refused { reason }) => assert!(reason.contains("path 4"), "{reason}"),
        other => panic!("{other:?}"),
    }
    rig.expect_refused(&store, 0, "path 4");
    rig.expect_refused(&rig.start(), 0, "path 4");
}

#[test]
fn a_disk_without_room_for_all_keeps_the_wanted_one_first() {
    let mut rig = rig(6);
    let cancel = Cancel::new();
    // A probe tells the sizes of the files.
    rig.start().shard_and_soon(0, &ALL, &cancel).unwrap();
    let shards = rig.data_dir.clone().unwrap().join("shards");
    let size = |path: u32| {
        let file = shards.join(format!("{}.rows", rig.spec.shards[path as usize].hash));
        std::fs::metadata(file).unwrap().len()
    };
    let sizes: Vec<u64> = ALL.into_iter().map(size).collect();
    for (limit, kept) in [
        (sizes[3], vec![3]),
        (sizes[3] + sizes[1], vec![1, 3]),
        (sizes[3] + sizes[1] + sizes[0], vec![0, 1, 3]),
        (0, vec![]),
    ] {
        rig.disk = limit;
        rig.data_dir = Some(rig.folder.path().join(format!("limit-{limit}")));
        let store = rig.start();
        store.shard_and_soon(3, &[1, 0], &cancel).unwrap();
        assert_eq!((store.in_memory(), store.on_disk()), (vec![0, 1, 3], kept));
        assert_eq!(store.counters().disk.evictions, 0);
    }
    assert!(rig.warnings.lock().unwrap().is_empty());
}

#[test]
fn threads_that_want_different_shards_share_a_pass() {
    let rig = rig(6);
    let store = rig.start();
    std::thread::scope(|scope| {
        for path in ALL {
            let store = &store;
            scope.spawn(move || store.shard_and_soon(path, &ALL, &Cancel::new()).unwrap());
        }
    });
    assert_eq!((store.counters().passes, store.counters().rebuilds, rig.passes()), (1, 6, 1));
}

#[test]
fn stopping_and_a_source_that_fails_leave_nothing_half_done() {
    let rig = rig(6);
    let store = rig.start();
    let cancel = Cancel::new();
    cancel.cancel();
    assert_eq!(store.shard_and_soon(0, &ALL, &cancel).unwrap_err(), ShardError::Cancelled);
    *rig.source.broken.lock().unwrap() = true;
    let error = store.shard_and_soon(0, &ALL, &Cancel::new()).unwrap_err();
    assert!(matches!(error, ShardError::Failed { .. }));
    assert!(store.in_memory().is_empty() && store.on_disk().is_empty());
    assert_eq!(store.counters().passes, 0);
    *rig.source.broken.lock().unwrap() = false;
    store.shard_and_soon(0, &ALL, &Cancel::new()).unwrap();
    assert_eq!(store.in_memory(), ALL);
}

#[test]
fn a_local_training_reads_the_source_once_per_so_many_paths() {
    let mut rig = rig(1);
    let cancel = Cancel::new();
    let train = |rig: &Rig, shards: usize, bytes: usize| {
        let limits = MemoryLimits { shards, bytes };
        let mut made = LocalShards::new(&rig.spec, &rig.description, rig.source.as_ref(), limits);
        let mut asked = Vec::new();
        let mut shard = |path| {
            asked.push(path);
            made.take(path, &cancel)
        };
        let units = train_locally(&rig.spec, &mut shard, &mut |_| {}, &cancel).unwrap();
        assert_eq!(asked, ALL);
        (units, made.passes())
    };
    let (alone, passes) = train(&rig, 1, usize::MAX);
    assert_eq!((passes, rig.passes()), (6, 6));
    for (shards, bytes, passes) in [(2, usize::MAX, 3), (4, usize::MAX, 2), (9, usize::MAX, 1), (9, 1, 6)] {
        let source = Watched {
            inner: rig.source.inner.clone(),
            passes: AtomicUsize::new(0),
            broken: Mutex::new(false),
        };
        rig.source = Arc::new(source);
        let (units, counted) = train(&rig, shards, bytes);
        assert_eq!((counted, rig.passes()), (passes, passes as usize), "{shards} shards, {bytes} bytes");
        assert!(units == alone, "the same units");
    }
}
