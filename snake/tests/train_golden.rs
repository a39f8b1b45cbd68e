//! Pinned values: the same rows, settings and seed give the same buckets on any machine, for ever. A change here is a
//! change of every run's model.

#![allow(clippy::unwrap_used)]

mod support;

use snake::{Bucket, Profile, Training, UnitBuckets};
use support::{Rows, Target, Value, check, train};

/// A generator of its own, so that the tables never change.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn number(&mut self, bound: u64) -> Value {
        Value::Number(self.below(bound) as f64 / 4.0 - 3.0)
    }

    fn text(&mut self) -> Value {
        let words = ["oak", "beech", "Norway spruce", "larch", "Föhre", "", "oak, red", "elm"];
        Value::Text(format!("{} {}", words[self.below(8) as usize], words[self.below(8) as usize]))
    }
}

fn table(rows: usize, row: impl Fn(&mut Numbers) -> (Vec<Value>, Target)) -> Rows {
    let mut numbers = Numbers(2026);
    let (cells, targets) = (0..rows).map(|_| row(&mut numbers)).unzip();
    Rows { cells, targets }.distinct()
}

fn pinned(rows: &Rows, profile: Profile, expected: &str) {
    let training = Training { bucket: 15, slice: 150, ..Training::new(profile, 7) };
    let layer = train(&rows.prepared(profile), &training, &[]).unwrap();
    check(rows, &training, &[], &layer);
    assert_eq!(blake3::hash(rendering(&layer).as_bytes()).to_hex().as_str(), expected);
}

/// Every number of a bucket in full: floats as Rust prints them, which is exact.
fn rendering(layer: &UnitBuckets) -> String {
    let bucket = |Bucket { condition, members, origins, clauses, lookalikes }: &Bucket<u64>| {
        let lists = lookalikes.to_lists();
        format!(
            "Bucket {{ condition: {condition:?}, members: {members:?}, origins: {origins:?}, \
             clauses: {clauses:?}, lookalikes: {lists:?} }}\n"
        )
    };
    layer.iter().map(bucket).collect()
}

#[test]
fn numbers() {
    let rows = table(400, |numbers| {
        let cells = vec![numbers.number(40), numbers.number(1000), numbers.number(3)];
        (cells, Target::Class(u32::from(numbers.below(3) == 0)))
    });
    pinned(&rows, Profile::Scientific, "08bb582b9d696ab881e355ce140143d608034b6ccdd1697b5f31e9692bdd74ef");
}

#[test]
fn texts() {
    let rows =
        table(400, |numbers| (vec![numbers.text(), numbers.text()], Target::Class(numbers.below(4) as u32)));
    pinned(&rows, Profile::Hef, "eb0563aad95d5ac0b65a6b78dc80008d3d717e58a7cb5ff20808fc67c11566dc");
}

#[test]
fn a_mix_with_a_number_to_be_estimated() {
    let rows = table(400, |numbers| {
        let cells = vec![numbers.text(), numbers.number(50), numbers.text(), numbers.number(9)];
        (cells, Target::Number(numbers.below(25) as f64 / 8.0))
    });
    pinned(&rows, Profile::Balanced, "eec5a746992457ab07fe6ed4d88c3306c86852b5afba3603a1d69686d36545c8");
}

#[test]
fn names_of_many_kinds() {
    let syllables = ["an", "ma", "Ri", "é", "lou", " van ", "th", "o", "ß", "bel"];
    for (profile, expected) in [
        (Profile::Balanced, "dd11c5aca4450dc97bd09ee3f2894313a51445cd649e11d197c3d4aac7b7d2d1"),
        (Profile::Linguistic, "a028031caafe2a9b2210ae9fb4e09deadd84e945507be62d18180a86b1befc6b"),
    ] {
        let rows = table(500, |numbers| {
            let count = 1 + numbers.below(6);
            // The second column is all ASCII and short.
            let names =
                [10, 3].map(|kinds| (0..count).map(|_| syllables[numbers.below(kinds) as usize]).collect());
            (names.map(Value::Text).into(), Target::Class(numbers.below(3) as u32))
        });
        pinned(&rows, profile, expected);
    }
}
