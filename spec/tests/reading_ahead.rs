//! Reading ahead: what comes next is in memory when it is asked for, within the limits, and whoever works waits for nothing
//! that it does not need.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, clippy::panic)] // also in what the tests share

use std::sync::{Arc, Condvar, Mutex};

use snake::Cancel;
use spec::{
    MemoryLimits, Record, RecordReader, RecordSource, RoutingCheck, Shard, ShardCache, ShardError, ShardHash,
    ShardStore, SourceError, StoreSettings,
};

#[path = "support/store_rig.rs"]
mod store_rig;
mod support;

use store_rig::Rig;

/// A rig of six paths, without a check, so that every pass makes shards.
fn rig(shards: usize) -> Rig {
    let mut rig = Rig::with_paths(6);
    rig.check = RoutingCheck::Off;
    rig.shards = shards;
    rig
}

fn ahead(store: &ShardStore, using: u32, soon: &[u32]) -> Option<u32> {
    store.read_ahead(using, soon, &Cancel::new()).unwrap()
}

fn ask(store: &ShardStore, path: u32, soon: &[u32]) {
    let table = store.shard_and_soon(path, soon, &Cancel::new()).unwrap();
    assert_eq!(Shard::of_table(&table), store.spec().shards[path as usize]);
}

#[test]
fn a_pass_ahead_is_made_when_the_next_shard_is_not_there() {
    let rig = rig(3);
    let store = rig.start();
    ask(&store, 0, &[1, 2, 3, 4, 5]);
    assert_eq!((store.in_memory(), rig.passes()), (vec![0, 1, 2], 1));
    assert_eq!(ahead(&store, 0, &[1, 2, 3, 4, 5]), None, "no room");
    ask(&store, 1, &[2, 3, 4, 5]);
    assert_eq!(ahead(&store, 1, &[2, 3, 4, 5]), None, "the next one is there");
    ask(&store, 2, &[3, 4, 5]);
    assert_eq!(ahead(&store, 2, &[3, 4, 5]), Some(3));
    assert_eq!((store.in_memory(), rig.passes()), (vec![2, 3, 4], 2));
    let hits = store.counters().memory.hits;
    ask(&store, 3, &[4, 5]);
    ask(&store, 4, &[5]);
    assert_eq!((store.counters().memory.hits, rig.passes()), (hits + 2, 2));
    assert_eq!(ahead(&store, 4, &[5]), Some(5));
    // What was read ahead is used before it goes, and what is in use stays: 2 went.
    assert_eq!((store.in_memory(), rig.passes()), (vec![3, 4, 5], 3));
}

#[test]
fn from_disk_it_is_read_whenever_there_is_room() {
    let rig = rig(6);
    ask(&rig.start(), 0, &[1, 2, 3]);
    let store = rig.start();
    ask(&store, 0, &[1, 2, 3, 4]);
    for path in [1, 2, 3] {
        assert_eq!(ahead(&store, 0, &[1, 2, 3, 4]), Some(path));
    }
    assert_eq!(ahead(&store, 0, &[1, 2, 3, 4]), None, "4 would need a pass");
    assert_eq!((store.in_memory(), rig.passes()), (vec![0, 1, 2, 3], 1));
    assert_eq!(ahead(&store, 0, &[]), None);
    assert_eq!(ahead(&store, 0, &[0, 9]), None, "not what is in use, nor what is not there");
}

#[test]
fn the_limits_hold() {
    let mut rig = rig(1);
    let store = rig.start();
    ask(&store, 0, &[]);
    assert_eq!(ahead(&store, 0, &[1]), None, "one shard is the one in use");
    rig.shards = 2;
    let store = rig.start();
    ask(&store, 0, &[]);
    for path in 1..6 {
        assert_eq!(ahead(&store, path - 1, &[path]), Some(path));
        assert_eq!(store.in_memory(), [path - 1, path]);
        ask(&store, path, &[]);
    }
    // Bytes: room for two of them in all.
    rig.shards = 6;
    let size = |path| rig.start().shard(path, &Cancel::new()).unwrap().memory();
    let sizes: Vec<usize> = (0..6).map(size).collect();
    rig.memory = sizes[0] + sizes[1] - 1;
    let store = rig.start();
    ask(&store, 0, &[]);
    assert_eq!(ahead(&store, 0, &[1]), None);
    assert_eq!(store.in_memory(), [0]);
}

#[test]
fn what_is_wrong_ahead_refuses_the_run_when_it_is_asked() {
    let mut rig = rig(3);
    rig.spec.shards[1].hash = ShardHash::from_bytes([7; 32]);
    let store = rig.start();
    ask(&store, 0, &[]);
    let found = store.read_ahead(0, &[1], &Cancel::new());
    assert!(matches!(found, Err(ShardError::Refused { .. })), "{found:?}");
    rig.expect_refused(&store, 0, "path 1");
}

#[test]
fn a_failure_ahead_leaves_everything_as_it_was() {
    let rig = rig(3);
    let store = rig.start();
    ask(&store, 0, &[]);
    *rig.source.broken.lock().unwrap() = true;
    let found = store.read_ahead(0, &[1], &Cancel::new());
    assert!(matches!(found, Err(ShardError::Failed { .. })), "{found:?}");
    let cancel = Cancel::new();
    cancel.cancel();
    *rig.source.broken.lock().unwrap() = false;
    assert_eq!(store.read_ahead(0, &[1], &cancel), Err(ShardError::Cancelled));
    assert_eq!(store.in_memory(), [0]);
    assert_eq!(ahead(&store, 0, &[1, 2, 3]), Some(1), "no room was lost");
    assert_eq!(store.in_memory(), [0, 1, 2]);
}

/// A source whose first record comes when it is let through.
struct Gated {
    inner: Arc<dyn RecordSource>,
    state: Arc<(Mutex<Gate>, Condvar)>,
}

#[derive(Default)]
struct Gate {
    shut: bool,
    waiting: usize,
}

impl Gated {
    fn shut(&self, shut: bool) {
        self.state.0.lock().unwrap().shut = shut;
        self.state.1.notify_all();
    }

    fn wait_until_somebody_waits(&self) {
        let gate = self.state.0.lock().unwrap();
        drop(self.state.1.wait_while(gate, |gate| gate.waiting == 0).unwrap());
    }
}

struct GatedReader<'a> {
    inner: Box<dyn RecordReader + 'a>,
    source: &'a Gated,
}

impl RecordSource for Gated {
    fn open(&self) -> Result<Box<dyn RecordReader + '_>, SourceError> {
        Ok(Box::new(GatedReader { inner: self.inner.open()?, source: self }))
    }

    fn location(&self, part: usize) -> String {
        self.inner.location(part)
    }
}

impl RecordReader for GatedReader<'_> {
    fn header(&self) -> &[String] {
        self.inner.header()
    }

    fn only(&mut self, columns: &[usize]) {
        self.inner.only(columns);
    }

    fn next(&mut self, record: &mut Record) -> Result<bool, SourceError> {
        let (gate, changed) = &*self.source.state;
        let mut gate = gate.lock().unwrap();
        gate.waiting += 1;
        changed.notify_all();
        gate = changed.wait_while(gate, |gate| gate.shut).unwrap();
        gate.waiting -= 1;
        drop(gate);
        self.inner.next(record)
    }

    fn skipped(&self) -> u64 {
        self.inner.skipped()
    }
}

/// A store over a gated source, in memory 0, on disk also 1, nowhere 2 to 5.
fn gated(shards: usize) -> (Rig, Arc<Gated>, ShardStore) {
    let rig = rig(2);
    ask(&rig.start(), 0, &[1]);
    let source =
        Arc::new(Gated { inner: Arc::clone(&rig.source) as Arc<dyn RecordSource>, state: Arc::default() });
    let store = ShardStore::new(StoreSettings {
        spec: Arc::new(rig.spec.clone()),
        description: rig.description.clone(),
        source: Arc::clone(&source) as Arc<dyn RecordSource>,
        memory: Arc::new(Mutex::new(ShardCache::new(MemoryLimits { shards, bytes: rig.memory }))),
        data_dir: rig.data_dir.clone(),
        disk_bytes: rig.disk,
        check: RoutingCheck::Off,
        run_key: "the run".into(),
        warn: Box::new(|text| panic!("{text}")),
    })
    .unwrap();
    ask(&store, 0, &[]);
    source.shut(true);
    (rig, source, store)
}

#[test]
fn nobody_waits_for_a_pass_ahead_who_does_not_need_it() {
    let (_rig, source, store) = gated(3);
    std::thread::scope(|scope| {
        let cancel = Cancel::new();
        let pass = scope.spawn({
            let (store, cancel) = (&store, cancel.clone());
            move || store.read_ahead(0, &[2], &cancel)
        });
        source.wait_until_somebody_waits();
        // All of this would hang.
        assert_eq!((store.in_memory(), store.on_disk(), store.finding()), (vec![0], vec![0, 1], None));
        assert_eq!(store.counters().rebuilds, 0);
        ask(&store, 0, &[]);
        ask(&store, 1, &[2]);
        assert_eq!(store.in_memory(), [0, 1], "with the one that is made there are three");
        assert_eq!(store.read_ahead(1, &[3], &Cancel::new()), Ok(None), "one at a time");
        // Who waits for it may stop waiting.
        let impatient = Cancel::new();
        impatient.cancel();
        assert_eq!(store.shard(2, &impatient), Err(ShardError::Cancelled));
        // Who needs it gets it.
        let asked = scope.spawn(|| ask(&store, 2, &[]));
        source.shut(false);
        assert_eq!(pass.join().unwrap(), Ok(Some(2)));
        asked.join().unwrap();
        assert!(!cancel.is_cancelled());
    });
    assert_eq!((store.in_memory(), store.counters().passes), (vec![0, 1, 2], 1));
}

#[test]
fn a_pass_ahead_gives_way_to_another_one_that_is_needed_now() {
    let (_rig, source, store) = gated(2);
    std::thread::scope(|scope| {
        let cancel = Cancel::new();
        let pass = scope.spawn({
            let (store, cancel) = (&store, cancel.clone());
            move || store.read_ahead(0, &[2], &cancel)
        });
        source.wait_until_somebody_waits();
        let asked = scope.spawn(|| ask(&store, 5, &[2]));
        while !cancel.is_cancelled() {
            std::thread::yield_now();
        }
        source.shut(false);
        assert_eq!(pass.join().unwrap(), Err(ShardError::Cancelled));
        asked.join().unwrap();
    });
    // The one that is needed is made together with what it gave way to.
    assert_eq!((store.in_memory(), store.counters().passes), (vec![2, 5], 1));
}

#[test]
fn a_shard_read_from_disk_takes_no_place_of_one_that_is_being_made() {
    let (_rig, source, store) = gated(2);
    std::thread::scope(|scope| {
        let pass = scope.spawn(|| store.read_ahead(0, &[2], &Cancel::new()));
        source.wait_until_somebody_waits();
        ask(&store, 1, &[2]);
        assert_eq!(store.in_memory(), [1]);
        source.shut(false);
        assert_eq!(pass.join().unwrap(), Ok(Some(2)));
    });
    assert_eq!(store.in_memory(), [1, 2]);
}

#[test]
fn two_threads_stay_within_the_limits() {
    for shards in [2, 3, 4] {
        let rig = rig(shards);
        let store = rig.start();
        let order: Vec<u32> =
            (0..300_u32).map(|i| i.wrapping_mul(2_654_435_761) >> 16).map(|i| i % 6).collect();
        std::thread::scope(|scope| {
            let (wishes, wished) = std::sync::mpsc::sync_channel::<(u32, Vec<u32>)>(1);
            let store = &store;
            scope.spawn(move || {
                for (using, soon) in wished {
                    let found = store.read_ahead(using, &soon, &Cancel::new());
                    assert!(matches!(found, Ok(_) | Err(ShardError::Cancelled)), "{found:?}");
                    assert!(store.in_memory().len() <= shards);
                }
            });
            for window in order.windows(4) {
                let (path, soon) = (window[0], &window[1..]);
                ask(store, path, soon);
                assert!(store.in_memory().len() <= shards && store.in_memory().contains(&path));
                let _ = wishes.try_send((path, soon.to_vec()));
            }
        });
        assert!(store.counters().memory.evictions > 0);
        assert!(rig.warnings.lock().unwrap().is_empty());
    }
}
