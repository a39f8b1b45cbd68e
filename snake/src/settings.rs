//! How to train, as a run's spec pins it.

use serde::{Deserialize, Serialize};

use crate::profile::Profile;

/// The learner's settings. All of them are part of a spec's fingerprint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// How many layers each path trains (at least 1).
    pub layers: u32,
    /// A chain stops splitting at twice this many rows (at least 1).
    pub bucket: u32,
    /// A slice of at most this many rows goes to a leaf (τ, at least 1).
    pub slice: u32,
    /// Contract-keeping noise rows per core member (0 to 100).
    pub noise: f64,
    /// Which families of literals are tried, and how often. Never `auto` here: it was decided at publishing.
    pub profile: Profile,
    /// Candidates per literal of a clause (at least 1).
    pub lookahead: u32,
    /// The seed of all random numbers of the training.
    pub seed: u64,
}
