//! What the columns of a table are called and what they hold.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// What a feature column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FeatureKind {
    /// 64-bit floats ("N" in the file).
    #[serde(rename = "N")]
    Number,
    /// Text ("T" in the file).
    #[serde(rename = "T")]
    Text,
}

/// What the target holds, as the model format names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TargetKind {
    /// Two classes, 0 and 1.
    #[serde(rename = "B")]
    Binary,
    /// Whole numbers as classes.
    #[serde(rename = "I")]
    Integer,
    /// A number to be estimated.
    #[serde(rename = "N")]
    Number,
    /// Texts as classes.
    #[serde(rename = "T")]
    Text,
    /// Any JSON value as a class; read, never trained.
    #[serde(rename = "J")]
    Json,
}

/// One feature column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feature {
    /// The column's name.
    pub name: String,
    /// What it holds.
    pub kind: FeatureKind,
}

/// A target value as the model file writes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Label {
    /// A whole number (targets B and I).
    Integer(i64),
    /// A number (target N).
    Number(f64),
    /// A text (target T).
    Text(String),
    /// Anything else (target J): compared by its key-sorted JSON.
    Json(serde_json::Value),
}

impl Label {
    /// The order of classes: numbers by value, then texts by code point, then the rest by key-sorted JSON.
    #[must_use]
    pub fn class_order(&self, other: &Self) -> Ordering {
        match (self.number(), other.number()) {
            (Some(a), Some(b)) => return a.total_cmp(&b),
            (Some(_), None) => return Ordering::Less,
            (None, Some(_)) => return Ordering::Greater,
            (None, None) => {}
        }
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Text(_), _) => Ordering::Less,
            (_, Self::Text(_)) => Ordering::Greater,
            (a, b) => a.sorted_json().cmp(&b.sorted_json()),
        }
    }

    /// The value as a number, where it is one. Negative zero counts as zero.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            #[allow(clippy::cast_precision_loss)]
            Self::Integer(value) => Some(*value as f64),
            Self::Number(value) => Some(*value + 0.0),
            Self::Text(_) | Self::Json(_) => None,
        }
    }

    fn sorted_json(&self) -> String {
        fn sorted(value: &serde_json::Value) -> serde_json::Value {
            match value {
                serde_json::Value::Object(map) => {
                    let mut entries: Vec<_> = map.iter().collect();
                    entries.sort_by(|a, b| a.0.cmp(b.0));
                    entries.into_iter().map(|(k, v)| (k.clone(), sorted(v))).collect()
                }
                serde_json::Value::Array(items) => items.iter().map(sorted).collect(),
                other => other.clone(),
            }
        }
        match self {
            Self::Json(value) => sorted(value).to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Text(value) => serde_json::Value::from(value.as_str()).to_string(),
        }
    }
}

impl PartialEq for Label {
    fn eq(&self, other: &Self) -> bool {
        self.class_order(other) == Ordering::Equal
    }
}

/// The columns of a table: features in order, and the target.
///
/// In a model file the target is column 0 of the header and feature `i` is column `i + 1`; literals count that way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// The target column's name.
    pub target: String,
    /// What the target holds.
    pub target_kind: TargetKind,
    /// The classes in class order; empty when the target is a number to be estimated.
    pub classes: Vec<Label>,
    /// The feature columns in order.
    pub features: Vec<Feature>,
}
