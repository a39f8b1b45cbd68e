//! `inspect`: what is in a model.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};
use snake::{FeatureKind, Literal, Model, Origin};

use crate::cli::InspectArgs;
use crate::commands::predict::class_text;
use crate::model_rows::read_model;
use crate::outln;

pub(crate) fn run(args: &InspectArgs) -> Result<()> {
    let model = read_model(&args.model)?;
    let facts = facts(&model);
    if args.json {
        outln!("{facts}")?;
    } else {
        print(&facts)?;
    }
    Ok(())
}

fn facts(model: &Model) -> Value {
    let layers: Vec<Value> = model
        .layers
        .iter()
        .map(|layer| {
            let core = |origins: &[Origin]| origins.iter().filter(|origin| **origin == Origin::Core).count();
            let members: usize = layer.iter().map(|bucket| bucket.members.len()).sum();
            let noise = members - layer.iter().map(|bucket| core(&bucket.origins)).sum::<usize>();
            let clauses: usize = layer.iter().map(|bucket| bucket.clauses.len()).sum();
            json!({ "buckets": layer.len(), "members": members, "noise": noise, "clauses": clauses })
        })
        .collect();
    let features: Vec<Value> = model
        .head
        .features
        .iter()
        .map(|feature| {
            let kind = if feature.kind == FeatureKind::Number { "number" } else { "text" };
            json!({ "name": feature.name, "kind": kind })
        })
        .collect();
    let classes = model.classes();
    let named = if classes.len() <= 50 {
        json!(classes.iter().map(class_text).collect::<Vec<_>>())
    } else {
        Value::Null
    };
    json!({
        "version": model.head.version,
        "target": model.head.target,
        "target_kind": model.head.target_kind,
        "classes": classes.len(),
        "class_names": named,
        "rows": model.targets.len(),
        "stripped": model.head.stripped,
        "config": model.head.config,
        "features": features,
        "layers": layers,
        "literals": kinds(model),
        "spec": model.head.opendipaco.as_ref().and_then(|ours| ours.get("spec")),
    })
}

/// How often each kind of literal stands in conditions and clauses.
fn kinds(model: &Model) -> BTreeMap<String, u64> {
    let mut kinds = BTreeMap::new();
    let buckets = model.layers.iter().flatten();
    for bucket in buckets {
        let conditions = bucket.condition.iter().flatten();
        for literal in conditions.chain(bucket.clauses.iter().flatten()) {
            *kinds.entry(kind(literal)).or_default() += 1;
        }
    }
    kinds
}

fn kind(literal: &Literal) -> String {
    let array = serde_json::to_value(literal).unwrap_or_default();
    array.get(3).and_then(Value::as_str).unwrap_or("?").to_owned()
}

fn print(facts: &Value) -> Result<()> {
    let text = |key: &str| facts.get(key).map(plain).unwrap_or_default();
    outln!("format      {}", text("version"))?;
    outln!("target      {} ({}), {} classes", text("target"), text("target_kind"), text("classes"))?;
    outln!("rows        {}", text("rows"))?;
    let features = facts.get("features").and_then(Value::as_array).cloned().unwrap_or_default();
    let names: Vec<String> = features
        .iter()
        .map(|feature| {
            let get = |key: &str| feature.get(key).map(plain).unwrap_or_default();
            format!("{} ({})", get("name"), get("kind"))
        })
        .collect();
    outln!("features    {}", names.join(", "))?;
    for (i, layer) in facts.get("layers").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let get = |key: &str| layer.get(key).map(plain).unwrap_or_default();
        outln!(
            "layer {i:<5} {} buckets, {} members ({} noise), {} clauses",
            get("buckets"),
            get("members"),
            get("noise"),
            get("clauses")
        )?;
    }
    let kinds = facts.get("literals").and_then(Value::as_object).cloned().unwrap_or_default();
    let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    outln!("literals    {}", kinds.join(", "))?;
    outln!("settings    {}", text("config"))?;
    if facts.get("spec").is_some_and(|spec| !spec.is_null()) {
        outln!("spec        {}", text("spec"))?;
    }
    Ok(())
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spec_is_shown() {
        let file = br#"{"header": ["y", "x"], "target": "y", "datatypes": ["B", "N"], "targets": [0, 1],
            "layers": [], "opendipaco": {"format": 1, "spec": "abc"}}"#;
        let model = Model::read_without_rows(file).unwrap();
        assert_eq!(facts(&model)["spec"], "abc");
    }
}
