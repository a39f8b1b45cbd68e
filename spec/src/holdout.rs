//! Which rows are never trained on, and how to stream them.
//!
//! A row is held out when the first 8 bytes (little-endian) of BLAKE3, keyed by training.seed, of its ordinal (u64,
//! little-endian) are below holdout x 2^64, rounded down. So the choice needs no other row, and a row keeps it when the
//! share grows.

use crate::data_spec::DataSpec;
use crate::error::MaterialiseError;
use crate::routed::{RoutedRow, for_each_routed};
use crate::run::PublicSource;
use crate::source::RecordSource;

const PURPOSE: &str = "opendipaco 2026 spec holdout";

/// Says of ordinals whether their rows are held out.
#[derive(Debug, Clone)]
pub struct Holdout {
    key: [u8; 32],
    below: u64,
}

impl Holdout {
    /// `share` is from 0 up to but not including 1.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    #[must_use]
    pub fn new(share: f64, training_seed: u64) -> Self {
        // Times a power of two: exact.
        let below = (share * 18_446_744_073_709_551_616.0) as u64;
        Self { key: blake3::derive_key(PURPOSE, &training_seed.to_le_bytes()), below }
    }

    /// Whether the row of this ordinal is held out.
    #[must_use]
    pub fn holds_out(&self, ordinal: u64) -> bool {
        if self.below == 0 {
            return false;
        }
        let hash = blake3::keyed_hash(&self.key, &ordinal.to_le_bytes());
        let first =
            hash.as_bytes().iter().take(8).rev().fold(0u64, |word, byte| (word << 8) | u64::from(*byte));
        first < self.below
    }
}

/// Streams the rows that are held out, by ascending ordinal, duplicates included.
///
/// # Errors
/// [`MaterialiseError`] when the source can't be read or doesn't fit the spec, or what `visit` returns.
pub fn for_each_held_out<E: From<MaterialiseError>>(
    spec: &DataSpec,
    description: &PublicSource,
    source: &dyn RecordSource,
    visit: &mut dyn FnMut(RoutedRow<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let holdout = Holdout::new(spec.holdout, spec.training.seed);
    for_each_routed(spec, description, source, &mut |row| match holdout.holds_out(row.ordinal) {
        true => visit(row),
        false => Ok(()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_is_pinned_and_grows_with_the_share() {
        let fifth = Holdout::new(0.2, 3);
        let held: Vec<u64> = (0..40).filter(|ordinal| fifth.holds_out(*ordinal)).collect();
        assert_eq!(held, [0, 4, 23, 31]);
        let half = Holdout::new(0.5, 3);
        assert!((0..1_000).all(|ordinal| !fifth.holds_out(ordinal) || half.holds_out(ordinal)));
        let count = (0..10_000).filter(|ordinal| fifth.holds_out(*ordinal)).count();
        assert!((1_900..2_100).contains(&count), "{count}");
        assert!((0..100).all(|ordinal| !Holdout::new(0.0, 3).holds_out(ordinal)));
    }
}
