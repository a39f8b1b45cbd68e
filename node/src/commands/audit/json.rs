//! An audit as a JSON object. The shape is documented in `docs/explain.md`.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Map, Value, json};
use snake::{Fact, LayerAudit, Origin, RoutingStep, RowBatch};

use super::{Audited, Printer, groups};
use crate::commands::predict::class_text;

impl<W: Write> Printer<'_, W> {
    /// One row's object.
    pub(super) fn object(&self, audited: &Audited<'_>) -> Value {
        let prediction = audited.prediction;
        let mode = self.classes.get(prediction.class as usize).map_or(Value::Null, |class| json!(class));
        let mut object = Map::new();
        object.insert("row".into(), json!(audited.row));
        if self.estimates_a_number() {
            let candle = prediction.candle.map(|c| {
                json!({ "n": c.n, "low": c.low, "q1": c.q1, "median": c.median, "q3": c.q3, "high": c.high,
                        "mean": c.mean, "std": c.std, "iqr_mean": c.iqr_mean })
            });
            object.insert("prediction".into(), json!(prediction.estimate()));
            object.insert("mode".into(), if prediction.total == 0 { Value::Null } else { mode });
            object.insert("candle".into(), json!(candle));
        } else {
            let shares: Map<String, Value> = (0u32..)
                .zip(self.classes)
                .map(|(class, label)| {
                    (class_text(label), json!(prediction.probability(class, self.classes.len())))
                })
                .collect();
            object.insert("prediction".into(), mode);
            object.insert("probability".into(), Value::Object(shares));
        }
        object.insert("votes".into(), json!(prediction.total));
        object.insert("values".into(), self.values(audited.rows, audited.place));
        let mut named = BTreeMap::new();
        let layers: Vec<Value> =
            audited.audit.layers.iter().map(|layer| self.layer_object(layer, &mut named)).collect();
        object.insert("layers".into(), json!(layers));
        let rows: Map<String, Value> =
            named.into_iter().map(|(row, value): (u32, Value)| (row.to_string(), value)).collect();
        object.insert("training_rows".into(), Value::Object(rows));
        Value::Object(object)
    }

    fn layer_object(&self, layer: &LayerAudit, named: &mut BTreeMap<u32, Value>) -> Value {
        // The strongest rules, and of their votes the first: all of them unless it was asked for fewer.
        let mut kept: Vec<usize> =
            groups(layer, self.model).iter().take(self.shown.rules).map(|group| group.rule).collect();
        kept.sort_unstable();
        kept.dedup();
        let mut counted = vec![0_usize; layer.rules.len()];
        let mut votes = Vec::new();
        for vote in &layer.votes {
            let count = counted.get_mut(vote.rule as usize).map_or(0, |count| {
                *count += 1;
                *count
            });
            let Ok(rule) = kept.binary_search(&(vote.rule as usize)) else { continue };
            if count <= self.shown.lookalikes {
                let origin = if vote.origin == Origin::Core { "c" } else { "n" };
                votes.push(json!({ "row": vote.row, "rule": rule, "origin": origin }));
                named.entry(vote.row).or_insert_with(|| self.training_row(vote.row));
            }
        }
        let rules: Vec<Value> = kept
            .iter()
            .filter_map(|place| Some((layer.rules.get(*place)?, counted.get(*place)?)))
            .map(|(rule, votes)| {
                json!({ "clauses": rule.clauses, "votes": votes,
                        "formula": Fact::all_formula(&rule.facts, &self.model.head),
                        "facts": rule.facts.iter().map(|fact| self.fact(fact)).collect::<Vec<_>>() })
            })
            .collect();
        let routing: Vec<Value> = layer.routing.iter().map(|step| self.step(step)).collect();
        json!({ "layer": layer.layer, "bucket": layer.bucket, "votes": layer.votes.len(), "routing": routing,
                "rules": rules, "lookalikes": votes })
    }

    fn step(&self, step: &RoutingStep) -> Value {
        match step {
            RoutingStep::Skipped { bucket, because } => {
                json!({ "bucket": bucket, "step": "skipped", "because": self.fact(because) })
            }
            RoutingStep::Matched { bucket, condition } => {
                let facts: Vec<Value> =
                    condition.iter().map(|literal| self.fact(&Fact::Holds(literal.clone()))).collect();
                json!({ "bucket": bucket, "step": "matched", "condition": facts })
            }
            RoutingStep::FellThrough { bucket } => json!({ "bucket": bucket, "step": "fell_through" }),
        }
    }

    fn fact(&self, fact: &Fact) -> Value {
        let is = match fact {
            Fact::Holds(_) => "holds",
            Fact::Missing(_) => "missing",
            Fact::Never(_) => "never",
        };
        json!({ "is": is, "formula": fact.formula(&self.model.head), "literal": fact.literal() })
    }

    /// A row's values by column; null is missing.
    fn values(&self, rows: &RowBatch, row: usize) -> Value {
        let features = self.model.head.features.iter().enumerate();
        let values = features.map(|(place, feature)| {
            let value = match rows.value(place, row) {
                snake::Value::Missing => Value::Null,
                snake::Value::Number(x) => json!(x),
                snake::Value::Text(text) => json!(text),
            };
            (feature.name.clone(), value)
        });
        Value::Object(values.collect())
    }

    fn training_row(&self, row: u32) -> Value {
        let mut object = Map::new();
        object.insert("target".into(), json!(self.model.targets.get(row as usize)));
        if self.model.population.rows() > 0 {
            object.insert("values".into(), self.values(&self.model.population, row as usize));
        }
        Value::Object(object)
    }
}
