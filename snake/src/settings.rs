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

/// Candidates per literal for every clause that a member has at least, and the most clauses that are asked for this
/// way: a model's size is bounded whatever the lookahead.
const LOOKAHEAD_PER_ROUND: u32 = 5;
const MOST_ROUNDS: u32 = 5;

/// A setting that can't be trained with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SettingsError {
    /// A count is 0.
    #[error("{name} is 0: it must be at least 1")]
    Zero {
        /// The setting.
        name: &'static str,
    },
    /// The noise is negative, above 100 or not a number.
    #[error("noise is {0}: it must be from 0 to 100")]
    Noise(f64),
    /// The shard was prepared for another profile than the settings name.
    #[error("the shard was prepared for the profile {prepared}, the settings say {settings}")]
    Profile {
        /// The one it was prepared for.
        prepared: Profile,
        /// The one in the settings.
        settings: Profile,
    },
}

impl Training {
    /// The defaults of a run.
    #[must_use]
    pub fn new(profile: Profile, seed: u64) -> Self {
        Self { layers: 5, bucket: 250, slice: 50_000, noise: 1.0, profile, lookahead: 15, seed }
    }

    /// How often clauses are built for every member of a bucket of several classes, at least: a fifth of the lookahead, 1
    /// to 5 times. It grows with the lookahead, the one setting that says how much work a vote is worth: so a quick
    /// training stays quick.
    #[must_use]
    pub fn rounds(&self) -> u32 {
        (self.lookahead / LOOKAHEAD_PER_ROUND).clamp(1, MOST_ROUNDS)
    }

    /// How often a clause votes that reaches all members of its class, and one that reaches a part of them in proportion. It
    /// grows with the lookahead too: each vote takes room in the model.
    #[must_use]
    pub fn most_votes(&self) -> u32 {
        2 * self.rounds() - 1
    }

    /// Whether every setting is in its range.
    ///
    /// # Errors
    /// [`SettingsError`] names the first one that is not.
    pub fn check(&self) -> Result<(), SettingsError> {
        for (name, value) in [
            ("layers", self.layers),
            ("bucket", self.bucket),
            ("slice", self.slice),
            ("lookahead", self.lookahead),
        ] {
            if value == 0 {
                return Err(SettingsError::Zero { name });
            }
        }
        if (0.0..=100.0).contains(&self.noise) { Ok(()) } else { Err(SettingsError::Noise(self.noise)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_a_range() {
        let good = Training::new(Profile::Balanced, 1);
        assert_eq!(good.check(), Ok(()));
        for noise in [-0.1, 100.1, f64::NAN, f64::INFINITY] {
            assert!(matches!(Training { noise, ..good.clone() }.check(), Err(SettingsError::Noise(_))));
        }
        for (bad, name) in [
            (Training { layers: 0, ..good.clone() }, "layers"),
            (Training { bucket: 0, ..good.clone() }, "bucket"),
            (Training { slice: 0, ..good.clone() }, "slice"),
            (Training { lookahead: 0, ..good.clone() }, "lookahead"),
        ] {
            assert_eq!(bad.check(), Err(SettingsError::Zero { name }));
        }
    }
}
