//! Truth values of literals: a small set made for this crate from the definitions, and the shared vectors where they
//! are at hand.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail

use std::path::Path;

use serde::Deserialize;
use snake::{Literal, Value};

#[derive(Deserialize)]
struct Line {
    literal: serde_json::Value,
    #[serde(default)]
    missing: bool,
    #[serde(default)]
    field: serde_json::Value,
    truth: bool,
}

fn check(lines: &str) -> usize {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (index, text) in lines.lines().enumerate() {
        let line: Line = serde_json::from_str(text).unwrap();
        let literal: Literal = serde_json::from_value(line.literal.clone()).unwrap();
        let value = match &line.field {
            _ if line.missing => Value::Missing,
            serde_json::Value::Number(number) => Value::number(number.as_f64().unwrap()),
            serde_json::Value::String(text) => Value::Text(text),
            other => panic!("line {}: a field is a number or a text, not {other}", index + 1),
        };
        if literal.holds(value) != line.truth {
            wrong.push(format!("line {}: {text}", index + 1));
        }
        // What is read is what is written, in both forms.
        let written: Literal = serde_json::from_str(&serde_json::to_string(&literal).unwrap()).unwrap();
        assert_eq!(written, literal);
        let bytes = serde_cbor::to_vec(&literal).unwrap();
        assert_eq!(serde_cbor::from_slice::<Literal>(&bytes).unwrap(), literal);
        count += 1;
    }
    assert!(wrong.is_empty(), "{} of {count} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    count
}

#[test]
fn own_truth_values() {
    let count = check(include_str!("../testdata/literals.jsonl"));
    assert!(count >= 60, "only {count} lines");
}

#[test]
fn shared_truth_values() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/literals.jsonl");
    let Ok(lines) = std::fs::read_to_string(&path) else {
        println!("the shared vectors are absent, nothing is compared");
        return;
    };
    assert_eq!(check(&lines), 3484);
}
