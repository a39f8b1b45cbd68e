//! Hard inputs of training: right, or a clear error, and never endless. That each of these ends within the suite's time is
//! part of what is tested.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;

use snake::{Profile, TrainError, Training, UnitBuckets};
use support::{Rows, Target, Value, check, ordinal, train};

fn number(x: f64) -> Value {
    Value::Number(x)
}

fn text(x: impl Into<String>) -> Value {
    Value::Text(x.into())
}

fn rows(count: usize, row: impl Fn(usize) -> (Vec<Value>, Target)) -> Rows {
    let (cells, targets) = (0..count).map(row).unzip();
    Rows { cells, targets }
}

/// Spreads small numbers over 64 bits.
fn spread(i: usize) -> u64 {
    let x = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 7
}

fn trained(rows: &Rows, training: &Training) -> UnitBuckets {
    let layer = train(&rows.prepared(training.profile), training, &[]).unwrap();
    check(rows, training, &[], &layer);
    layer
}

fn small(profile: Profile) -> Training {
    Training { bucket: 25, slice: 200, ..Training::new(profile, 3) }
}

#[test]
fn two_hundred_classes() {
    let table = rows(800, |i| {
        let class = spread(i) % 200;
        let cells = vec![number((spread(i + 9000) % 1000) as f64), text(format!("c{class} {}", i % 7))];
        (cells, Target::Class(class as u32))
    });
    let layer = trained(&table.distinct(), &small(Profile::Balanced));
    let classes: BTreeSet<_> = layer.iter().flat_map(|bucket| &bucket.members).collect();
    assert!(classes.len() > 200);
}

#[test]
fn slices_and_buckets_of_one_class() {
    let table = rows(900, |i| (vec![number(i as f64)], Target::Class(u32::from(i >= 850))));
    let layer = trained(&table, &small(Profile::Scientific));
    assert!(layer.iter().any(|bucket| bucket.clauses.is_empty()));
}

#[test]
fn rows_with_the_same_features_are_of_one_class_or_a_conflict() {
    let same = |classes: u32| {
        rows(120, |i| (vec![number(1.0), text("x")], Target::Class(u32::from(i == 77) % classes)))
    };
    let layer = trained(&same(1), &small(Profile::Balanced));
    assert_eq!(layer.len(), 1);
    for profile in Profile::ALL {
        let error = train(&same(2).prepared(profile), &small(profile), &[]).unwrap_err();
        let TrainError::Conflict { first, second } = error else { panic!("{error}") };
        assert!(first == ordinal(77) || second == ordinal(77));
    }
    let none = rows(30, |i| (vec![], Target::Class(u32::from(i == 7))));
    let error = train(&none.prepared(Profile::Balanced), &small(Profile::Balanced), &[]).unwrap_err();
    assert!(matches!(error, TrainError::Conflict { .. }), "{error}");
}

#[test]
fn constant_columns_are_never_used() {
    let table = rows(300, |i| {
        let cells = vec![number(7.0), text("always"), number((spread(i) % 5000) as f64), text("")];
        (cells, Target::Class((i % 3) as u32))
    });
    for profile in [Profile::Balanced, Profile::Scientific, Profile::Hef] {
        let layer = trained(&table.clone().distinct(), &small(profile));
        let literals = layer.iter().flat_map(|bucket| bucket.clauses.iter().flatten());
        assert!(literals.into_iter().all(|literal| literal.column == 3));
    }
}

#[test]
fn a_thousand_columns_of_both_kinds() {
    let table = rows(150, |i| {
        let cell = |column: usize| {
            let x = spread(i * 1000 + column);
            if column < 500 { number((x % 100) as f64) } else { text(format!("{:x}", x % 4096)) }
        };
        ((0..1000).map(cell).collect(), Target::Class((spread(i) % 2) as u32))
    });
    trained(&table, &small(Profile::Cryptographic));
}

#[test]
fn long_texts_that_are_nearly_the_same() {
    // Of one length and of the same characters: what tells two of them apart is where one letter stands.
    let base: Vec<u8> = (0..100_000).map(|i| b'a' + (spread(i) % 26) as u8).collect();
    let table = rows(24, |i| {
        let mut text = base.clone();
        text.swap(4000 * i, 4000 * i + 700);
        text[4000 * i + 3] = b'!';
        (vec![Value::Text(String::from_utf8(text).unwrap())], Target::Class((i % 2) as u32))
    });
    let layer = trained(&table.distinct(), &Training::new(Profile::Balanced, 1));
    let quoted = serde_json::to_string(&layer[0].clauses).unwrap();
    assert!(quoted.len() < 1 << 20, "texts are quoted in pieces: {} bytes", quoted.len());
}

#[test]
fn long_texts_that_repeat() {
    let table = rows(16, |i| {
        let mut text = "ab".repeat(50_000);
        text.replace_range(6000 * i..6000 * i + 1, "c");
        (vec![Value::Text(text)], Target::Class((i % 2) as u32))
    });
    trained(&table, &Training::new(Profile::Linguistic, 1));
}

#[test]
fn long_texts_of_all_sorts() {
    let table = rows(30, |i| {
        let word =
            |j: usize| ["oak ", "beech, ", "larch. ", "Elm ", "42 "][(spread(i * 7 + j % 11) % 5) as usize];
        let length = 5_000 + (spread(i) % 10_000) as usize;
        (vec![Value::Text((0..length).map(word).collect())], Target::Class((i % 3) as u32))
    });
    for profile in [Profile::Industrial, Profile::Cryptographic] {
        trained(&table, &Training::new(profile, 1));
    }
}

#[test]
fn thousands_of_texts() {
    let table = rows(3000, |i| {
        let x = spread(i);
        let cells = vec![text(format!("{:x}-{}", x % 100_000, x % 31)), number((x % 10) as f64)];
        (cells, Target::Class((x % 4) as u32))
    });
    for profile in Profile::ALL {
        trained(&table.clone().distinct(), &Training { layers: 1, bucket: 250, ..small(profile) });
    }
}

#[test]
fn numbers_at_the_edges() {
    let edges = [
        f64::MIN,
        -1e308,
        -1e16,
        -1.0 - f64::EPSILON,
        -1.0,
        -f64::MIN_POSITIVE,
        -5e-324,
        0.0,
        5e-324,
        1e-323,
        f64::MIN_POSITIVE,
        1e-17,
        2e-17,
        1e-16,
        1.0,
        1.0 + f64::EPSILON,
        999.999,
        1e15,
        1e16,
        1e16 + 2.0,
        1e308,
        f64::MAX,
    ];
    for profile in Profile::ALL {
        for seed in 0..20 {
            let table = rows(edges.len(), |i| {
                let class = (spread(i + 100 * seed) % 2) as u32;
                // A mean and a deviation exist in the second column only.
                (vec![number(edges[i]), number(edges[i].clamp(-1e100, 1e100))], Target::Class(class))
            });
            trained(&table, &Training { bucket: 3, slice: 8, ..Training::new(profile, seed as u64) });
        }
    }
}

#[test]
fn estimated_numbers_at_the_edges() {
    let table = rows(200, |i| {
        let y = [f64::MAX, f64::MIN, 0.0, 5e-324, 1e-300, -1e300][i % 6];
        (vec![number(spread(i) as f64), number((i % 5) as f64)], Target::Number(y))
    });
    trained(&table, &small(Profile::Scientific));
    let same = rows(200, |i| (vec![number(i as f64)], Target::Number(2.5)));
    assert_eq!(trained(&same, &small(Profile::Scientific)).len(), 1);
}
