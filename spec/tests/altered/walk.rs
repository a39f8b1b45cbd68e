//! Walking a serialised spec, and altering one thing in it.

use serde_json::{Map, Number, Value};

/// A field that can be altered.
pub(crate) struct Place {
    /// Where it is, `[]` for an element of a list.
    pub(crate) pattern: String,
    /// The way to it.
    pub(crate) steps: Vec<Step>,
    /// What can be done to it.
    pub(crate) changes: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// Texts that stand for a kind, with all the kinds that this version knows.
const KINDS: &[(&str, &[&str])] = &[
    ("routing.kind", &["kmeans", "round_robin"]),
    ("routing.settings.sampling", &["prefix", "reservoir"]),
    ("schema.target_kind", &["B", "I", "N", "T", "J"]),
    ("schema.features[].kind", &["N", "T"]),
];

/// All places below these sections. Of a list of more than four, the first and the last stand for all.
pub(crate) fn places(spec: &Value, sections: &[&str]) -> Vec<Place> {
    let mut found = Vec::new();
    for section in sections {
        walk(&spec[section], (*section).into(), vec![Step::Key((*section).into())], &mut found);
    }
    found
}

fn walk(value: &Value, pattern: String, steps: Vec<Step>, found: &mut Vec<Place>) {
    let below = |step: Step| steps.iter().cloned().chain([step]).collect::<Vec<_>>();
    let mut changes: Vec<String> = Vec::new();
    match value {
        Value::Object(fields) => {
            changes.push("one field more".into());
            for (key, value) in fields {
                changes.push(format!("without {key}"));
                walk(value, format!("{pattern}.{key}"), below(Step::Key(key.clone())), found);
            }
        }
        // A hash is 32 bytes, and no list of anything.
        Value::Array(_) if pattern.ends_with("hash") => {
            changes.extend(["one bit".to_owned(), "shorter".into(), "longer".into()]);
        }
        Value::Array(list) => {
            changes.extend(["shorter".to_owned(), "longer".into(), "swapped".into()]);
            let some = (0..list.len()).filter(|index| list.len() <= 4 || [0, list.len() - 1].contains(index));
            for index in some {
                walk(&list[index], format!("{pattern}[]"), below(Step::Index(index)), found);
            }
        }
        Value::Number(number) if number.is_f64() => {
            changes.extend(["one ulp up".to_owned(), "one ulp down".into()])
        }
        Value::Number(_) => changes.extend(["+1".to_owned(), "-1".into()]),
        Value::String(text) => {
            changes.push("another letter".into());
            let kinds = KINDS.iter().find(|(at, _)| *at == pattern).map_or(&[][..], |(_, kinds)| kinds);
            changes.extend(kinds.iter().filter(|kind| **kind != text).map(|kind| format!("= {kind}")));
        }
        Value::Bool(_) | Value::Null => changes.push("another value".into()),
    }
    found.push(Place { pattern, steps, changes });
}

/// The spec with one thing changed.
pub(crate) fn alter(spec: &Value, steps: &[Step], change: &str) -> Value {
    let mut altered = spec.clone();
    let mut place = &mut altered;
    for step in steps {
        place = match step {
            Step::Key(key) => &mut place[key.as_str()],
            Step::Index(index) => &mut place[*index],
        };
    }
    let before = place.clone();
    match place {
        Value::Object(fields) => alter_object(fields, change),
        Value::Array(list) => match change {
            "one bit" => list[31] = Value::from(list[31].as_u64().unwrap() ^ 1),
            "shorter" => drop(list.pop()),
            "longer" => {
                let last = list.last().cloned().unwrap_or(Value::Null);
                list.push(last.as_str().map_or(last.clone(), |text| format!("{text}z").into()));
            }
            "swapped" => {
                let other = list.iter().position(|element| *element != list[0]);
                list.swap(0, other.expect("elements that differ"));
            }
            other => panic!("{other}"),
        },
        Value::Number(number) => *number = altered_number(number, change),
        Value::String(text) => match change.strip_prefix("= ") {
            Some(kind) => *text = kind.to_owned(),
            None => {
                let last = text.pop();
                text.push(if last == Some('x') { 'y' } else { 'x' });
            }
        },
        other => panic!("a value of a new kind: {other}"),
    }
    assert_ne!(*place, before, "{change} alters nothing at {steps:?}");
    altered
}

fn alter_object(fields: &mut Map<String, Value>, change: &str) {
    match change.strip_prefix("without ") {
        Some(key) => drop(fields.shift_remove(key)),
        None => drop(fields.insert("later".into(), 1.into())),
    }
}

fn altered_number(number: &Number, change: &str) -> Number {
    let float = number.as_f64().unwrap();
    match change {
        "one ulp up" => Number::from_f64(float.next_up()).unwrap(),
        "one ulp down" => Number::from_f64(float.next_down()).unwrap(),
        "+1" => (number.as_i64().unwrap() + 1).into(),
        "-1" => (number.as_i64().unwrap() - 1).into(),
        other => panic!("{other}"),
    }
}
