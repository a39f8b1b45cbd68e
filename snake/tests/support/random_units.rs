//! Units trained on random tables, and the certificate by its definition.

use std::collections::BTreeSet;
use std::sync::Arc;

use snake::{
    Bucket, Cancel, Cell, Feature, FeatureKind, Label, Literal, Origin, Prepared, Profile, Schema, Table,
    TableBuilder, TargetKind, TargetValue, Training, UnitBuckets, UnitJob, UnitSeed, Value, train_unit,
};

/// Random numbers for tests.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n.max(1)
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Datum {
    Number(f64),
    Text(String),
}

/// A table of numbers and texts, without two rows that are alike, and its rows.
pub(crate) fn random_table(dice: &mut Dice, number_target: bool) -> (Table, Vec<Vec<Datum>>, Vec<u32>) {
    let kinds: Vec<FeatureKind> = (0..1 + dice.below(4))
        .map(|_| if dice.below(2) == 0 { FeatureKind::Number } else { FeatureKind::Text })
        .collect();
    let features: Vec<Feature> =
        kinds.iter().enumerate().map(|(i, kind)| Feature { name: format!("f{i}"), kind: *kind }).collect();
    let classes = 2 + dice.below(4);
    let pieces = ["a", "Bc", " ", "12", ".", "-", "é", "x,y", "deadbeef", "aaaa", "Straße 7", "", "q"];
    let mut seen = BTreeSet::new();
    let (mut rows, mut targets) = (Vec::new(), Vec::new());
    for _ in 0..10 + dice.below(150) {
        let row: Vec<Datum> = kinds
            .iter()
            .map(|kind| match kind {
                FeatureKind::Number => {
                    let whole = dice.below(40) as f64 - 20.0;
                    Datum::Number(match dice.below(4) {
                        0 => whole,
                        1 => whole / 8.0,
                        2 => whole * 1e9,
                        _ => whole * 1e-7,
                    })
                }
                FeatureKind::Text => {
                    Datum::Text((0..dice.below(5)).map(|_| *dice.pick(&pieces)).collect::<String>())
                }
            })
            .collect();
        if seen.insert(format!("{row:?}").replace("-0.0", "0.0")) {
            rows.push(row);
            targets.push(dice.below(classes) as u32);
        }
    }
    let schema = Schema {
        target: "y".into(),
        target_kind: if number_target { TargetKind::Number } else { TargetKind::Integer },
        classes: if number_target { Vec::new() } else { (0..classes as i64).map(Label::Integer).collect() },
        features,
    };
    let mut builder = TableBuilder::new(Arc::new(schema));
    for (place, (row, class)) in rows.iter().zip(&targets).enumerate() {
        let cells: Vec<Cell<'_>> = row
            .iter()
            .map(|datum| match datum {
                Datum::Number(x) => Cell::Number(*x),
                Datum::Text(text) => Cell::Text(text),
            })
            .collect();
        let target = if number_target {
            TargetValue::Number(f64::from(*class) * 1.5)
        } else {
            TargetValue::Class(*class)
        };
        builder.push(place as u64 * 2 + 1, &cells, target).unwrap();
    }
    (builder.finish(), rows, targets)
}

pub(crate) fn random_training(dice: &mut Dice) -> Training {
    Training {
        layers: 1,
        bucket: 1 + dice.below(30) as u32,
        slice: 5 + dice.below(200) as u32,
        noise: [0.0, 0.25, 1.0, 3.0][dice.below(4)],
        lookahead: 1 + dice.below(8) as u32,
        ..Training::new(*dice.pick(&Profile::ALL), 1)
    }
}

pub(crate) fn train(table: Table, training: &Training, seed: u64) -> (Arc<Table>, UnitBuckets) {
    let table = Arc::new(table);
    let prepared = Prepared::new(Arc::clone(&table), training.profile);
    let seed = UnitSeed { fingerprint: [9; 32], seed, path: 0, layer: 0 };
    let cancel = Cancel::new();
    let buckets =
        train_unit(&UnitJob { prepared: &prepared, training, seed, prefix: &[], cancel: &cancel }).unwrap();
    (table, buckets)
}

/// The invariants word by word, over rows one at a time.
pub(crate) fn by_definition(rows: &[Vec<Datum>], classes: &[u32], buckets: &UnitBuckets) -> bool {
    let width = rows[0].len() as u32;
    let row_of = |ordinal: u64| -> Option<usize> {
        (ordinal % 2 == 1 && ((ordinal / 2) as usize) < rows.len()).then_some((ordinal / 2) as usize)
    };
    let holds = |literal: &Literal, row: usize| {
        let value = match &rows[row][literal.column as usize - 1] {
            Datum::Number(x) => Value::number(*x),
            Datum::Text(text) => Value::Text(text),
        };
        literal.holds(value)
    };
    // Well-formed: positions, columns, and the order that training gives.
    for bucket in buckets {
        let literals = bucket.condition.iter().flatten().chain(bucket.clauses.iter().flatten());
        for literal in literals {
            if literal.column == 0 || literal.column > width || serde_json::to_string(literal).is_err() {
                return false;
            }
        }
        if bucket.origins.len() != bucket.members.len() {
            return false;
        }
        if bucket.members.iter().any(|ordinal| row_of(*ordinal).is_none()) {
            return false;
        }
        let keys: Vec<(bool, u64)> =
            bucket.members.iter().zip(&bucket.origins).map(|(m, o)| (*o == Origin::Noise, *m)).collect();
        if keys.windows(2).any(|pair| pair[0] >= pair[1]) {
            return false;
        }
        if bucket.members.iter().collect::<BTreeSet<_>>().len() != bucket.members.len() {
            return false;
        }
        let positions: Vec<u32> = bucket.lookalikes.iter().map(|entry| entry.0).collect();
        if positions != (0..bucket.members.len() as u32).collect::<Vec<_>>() {
            return false;
        }
        if bucket.lookalikes.clauses().iter().any(|clause| *clause as usize >= bucket.clauses.len()) {
            return false;
        }
    }
    // 1: conditions are unique, null is the last one's.
    for (place, bucket) in buckets.iter().enumerate() {
        match &bucket.condition {
            None if place + 1 != buckets.len() => return false,
            Some(condition) if condition.is_empty() => return false,
            Some(_) if buckets.iter().take(place).any(|other| other.condition == bucket.condition) => {
                return false;
            }
            _ => {}
        }
    }
    // 2: core members are those that the walk sends here, and there are some.
    let mut core = vec![BTreeSet::new(); buckets.len()];
    for row in 0..rows.len() {
        let all = |bucket: &Bucket<u64>| bucket.condition.iter().flatten().all(|literal| holds(literal, row));
        let Some(last) = buckets.len().checked_sub(1) else { return false };
        core[buckets.iter().position(all).unwrap_or(last)].insert(row);
    }
    for (bucket, core) in buckets.iter().zip(&core) {
        let members = |origin: Origin| {
            bucket
                .members
                .iter()
                .zip(&bucket.origins)
                .filter(move |(_, o)| **o == origin)
                .map(|(m, _)| (*m / 2) as usize)
        };
        if members(Origin::Core).collect::<BTreeSet<_>>() != *core || core.is_empty() {
            return false;
        }
        // 3: noise satisfies the condition.
        if members(Origin::Noise)
            .any(|row| !bucket.condition.iter().flatten().all(|literal| holds(literal, row)))
        {
            return false;
        }
        // 4: clauses are of one class, and false on exactly those that list them.
        let lists = bucket.lookalikes.to_lists();
        let class = |position: usize| classes[(bucket.members[position] / 2) as usize];
        for (number, clause) in bucket.clauses.iter().enumerate() {
            let listed: BTreeSet<usize> = lists
                .iter()
                .filter(|(_, conditions)| conditions.iter().flatten().any(|c| *c as usize == number))
                .map(|(position, _)| *position as usize)
                .collect();
            let false_on: BTreeSet<usize> = (0..bucket.members.len())
                .filter(|position| {
                    !clause.iter().any(|literal| holds(literal, (bucket.members[*position] / 2) as usize))
                })
                .collect();
            let of: BTreeSet<u32> = listed.iter().map(|position| class(*position)).collect();
            if of.len() != 1 || listed != false_on {
                return false;
            }
        }
        // 5: everybody votes where there are several classes, and on a clause; somebody where there is one.
        let several = (0..bucket.members.len()).map(class).collect::<BTreeSet<_>>().len() > 1;
        let always = lists.iter().any(|(_, conditions)| conditions.iter().any(Vec::is_empty));
        let silent = lists.iter().any(|(_, conditions)| conditions.is_empty());
        let wrong = if several { always || silent } else { silent && !always };
        if wrong {
            return false;
        }
    }
    true
}
