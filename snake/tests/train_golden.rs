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
    pinned_with(&Training { bucket: 15, slice: 150, ..Training::new(profile, 7) }, rows, expected);
}

fn pinned_with(training: &Training, rows: &Rows, expected: &str) {
    let layer = train(&rows.prepared(training.profile), training, &[]).unwrap();
    check(rows, training, &[], &layer);
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
    pinned(&rows, Profile::Scientific, "8599e29582a89970cda45349a1f85bf33ea6af0108bb9bd876c2eb342418420b");
}

#[test]
fn texts() {
    let rows =
        table(400, |numbers| (vec![numbers.text(), numbers.text()], Target::Class(numbers.below(4) as u32)));
    pinned(&rows, Profile::Hef, "2c11e09df739ecb0477252dbea7c163ae127690cab041355247a73d295713b5c");
}

#[test]
fn a_mix_with_a_number_to_be_estimated() {
    let rows = table(400, |numbers| {
        let cells = vec![numbers.text(), numbers.number(50), numbers.text(), numbers.number(9)];
        (cells, Target::Number(numbers.below(25) as f64 / 8.0))
    });
    pinned(&rows, Profile::Balanced, "c0a4983bc2ed32b364bcd28996e11283e38be9678297de153f35741a62959842");
}

#[test]
fn many_rows_of_one_number() {
    let rows = table(900, |numbers| {
        let cells = vec![numbers.number(90), numbers.number(50)];
        (cells, Target::Number(numbers.below(3) as f64))
    });
    // Buckets of several blocks of members, most of which have many others of their value.
    let training = Training { bucket: 150, slice: 450, ..Training::new(Profile::Scientific, 7) };
    pinned_with(&training, &rows, "9bb78bfd8c6fd8b07fc90bb09af29ae3118f2c6a943af86cf803f5304402e923");
}

#[test]
fn names_of_many_kinds() {
    let syllables = ["an", "ma", "Ri", "é", "lou", " van ", "th", "o", "ß", "bel"];
    for (profile, expected) in [
        (Profile::Balanced, "87f3f6b6d858ec4e03d32a22d691bf9dbe809eb4af14533580d3e5714c2350bf"),
        (Profile::Linguistic, "ba94661f385f6102b5cb6d289e0399a3082b9e28b6408f88ea5933c27a386cbd"),
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

#[test]
fn more_columns_than_fit_one_word() {
    let wide = |target: fn(u64) -> Target| {
        table(300, |numbers| {
            let cells = (0..70).map(|_| numbers.number(30)).collect();
            (cells, target(numbers.below(3)))
        })
    };
    let classes = wide(|class| Target::Class(class as u32));
    pinned(&classes, Profile::Balanced, "8039c2100ffdb982a7fb5f723b8b0c134254a27417e798704a1bfa72bb8054a3");
    let numbers = wide(|number| Target::Number(number as f64));
    pinned(&numbers, Profile::Balanced, "d6a3fa8b03c331cf1c30f309140b6dae3b2e5458bc4e3a90bc5be4e1931715e1");
}
