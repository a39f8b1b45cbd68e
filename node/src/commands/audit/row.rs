//! A row typed as a JSON object.

use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value};
use snake::{Feature, FeatureKind, Model, RowBatch, RowBatchBuilder, number_text};
use spec::PATH_FEATURE;

use crate::exit::Usage;
use crate::model_rows::one_row;

/// Columns that a message lists.
const NAMED: usize = 20;

/// The row of `--row`: values by column. Null is missing, and so is what is not there; the target is ignored.
///
/// # Errors
/// [`Usage`] for what is no object or names no column, a column that the model doesn't have, or a value that is not of its column's kind.
pub(super) fn of_json(model: &Model, text: &str) -> Result<RowBatch> {
    let object: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
        Usage(format!("--row: is no JSON object of values by column, such as '{}': {error}", example(model)))
    })?;
    let (mut header, mut cells) = (Vec::new(), Vec::new());
    let mut named = false;
    for (name, value) in object {
        if name == model.head.target {
            continue;
        }
        let Some(feature) = model.head.features.iter().find(|feature| feature.name == name) else {
            return Err(
                Usage(format!("--row: the model has no column {name:?}; it has {}", names(model))).into()
            );
        };
        named |= name != PATH_FEATURE;
        if let Some(cell) = cell(feature, &value)? {
            header.push(name);
            cells.push(cell);
        }
    }
    if !named {
        return Err(
            Usage(format!("--row: names none of the model's columns; it has {}", names(model))).into()
        );
    }
    if header.iter().all(|name| name == PATH_FEATURE) {
        // Nothing but nulls, so no router can say where it belongs.
        let path = cells.first().map_or(snake::Value::Missing, |path| snake::Value::Text(path));
        let is_path = |feature: &Feature| feature.name == PATH_FEATURE;
        let mut builder = RowBatchBuilder::new(&model.head.features);
        let values = model
            .head
            .features
            .iter()
            .map(|feature| if is_path(feature) { path } else { snake::Value::Missing });
        builder.push(&values.collect::<Vec<_>>())?;
        return Ok(builder.take());
    }
    one_row(model, &header, cells, Path::new("--row"))
}

/// The value as the cell of a table.
fn cell(feature: &Feature, value: &Value) -> Result<Option<String>> {
    let cell = match (feature.kind, value) {
        (_, Value::Null) => return Ok(None),
        (FeatureKind::Number, Value::Bool(flag)) => Some(u8::from(*flag).to_string()),
        (FeatureKind::Text, Value::Bool(flag)) => Some(if *flag { "True" } else { "False" }.to_owned()),
        (FeatureKind::Text, Value::String(text)) => Some(text.clone()),
        (FeatureKind::Text, Value::Number(number)) => Some(match number.as_f64() {
            Some(float) if number.is_f64() => number_text(float),
            _ => number.to_string(),
        }),
        (FeatureKind::Number, Value::String(text)) => {
            Some(text.trim().to_owned()).filter(|text| is_number(text))
        }
        (FeatureKind::Number, Value::Number(number)) => {
            Some(number.to_string()).filter(|text| is_number(text))
        }
        (_, Value::Array(_) | Value::Object(_)) => None,
    };
    match cell {
        Some(cell) => Ok(Some(cell)),
        None => {
            let kind = if feature.kind == FeatureKind::Number { "a number" } else { "a text" };
            Err(Usage(format!(
                "--row: column {:?} is {kind}, and {value} is none (null: missing)",
                feature.name
            ))
            .into())
        }
    }
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite)
}

fn names(model: &Model) -> String {
    let features = &model.head.features;
    let mut names: Vec<&str> = features.iter().take(NAMED).map(|feature| feature.name.as_str()).collect();
    let more = format!("{} more", features.len().saturating_sub(NAMED));
    if features.len() > NAMED {
        names.push(&more);
    }
    names.join(", ")
}

fn example(model: &Model) -> Value {
    let values = model.head.features.iter().take(2).map(|feature| {
        let value = if feature.kind == FeatureKind::Number { Value::from(1.5) } else { Value::from("abc") };
        (feature.name.clone(), value)
    });
    Value::Object(values.collect())
}
