//! The published form of a router: its settings and its whole fit.

use serde::{Deserialize, Serialize};

use crate::run::KMeansSettings;

/// How rows are routed, with everything the decision depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Routing {
    /// Path = ordinal modulo `paths`.
    RoundRobin {
        /// How many paths.
        paths: u32,
    },
    /// The nearest centroid.
    Kmeans(KMeansFit),
    /// A kind that this version does not know. Only ever read: [`DataSpec::check`](crate::DataSpec::check) refuses it.
    #[serde(other)]
    Unknown,
}

impl Routing {
    /// How many paths there are.
    #[must_use]
    pub fn paths(&self) -> u32 {
        match self {
            Self::RoundRobin { paths } => *paths,
            Self::Kmeans(fit) => fit.settings.paths,
            Self::Unknown => 0,
        }
    }
}

/// A fitted k-means router.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KMeansFit {
    /// What was asked for.
    pub settings: KMeansSettings,
    /// The featurizer's kind; another one needs a newer version.
    pub featurizer: String,
    /// How many rows the fit saw.
    pub rows: u64,
    /// Per feature, mean and deviation over the sample; both 0.0 on text columns.
    pub statistics: Vec<ColumnStatistic>,
    /// Per path, its centroid: `dimensions` whole numbers.
    pub centroids: Vec<Vec<i64>>,
}

/// Mean and deviation of a number column over the sample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnStatistic {
    /// The mean.
    pub mean: f64,
    /// The deviation (population); 0.0: the column says nothing.
    pub deviation: f64,
}
