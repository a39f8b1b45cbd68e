//! The store with its writer: every request is answered, what does not fit fails alone, and room is enough to go on.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod support;

use std::io::ErrorKind;
use std::sync::mpsc::{SyncSender, sync_channel};

use protocol::Unit;
use store::{FilePlace, Op, QUEUE, Shelf, Store, StoreError};
use support::{Disk, Fault, hash, mark, report};

type Outcome = Result<(), StoreError>;

fn open(disk: &Disk) -> Store {
    Store::open(Box::new(disk.clone()), &mark(), hash()).unwrap().0
}

fn put(path: u32, length: usize) -> Op {
    let (name, report) = report(Unit::new(path, 0), 0, 1, length);
    Op::Put { name, report }
}

fn is_full(outcome: &Outcome) -> bool {
    matches!(outcome, Err(StoreError::Disk { source, .. })
        if matches!(&**source, redb::Error::Io(error) if error.kind() == ErrorKind::StorageFull))
}

#[test]
fn what_does_not_fit_takes_nothing_else_with_it() {
    let disk = Disk::default();
    let shelf = Shelf::open(Box::new(disk.clone()), &mark(), hash()).unwrap();
    assert!(shelf.write(&[put(0, 2_000)])[0].is_ok());
    disk.leave_room_for(60);
    let batch = [put(1, 2_000), put(2, 400_000), put(3, 30_000)];
    let outcomes = shelf.write(&batch);
    assert!(outcomes[0].is_ok() && is_full(&outcomes[1]) && outcomes[2].is_ok(), "{outcomes:?}");
    assert!(is_full(&shelf.write(&batch[1..2])[0]), "it still does not fit");
    disk.make_room();
    assert!(shelf.write(&batch[1..2])[0].is_ok(), "room is enough");
    drop(shelf);
    let shelf = Shelf::open(Box::new(disk), &mark(), hash()).unwrap();
    assert_eq!(shelf.look_through().unwrap().reports.len(), 4);
}

#[test]
fn a_disk_without_any_room_keeps_what_it_has_and_goes_on_with_room() {
    let disk = Disk::default();
    let shelf = Shelf::open(Box::new(disk.clone()), &mark(), hash()).unwrap();
    assert!(shelf.write(&[put(0, 20_000)])[0].is_ok());
    disk.leave_room_for(0);
    for path in 1..4 {
        assert!(is_full(&shelf.write(&[put(path, 100_000)])[0]), "{path}");
        let Op::Put { name, report } = put(0, 20_000) else { unreachable!() };
        assert!(shelf.get(name).unwrap() == report, "what is there can be read");
    }
    disk.make_room();
    assert!(shelf.write(&[put(1, 100_000)])[0].is_ok());
}

#[test]
fn answers_come_in_order_and_after_the_disk() {
    let disk = Disk::default();
    let store = open(&disk);
    let (answers, answered) = sync_channel(64);
    for path in 0..40 {
        let (name, report) = report(Unit::new(path, 0), 0, 1, 5_000);
        let (answers, disk) = (answers.clone(), disk.clone());
        store
            .put(name, report, move |outcome| {
                // What is synced right now has it.
                let synced = disk.after_a_cut(support::Lost::Everything);
                let shelf = Shelf::open(Box::new(synced), &mark(), hash()).unwrap();
                answers.send((path, outcome.is_ok() && shelf.get(name).is_ok())).unwrap();
            })
            .unwrap();
    }
    store.close();
    drop(answers);
    assert_eq!(answered.iter().collect::<Vec<_>>(), (0..40).map(|path| (path, true)).collect::<Vec<_>>());
}

#[test]
fn the_largest_report_is_stored_in_pieces_and_comes_back() {
    let long = std::env::var_os("OPENDIPACO_LONG").is_some();
    let length = if long { protocol::limits::REPORT_BYTES } else { 8 << 20 };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.redb");
    let (name, report) = report(Unit::new(0, 0), 0, 1, usize::try_from(length).unwrap());
    let open = || Store::open(Box::new(FilePlace::new(&path)), &mark(), hash()).unwrap();
    let (store, _) = open();
    let start = std::time::Instant::now();
    store.put(name, report.clone(), |outcome| outcome.unwrap()).unwrap();
    store.close();
    let written = start.elapsed();
    let (store, found) = open();
    assert_eq!(found.reports[&name.unit], [name]);
    assert!(store.get(name).unwrap() == report);
    store.close();
    let file = path.metadata().unwrap().len();
    println!("{length} bytes: written in {written:?}, a file of {file} bytes");
    assert!(file < 3 * length, "{file} bytes for {length}");
}

/// The writer, kept busy by an answer until this is dropped.
fn busy(store: &Store) -> SyncSender<()> {
    let (go, wait) = sync_channel::<()>(1);
    let (holds, held) = sync_channel(1);
    store
        .keep_word(Unit::new(0, 0), b"first".to_vec(), move |_| {
            holds.send(()).unwrap();
            let _ = wait.recv();
        })
        .unwrap();
    held.recv().unwrap();
    go
}

#[test]
fn a_full_queue_is_said_at_once_and_loses_nothing_that_waits() {
    let disk = Disk::default();
    let store = open(&disk);
    let go = busy(&store);
    let (answers, answered) = sync_channel(2 * QUEUE);
    let mut refused = Vec::new();
    for layer in 0..QUEUE as u32 + 3 {
        let answers = answers.clone();
        let asked =
            store.keep_word(Unit::new(1, layer), vec![1; 10], move |outcome| answers.send(outcome).unwrap());
        refused.extend(asked.err());
    }
    assert_eq!(refused.len(), 3, "only what had no room");
    assert!(refused.iter().all(|error| matches!(error, StoreError::Full { .. })));
    drop(go);
    store.close();
    drop(answers);
    assert_eq!(answered.iter().filter(Result::is_ok).count(), QUEUE, "each is answered, and once");
    let shelf = Shelf::open(Box::new(disk), &mark(), hash()).unwrap();
    assert_eq!(shelf.look_through().unwrap().words.len(), QUEUE + 1);
}

#[test]
fn many_that_wait_are_one_commit() {
    let disk = Disk::default();
    let store = open(&disk);
    let go = busy(&store);
    let before = disk.syncs();
    for layer in 0..200 {
        store.keep_word(Unit::new(1, layer), vec![1; 10], |outcome| outcome.unwrap()).unwrap();
    }
    drop(go);
    store.close();
    let syncs = disk.syncs() - before;
    assert!(syncs < 10, "{syncs} syncs for what is one commit, and the end");
}

#[test]
fn whoever_asked_is_answered_also_when_the_disk_is_gone() {
    let whole = Disk::default();
    drop(open(&whole));
    let disk = Disk::failing(Fault::From(whole.operations() + 20));
    let store = open(&disk);
    let (answers, answered) = sync_channel(64);
    for path in 0..50 {
        let (name, report) = report(Unit::new(path, 0), 0, 1, 9_000);
        let answers = answers.clone();
        store.put(name, report, move |outcome| answers.send(outcome.is_ok()).unwrap()).unwrap();
    }
    store.close();
    drop(answers);
    let outcomes: Vec<bool> = answered.iter().collect();
    assert_eq!(outcomes.len(), 50);
    assert!(outcomes.contains(&false));
}
