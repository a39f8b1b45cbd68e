//! A checked run: what an operator's run file says, after parsing and before anything is read.

use serde::{Deserialize, Serialize};
use snake::Profile;

/// Where the rows are, as it is published. A location on the operator's own disk stands here as its bare file name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicSource {
    /// How records are written.
    pub format: Format,
    /// The parts, in order.
    pub locations: Vec<String>,
    /// Per part, alternatives; empty or as long as `locations`.
    pub mirrors: Vec<Vec<String>>,
    /// The target column.
    pub target: String,
    /// What the operator says the target is; `None`: inferred.
    pub target_type: Option<TargetType>,
    /// Columns left out.
    pub exclude: Vec<String>,
    /// What to do with a malformed row.
    pub on_error: OnError,
}

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// RFC 4180 with one header record.
    Csv,
    /// One JSON object a line.
    Jsonl,
    /// Apache Parquet.
    Parquet,
    /// Made up by a rule, for trials.
    Synthetic,
}

/// What the operator says the target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetType {
    /// Every distinct value is a class.
    Class,
    /// A number to be estimated.
    Number,
}

/// What to do with a malformed row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// Stop with an error that names it.
    Refuse,
    /// Count it; it still uses up its ordinal.
    Skip,
}

/// How rows are to be routed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoutingSettings {
    /// By k-means on a sample.
    KMeans(KMeansSettings),
    /// By ordinal, in turn.
    RoundRobin {
        /// How many paths.
        paths: u32,
    },
}

/// How the router is to be fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KMeansSettings {
    /// How many paths.
    pub paths: u32,
    /// How many rows the fit sees; 0 is all.
    pub sample: u64,
    /// Which rows those are.
    pub sampling: Sampling,
    /// Dimensions of the featurizer.
    pub dimensions: u32,
    /// The seed of k-means.
    pub seed: u64,
    /// The seed of the featurizer's hashes.
    pub featurizer_seed: u64,
}

/// Which rows the router is fitted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sampling {
    /// The first ones.
    Prefix,
    /// A seeded reservoir over the whole stream.
    Reservoir,
}

/// How to train, before `auto` is decided. Ranges as in [`snake::Training`].
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingSettings {
    /// Layers per path.
    pub layers: u32,
    /// Bucket size.
    pub bucket: u32,
    /// Largest slice of a leaf (τ).
    pub slice: u32,
    /// Noise rows per core member.
    pub noise: f64,
    /// The profile; `None` is `auto`.
    pub profile: Option<Profile>,
    /// Candidates per literal.
    pub lookahead: u32,
    /// The seed.
    pub seed: u64,
}

/// Everything of a run file that a run depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSettings {
    /// The run's name.
    pub name: String,
    /// Where the rows are.
    pub source: PublicSource,
    /// Share of rows never trained on.
    pub holdout: f64,
    /// How rows are routed.
    pub routing: RoutingSettings,
    /// How to train.
    pub training: TrainingSettings,
}
