//! The store beside a plain map, on a disk that fails: at every operation of a script, with every kind of loss.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use protocol::Unit;
use store::{Found, Op, Report, Shelf};
use support::{Disk, Fault, Lost, hash, mark, report};

/// What is done to both.
#[derive(Debug, Clone)]
enum Step {
    /// At once, as the writer does.
    Batch(Vec<Op>),
    /// The program ends and is started again.
    Restart,
}

type Key = (Unit, u32);

/// What may be there. A failed operation may have been done or not, so there may be several answers.
#[derive(Debug, Default)]
struct Model {
    reports: BTreeMap<Key, BTreeSet<Option<Vec<u8>>>>,
    words: BTreeMap<Unit, BTreeSet<Option<Vec<u8>>>>,
    bodies: BTreeMap<Vec<u8>, Report>,
}

impl Model {
    fn apply(&mut self, op: &Op, acknowledged: bool) {
        let (allowed, new) = match op {
            Op::Put { name, report } => {
                let id = name.content.as_bytes().to_vec();
                self.bodies.insert(id.clone(), report.clone());
                (self.reports.entry((name.unit, name.order)).or_default(), vec![Some(id)])
            }
            Op::Remove { name } => {
                let allowed = self.reports.entry((name.unit, name.order)).or_default();
                let id = Some(name.content.as_bytes().to_vec());
                // A report of another content is not meant.
                let mut others: Vec<_> = allowed.iter().filter(|there| **there != id).cloned().collect();
                if others.is_empty() || allowed.contains(&id) {
                    others.push(None);
                }
                (allowed, others)
            }
            Op::Word { unit, statement } => {
                (self.words.entry(*unit).or_default(), vec![Some(statement.clone())])
            }
        };
        if allowed.is_empty() {
            allowed.insert(None);
        }
        if acknowledged {
            allowed.clear();
        }
        allowed.extend(new);
    }

    /// Compares with what a store has, which from now on is what is there.
    fn settle(&mut self, shelf: &Shelf, found: &Found, story: &str) {
        assert!(found.damaged.is_empty(), "{story}: damaged {:?}", found.damaged);
        let there: BTreeMap<Key, Vec<u8>> = found
            .reports
            .values()
            .flatten()
            .map(|name| ((name.unit, name.order), name.content.as_bytes().to_vec()))
            .collect();
        assert!(there.keys().all(|key| self.reports.contains_key(key)), "{story}: something was never put");
        for (key, allowed) in &mut self.reports {
            let is = there.get(key).cloned();
            assert!(allowed.contains(&is), "{story}: {key:?} is {is:?}, and may be {allowed:?}");
            *allowed = BTreeSet::from([is]);
        }
        for name in found.reports.values().flatten() {
            let report = &self.bodies[&name.content.as_bytes().to_vec()];
            assert!(shelf.get(*name).unwrap() == *report, "{story}: {name}");
        }
        assert!(found.words.keys().all(|unit| self.words.contains_key(unit)), "{story}: a word never said");
        for (unit, allowed) in &mut self.words {
            let is = found.words.get(unit).cloned();
            assert!(allowed.contains(&is), "{story}: the word about {unit}");
            *allowed = BTreeSet::from([is]);
        }
    }
}

fn open(disk: &Disk) -> Option<(Shelf, Found)> {
    let shelf = Shelf::open(Box::new(disk.clone()), &mark(), hash()).ok()?;
    let found = shelf.look_through().ok()?;
    Some((shelf, found))
}

/// Plays the script on a disk. `None` for the store when it could not be opened (again).
fn play(script: &[Step], disk: &Disk, model: &mut Model, story: &str) -> Option<Shelf> {
    let mut shelf = open(disk)?.0;
    for step in script {
        match step {
            Step::Batch(ops) => {
                for (op, outcome) in ops.iter().zip(shelf.write(ops)) {
                    model.apply(op, outcome.is_ok());
                }
            }
            Step::Restart => {
                drop(shelf);
                let (again, found) = open(disk)?;
                model.settle(&again, &found, story);
                shelf = again;
            }
        }
    }
    Some(shelf)
}

/// Plays the script with a fault; whatever happened, a store that opens on what is left has all that was acknowledged.
fn play_with(script: &[Step], fault: Fault, losses: &[Lost]) {
    for lost in losses {
        let story = format!("{fault:?}, lost {lost:?}");
        let (disk, mut model) = (Disk::failing(fault), Model::default());
        drop(play(script, &disk, &mut model, &story));
        let rest = disk.after_a_cut(*lost);
        let (shelf, found) = open(&rest).unwrap_or_else(|| panic!("{story}: it does not open any more"));
        model.settle(&shelf, &found, &story);
        // And it goes on as if nothing had been.
        let (name, report) = report(Unit::new(9, 9), 0, 99, 20_000);
        let op = [Op::Put { name, report }];
        assert!(shelf.write(&op).iter().all(Result::is_ok), "{story}: it takes no more");
        model.apply(&op[0], true);
        drop(shelf);
        let (shelf, found) = open(&rest).unwrap();
        model.settle(&shelf, &found, &story);
    }
}

/// How many operations the script has where nothing fails.
fn operations(script: &[Step]) -> u64 {
    let disk = Disk::default();
    drop(play(script, &disk, &mut Model::default(), "no fault").unwrap());
    disk.operations()
}

fn put(path: u32, order: u32, seed: u8, length: usize) -> Op {
    let (name, report) = report(Unit::new(path, 0), order, seed, length);
    Op::Put { name, report }
}

fn remove(path: u32, order: u32, seed: u8, length: usize) -> Op {
    Op::Remove { name: report(Unit::new(path, 0), order, seed, length).0 }
}

fn word(path: u32, text: &str) -> Op {
    Op::Word { unit: Unit::new(path, 0), statement: text.as_bytes().to_vec() }
}

/// Small and larger reports, several at once, a dispute, one replaced by a longer and one by a shorter one, one removed, words said twice, restarts.
fn script() -> Vec<Step> {
    vec![
        Step::Batch(vec![put(0, 0, 1, 2_000), put(1, 0, 2, 40_000), word(0, "receipt")]),
        Step::Batch(vec![put(0, 1, 3, 300), put(2, 0, 4, 0)]),
        Step::Restart,
        Step::Batch(vec![remove(1, 0, 2, 40_000), word(1, "reopen"), put(1, 0, 5, 17_000)]),
        Step::Batch(vec![put(2, 0, 6, 33_000), remove(0, 0, 99, 5), word(0, "receipt again")]),
        Step::Restart,
        Step::Batch(vec![remove(0, 1, 3, 300), put(1, 0, 7, 500)]),
    ]
}

/// What is lost after the n-th fault: all of it, some of it in two ways by turns, or nothing; everything in the long version.
fn losses(n: u64) -> Vec<Lost> {
    let some = Lost::Some(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let all = [Lost::Everything, some, Lost::Nothing, Lost::Some(0x5555_5555_5555_5555)];
    if std::env::var_os("OPENDIPACO_LONG").is_some() {
        return all.to_vec();
    }
    let first = usize::try_from(n % 2).unwrap() * 2;
    all[first..first + 2].to_vec()
}

#[test]
fn a_disk_that_fails_for_good_at_any_operation_loses_nothing_acknowledged() {
    let all = operations(&script());
    assert!(all > 100, "the script has {all} operations");
    (0..=all).for_each(|n| play_with(&script(), Fault::From(n), &losses(n)));
}

#[test]
fn a_disk_that_fails_once_at_any_operation_loses_nothing_acknowledged() {
    (0..=operations(&script())).for_each(|n| play_with(&script(), Fault::Once(n), &losses(n)));
}

#[test]
fn without_a_fault_everything_is_acknowledged() {
    let (disk, mut model) = (Disk::default(), Model::default());
    drop(play(&script(), &disk, &mut model, "no fault").unwrap());
    let (shelf, found) = open(&disk).unwrap();
    model.settle(&shelf, &found, "no fault");
    let there: Vec<_> = found.reports.values().flatten().map(|name| (name.unit.path, name.order)).collect();
    assert_eq!(there, [(0, 0), (1, 0), (2, 0)]);
    assert_eq!(found.words[&Unit::new(0, 0)], b"receipt again");
}

fn ops() -> impl Strategy<Value = Op> {
    let lengths = prop_oneof![Just(0usize), 1..3_000usize, 16_000..40_000usize];
    let puts = (0..4u32, 0..2u32, 0..6u8, lengths)
        .prop_map(|(path, order, seed, length)| put(path, order, seed, length));
    let words = (0..4u32, "[a-z]{1,200}").prop_map(|(path, text)| word(path, &text));
    let removes = (0..4u32, 0..2u32, 0..6u8, prop_oneof![Just(0usize), Just(2_000)])
        .prop_map(|(path, order, seed, length)| remove(path, order, seed, length));
    prop_oneof![5 => puts, 2 => words, 2 => removes]
}

fn scripts() -> impl Strategy<Value = Vec<Step>> {
    let batches = prop::collection::vec(ops(), 1..5).prop_map(Step::Batch);
    prop::collection::vec(prop_oneof![4 => batches, 1 => Just(Step::Restart)], 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_script_with_a_fault_anywhere_loses_nothing_acknowledged(
        script in scripts(),
        at in 0..400u64,
        once in any::<bool>(),
        bits in any::<u64>(),
    ) {
        let fault = if once { Fault::Once(at) } else { Fault::From(at) };
        play_with(&script, fault, &[Lost::Some(bits), Lost::Nothing]);
    }
}
