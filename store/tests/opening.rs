//! What is opened, what is refused, and that a refusal changes nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod support;

use std::fs;
use std::path::Path;

use protocol::{RunId, Unit};
use redb::TableDefinition;
use store::{FilePlace, Found, Mark, Op, OpenError, SCHEMA, Shelf, StoreError};
use support::{Disk, hash, mark, report};

fn open(path: &Path, mark: &Mark) -> Result<(Shelf, Found), OpenError> {
    let shelf = Shelf::open(Box::new(FilePlace::new(path)), mark, hash())?;
    let found = shelf.look_through()?;
    Ok((shelf, found))
}

fn put(path: u32, length: usize) -> Op {
    let (name, report) = report(Unit::new(path, 0), 0, 1, length);
    Op::Put { name, report }
}

fn filled(path: &Path) {
    let (shelf, found) = open(path, &mark()).unwrap();
    assert_eq!(found, Found::default());
    assert!(shelf.write(&[put(0, 3_000), put(1, 50_000)]).iter().all(Result::is_ok));
}

/// The words of a refusal; the file is the same afterwards.
fn refusal(path: &Path, mark: &Mark) -> String {
    let before = fs::read(path).unwrap();
    let error = open(path, mark).map(drop).unwrap_err();
    assert!(error.is_refusal(), "{error}");
    assert!(fs::read(path).unwrap() == before, "a refused file was changed: {error}");
    let text = error.to_string();
    assert!(text.starts_with(&path.display().to_string()) && text.contains("move the file away"), "{text}");
    text
}

#[test]
fn a_file_is_made_whole_and_what_a_crash_left_of_one_is_no_matter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.redb");
    fs::write(folder.path().join("run.unfinished"), "half a file").unwrap();
    filled(&path);
    let (_, found) = open(&path, &mark()).unwrap();
    assert_eq!(found.reports.len(), 2);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_is_no_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.redb");
    for bytes in [Vec::new(), b"notes".to_vec(), vec![0; 100_000]] {
        fs::write(&path, bytes).unwrap();
        assert!(refusal(&path, &mark()).contains("damaged"));
    }
    fs::remove_file(&path).unwrap();
    drop(redb::Database::create(&path).unwrap());
    let before = open(&path, &mark()).map(drop).unwrap_err();
    assert!(matches!(before, OpenError::Damaged { .. }), "another program's database: {before}");
}

#[test]
fn a_file_that_was_cut_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.redb");
    filled(&path);
    let whole = fs::read(&path).unwrap();
    for length in [1, 100, 4_096, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(refusal(&path, &mark()).contains("damaged"), "{length}");
    }
}

#[test]
fn a_newer_file_is_refused_by_its_version() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.redb");
    filled(&path);
    let meta: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("meta");
    let database = redb::Database::create(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(meta).unwrap().insert(&b"schema"[..], &(SCHEMA + 1).to_be_bytes()[..]).unwrap();
    write.commit().unwrap();
    drop(database);
    let error = open(&path, &mark()).map(drop).unwrap_err();
    assert!(error.is_refusal());
    let text = error.to_string();
    for word in ["version 2", "up to 1", "newer program", "move the file away"] {
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn a_file_of_another_run_is_refused_with_both_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.redb");
    filled(&path);
    let others =
        [Mark { run: RunId::from_bytes([9; 32]), ..mark() }, Mark { fingerprint: [9; 32], ..mark() }];
    for other in others {
        let error = open(&path, &other).map(drop).unwrap_err();
        assert!(matches!(error, OpenError::OtherRun { .. }) && error.is_refusal(), "{error}");
        assert!(error.to_string().contains(&other.run.short()), "{error}");
    }
    assert_eq!(open(&path, &mark()).unwrap().1.reports.len(), 2, "nothing happened to it");
}

#[test]
fn a_file_that_is_open_already_is_no_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.redb");
    let first = open(&path, &mark()).unwrap();
    let error = open(&path, &mark()).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }) && !error.is_refusal(), "{error}");
    drop(first);
    open(&path, &mark()).unwrap();
}

#[test]
fn a_flipped_bit_anywhere_is_refused_or_changes_nothing() {
    let disk = Disk::default();
    let open = |disk: &Disk| {
        let shelf = Shelf::open(Box::new(disk.clone()), &mark(), hash())?;
        let found = shelf.look_through()?;
        Ok::<_, OpenError>((shelf, found))
    };
    let ops = [put(0, 3_000), put(1, 50_000)];
    let (shelf, _) = open(&disk).unwrap();
    assert!(shelf.write(&ops).iter().all(Result::is_ok));
    drop(shelf);
    let (shelf, whole) = open(&disk).unwrap();
    drop(shelf);
    let bytes = disk.bytes();
    let (mut refused, mut same) = (0, 0);
    // Every byte of the head, then some of every page.
    for at in (0..512).chain((512..bytes.len()).step_by(509)) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        match open(&Disk::holding(flipped)) {
            Err(error) => {
                assert!(error.is_refusal(), "byte {at}: {error}");
                refused += 1;
            }
            Ok((shelf, found)) => {
                assert_eq!(found, whole, "byte {at}");
                let (name, report) = report(Unit::new(5, 5), 0, 1, 10_000);
                assert!(shelf.write(&[Op::Put { name, report }]).iter().all(Result::is_ok), "byte {at}");
                same += 1;
            }
        }
    }
    assert!(refused > 50 && same > 50, "refused {refused}, the same {same}");
}

#[test]
fn a_body_that_is_not_its_hashs_is_let_go_of_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.redb");
    let (shelf, _) = open(&path, &mark()).unwrap();
    let (good, whole) = report(Unit::new(0, 0), 0, 1, 30_000);
    let (bad, mut changed) = report(Unit::new(0, 1), 0, 2, 30_000);
    changed.body[29_000] ^= 1;
    let ops = [(good, whole), (bad, changed)].map(|(name, report)| Op::Put { name, report });
    assert!(shelf.write(&ops).iter().all(Result::is_ok));
    assert!(matches!(shelf.get(bad), Err(StoreError::Damaged { name, .. }) if name == bad));
    drop(shelf);
    let (shelf, found) = open(&path, &mark()).unwrap();
    assert_eq!((found.damaged, found.reports.len()), (vec![bad], 1));
    assert!(matches!(shelf.get(bad), Err(StoreError::Absent { .. })), "its room is free again");
    drop(shelf);
    assert!(open(&path, &mark()).unwrap().1.damaged.is_empty());
}
