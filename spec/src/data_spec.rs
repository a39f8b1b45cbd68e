//! The recipe of every shard of a run, as it is published, and its fingerprint.

use serde::{Deserialize, Serialize};
use snake::{Schema, Training};

use crate::routing::Routing;

/// Everything that the shards and the model depend on. No name, place, mirror, key or date is in here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// Columns, kinds and classes, over the whole source.
    pub schema: Schema,
    /// The share of rows never trained on, 0 up to but not including 1.
    pub holdout: f64,
    /// How rows are routed, with the whole fit.
    pub routing: Routing,
    /// How to train.
    pub training: Training,
    /// Per path, what its shard must be.
    pub shards: Vec<Shard>,
}

/// What a path's shard must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// How many rows, after holdout and duplicates.
    pub rows: u64,
    /// BLAKE3 over its canonical rows.
    pub hash: ShardHash,
}

/// BLAKE3 over a shard's canonical rows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardHash([u8; 32]);
