//! All shards of a run against a source, in one pass: which are what was signed, and which are not.

use std::ops::ControlFlow;

use snake::Label;

use crate::data_spec::{DataSpec, Shard};
use crate::error::{MaterialiseError, RowsError};
use crate::keep::{Fate, Keeper};
use crate::rows::for_each_row;
use crate::run::PublicSource;
use crate::source::RecordSource;

/// How often progress is told.
const TELL_EVERY: u64 = 8_192;
/// A pass ends where so many more rows are kept than twice what was signed: an endless source ends too.
const SPARE_ROWS: u64 = 65_536;

/// A shard as it was signed, and as the source gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckedShard {
    /// Its path.
    pub path: u32,
    /// What was signed.
    pub signed: Shard,
    /// What the source gives.
    pub found: Shard,
}

impl CheckedShard {
    /// Whether the two are the same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.signed == self.found
    }
}

/// What a pass over a source has shown of a run's shards.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedShards {
    /// Every shard, by path.
    pub shards: Vec<CheckedShard>,
    /// Classes of the schema that no row has: no hash covers them, but they would stand in the model.
    pub absent_classes: Vec<Label>,
    /// Well-formed rows that were read.
    pub rows: u64,
    /// Malformed records that were left out.
    pub skipped: u64,
    /// Whether the source was read to its end. It is not when it gives far more rows than were signed.
    pub whole: bool,
}

impl CheckedShards {
    /// Whether everything is what was signed.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.whole && self.absent_classes.is_empty() && self.shards.iter().all(CheckedShard::is_same)
    }
}

/// Streams the source once and compares every shard's row count and hash with the signed ones; a difference is no error.
/// `progress` is told the number of rows read, now and then. Memory: about 50 bytes per kept row, to find duplicates.
///
/// # Errors
/// [`MaterialiseError`] when the spec is not usable, the source can't be read, or its columns or values don't fit the schema.
pub fn check_shards(
    spec: &DataSpec,
    description: &PublicSource,
    source: &dyn RecordSource,
    progress: &mut dyn FnMut(u64),
) -> Result<CheckedShards, MaterialiseError> {
    let mut keeper = Keeper::of_spec(spec, &|_| true)?;
    let signed = spec.shards.iter().fold(0u64, |sum, shard| sum.saturating_add(shard.rows));
    let limit = signed.saturating_mul(2).saturating_add(SPARE_ROWS);
    let (mut rows, mut kept, mut whole) = (0u64, 0u64, true);
    let count = for_each_row(&spec.schema, description, source, &mut |row| -> Result<_, RowsError> {
        rows += 1;
        if rows.is_multiple_of(TELL_EVERY) {
            progress(rows);
        }
        kept += u64::from(matches!(keeper.sort(&row), Fate::Kept(_)));
        whole = kept <= limit;
        Ok(if whole { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    progress(rows);
    let shards = keeper
        .shards()
        .zip(&spec.shards)
        .map(|((path, work), signed)| CheckedShard { path, signed: *signed, found: work.shard() })
        .collect();
    // Of a pass that was broken off nobody knows.
    let absent_classes = keeper.absent(spec).filter(|_| whole).cloned().collect();
    Ok(CheckedShards { shards, absent_classes, rows: count.rows, skipped: count.skipped, whole })
}
