//! Models with rows to predict, and what another reader says of each: a line of JSON a row.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use snake::{FeatureKind, Model, RowBatch, RowBatchBuilder, Value};

/// The lines, and their rows.
pub(crate) fn read(model: &Model, expected: &str) -> (Vec<Json>, RowBatch) {
    let lines: Vec<Json> = expected.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut batch = RowBatchBuilder::new(&model.head.features);
    for line in &lines {
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
    (lines, batch.take())
}

/// The shared models with their lines, by name; none, and a word of it, where they are absent.
pub(crate) fn shared_models() -> Vec<(Vec<u8>, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/models");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("the shared vectors are absent, nothing is compared");
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let expected = std::fs::read_to_string(path.with_extension("expected.jsonl")).unwrap();
        (std::fs::read(path).unwrap(), expected)
    };
    paths.iter().map(read).collect()
}
