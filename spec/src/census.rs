//! Which rows of the whole source are kept, in which path and with which class: what assembling a model needs.

use snake::{Cell, TargetValue};

use crate::data_spec::DataSpec;
use crate::error::MaterialiseError;
use crate::run::PublicSource;
use crate::source::RecordSource;

/// Which rows of the source are in a shard, per ordinal: at most 8 bytes a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Census {}

/// A row that is in a shard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeptRow<'a> {
    /// Its number in the source.
    pub ordinal: u64,
    /// Its number among the kept rows of all paths: its index in the model's population.
    pub rank: u32,
    /// Its path.
    pub path: u32,
    /// Its features in schema order (without `__path`).
    pub cells: &'a [Cell<'a>],
    /// Its target.
    pub target: TargetValue,
}

impl Census {
    /// Streams the source once and checks every shard's row count and hash.
    ///
    /// # Errors
    /// [`MaterialiseError`], `WrongShard` for the lowest path whose rows are not the published ones.
    pub fn take(
        _spec: &DataSpec,
        _description: &PublicSource,
        _source: &dyn RecordSource,
    ) -> Result<Self, MaterialiseError> {
        Ok(Self {})
    }

    /// How many rows are kept, over all paths.
    #[must_use]
    pub fn kept(&self) -> usize {
        0
    }

    /// The row's number among the kept ones; `None`: it is not kept.
    #[must_use]
    pub fn rank(&self, _ordinal: u64) -> Option<u32> {
        None
    }

    /// The row's path; `None`: it is not kept.
    #[must_use]
    pub fn path(&self, _ordinal: u64) -> Option<u32> {
        None
    }

    /// The row's class; `None`: it is not kept, or the target is a number.
    #[must_use]
    pub fn class(&self, _ordinal: u64) -> Option<u32> {
        None
    }

    /// The kept rows by ascending ordinal, as (ordinal, path).
    pub fn iter(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        std::iter::empty()
    }
}

/// Streams the kept rows of all paths by ascending ordinal, and checks at the end that they were the published ones
/// (so nothing that was written meanwhile may be used before this returns without an error).
///
/// # Errors
/// [`MaterialiseError`] when the source can't be read or is no longer what the census saw, or what `visit` returns.
pub fn for_each_kept<E: From<MaterialiseError>>(
    _spec: &DataSpec,
    _description: &PublicSource,
    _source: &dyn RecordSource,
    _census: &Census,
    _visit: &mut dyn FnMut(KeptRow<'_>) -> Result<(), E>,
) -> Result<(), E> {
    Ok(())
}
