//! Random tables: whatever they hold, a trained layer keeps the contract, with any number of threads.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use snake::{Literal, Profile, Test, TextTest, Training, certify_unit};
use support::{Rows, Target, Value, check, train};

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (-3_i32..4).prop_map(f64::from),
        2 => any::<f64>().prop_filter("finite", |x| x.is_finite()),
        1 => prop::sample::select(vec![0.0, 5e-324, -5e-324, f64::MAX, f64::MIN, 1.0 + f64::EPSILON]),
    ]
    .prop_map(|number: f64| Value::Number(number + 0.0))
}

fn text() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => "[ab]{0,3}",
        2 => prop::sample::select(vec!["red", "green", "blue", "dark blue", "Ünïcödé €", "日本語", ""])
            .prop_map(str::to_owned),
        1 => "\\PC{0,12}",
    ]
    .prop_map(Value::Text)
}

fn column(rows: usize) -> impl Strategy<Value = Vec<Value>> {
    prop_oneof![
        prop::collection::vec(number(), rows),
        prop::collection::vec(text(), rows),
        text().prop_map(move |constant| vec![constant; rows]),
    ]
}

fn target(rows: usize) -> impl Strategy<Value = Vec<Target>> {
    let classes = prop::sample::select(vec![1_u32, 2, 2, 3, 77]);
    prop_oneof![
        3 => classes.prop_flat_map(move |count| prop::collection::vec((0..count).prop_map(Target::Class), rows)),
        1 => prop::collection::vec((-5_i32..6).prop_map(|y| Target::Number(f64::from(y) / 2.0)), rows),
    ]
}

fn table() -> impl Strategy<Value = Rows> {
    (1_usize..90, 1_usize..6)
        .prop_flat_map(|(rows, columns)| (prop::collection::vec(column(rows), columns), target(rows)))
        .prop_map(|(columns, targets)| {
            let cells = (0..targets.len())
                .map(|row| columns.iter().map(|column| column[row].clone()).collect())
                .collect();
            Rows { cells, targets }.distinct()
        })
}

fn settings() -> impl Strategy<Value = Training> {
    let profile = prop::sample::select(Profile::ALL.to_vec());
    (1_u32..12, 1_u32..60, 0.0..2.0, profile, 1_u32..8, any::<u64>()).prop_map(
        |(bucket, slice, noise, profile, lookahead, seed)| Training {
            bucket,
            slice,
            noise,
            lookahead,
            ..Training::new(profile, seed)
        },
    )
}

/// Above every column; the walk never looks at a row for it.
fn path_prefix(rows: &Rows) -> Vec<Literal> {
    let test = match rows.cells[0][0] {
        Value::Number(_) => Test::Threshold(snake::Measure::N, f64::MAX),
        Value::Text(_) => Test::Text(TextTest::Contains, "".into()),
    };
    vec![Literal { column: 1, negated: false, test }]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn layers_keep_the_contract(rows in table(), training in settings(), prefixed in any::<bool>()) {
        let prepared = rows.prepared(training.profile);
        let largest = |row: &Vec<Value>| row[0] == Value::Number(f64::MAX);
        let prefix =
            if prefixed && !rows.cells.iter().any(largest) { path_prefix(&rows) } else { Vec::new() };
        let layer = train(&prepared, &training, &prefix).unwrap();
        check(&rows, &training, &prefix, &layer);
    }
}

/// Tables in which every kind has something to tell apart, by every profile: all kinds that training makes appear, no
/// other does, and the layers are certified.
#[test]
fn every_kind_is_made_and_certified() {
    let mut kinds = BTreeSet::new();
    let mut runner = TestRunner::deterministic();
    let words = prop::collection::vec("[A-Z]?[a-f]{1,5}[0-9]{0,2}[,.#]?", 1..5);
    let text = words.prop_map(|words| Value::Text(words.join(" ")));
    let unicode = "\\PC{0,9}".prop_map(Value::Text);
    let row =
        (number(), (-99_i32..999).prop_map(|x| Value::Number(f64::from(x.max(0)) / 8.0)), text, unicode);
    let row = row.prop_map(|(a, b, c, d)| vec![a, b, c, d]);
    let rows = (prop::collection::vec(row, 150), target(150))
        .prop_map(|(cells, targets)| Rows { cells, targets }.distinct());
    for profile in Profile::ALL {
        for seed in 0..6 {
            let rows = rows.new_tree(&mut runner).unwrap().current();
            let training = Training { bucket: 20, slice: 60, ..Training::new(profile, seed) };
            let layer = train(&rows.prepared(profile), &training, &[]).unwrap();
            check(&rows, &training, &[], &layer);
            certify_unit(&rows.table(), &[], &layer).unwrap();
            let conditions = layer.iter().filter_map(|bucket| bucket.condition.as_ref());
            let literals = conditions.chain(layer.iter().flat_map(|bucket| &bucket.clauses)).flatten();
            for literal in literals {
                // The literal as a file holds it and reads it.
                let written = serde_json::to_value(literal).unwrap();
                kinds.insert(written[3].as_str().unwrap().to_owned());
                assert_eq!(serde_json::from_value::<Literal>(written).unwrap(), *literal);
            }
        }
    }
    let made = [
        "ENT", "HEX", "JAC", "LEV", "N", "ND", "NL", "NZ", "NZR", "PFX", "REP", "SFX", "T", "TDC", "TEQ",
        "TEW", "TLN", "TN", "TPS", "TSC", "TSS", "TSW", "TUC", "TVR", "TWS",
    ];
    assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), made);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn threads_do_not_matter(rows in table(), training in settings()) {
        let mut layers = [1, 2, 5].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| train(&rows.prepared(training.profile), &training, &[]).unwrap())
        });
        layers.reverse();
        prop_assert_eq!(&layers[0], &layers[1]);
        prop_assert_eq!(&layers[0], &layers[2]);
    }
}
