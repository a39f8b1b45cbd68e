//! Named cases of training: edges, errors, stopping.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::mpsc::sync_channel;
use std::thread;

use snake::{
    Cancel, Literal, Measure, Profile, SettingsError, Test, TrainError, Training, UnitJob, train_unit,
};
use support::{Rows, Target, Value, check, ordinal, seed, train};

fn number(x: f64) -> Value {
    Value::Number(x)
}

fn text(x: &str) -> Value {
    Value::Text(x.to_owned())
}

fn rows(count: usize, row: impl Fn(usize) -> (Vec<Value>, Target)) -> Rows {
    let (cells, targets) = (0..count).map(row).unzip();
    Rows { cells, targets }
}

fn small() -> Training {
    Training { bucket: 5, slice: 40, lookahead: 5, ..Training::new(Profile::Balanced, 3) }
}

fn trained(rows: &Rows, training: &Training) -> snake::UnitBuckets {
    let layer = train(&rows.prepared(training.profile), training, &[]).unwrap();
    check(rows, training, &[], &layer);
    layer
}

#[test]
fn one_row_is_an_else_that_votes() {
    let layer = trained(&rows(1, |_| (vec![number(1.0)], Target::Class(0))), &small());
    assert_eq!(layer.len(), 1);
    assert_eq!(layer[0].condition, None);
    assert_eq!(layer[0].lookalikes.to_lists(), [(0, vec![vec![]])]);
}

#[test]
fn two_rows_get_a_clause_each() {
    let two = rows(2, |i| (vec![number(i as f64)], Target::Class(i as u32)));
    // Numbers are compared as such, and not by whether they are 0.
    let layer = trained(&two, &Training { profile: Profile::Hef, ..small() });
    assert_eq!(layer.len(), 1);
    let literal = |negated| vec![Literal { column: 1, negated, test: Test::Threshold(Measure::N, 0.5) }];
    assert_eq!(layer[0].clauses, [literal(true), literal(false)]);
}

#[test]
fn one_class_is_one_bucket_in_which_the_first_rows_vote() {
    let one = rows(100, |i| (vec![number(i as f64), text("x")], Target::Class(0)));
    let layer = trained(&one, &small());
    assert_eq!(layer.len(), 1);
    assert_eq!(layer[0].members.len(), 100);
    assert_eq!(layer[0].lookalikes.iter().filter(|(_, conditions)| conditions.len() > 0).count(), 5);
}

#[test]
fn a_wider_lookahead_gives_members_more_clauses_and_none_twice() {
    let table = rows(90, |i| {
        (vec![number((i * 37 % 91) as f64), number((i * i % 53) as f64)], Target::Class((i % 7 % 3) as u32))
    });
    let conditions = |lookahead| {
        let training = Training { lookahead, bucket: 45, slice: 90, ..small() };
        let layer = trained(&table, &training);
        for bucket in &layer {
            assert!(!bucket.clauses.is_empty());
            for (place, clause) in bucket.clauses.iter().enumerate() {
                assert!(!bucket.clauses[..place].contains(clause), "{clause:?}");
            }
        }
        layer.iter().map(|bucket| bucket.clauses.len()).sum::<usize>()
    };
    let [quick, wide, wider] = [5, 15, 25].map(conditions);
    assert!(quick * 3 / 2 < wide && wide < wider, "{quick} {wide} {wider}");
}

#[test]
fn a_prefix_leads_every_condition() {
    let table = rows(60, |i| (vec![number(i as f64)], Target::Class(i as u32 % 2)));
    let prefix = [Literal { column: 1, negated: false, test: Test::Threshold(Measure::N, 1e9) }];
    let layer = train(&table.prepared(Profile::Balanced), &small(), &prefix).unwrap();
    check(&table, &small(), &prefix, &layer);
    assert!(layer.iter().all(|bucket| bucket.condition.is_some()));
}

#[test]
fn a_number_to_be_estimated_has_a_class_per_value() {
    let table = rows(300, |i| {
        (vec![number((i * 37 % 101) as f64), number(i as f64)], Target::Number(i as f64 / 3.0))
    });
    let training = Training { bucket: 20, slice: 100, ..small() };
    let layer = trained(&table, &training);
    assert!(layer.iter().any(|bucket| bucket.clauses.len() >= 20));
}

#[test]
fn many_classes_and_many_columns() {
    let table = rows(231, |i| {
        let mut cells = vec![number(7.0); 1000];
        cells[i % 500] = number(i as f64);
        cells[999] = number((i * i % 97) as f64);
        (cells, Target::Class(i as u32 % 77))
    });
    trained(&table.distinct(), &Training { bucket: 30, slice: 120, ..small() });
}

#[test]
fn extreme_numbers_are_told_apart() {
    let values = [f64::MIN, -1e308, -1.0 - f64::EPSILON, -1.0, -5e-324, 0.0, 5e-324, 1e-323, 1.0, f64::MAX];
    let table = rows(values.len(), |i| (vec![number(values[i])], Target::Class(i as u32 % 2)));
    trained(&table, &Training { bucket: 2, slice: 4, ..small() });
}

#[test]
fn noise_fills_up_to_its_share() {
    let table = rows(400, |i| {
        (
            vec![number((i * 7919 % 400) as f64), text(["a", "bb", "ab"][i % 3])],
            Target::Class((i / 3) as u32 % 2),
        )
    });
    let without = trained(&table, &Training { noise: 0.0, bucket: 20, slice: 1000, ..small() });
    assert!(without.iter().all(|b| b.origins.iter().all(|origin| *origin == snake::Origin::Core)));
    let with = trained(&table, &Training { noise: 1.5, bucket: 20, slice: 1000, ..small() });
    let last = with.last().unwrap();
    let core = last.origins.iter().filter(|origin| **origin == snake::Origin::Core).count();
    assert_eq!(last.members.len(), core + core * 3 / 2, "any earlier row satisfies the ELSE");
}

#[test]
fn equal_rows_with_different_targets_are_named() {
    let table = rows(80, |i| {
        let x = if i == 71 { 3.0 } else { i as f64 };
        (vec![number(x), text("same")], Target::Class(u32::from(i == 71)))
    });
    let error = train(&table.prepared(Profile::Hef), &Training { profile: Profile::Hef, ..small() }, &[]);
    assert_eq!(error, Err(TrainError::Conflict { first: ordinal(3), second: ordinal(71) }));
}

#[test]
fn what_can_not_be_trained_is_refused() {
    let none = Rows { cells: vec![], targets: vec![] };
    assert_eq!(train(&none.prepared(Profile::Balanced), &small(), &[]), Err(TrainError::Empty));
    let one = rows(3, |i| (vec![number(i as f64)], Target::Class(0)));
    let prepared = one.prepared(Profile::Balanced);
    assert_eq!(
        train(&prepared, &Training { bucket: 0, ..small() }, &[]),
        Err(SettingsError::Zero { name: "bucket" }.into())
    );
    let error = train(&prepared, &Training { profile: Profile::Hef, ..small() }, &[]).unwrap_err();
    assert!(error.to_string().contains("balanced") && error.to_string().contains("hef"), "{error}");
}

#[test]
fn layers_differ_and_repeat() {
    let table = rows(120, |i| (vec![number((i * 53 % 120) as f64)], Target::Class((i / 7) as u32 % 2)));
    let prepared = table.prepared(Profile::Balanced);
    let cancel = Cancel::new();
    let training = small();
    let layer = |layer| {
        let job = UnitJob {
            prepared: &prepared,
            training: &training,
            seed: seed(layer),
            prefix: &[],
            cancel: &cancel,
        };
        train_unit(&job).unwrap()
    };
    assert_eq!(layer(0), layer(0));
    assert_ne!(layer(0), layer(1));
}

/// A training that takes minutes is asked to stop once it runs; the test would hang if it did not.
#[test]
fn a_cancelled_training_stops() {
    let table = rows(20_000, |i| {
        let x = (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let cells = vec![number((x >> 20) as f64), text(&format!("{:x}", x ^ (x >> 31)))];
        (cells, Target::Number((x >> 40) as f64))
    });
    let training = Training { lookahead: 1000, bucket: 10_000, ..Training::new(Profile::Balanced, 1) };
    let prepared = table.prepared(Profile::Balanced);
    let cancel = Cancel::new();
    let (started, running) = sync_channel(1);
    let stopped = thread::scope(|scope| {
        let job = scope.spawn(|| {
            started.send(()).unwrap();
            train_unit(&UnitJob {
                prepared: &prepared,
                training: &training,
                seed: seed(0),
                prefix: &[],
                cancel: &cancel,
            })
        });
        running.recv().unwrap();
        cancel.cancel();
        job.join().unwrap()
    });
    assert_eq!(stopped, Err(TrainError::Cancelled));
}
