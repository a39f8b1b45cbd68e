//! Predictions against a plain reading of the model's rules: the flat chain, row by row, literal by literal.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)] // a test may fail, and counts little

use proptest::prelude::*;
use proptest::sample::{Index, select};
use snake::{
    Bucket, Candle, Comparison, FORMAT_VERSION, Feature, FeatureKind, Head, Label, Literal, Lookalike,
    Measure, Model, Origin, Prediction, Predictor, RowBatch, RowBatchBuilder, TargetKind, Test, TextTest,
    Value,
};

const TEXTS: [&str; 6] = ["", "a", "ab", "ba", "abc", "0"];

/// Features: a number, a text of few values, a text of many, and the path.
fn features() -> Vec<Feature> {
    let feature = |name: &str, kind| Feature { name: name.into(), kind };
    vec![
        feature("number", FeatureKind::Number),
        feature("few", FeatureKind::Text),
        feature("many", FeatureKind::Text),
        feature("__path", FeatureKind::Text),
    ]
}

fn literal() -> impl Strategy<Value = Literal> {
    let number = prop_oneof![
        (0..6_i32).prop_map(|t| Test::Threshold(Measure::N, f64::from(t) / 2.0)),
        (0..3_i32).prop_map(|t| Test::Threshold(Measure::Nd, f64::from(t))),
        Just(Test::Zero),
        Just(Test::range(0.5, 2.0)),
        (-1..2_i32).prop_map(|t| Test::standardised(1.0, f64::from(t), 0.25)),
    ];
    let text = prop_oneof![
        (0..4_i32).prop_map(|t| Test::Threshold(Measure::Tn, f64::from(t) + 0.5)),
        (select(&TEXTS[..]), 0..3_i32).prop_map(|(text, t)| Test::reference(
            Comparison::Lev,
            text,
            f64::from(t)
        )),
        select(&TEXTS[..]).prop_map(|text| Test::Text(TextTest::Equals, text.into())),
        select(&TEXTS[..]).prop_map(|text| Test::Text(TextTest::Contains, text.into())),
    ];
    let path = (0..3_u32).prop_map(|path| Test::Text(TextTest::Equals, path.to_string().into()));
    let unknown = Just(Test::Unknown(Box::new(snake::Unknown { kind: "XYZ".into(), value: 1.into() })));
    let place = prop_oneof![
        10 => (Just(1_u32), number.boxed()),
        5 => (Just(2_u32), text.clone().boxed()),
        5 => (Just(3_u32), text.boxed()),
        2 => (Just(4_u32), path.boxed()),
        1 => (0..3_u32, unknown.boxed()),
    ];
    (place, any::<bool>()).prop_map(|((column, test), negated)| Literal { column, negated, test })
}

/// Conditions as a divide makes them, or as nobody should; a `None` before the end is made an empty one.
fn chain() -> impl Strategy<Value = Vec<Option<Vec<Literal>>>> {
    let conditions = |most| proptest::collection::vec(proptest::collection::vec(literal(), 0..3), 1..most);
    let divided = (proptest::collection::vec(literal(), 0..4), any::<bool>(), conditions(4)).prop_map(
        |(splits, path, local)| {
            let mut prefixes = vec![Vec::new()];
            if path {
                let test = Test::Text(TextTest::Equals, "1".into());
                prefixes = vec![vec![Literal { column: 4, negated: false, test }]];
            }
            for split in splits {
                let opposite = Literal { negated: !split.negated, ..split.clone() };
                prefixes = prefixes
                    .into_iter()
                    .flat_map(|prefix| {
                        [&split, &opposite]
                            .map(|side| [prefix.as_slice(), std::slice::from_ref(side)].concat())
                    })
                    .collect();
            }
            let mut chain = Vec::new();
            for prefix in prefixes {
                chain.extend(local.iter().map(|local| Some([prefix.as_slice(), local].concat())));
                chain.push(Some(prefix));
            }
            chain
        },
    );
    let foreign = conditions(8).prop_map(|chain| chain.into_iter().map(Some).collect());
    (prop_oneof![divided, foreign], any::<bool>()).prop_map(
        |(mut chain, end): (Vec<Option<Vec<Literal>>>, _)| {
            if end {
                chain.push(None);
            }
            chain
        },
    )
}

/// Clauses, and votes that name them: of one clause each, or of any number; each once, or several times one after another.
fn bucket(rows: u32) -> impl Strategy<Value = Bucket<u32>> {
    let clauses = proptest::collection::vec(proptest::collection::vec(literal(), 0..4), 1..5);
    let votes = proptest::collection::vec(
        (
            0..rows,
            any::<bool>(),
            proptest::collection::vec((proptest::collection::vec(any::<Index>(), 0..4), 1..4_usize), 0..4),
        ),
        0..6,
    );
    (clauses, votes, any::<bool>()).prop_map(|(clauses, votes, single)| {
        let conditions = |listed: Vec<(Vec<Index>, usize)>| -> Vec<Vec<u32>> {
            let clause = |index: Index| index.index(clauses.len()) as u32;
            let condition = |(condition, often): (Vec<Index>, usize)| {
                let condition: Vec<u32> = condition.into_iter().map(clause).collect();
                std::iter::repeat_n(condition, often)
            };
            let one = |condition: &Vec<u32>| !single || condition.len() == 1;
            listed.into_iter().flat_map(condition).filter(one).collect()
        };
        let members = votes.iter().map(|vote| vote.0).collect();
        let origins = votes.iter().map(|vote| if vote.1 { Origin::Core } else { Origin::Noise }).collect();
        let keys = 0..votes.len() as u32;
        let lookalikes = keys.zip(votes).rev().map(|(place, vote)| (place, conditions(vote.2))).collect();
        Bucket { condition: None, members, origins, clauses: clauses.clone(), lookalikes }
    })
}

fn layer(rows: u32) -> impl Strategy<Value = Vec<Bucket<u32>>> {
    (chain(), proptest::collection::vec(bucket(rows), 1..6)).prop_map(|(chain, buckets)| {
        chain
            .into_iter()
            .zip(buckets.iter().cycle())
            .map(|(condition, bucket)| Bucket { condition, ..bucket.clone() })
            .collect()
    })
}

fn model() -> impl Strategy<Value = Model> {
    let targets = prop_oneof![
        proptest::collection::vec(0..3_i64, 1..12)
            .prop_map(|targets| targets.into_iter().map(Label::Integer).collect::<Vec<_>>()),
        proptest::collection::vec(-9..9_i32, 1..12)
            .prop_map(|targets| targets.into_iter().map(|x| Label::Number(f64::from(x) / 3.0)).collect()),
    ];
    targets.prop_flat_map(|targets| {
        let layers = proptest::collection::vec(
            prop_oneof![9 => layer(targets.len() as u32), 1 => Just(Vec::new())],
            0..4,
        );
        layers.prop_map(move |layers| {
            let target_kind = match targets[0] {
                Label::Number(_) => TargetKind::Number,
                _ => TargetKind::Integer,
            };
            Model {
                head: Head {
                    version: FORMAT_VERSION.into(),
                    stripped: true,
                    target: "target".into(),
                    target_kind,
                    features: features(),
                    config: serde_json::json!({}),
                    log: String::new(),
                    opendipaco: None,
                },
                population: RowBatch::default(),
                targets: targets.clone(),
                layers,
            }
        })
    })
}

/// A row: number, few, many, path; any of them may be missing.
type Row = (Option<i32>, Option<&'static str>, Option<(u32, &'static str)>, Option<u32>);

fn rows() -> impl Strategy<Value = RowBatch> {
    let row = (
        proptest::option::weighted(0.8, -1..6_i32),
        proptest::option::weighted(0.8, select(&TEXTS[..])),
        proptest::option::weighted(0.8, (0..300_u32, select(&TEXTS[..]))),
        proptest::option::weighted(0.8, 0..3_u32),
    );
    (proptest::collection::vec(row, 0..80), 1..5_usize).prop_map(|(rows, times)| {
        let mut builder = RowBatchBuilder::new(&features());
        for row in std::iter::repeat_n(rows, times).flatten() {
            push(&mut builder, row);
        }
        builder.take()
    })
}

fn push(builder: &mut RowBatchBuilder, (number, few, many, path): Row) {
    let many =
        many.map(|(number, text)| if number < 200 { text.to_owned() } else { format!("{text}{number}") });
    let path = path.map(|path| path.to_string());
    builder
        .push(&[
            number.map_or(Value::Missing, |x| Value::Number(f64::from(x) / 2.0)),
            few.map_or(Value::Missing, Value::Text),
            many.as_deref().map_or(Value::Missing, Value::Text),
            path.as_deref().map_or(Value::Missing, Value::Text),
        ])
        .unwrap();
}

/// The rules, word by word.
fn by_the_rules<'m>(model: &'m Model, classes: &[Label], rows: &RowBatch, row: usize) -> Prediction<'m> {
    let holds = |literal: &Literal| {
        let feature = (literal.column as usize).checked_sub(1);
        feature.is_some_and(|feature| literal.holds(rows.value(feature, row)))
    };
    let mut lookalikes = Vec::new();
    for (layer, buckets) in (0..).zip(&model.layers) {
        let matches = |bucket: &Bucket<u32>| bucket.condition.iter().flatten().all(holds);
        let Some(last) = buckets.len().checked_sub(1) else { continue };
        let place = buckets.iter().position(matches).unwrap_or(last);
        let bucket = &buckets[place];
        for (position, conditions) in bucket.lookalikes.iter() {
            for clauses in conditions {
                if clauses.iter().all(|clause| !bucket.clauses[*clause as usize].iter().any(holds)) {
                    let row = bucket.members[position as usize];
                    let origin = bucket.origins[position as usize];
                    lookalikes.push(Lookalike { row, clauses, origin, layer, bucket: place as u32 });
                }
            }
        }
    }
    let labels: Vec<&Label> = lookalikes.iter().map(|vote| &model.targets[vote.row as usize]).collect();
    let counts = classes.iter().map(|class| labels.iter().filter(|label| **label == class).count() as u64);
    let votes: Vec<(u32, u64)> = (0..).zip(counts).filter(|vote| vote.1 > 0).collect();
    let most = votes.iter().map(|vote| vote.1).max().unwrap_or(0);
    let class = votes.iter().find(|vote| vote.1 == most).map_or(0, |vote| vote.0);
    let values: Vec<f64> = labels.iter().filter_map(|label| label.number()).collect();
    let candle = Candle::of(&values).filter(|_| model.head.target_kind == TargetKind::Number);
    let total = labels.len() as u64;
    Prediction { votes, total, class, candle, lookalikes: Some(lookalikes) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn many_rows_at_once_are_the_rules_row_by_row(model in model(), rows in rows(), threads in 1..4_usize) {
        let predictor = Predictor::new(&model).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (plain, named) = pool.install(|| (predictor.predict(&rows), predictor.predict_with_lookalikes(&rows)));
        prop_assert_eq!(plain.len(), rows.rows());
        prop_assert_eq!(named.len(), rows.rows());
        for (row, (plain, named)) in plain.iter().zip(&named).enumerate() {
            let expected = by_the_rules(&model, predictor.classes(), &rows, row);
            prop_assert_eq!(named, &expected, "row {}", row);
            let expected = Prediction { lookalikes: None, ..expected };
            prop_assert_eq!(plain, &expected, "row {}", row);
        }
    }
}

/// More rows than a block has, on several threads: the same as one by one.
#[test]
fn blocks_do_not_show() {
    let file = include_bytes!("../testdata/tiny.json");
    let model = Model::read(file).unwrap();
    let predictor = Predictor::new(&model).unwrap();
    let mut builder = RowBatchBuilder::new(&model.head.features);
    let mut single = Vec::new();
    for index in 0..20_000_u32 {
        let row: Vec<Value<'_>> = model
            .head
            .features
            .iter()
            .map(|feature| match feature.kind {
                FeatureKind::Number => Value::Number(f64::from(index % 23) / 2.0 - 3.0),
                FeatureKind::Text => Value::Text(TEXTS[index as usize % TEXTS.len()]),
            })
            .collect();
        builder.push(&row).unwrap();
        if index % 997 == 0 {
            let mut one = RowBatchBuilder::new(&model.head.features);
            one.push(&row).unwrap();
            single.push((index as usize, predictor.predict(&one.take()).remove(0)));
        }
    }
    let batch = builder.take();
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let all = pool.install(|| predictor.predict_each(&batch, |row, prediction| (row, prediction)));
        assert!(all.iter().enumerate().all(|(place, (row, _))| place == *row));
        for (index, prediction) in &single {
            assert_eq!(&all[*index].1, prediction);
        }
    }
}
