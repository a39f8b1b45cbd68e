//! What the training tests share: tables from plain rows, and a checker of a layer that shares no code with training.

#![allow(dead_code)] // each test file uses a part

pub(crate) mod walk;

use std::collections::BTreeSet;
use std::sync::Arc;

use snake::{
    Bucket, Cancel, Cell, Feature, FeatureKind, Label, Literal, Origin, Prepared, Profile, Schema, Table,
    TableBuilder, TargetKind, TargetValue, TrainError, Training, UnitBuckets, UnitJob, UnitSeed, train_unit,
};
use walk::{holds, walk};

/// A cell that owns its text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Number(f64),
    Text(String),
}

impl Value {
    pub(crate) fn cell(&self) -> Cell<'_> {
        match self {
            Self::Number(number) => Cell::Number(*number),
            Self::Text(text) => Cell::Text(text),
        }
    }
}

/// The target of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    Class(u32),
    Number(f64),
}

/// Rows with ordinals 10, 13, 16, ...
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    pub(crate) cells: Vec<Vec<Value>>,
    pub(crate) targets: Vec<Target>,
}

pub(crate) fn ordinal(index: usize) -> u64 {
    10 + 3 * index as u64
}

impl Rows {
    pub(crate) fn row(&self, ordinal: u64) -> Vec<Cell<'_>> {
        self.cells[(ordinal as usize - 10) / 3].iter().map(Value::cell).collect()
    }

    pub(crate) fn target(&self, ordinal: u64) -> Target {
        self.targets[(ordinal as usize - 10) / 3]
    }

    /// Leaves out rows whose features another one has already.
    pub(crate) fn distinct(mut self) -> Self {
        let mut cells: Vec<Vec<Value>> = Vec::new();
        let mut targets = Vec::new();
        for (row, target) in self.cells.drain(..).zip(self.targets) {
            if !cells.contains(&row) {
                cells.push(row);
                targets.push(target);
            }
        }
        Self { cells, targets }
    }

    pub(crate) fn table(&self) -> Table {
        let kind = |value: &Value| match value {
            Value::Number(_) => FeatureKind::Number,
            Value::Text(_) => FeatureKind::Text,
        };
        let features = self.cells.first().into_iter().flatten().enumerate();
        let features =
            features.map(|(i, value)| Feature { name: format!("f{i}"), kind: kind(value) }).collect();
        let classes = self.targets.iter().map(|target| match target {
            Target::Class(class) => *class + 1,
            Target::Number(_) => 0,
        });
        let classes = classes.max().unwrap_or(1);
        let schema = Schema {
            target: "y".into(),
            target_kind: if classes == 0 { TargetKind::Number } else { TargetKind::Integer },
            classes: (0..i64::from(classes)).map(Label::Integer).collect(),
            features,
        };
        let mut builder = TableBuilder::new(Arc::new(schema));
        for (index, (row, target)) in self.cells.iter().zip(&self.targets).enumerate() {
            let cells: Vec<Cell<'_>> = row.iter().map(Value::cell).collect();
            let target = match target {
                Target::Class(class) => TargetValue::Class(*class),
                Target::Number(number) => TargetValue::Number(*number),
            };
            builder.push(ordinal(index), &cells, target).unwrap();
        }
        builder.finish()
    }

    pub(crate) fn prepared(&self, profile: Profile) -> Prepared {
        Prepared::new(Arc::new(self.table()), profile)
    }
}

pub(crate) fn seed(layer: u32) -> UnitSeed {
    UnitSeed { fingerprint: [9; 32], seed: 42, path: 0, layer }
}

pub(crate) fn train(
    prepared: &Prepared,
    training: &Training,
    prefix: &[Literal],
) -> Result<UnitBuckets, TrainError> {
    let cancel = Cancel::new();
    train_unit(&UnitJob { prepared, training, seed: seed(0), prefix, cancel: &cancel })
}

/// The invariants of a layer, the order of its parts and the numbers of noise, by brute force.
pub(crate) fn check(rows: &Rows, training: &Training, prefix: &[Literal], layer: &[Bucket<u64>]) {
    let mut core = vec![0; rows.cells.len()];
    for (position, bucket) in layer.iter().enumerate() {
        conditions(layer, position, prefix);
        members(rows, training, layer, position);
        for (member, origin) in bucket.members.iter().zip(&bucket.origins) {
            if *origin == Origin::Core {
                core[(*member as usize - 10) / 3] += 1;
            }
        }
        let classes = bucket.members.iter().map(|&m| rows.target(m)).fold(Vec::new(), |mut seen, target| {
            if !seen.contains(&target) {
                seen.push(target);
            }
            seen
        });
        let positions: Vec<u32> = bucket.lookalikes.iter().map(|(member, _)| member).collect();
        assert_eq!(positions, (0..bucket.members.len() as u32).collect::<Vec<_>>());
        if classes.len() == 1 {
            one_class(training, bucket);
        } else {
            votes(rows, training, bucket);
            clauses(rows, bucket);
        }
    }
    assert!(core.iter().all(|&times| times == 1), "every row is core once: {core:?}");
}

fn conditions(layer: &[Bucket<u64>], position: usize, prefix: &[Literal]) {
    let condition = &layer[position].condition;
    match condition {
        None => {
            assert!(prefix.is_empty());
            assert_eq!(position, layer.len() - 1, "ELSE is last");
        }
        Some(literals) => {
            assert!(!literals.is_empty());
            assert_eq!(literals[..prefix.len()], *prefix);
        }
    }
    assert!(layer[..position].iter().all(|other| other.condition != *condition), "conditions are unique");
}

fn members(rows: &Rows, training: &Training, layer: &[Bucket<u64>], position: usize) {
    let bucket = &layer[position];
    assert_eq!(bucket.members.len(), bucket.origins.len());
    let cores = bucket.origins.iter().filter(|origin| **origin == Origin::Core).count();
    assert!(cores > 0 && bucket.origins[..cores].iter().all(|origin| *origin == Origin::Core));
    let (core, noise) = bucket.members.split_at(cores);
    assert!(core.is_sorted_by(|a, b| a < b) && noise.is_sorted_by(|a, b| a < b));
    assert!(core.iter().all(|&member| walk(layer, &rows.row(member)) == position));
    assert!(noise.len() <= (training.noise * cores as f64).floor() as usize);
    for &member in noise {
        let row = rows.row(member);
        assert!(bucket.condition.iter().flatten().all(|literal| holds(literal, &row)));
        assert!(walk(layer, &row) < position, "noise went to an earlier bucket");
    }
}

fn one_class(training: &Training, bucket: &Bucket<u64>) {
    assert!(bucket.clauses.is_empty());
    let mut ordinals = bucket.members.clone();
    ordinals.sort_unstable();
    let voting: BTreeSet<u64> = ordinals.into_iter().take(training.bucket as usize).collect();
    for (member, conditions) in bucket.lookalikes.iter() {
        let conditions: Vec<_> = conditions.collect();
        let expected: Vec<Vec<u32>> =
            if voting.contains(&bucket.members[member as usize]) { vec![vec![]] } else { vec![] };
        assert_eq!(conditions, expected);
    }
}

/// What a member votes by follows from whom its clauses reach.
fn votes(rows: &Rows, training: &Training, bucket: &Bucket<u64>) {
    let most = 2 * (training.lookahead / 5).clamp(1, 5) - 1;
    let mut reaches = vec![0_u32; bucket.clauses.len()];
    let mut own = Vec::new();
    for (_, conditions) in bucket.lookalikes.iter() {
        let clauses: BTreeSet<u32> = conditions.flatten().copied().collect();
        assert!(!clauses.is_empty(), "every member votes");
        clauses.iter().for_each(|&clause| reaches[clause as usize] += 1);
        own.push(clauses);
    }
    assert!(!reaches.contains(&0), "every clause is used");
    for ((&member, clauses), (_, conditions)) in bucket.members.iter().zip(own).zip(bucket.lookalikes.iter())
    {
        let class =
            bucket.members.iter().filter(|&&other| rows.target(other) == rows.target(member)).count() as f64;
        let reach = |clause: &u32| f64::from(reaches[*clause as usize]);
        let widest = clauses.iter().map(reach).fold(0.0, f64::max);
        let (joined, alone): (Vec<u32>, Vec<u32>) =
            clauses.iter().partition(|clause| reach(clause) * 3.0 < widest * 2.0);
        let mut expected = Vec::new();
        for clause in alone {
            let votes = (f64::from(most) * reach(&clause) / class).ceil().min(reach(&clause));
            expected.extend(vec![vec![clause]; votes as usize]);
        }
        expected.extend((!joined.is_empty()).then_some(joined));
        assert_eq!(conditions.collect::<Vec<_>>(), expected);
    }
}

fn clauses(rows: &Rows, bucket: &Bucket<u64>) {
    for (index, clause) in bucket.clauses.iter().enumerate() {
        let holders: Vec<bool> = bucket
            .lookalikes
            .iter()
            .map(|(_, mut conditions)| conditions.any(|condition| condition.contains(&(index as u32))))
            .collect();
        let class =
            bucket.members.iter().zip(&holders).find(|(_, holds)| **holds).map(|(&m, _)| rows.target(m));
        let truth = |literals: &[&Literal], member: u64| {
            let row = rows.row(member);
            literals.iter().any(|literal| holds(literal, &row))
        };
        let all: Vec<&Literal> = clause.iter().collect();
        for (&member, &holder) in bucket.members.iter().zip(&holders) {
            if Some(rows.target(member)) == class {
                assert_eq!(truth(&all, member), !holder, "false on exactly its consequence");
            } else {
                assert!(!holder, "a clause belongs to one class");
                assert!(truth(&all, member), "true on every other class");
            }
        }
        for left_out in 0..clause.len() {
            let mut rest = all.clone();
            rest.remove(left_out);
            let mut others = bucket.members.iter().filter(|&&member| Some(rows.target(member)) != class);
            assert!(others.any(|&member| !truth(&rest, member)), "every literal is needed");
        }
    }
}
