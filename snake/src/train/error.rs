//! Why a unit could not be trained.

use crate::settings::SettingsError;

/// Why a unit could not be trained.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TrainError {
    /// Its cancel flag was set.
    #[error("the training was cancelled")]
    Cancelled,
    /// The shard has no rows.
    #[error("the shard has no rows: there is nothing to train on")]
    Empty,
    /// The settings can't be trained with.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Two rows have the same features and different targets, so no literal tells them apart.
    #[error(
        "rows {first} and {second} have the same features and different targets: remove duplicates from the shard \
         before training"
    )]
    Conflict {
        /// The ordinal of one row.
        first: u64,
        /// The ordinal of the other, the higher one.
        second: u64,
    },
}
