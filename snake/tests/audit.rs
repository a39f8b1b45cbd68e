//! The explanation of every query of whole models: by definition, and against another reader's lookalikes.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail

#[path = "support/queries.rs"]
mod queries;
mod support;

use serde_json::Value as Json;
use snake::{
    Audit, Bucket, Fact, Feature, FeatureKind, Head, Label, Literal, Model, Origin, Predictor, Profile,
    RoutingStep, RowBatch, RowBatchBuilder, TargetKind, Training, Value,
};

fn holds(literal: &Literal, rows: &RowBatch, row: usize) -> bool {
    literal.column > 0 && literal.holds(rows.value(literal.column as usize - 1, row))
}

/// What a fact says is true of the audited row.
fn is_true(fact: &Fact, rows: &RowBatch, row: usize) -> bool {
    let literal = fact.literal();
    let neither = !holds(literal, rows, row) && !holds(&literal.opposite(), rows, row);
    let missing = literal.column == 0 || rows.value(literal.column as usize - 1, row) == Value::Missing;
    match fact {
        Fact::Holds(literal) => holds(literal, rows, row),
        Fact::Missing(_) => neither && missing,
        Fact::Never(_) => neither && !missing,
    }
}

/// Checks the audit of every query; gives the number of votes seen.
fn check(model: &[u8], expected: &str) -> usize {
    let model = Model::read(model).unwrap();
    let (lines, rows) = queries::read(&model, expected);
    let predictions = Predictor::new(&model).unwrap().predict_with_lookalikes(&rows);
    let mut seen = 0;
    for (row, (prediction, line)) in predictions.iter().zip(&lines).enumerate() {
        let audit = Audit::new(&model, &rows, row, prediction);
        // The votes are the prediction's, in its order, and another reader's.
        let found: Vec<Json> = audit
            .votes()
            .map(|(layer, vote)| {
                let origin = if vote.origin == Origin::Core { "c" } else { "n" };
                serde_json::json!([vote.row, layer.rules[vote.rule as usize].clauses, origin])
            })
            .collect();
        assert_eq!(found.len() as u64, prediction.total);
        assert_eq!(Json::from(found), line["lookalikes"], "{}", line["row"]);
        seen += audit.votes().count();

        let filled: Vec<usize> = (0..model.layers.len()).filter(|l| !model.layers[*l].is_empty()).collect();
        assert_eq!(audit.layers.iter().map(|layer| layer.layer as usize).collect::<Vec<_>>(), filled);
        for audited in &audit.layers {
            let layer = &model.layers[audited.layer as usize];
            // Every bucket before the one that took the row is skipped, for a literal of its own condition.
            let (last, skipped) = audited.routing.split_last().unwrap();
            for (place, step) in skipped.iter().enumerate() {
                let RoutingStep::Skipped { bucket, because } = step else { panic!("{step:?}") };
                assert_eq!(*bucket as usize, place);
                assert!(is_true(because, &rows, row), "{because:?}");
                let condition = layer[place].condition.as_ref().unwrap();
                let first = condition.iter().position(|literal| literal.opposite() == *because.literal());
                assert!(condition[..first.unwrap()].iter().all(|literal| holds(literal, &rows, row)));
            }
            assert_eq!(last.bucket(), audited.bucket);
            match last {
                RoutingStep::Matched { bucket, condition } => {
                    assert_eq!(
                        (*bucket as usize, condition),
                        (skipped.len(), &layer[*bucket as usize].condition.clone().unwrap_or_default())
                    );
                    assert!(condition.iter().all(|literal| holds(literal, &rows, row)));
                }
                RoutingStep::FellThrough { bucket } => {
                    assert_eq!((*bucket as usize + 1, skipped.len()), (layer.len(), layer.len()));
                }
                RoutingStep::Skipped { .. } => panic!("{last:?}"),
            }
            assert!(audited.routing_facts().iter().all(|fact| is_true(fact, &rows, row)));

            // A rule is its clauses turned round, and true of the row.
            for rule in &audited.rules {
                assert!(rule.facts.iter().all(|fact| is_true(fact, &rows, row)), "{:?}", rule.facts);
                let clauses = &layer[audited.bucket as usize].clauses;
                let literals = rule.clauses.iter().flat_map(|clause| &clauses[*clause as usize]);
                let turned: Vec<Literal> = literals.map(Literal::opposite).collect();
                assert!(turned.iter().all(|literal| rule.facts.iter().any(|fact| fact.literal() == literal)));
                assert!(rule.facts.iter().all(|fact| turned.contains(fact.literal())));
            }
        }
    }
    seen
}

#[test]
fn own_models() {
    let tiny =
        check(include_bytes!("../testdata/tiny.json"), include_str!("../testdata/tiny.expected.jsonl"));
    let number = check(
        include_bytes!("../testdata/tiny_number.json"),
        include_str!("../testdata/tiny_number.expected.jsonl"),
    );
    assert!(tiny > 10 && number > 10, "{tiny}, {number}");
}

#[test]
fn shared_models() {
    let models = queries::shared_models();
    let votes: usize = models.iter().map(|(model, expected)| check(model, expected)).sum();
    assert!(models.is_empty() || votes > 1000, "only {votes} votes");
}

/// What is said where a value is not there, where no kind applies, and where no bucket takes the row.
#[test]
fn what_cannot_be_tested_is_said() {
    let file = br#"{"header": ["y", "size", "name"], "target": "y", "datatypes": ["T", "N", "T"],
        "population": [{"y": "a", "size": 1, "name": "x"}], "targets": ["a"],
        "layers": [[{"condition": [[1, 3, false, "N"]], "members": [0], "clauses": [], "lookalikes": {"0": [[]]}},
                    {"condition": [[2, "x", false, "T"], [2, 1, true, "TN"]], "members": [0],
                     "clauses": [[[1, 2, false, "N"], [2, "q", true, "XYZ"], [1, 9, false, "N"]]],
                     "lookalikes": {"0": [[0]]}}]]}"#;
    let model = Model::read(file).unwrap();
    let mut rows = RowBatchBuilder::new(&model.head.features);
    rows.push(&[Value::Missing, Value::Text("abc")]).unwrap();
    let rows = rows.take();
    let predictions = Predictor::new(&model).unwrap().predict_with_lookalikes(&rows);
    let audit = Audit::new(&model, &rows, 0, &predictions[0]);
    let layer = &audit.layers[0];
    let formulas = |facts: &[Fact]| facts.iter().map(|fact| fact.formula(&model.head)).collect::<Vec<_>>();
    assert_eq!(formulas(&layer.routing_facts()), ["missing(size)", "name does not contain \"x\""]);
    assert_eq!(layer.routing[2], RoutingStep::FellThrough { bucket: 1 });
    assert_eq!(formulas(&layer.rules[0].facts), ["missing(size)", "never(\"XYZ\" of name)", "missing(size)"]);
    assert_eq!(
        Fact::all_formula(&layer.rules[0].facts, &model.head),
        "missing(size) and never(\"XYZ\" of name)"
    );
    assert_eq!(Fact::all_formula(&[], &model.head), "true");
}

/// A model over made-up rows: three classes that sizes and words say something about.
fn trained(rows: usize) -> (Model, RowBatch) {
    let words = ["red", "rose", "ruby", "green", "grass", "lime", "blue", "navy", "azure"];
    let mut state = 7_u64;
    let mut below = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let mut table = support::Rows { cells: Vec::new(), targets: Vec::new() };
    for _ in 0..rows {
        let class = below(3);
        let word = words[((class * 3 + below(5)) % 9) as usize].to_owned();
        let size = class as f64 + below(200) as f64 / 100.0;
        table.cells.push(vec![support::Value::Number(size), support::Value::Text(word)]);
        table.targets.push(support::Target::Class(class as u32));
    }
    let table = table.distinct();
    let features: Vec<Feature> = [("size", FeatureKind::Number), ("word", FeatureKind::Text)]
        .map(|(name, kind)| Feature { name: name.into(), kind })
        .into();
    let mut batch = RowBatchBuilder::new(&features);
    for row in &table.cells {
        let cells: Vec<Value<'_>> = row
            .iter()
            .map(|value| match value {
                support::Value::Number(x) => Value::number(*x),
                support::Value::Text(text) => Value::Text(text),
            })
            .collect();
        batch.push(&cells).unwrap();
    }
    let population = batch.take();
    let training = Training { bucket: 20, noise: 1.0, slice: 150, ..Training::new(Profile::Balanced, 1) };
    let unit = support::train(&table.prepared(Profile::Balanced), &training, &[]).unwrap();
    let layer = unit
        .into_iter()
        .map(|bucket| Bucket {
            members: bucket.members.iter().map(|ordinal| (*ordinal as u32 - 10) / 3).collect(),
            condition: bucket.condition,
            origins: bucket.origins,
            clauses: bucket.clauses,
            lookalikes: bucket.lookalikes,
        })
        .collect();
    let targets = table.targets.iter().map(|target| match target {
        support::Target::Class(class) => Label::Integer(i64::from(*class)),
        support::Target::Number(x) => Label::Number(*x),
    });
    let head = Head {
        version: snake::FORMAT_VERSION.into(),
        stripped: false,
        target: "y".into(),
        target_kind: TargetKind::Integer,
        features,
        config: Json::Null,
        log: String::new(),
        opendipaco: None,
    };
    (
        Model { head, targets: targets.collect(), population: population.clone(), layers: vec![layer] },
        population,
    )
}

/// Of a model that training made, every rule holds on the row and on the training rows it names, and so does the
/// condition of the bucket where they met.
#[test]
fn rules_hold_on_both_rows() {
    let (model, rows) = trained(600);
    assert!(rows.rows() > 300);
    let predictions = Predictor::new(&model).unwrap().predict_with_lookalikes(&rows);
    let mut votes = 0;
    for (row, prediction) in predictions.iter().enumerate() {
        let audit = Audit::new(&model, &rows, row, prediction);
        assert_eq!(audit.votes().count() as u64, prediction.total);
        for (layer, vote) in audit.votes() {
            let condition =
                model.layers[layer.layer as usize][layer.bucket as usize].condition.iter().flatten();
            let rule = layer.rules[vote.rule as usize].facts.iter().map(Fact::literal);
            for literal in condition.chain(rule) {
                assert!(holds(literal, &rows, row), "{literal:?} on row {row}");
                assert!(holds(literal, &model.population, vote.row as usize), "{literal:?} on {vote:?}");
            }
            // A training row looks like rows of its own class only.
            assert_eq!(model.targets[vote.row as usize], model.targets[row]);
            votes += 1;
        }
    }
    assert!(votes > 5 * rows.rows(), "only {votes} votes");
}
