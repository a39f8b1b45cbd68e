//! The explanation of every query of whole models: by definition, and against another reader's lookalikes.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail

use std::path::Path;

use serde_json::Value as Json;
use snake::{
    Audit, Fact, FeatureKind, Literal, Model, Origin, Predictor, RoutingStep, RowBatch, RowBatchBuilder,
    Value,
};

fn batch(model: &Model, lines: &[Json]) -> RowBatch {
    let mut batch = RowBatchBuilder::new(&model.head.features);
    for line in lines {
        let cells: Vec<Value<'_>> = model
            .head
            .features
            .iter()
            .map(|feature| match (feature.kind, line["row"].get(&feature.name)) {
                (_, None | Some(Json::Null)) => Value::Missing,
                (FeatureKind::Number, Some(value)) => Value::number(value.as_f64().unwrap()),
                (FeatureKind::Text, Some(value)) => Value::Text(value.as_str().unwrap()),
            })
            .collect();
        batch.push(&cells).unwrap();
    }
    batch.take()
}

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
    let lines: Vec<Json> = expected.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rows = batch(&model, &lines);
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

            // Every lookalike's AND holds on the row and on the training row; a rule is its clauses turned round.
            for vote in &audited.votes {
                let rule = &audited.rules[vote.rule as usize];
                for fact in &rule.facts {
                    assert!(is_true(fact, &rows, row), "{fact:?} on {}", line["row"]);
                    let member = vote.row as usize;
                    let literal = fact.literal();
                    assert!(
                        !holds(&literal.opposite(), &model.population, member),
                        "{fact:?} on row {member}"
                    );
                    let there = model.population.value(literal.column as usize - 1, member) != Value::Missing;
                    if matches!(fact, Fact::Holds(_)) && there {
                        assert!(holds(literal, &model.population, member), "{fact:?} on row {member}");
                    }
                }
                let clauses = &layer[audited.bucket as usize].clauses;
                let literals = rule.clauses.iter().flat_map(|clause| &clauses[*clause as usize]);
                for literal in literals {
                    assert!(rule.facts.iter().any(|fact| *fact.literal() == literal.opposite()));
                }
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
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/models");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("the shared vectors are absent, nothing is compared");
        return;
    };
    let mut votes = 0;
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.extension().is_some_and(|ending| ending == "json") {
            println!("{}", path.display());
            let expected = std::fs::read_to_string(path.with_extension("expected.jsonl")).unwrap();
            votes += check(&std::fs::read(&path).unwrap(), &expected);
        }
    }
    assert!(votes > 1000, "only {votes} votes");
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
