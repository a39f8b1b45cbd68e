//! Whole models: predictions, probabilities, lookalikes and candles as the model format defines them.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail

#[path = "support/queries.rs"]
mod queries;

use serde_json::Value as Json;
use snake::{Label, Model, Origin, Prediction, Predictor, TargetKind};

fn json(label: &Label) -> Json {
    serde_json::to_value(label).unwrap()
}

fn same_number(a: f64, b: &Json) -> bool {
    b.as_f64() == Some(a)
}

fn close(a: f64, b: &Json) -> bool {
    b.as_f64().is_some_and(|b| (a - b).abs() <= 1e-12 * b.abs().max(1e-300) || a == b)
}

fn compare(model: &Model, classes: &[Label], found: &Prediction, line: &Json) {
    let place = |what: &str| format!("{what} of {}", line["row"]);
    assert_eq!(json(&classes[found.class as usize]), line["prediction"], "{}", place("prediction"));
    let probability = line["probability"].as_array().unwrap();
    assert_eq!(probability.len(), classes.len(), "{}", place("classes"));
    for (index, (class, entry)) in classes.iter().zip(probability).enumerate() {
        assert_eq!(json(class), entry[0], "{}", place("class"));
        let share = found.probability(index as u32, classes.len());
        assert!(same_number(share, &entry[1]), "{}: {share} for {entry}", place("probability"));
    }
    let lookalikes: Vec<Json> = found
        .lookalikes
        .as_ref()
        .unwrap()
        .iter()
        .map(|vote| {
            let origin = if vote.origin == Origin::Core { "c" } else { "n" };
            serde_json::json!([vote.row, vote.clauses, origin])
        })
        .collect();
    assert_eq!(Json::from(lookalikes), line["lookalikes"], "{}", place("lookalikes"));
    if model.head.target_kind == TargetKind::Number {
        let expected = &line["candle"];
        match found.candle {
            None => assert!(expected.is_null() || expected["n"] == 0, "{}", place("candle")),
            Some(candle) => {
                assert_eq!(expected["n"], candle.n, "{}", place("candle"));
                for (key, value) in [
                    ("low", candle.low),
                    ("q1", candle.q1),
                    ("median", candle.median),
                    ("q3", candle.q3),
                    ("high", candle.high),
                    ("iqr_mean", candle.iqr_mean),
                ] {
                    assert!(
                        same_number(value, &expected[key]),
                        "{} {key}: {value}, {expected}",
                        place("candle")
                    );
                }
                assert!(close(candle.mean, &expected["mean"]), "{}", place("mean"));
                assert!(close(candle.std, &expected["std"]), "{}", place("std"));
            }
        }
    } else {
        assert_eq!(found.candle, None);
    }
}

/// Predicts all queries of a model at once and compares; gives the number of queries.
fn check(model: &[u8], expected: &str) -> usize {
    let model = Model::read(model).unwrap();
    let predictor = Predictor::new(&model).unwrap();
    let (lines, batch) = queries::read(&model, expected);
    let named = predictor.predict_with_lookalikes(&batch);
    let plain = predictor.predict(&batch);
    assert_eq!(named.len(), lines.len());
    for ((named, plain), line) in named.iter().zip(&plain).zip(&lines) {
        compare(&model, predictor.classes(), named, line);
        assert_eq!(Prediction { lookalikes: None, ..named.clone() }, *plain);
    }
    // What is written is the same model, and the same bytes every time.
    let bytes = model.write(Vec::new()).unwrap();
    let again = Model::read(&bytes).unwrap();
    assert_eq!(again, model);
    assert_eq!(again.write(Vec::new()).unwrap(), bytes);
    lines.len()
}

#[test]
fn own_models() {
    let count =
        check(include_bytes!("../testdata/tiny.json"), include_str!("../testdata/tiny.expected.jsonl"));
    assert!(count >= 10, "only {count} queries");
    let count = check(
        include_bytes!("../testdata/tiny_number.json"),
        include_str!("../testdata/tiny_number.expected.jsonl"),
    );
    assert!(count >= 10, "only {count} queries");
}

#[test]
fn shared_models() {
    let models = queries::shared_models();
    assert!(models.is_empty() || models.len() == 8);
    for (model, expected) in models {
        assert_eq!(check(&model, &expected), 40);
    }
}
