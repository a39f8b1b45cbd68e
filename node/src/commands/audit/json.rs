//! An audit as a JSON object, written as it is made: there may be thousands of lookalikes a row. The shape is documented
//! in `docs/explain.md`.

use std::collections::BTreeSet;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};
use snake::{Fact, Label, LayerAudit, Literal, Model, Origin, RoutingStep, RowBatch, Rule, TargetKind};

use super::{Audited, Shown, groups};
use crate::commands::predict::class_text;

/// One row's object.
pub(super) struct RowObject<'a> {
    pub(super) model: &'a Model,
    pub(super) classes: &'a [Label],
    pub(super) shown: Shown,
    pub(super) audited: &'a Audited<'a>,
}

impl Serialize for RowObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let prediction = self.audited.prediction;
        let mode = self.classes.get(prediction.class as usize);
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("row", &self.audited.row)?;
        if self.model.head.target_kind == TargetKind::Number {
            let candle = prediction.candle.map(|c| {
                json!({ "n": c.n, "low": c.low, "q1": c.q1, "median": c.median, "q3": c.q3, "high": c.high,
                        "mean": c.mean, "std": c.std, "iqr_mean": c.iqr_mean })
            });
            object.serialize_entry("prediction", &prediction.estimate())?;
            object.serialize_entry("mode", &mode.filter(|_| prediction.total > 0))?;
            object.serialize_entry("candle", &candle)?;
        } else {
            let shares: serde_json::Map<String, Value> = (0u32..)
                .zip(self.classes)
                .map(|(class, label)| {
                    (class_text(label), json!(prediction.probability(class, self.classes.len())))
                })
                .collect();
            object.serialize_entry("prediction", &mode)?;
            object.serialize_entry("probability", &shares)?;
        }
        object.serialize_entry("votes", &prediction.total)?;
        let values = Values { model: self.model, rows: self.audited.rows, row: self.audited.place };
        object.serialize_entry("values", &values)?;
        let layers = self.audited.audit.layers.iter();
        let layers: Vec<LayerObject<'_>> =
            layers.map(|layer| LayerObject::new(self.model, layer, self.shown)).collect();
        object.serialize_entry("layers", &layers)?;
        let rows = layers.iter().flat_map(|layer| &layer.lookalikes).map(|vote| vote.row).collect();
        object.serialize_entry("training_rows", &TrainingRows { model: self.model, rows })?;
        object.end()
    }
}

/// What a layer says: the strongest rules, and of those who vote under them the first; all of them unless it was asked for
/// fewer.
struct LayerObject<'a> {
    model: &'a Model,
    layer: &'a LayerAudit,
    /// The rules, each with all votes under it.
    rules: Vec<(&'a Rule, usize)>,
    lookalikes: Vec<Lookalike>,
}

/// A training row that votes under a rule, once or several times.
#[derive(serde::Serialize)]
struct Lookalike {
    row: u32,
    rule: usize,
    origin: &'static str,
    votes: usize,
}

/// What was seen of a rule.
#[derive(Default, Clone)]
struct Counted {
    votes: usize,
    /// Training rows, the last one, and its place in the list where it is listed.
    rows: usize,
    last: Option<(u32, Origin)>,
    place: Option<usize>,
}

impl<'a> LayerObject<'a> {
    fn new(model: &'a Model, layer: &'a LayerAudit, shown: Shown) -> Self {
        let mut kept: Vec<usize> =
            groups(layer, model).iter().take(shown.rules).map(|group| group.rule).collect();
        kept.sort_unstable();
        kept.dedup();
        let mut counted = vec![Counted::default(); layer.rules.len()];
        let mut lookalikes: Vec<Lookalike> = Vec::new();
        for vote in &layer.votes {
            let Some(of_rule) = counted.get_mut(vote.rule as usize) else { continue };
            of_rule.votes += 1;
            // A training row's votes come one after another.
            if of_rule.last == Some((vote.row, vote.origin)) {
                if let Some(listed) = of_rule.place.and_then(|place| lookalikes.get_mut(place)) {
                    listed.votes += 1;
                }
                continue;
            }
            of_rule.last = Some((vote.row, vote.origin));
            of_rule.rows += 1;
            of_rule.place = None;
            let Ok(rule) = kept.binary_search(&(vote.rule as usize)) else { continue };
            if of_rule.rows <= shown.lookalikes {
                of_rule.place = Some(lookalikes.len());
                let origin = if vote.origin == Origin::Core { "c" } else { "n" };
                lookalikes.push(Lookalike { row: vote.row, rule, origin, votes: 1 });
            }
        }
        let rule = |place: &usize| Some((layer.rules.get(*place)?, counted.get(*place)?.votes));
        Self { model, layer, rules: kept.iter().filter_map(rule).collect(), lookalikes }
    }
}

impl Serialize for LayerObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let model = self.model;
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("layer", &self.layer.layer)?;
        object.serialize_entry("bucket", &self.layer.bucket)?;
        object.serialize_entry("votes", &self.layer.votes.len())?;
        object.serialize_entry(
            "routing",
            &List(|| self.layer.routing.iter().map(|step| Step { model, step })),
        )?;
        let rules = || self.rules.iter().map(|(rule, votes)| RuleObject { model, rule, votes: *votes });
        object.serialize_entry("rules", &List(rules))?;
        object.serialize_entry("lookalikes", &self.lookalikes)?;
        object.end()
    }
}

/// A list whose items are made as they are written.
struct List<F>(F);

impl<F: Fn() -> I, I: Iterator<Item: Serialize>> Serialize for List<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

struct RuleObject<'a> {
    model: &'a Model,
    rule: &'a Rule,
    votes: usize,
}

impl Serialize for RuleObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("clauses", &self.rule.clauses)?;
        object.serialize_entry("votes", &self.votes)?;
        object.serialize_entry("formula", &Fact::all_formula(&self.rule.facts, &self.model.head))?;
        object.serialize_entry(
            "facts",
            &List(|| self.rule.facts.iter().map(|fact| FactObject::new(self.model, fact))),
        )?;
        object.end()
    }
}

struct Step<'a> {
    model: &'a Model,
    step: &'a RoutingStep,
}

impl Serialize for Step<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("bucket", &self.step.bucket())?;
        match self.step {
            RoutingStep::Skipped { because, .. } => {
                object.serialize_entry("step", "skipped")?;
                object.serialize_entry("because", &FactObject::new(self.model, because))?;
            }
            RoutingStep::Matched { condition, .. } => {
                object.serialize_entry("step", "matched")?;
                let facts = || condition.iter().map(|literal| FactObject::holds(self.model, literal));
                object.serialize_entry("condition", &List(facts))?;
            }
            RoutingStep::FellThrough { .. } => object.serialize_entry("step", "fell_through")?,
        }
        object.end()
    }
}

#[derive(serde::Serialize)]
struct FactObject<'a> {
    is: &'static str,
    formula: String,
    literal: &'a Literal,
}

impl<'a> FactObject<'a> {
    fn new(model: &Model, fact: &'a Fact) -> Self {
        let is = match fact {
            Fact::Holds(literal) => return Self::holds(model, literal),
            Fact::Missing(_) => "missing",
            Fact::Never(_) => "never",
        };
        Self { is, formula: fact.formula(&model.head), literal: fact.literal() }
    }

    fn holds(model: &Model, literal: &'a Literal) -> Self {
        Self { is: "holds", formula: literal.formula(&model.head), literal }
    }
}

/// A row's values by column; null is missing.
struct Values<'a> {
    model: &'a Model,
    rows: &'a RowBatch,
    row: usize,
}

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let features = self.model.head.features.iter().enumerate();
        serializer.collect_map(
            features.map(|(place, feature)| (&feature.name, Cell(self.rows.value(place, self.row)))),
        )
    }
}

struct Cell<'a>(snake::Value<'a>);

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            snake::Value::Missing => serializer.serialize_unit(),
            snake::Value::Number(x) => serializer.serialize_f64(x),
            snake::Value::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// The training rows named, by position as text.
struct TrainingRows<'a> {
    model: &'a Model,
    rows: BTreeSet<u32>,
}

impl Serialize for TrainingRows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.rows.iter().map(|row| (row, TrainingRow { model: self.model, row: *row as usize })),
        )
    }
}

struct TrainingRow<'a> {
    model: &'a Model,
    row: usize,
}

impl Serialize for TrainingRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("target", &self.model.targets.get(self.row))?;
        if self.model.population.rows() > 0 {
            let values = Values { model: self.model, rows: &self.model.population, row: self.row };
            object.serialize_entry("values", &values)?;
        }
        object.end()
    }
}
