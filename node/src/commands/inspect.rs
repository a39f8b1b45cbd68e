//! `inspect`: what is in a model.

use anyhow::Result;
use serde_json::{Map, Value, json};
use snake::{
    FeatureKind, FeatureUse, KindUse, Label, LargeClause, LayerOverview, Model, Overview, Spread,
    column_text, quoted, short_number,
};

use crate::cli::InspectArgs;
use crate::commands::audit::plain;
use crate::commands::predict::class_text;
use crate::model_rows::read_model;
use crate::outln;

/// Class names that are listed; of more there is only the number.
const CLASSES: usize = 50;
/// Features that the text lists.
const FEATURES: usize = 20;

pub(crate) fn run(args: &InspectArgs) -> Result<()> {
    let model = read_model(&args.model)?;
    let overview = Overview::new(&model, args.rules);
    if args.json {
        outln!("{}", facts(&model, &overview))?;
        return Ok(());
    }
    print(&model, &overview)
}

/// All of it as one object; `docs/explain.md` has its shape.
fn facts(model: &Model, overview: &Overview) -> Value {
    let classes = model.classes();
    let named = (classes.len() <= CLASSES).then(|| classes.iter().map(class_text).collect::<Vec<_>>());
    let features = model.head.features.iter().zip(&overview.features).map(|(feature, used)| {
        json!({ "name": feature.name, "kind": kind_name(feature.kind), "literals": used.clauses,
                "condition_literals": used.conditions, "strength": used.strength })
    });
    let layers = overview.layers.iter().map(sizes);
    let kind = |count: fn(&KindUse) -> u64| -> Map<String, Value> {
        overview.kinds.iter().map(|(kind, used)| (kind.clone(), json!(count(used)))).collect()
    };
    let largest = overview.largest.iter().map(|clause| {
        let targets: Vec<Value> = clause
            .targets
            .iter()
            .map(|(target, members)| json!({ "target": target, "members": members }))
            .collect();
        let bucket = model.layers.get(clause.layer as usize).and_then(|layer| layer.get(clause.bucket as usize));
        json!({ "layer": clause.layer, "bucket": clause.bucket, "clause": clause.clause, "members": clause.members,
                "targets": targets, "rule": rule(clause, model),
                "condition": bucket.map(|bucket| &bucket.condition),
                "literals": bucket.and_then(|bucket| bucket.clauses.get(clause.clause as usize)) })
    });
    json!({
        "version": model.head.version,
        "target": model.head.target,
        "target_kind": model.head.target_kind,
        "classes": classes.len(),
        "class_names": named,
        "rows": model.targets.len(),
        "stripped": model.head.stripped,
        "config": model.head.config,
        "features": features.collect::<Vec<_>>(),
        "layers": layers.collect::<Vec<_>>(),
        "all_layers": sizes(&overview.whole()),
        "literals": kind(|used| used.conditions + used.clauses),
        "literals_in_clauses": kind(|used| used.clauses),
        "largest_clauses": largest.collect::<Vec<_>>(),
        "spec": spec(model),
    })
}

fn spec(model: &Model) -> Option<&Value> {
    model.head.opendipaco.as_ref().and_then(|ours| ours.get("spec"))
}

fn kind_name(kind: FeatureKind) -> &'static str {
    if kind == FeatureKind::Number { "number" } else { "text" }
}

fn sizes(layer: &LayerOverview) -> Value {
    let spread = |sizes: &Spread| {
        sizes.min_median_max().map(|(min, median, max)| json!({ "min": min, "median": median, "max": max }))
    };
    json!({ "buckets": layer.members.count(), "members": layer.core + layer.noise, "core": layer.core,
            "noise": layer.noise, "clauses": layer.clauses.total(), "votes": layer.votes,
            "members_per_bucket": spread(&layer.members), "clauses_per_bucket": spread(&layer.clauses),
            "literals_per_clause": spread(&layer.literals),
            "literals_per_condition": spread(&layer.condition) })
}

/// A clause as `IF .. THEN ..`.
fn rule(clause: &LargeClause, model: &Model) -> String {
    let parts = clause.parts(model);
    let condition = if parts.is_empty() { "true".to_owned() } else { parts.join(" and ") };
    format!("IF {condition} THEN {} = {}", column_text(&model.head.target), consequence(&clause.targets))
}

/// The target that a clause's members have, or those that they have.
fn consequence(targets: &[(Label, u64)]) -> String {
    let text = |label: &Label| match label {
        Label::Text(text) => quoted(text),
        Label::Number(number) => short_number(*number),
        other => plain(&class_text(other)),
    };
    match targets {
        [] => "nothing".to_owned(),
        [(target, _)] => text(target),
        [(Label::Number(low), _), .., (Label::Number(high), _)] => {
            format!("{} to {}", short_number(*low), short_number(*high))
        }
        several => {
            let shown: Vec<String> = several
                .iter()
                .take(5)
                .map(|(target, members)| format!("{} ({members})", text(target)))
                .collect();
            format!("{}{}", shown.join(" or "), if several.len() > 5 { " or .." } else { "" })
        }
    }
}

fn print(model: &Model, overview: &Overview) -> Result<()> {
    let head = &model.head;
    let classes = model.classes();
    let named = match classes.len() {
        0..=10 => format!(
            ": {}",
            classes.iter().map(|class| plain(&class_text(class))).collect::<Vec<_>>().join(", ")
        ),
        _ => String::new(),
    };
    let kind = serde_json::to_value(head.target_kind)?;
    let kind = kind.as_str().unwrap_or_default();
    outln!("format      {}", plain(&head.version))?;
    outln!("target      {} ({kind}), {} classes{named}", column_text(&head.target), classes.len())?;
    outln!("rows        {}{}", model.targets.len(), if head.stripped { ", not in the file" } else { "" })?;
    let texts = head.features.iter().filter(|feature| feature.kind == FeatureKind::Text).count();
    outln!("features    {}: {} number, {texts} text", head.features.len(), head.features.len() - texts)?;
    for (number, layer) in overview.layers.iter().enumerate() {
        outln!("layer {number:<5} {}", layer_text(layer))?;
    }
    outln!("all layers  {}", layer_text(&overview.whole()))?;
    let kinds = overview
        .kinds
        .iter()
        .map(|(kind, used)| format!("{} {}", plain(kind), used.conditions + used.clauses));
    outln!("literals    {}", kinds.collect::<Vec<_>>().join(", "))?;
    outln!("settings    {}", plain(&head.config.to_string()))?;
    if let Some(spec) = spec(model) {
        outln!("spec        {}", plain(&spec.as_str().map_or_else(|| spec.to_string(), str::to_owned)))?;
    }

    outln!("\n{:<26} {:>8} {:>8} {:>8}", "sizes", "least", "median", "most")?;
    let whole = overview.whole();
    for (name, spread) in [
        ("members per bucket", &whole.members),
        ("clauses per bucket", &whole.clauses),
        ("literals per clause", &whole.literals),
        ("literals per condition", &whole.condition),
    ] {
        if let Some((least, median, most)) = spread.min_median_max() {
            outln!("{name:<26} {least:>8} {median:>8} {most:>8}")?;
        }
    }
    print_features(model, &overview.features)?;
    if !overview.largest.is_empty() {
        outln!("\nlargest clauses (members that list it: rule)")?;
    }
    for clause in &overview.largest {
        let (layer, bucket) = (clause.layer, clause.bucket);
        outln!("{:>6}: {}   (layer {layer}, bucket {bucket})", clause.members, rule(clause, model))?;
    }
    Ok(())
}

fn layer_text(layer: &LayerOverview) -> String {
    format!(
        "{} buckets, {} members ({} noise), {} clauses, {} votes",
        layer.members.count(),
        layer.core + layer.noise,
        layer.noise,
        layer.clauses.total(),
        layer.votes
    )
}

/// The strongest features, with their share of all features' strength.
#[allow(clippy::cast_precision_loss)]
fn print_features(model: &Model, features: &[FeatureUse]) -> Result<()> {
    let mut strongest: Vec<(&FeatureUse, &snake::Feature)> =
        features.iter().zip(&model.head.features).collect();
    strongest.sort_by_key(|(used, _)| std::cmp::Reverse((used.strength, used.conditions)));
    let all: u64 = features.iter().map(|used| used.strength).sum();
    outln!("\n{:>8} {:>10} {:>14}  strongest features", "share", "literals", "in conditions")?;
    for (used, feature) in strongest.iter().take(FEATURES) {
        let share = 100.0 * used.strength as f64 / all.max(1) as f64;
        let (name, kind) = (column_text(&feature.name), kind_name(feature.kind));
        outln!("{share:>6.1} % {:>10} {:>14}  {name} ({kind})", used.clauses, used.conditions)?;
    }
    if strongest.len() > FEATURES {
        outln!(".. {} more", strongest.len() - FEATURES)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spec_is_shown() {
        let file = br#"{"header": ["y", "x"], "target": "y", "datatypes": ["B", "N"], "targets": [0, 1],
            "layers": [], "opendipaco": {"format": 1, "spec": "abc"}}"#;
        let model = Model::read_without_rows(file).unwrap();
        assert_eq!(facts(&model, &Overview::new(&model, 1))["spec"], "abc");
    }

    #[test]
    fn a_rule_names_what_its_members_have() {
        let text = |name: &str| Label::Text(name.into());
        assert_eq!(consequence(&[(text("a \"b\""), 3)]), r#""a \"b\"""#);
        assert_eq!(consequence(&[(Label::Integer(1), 3)]), "1");
        assert_eq!(consequence(&[(text("a"), 3), (text("b"), 1)]), r#""a" (3) or "b" (1)"#);
        assert_eq!(consequence(&[(Label::Number(1.0), 3), (Label::Number(2.5), 1)]), "1 to 2.5");
    }
}
