//! The explanation of a prediction, as data: how each layer's chain sent the row to its bucket, and which training rows
//! voted because they share which facts with it.
//!
//! ```
//! use snake::{Audit, Model, Predictor, RowBatchBuilder, Value};
//!
//! let file = br#"{"header": ["colour", "size"], "target": "colour", "datatypes": ["T", "N"],
//!     "population": [{"colour": "red", "size": 1.0}, {"colour": "blue", "size": 5.0}],
//!     "targets": ["red", "blue"],
//!     "layers": [[{"condition": null, "members": [0, 1],
//!         "clauses": [[[1, 5.0, true, "N"]], [[1, 5.0, false, "N"]]],
//!         "lookalikes": {"0": [[0]], "1": [[1]]}}]]}"#;
//! let model = Model::read(file)?;
//! let mut rows = RowBatchBuilder::new(&model.head.features);
//! rows.push(&[Value::Number(2.0)])?;
//! let rows = rows.take();
//! let predictions = Predictor::new(&model)?.predict_with_lookalikes(&rows);
//! let audit = Audit::new(&model, &rows, 0, &predictions[0]);
//! let vote = &audit.layers[0].votes[0];
//! assert_eq!(vote.row, 0);
//! let rule = &audit.layers[0].rules[vote.rule as usize];
//! assert_eq!(rule.facts[0].formula(&model.head), "size < 5");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeMap;

use crate::batch::RowBatch;
use crate::bucket::{Bucket, Origin};
use crate::literal::Literal;
use crate::model::{Head, Model};
use crate::predict::{Lookalike, Prediction};
use crate::readable::{and_parts, column_text};
use crate::value::Value;

/// Something that is true of the audited row.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// The literal holds.
    Holds(Literal),
    /// The row has no value in the literal's column, so neither the literal nor its opposite holds.
    Missing(Literal),
    /// Neither holds although the value is there: an unknown kind, or one that says nothing of such a value.
    Never(Literal),
}

/// Why a bucket of the chain did not take the row, or did.
#[derive(Debug, Clone, PartialEq)]
pub enum RoutingStep {
    /// The bucket's condition failed: the opposite of its first literal that does not hold.
    Skipped {
        /// The bucket's place in the layer.
        bucket: u32,
        /// What made the condition fail.
        because: Fact,
    },
    /// The bucket's condition holds: its literals, none for ELSE.
    Matched {
        /// The bucket's place in the layer.
        bucket: u32,
        /// The condition.
        condition: Vec<Literal>,
    },
    /// No condition holds, so the layer's last bucket takes the row.
    FellThrough {
        /// The bucket's place in the layer.
        bucket: u32,
    },
}

/// An AND that the audited row shares with the training rows that vote under it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The clauses of the bucket that are false on both.
    pub clauses: Vec<u32>,
    /// What that says of the audited row: the opposites of the clauses' literals, each once. Of a training row that has
    /// a value where the audited row has one, the same literals hold. Without clauses there are none: the bucket's
    /// condition alone makes them alike.
    pub facts: Vec<Fact>,
}

/// A vote: a training row that the audited row looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditVote {
    /// The training row: its position in the population.
    pub row: u32,
    /// The place of the rule in [`LayerAudit::rules`].
    pub rule: u32,
    /// How the training row came into the bucket.
    pub origin: Origin,
}

/// What one layer says of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerAudit {
    /// The layer.
    pub layer: u32,
    /// The place of the bucket that took the row.
    pub bucket: u32,
    /// The way there: the buckets skipped, then the one that took the row.
    pub routing: Vec<RoutingStep>,
    /// The distinct rules that votes were cast under, in the order of their first vote.
    pub rules: Vec<Rule>,
    /// The votes in vote order.
    pub votes: Vec<AuditVote>,
}

/// Why a row is predicted as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Audit {
    /// The layers that have buckets, in order.
    pub layers: Vec<LayerAudit>,
}

impl Fact {
    /// What a literal's failing says of a value of its column.
    fn of_failing(literal: &Literal, value: Value<'_>) -> Self {
        let opposite = literal.opposite();
        if value == Value::Missing {
            Self::Missing(opposite)
        } else if opposite.holds(value) {
            Self::Holds(opposite)
        } else {
            Self::Never(opposite)
        }
    }

    /// The literal that the fact is about: of a failed literal its opposite.
    #[must_use]
    pub fn literal(&self) -> &Literal {
        match self {
            Self::Holds(literal) | Self::Missing(literal) | Self::Never(literal) => literal,
        }
    }

    /// The fact as a formula: `age >= 44.5`, `missing(age)`, `never(..)`.
    #[must_use]
    pub fn formula(&self, head: &Head) -> String {
        match self {
            Self::Holds(literal) => literal.formula(head),
            Self::Missing(literal) => missing(literal, head),
            Self::Never(literal) => {
                let formula = literal.formula(head);
                if formula.starts_with("never(") { formula } else { format!("never({formula})") }
            }
        }
    }

    /// Several facts as one short formula; see [`and_formula`](crate::and_formula).
    #[must_use]
    pub fn all_formula(facts: &[Self], head: &Head) -> String {
        let parts = Self::all_parts(facts, head);
        if parts.is_empty() { "true".into() } else { parts.join(" and ") }
    }

    /// The parts of [`all_formula`](Self::all_formula): what holds, then what can't be tested.
    #[must_use]
    pub fn all_parts(facts: &[Self], head: &Head) -> Vec<String> {
        let holding: Vec<Literal> = facts
            .iter()
            .filter_map(|fact| match fact {
                Self::Holds(literal) => Some(literal.clone()),
                _ => None,
            })
            .collect();
        let mut parts = and_parts(&holding, head);
        for fact in facts.iter().filter(|fact| !matches!(fact, Self::Holds(_))) {
            let part = fact.formula(head);
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        parts
    }
}

fn missing(literal: &Literal, head: &Head) -> String {
    let name = match (literal.column as usize).checked_sub(1) {
        Some(place) => head.features.get(place).map(|feature| feature.name.as_str()),
        None => Some(head.target.as_str()),
    };
    format!("missing({})", name.map_or_else(|| format!("column {}", literal.column), column_text))
}

impl Audit {
    /// Explains the prediction of a row of a batch. `prediction` is that of
    /// [`Predictor::predict_with_lookalikes`](crate::Predictor::predict_with_lookalikes) for this row by this model;
    /// one that names no lookalikes has no votes here.
    #[must_use]
    pub fn new(model: &Model, rows: &RowBatch, row: usize, prediction: &Prediction) -> Self {
        let lookalikes = prediction.lookalikes.as_deref().unwrap_or_default();
        let layers = (0_u32..).zip(&model.layers).filter_map(|(number, layer)| {
            let routing = route(layer, rows, row);
            let bucket = routing.last()?.bucket();
            // Votes come by layers in order.
            let first = lookalikes.partition_point(|vote| vote.layer < number);
            let last = lookalikes.partition_point(|vote| vote.layer <= number);
            let votes = lookalikes.get(first..last).unwrap_or_default();
            let (rules, votes) = rules(layer.get(bucket as usize)?, votes, rows, row);
            Some(LayerAudit { layer: number, bucket, routing, rules, votes })
        });
        Self { layers: layers.collect() }
    }

    /// All votes, in vote order, each with its layer.
    pub fn votes(&self) -> impl Iterator<Item = (&LayerAudit, &AuditVote)> {
        self.layers.iter().flat_map(|layer| layer.votes.iter().map(move |vote| (layer, vote)))
    }
}

impl RoutingStep {
    /// The bucket that the step is about.
    #[must_use]
    pub fn bucket(&self) -> u32 {
        match self {
            Self::Skipped { bucket, .. } | Self::Matched { bucket, .. } | Self::FellThrough { bucket } => {
                *bucket
            }
        }
    }
}

impl LayerAudit {
    /// The routing AND as facts about the row: the opposite of a literal of every skipped bucket, then the condition of
    /// the one that took the row.
    #[must_use]
    pub fn routing_facts(&self) -> Vec<Fact> {
        let mut facts = Vec::new();
        for step in &self.routing {
            match step {
                RoutingStep::Skipped { because, .. } => facts.push(because.clone()),
                RoutingStep::Matched { condition, .. } => {
                    facts.extend(condition.iter().cloned().map(Fact::Holds));
                }
                RoutingStep::FellThrough { .. } => {}
            }
        }
        facts
    }
}

/// A row's value in a literal's column.
fn value<'r>(literal: &Literal, rows: &'r RowBatch, row: usize) -> Value<'r> {
    match (literal.column as usize).checked_sub(1) {
        Some(feature) => rows.value(feature, row),
        // The target, which rows to predict don't have.
        None => Value::Missing,
    }
}

/// The way of a row down a chain; no steps where there are no buckets.
fn route(layer: &[Bucket<u32>], rows: &RowBatch, row: usize) -> Vec<RoutingStep> {
    let mut steps = Vec::new();
    for (bucket, link) in (0_u32..).zip(layer) {
        let condition = link.condition.as_deref().unwrap_or_default();
        let failing = condition.iter().find(|literal| !literal.holds(value(literal, rows, row)));
        match failing {
            None => {
                steps.push(RoutingStep::Matched { bucket, condition: condition.to_vec() });
                return steps;
            }
            Some(literal) => {
                let because = Fact::of_failing(literal, value(literal, rows, row));
                steps.push(RoutingStep::Skipped { bucket, because });
            }
        }
    }
    if let Some(RoutingStep::Skipped { bucket, .. }) = steps.last() {
        let bucket = *bucket;
        steps.push(RoutingStep::FellThrough { bucket });
    }
    steps
}

/// A layer's votes, and the distinct rules behind them.
fn rules(
    bucket: &Bucket<u32>,
    lookalikes: &[Lookalike],
    rows: &RowBatch,
    row: usize,
) -> (Vec<Rule>, Vec<AuditVote>) {
    let mut known: BTreeMap<&[u32], u32> = BTreeMap::new();
    let mut rules: Vec<Rule> = Vec::new();
    let mut votes = Vec::with_capacity(lookalikes.len());
    for vote in lookalikes {
        let rule = *known.entry(&vote.clauses).or_insert_with(|| {
            let mut facts: Vec<Fact> = Vec::new();
            for literal in vote.clauses.iter().filter_map(|c| bucket.clauses.get(*c as usize)).flatten() {
                let fact = Fact::of_failing(literal, value(literal, rows, row));
                if !facts.contains(&fact) {
                    facts.push(fact);
                }
            }
            rules.push(Rule { clauses: vote.clauses.clone(), facts });
            // As many rules as votes at most, and a bucket's clauses are counted in a u32.
            u32::try_from(rules.len() - 1).unwrap_or(u32::MAX)
        });
        votes.push(AuditVote { row: vote.row, rule, origin: vote.origin });
    }
    (rules, votes)
}
