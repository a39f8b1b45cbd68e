//! Which rows of the whole source are kept, in which path and with which class: what assembling a model needs.

use std::ops::ControlFlow;

use snake::{Cell, TargetValue};

use crate::data_spec::DataSpec;
use crate::error::MaterialiseError;
use crate::holdout::Stop;
use crate::keep::{Fate, Keeper};
use crate::rows::{Row, for_each_row};
use crate::run::PublicSource;
use crate::shard::{ShardHasher, push_cells};
use crate::source::RecordSource;

const NOT_KEPT: u32 = u32::MAX;
/// How many ordinals share one count of the kept rows before them.
const BLOCK: usize = 64;
/// The most rows of a source.
const MAX_ROWS: u64 = 1 << 33;

/// Which rows of the source are in a shard: 4 bytes per row of the source, and 4 more per kept row where the target is a
/// class. (Taking it needs about 40 bytes per kept row for the time of the pass, to find duplicates.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Census {
    /// Per ordinal, its path or `NOT_KEPT`.
    paths: Vec<u32>,
    /// Per block of ordinals, how many rows before it are kept.
    before: Vec<u32>,
    /// Per kept row, its class; empty where the target is a number.
    classes: Vec<u32>,
    kept: u32,
}

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
        spec: &DataSpec,
        description: &PublicSource,
        source: &dyn RecordSource,
    ) -> Result<Self, MaterialiseError> {
        let mut census = Self { paths: Vec::new(), before: Vec::new(), classes: Vec::new(), kept: 0 };
        let mut keeper = Keeper::of_spec(spec, &|_| true)?;
        for_each_row(&spec.schema, description, source, &mut |row| -> Result<_, MaterialiseError> {
            if let Fate::Kept(path) = keeper.sort(&row) {
                keeper.check_growth(spec, path)?;
                census.push(&row, path)?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        keeper.check(spec)?;
        census.paths.shrink_to_fit();
        census.classes.shrink_to_fit();
        Ok(census)
    }

    fn push(&mut self, row: &Row<'_>, path: u32) -> Result<(), MaterialiseError> {
        let ordinal = usize::try_from(row.ordinal).ok().filter(|_| row.ordinal < MAX_ROWS);
        let (Some(ordinal), true) = (ordinal, self.kept < u32::MAX - 1) else {
            return Err(MaterialiseError::TooManyRows { limit: MAX_ROWS.min(u64::from(u32::MAX)) });
        };
        self.paths.resize(ordinal, NOT_KEPT);
        // The blocks that begin up to here have seen every kept row so far.
        self.before.resize(ordinal / BLOCK + 1, self.kept);
        self.paths.push(path);
        self.kept += 1;
        if let TargetValue::Class(class) = row.target {
            self.classes.push(class);
        }
        Ok(())
    }

    /// How many rows are kept, over all paths.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.kept as usize
    }

    /// The row's number among the kept ones; `None`: it is not kept.
    #[must_use]
    pub fn rank(&self, ordinal: u64) -> Option<u32> {
        self.path(ordinal)?;
        let ordinal = usize::try_from(ordinal).ok()?;
        let block = ordinal / BLOCK;
        let within = self.paths.get(block * BLOCK..ordinal)?.iter().filter(|path| **path != NOT_KEPT).count();
        Some(self.before.get(block)? + u32::try_from(within).ok()?)
    }

    /// The row's path; `None`: it is not kept.
    #[must_use]
    pub fn path(&self, ordinal: u64) -> Option<u32> {
        let path = self.paths.get(usize::try_from(ordinal).ok()?)?;
        (*path != NOT_KEPT).then_some(*path)
    }

    /// The row's class; `None`: it is not kept, or the target is a number.
    #[must_use]
    pub fn class(&self, ordinal: u64) -> Option<u32> {
        self.classes.get(self.rank(ordinal)? as usize).copied()
    }

    /// The kept rows by ascending ordinal, as (ordinal, path).
    pub fn iter(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        (0u64..)
            .zip(&self.paths)
            .filter(|(_, path)| **path != NOT_KEPT)
            .map(|(ordinal, path)| (ordinal, *path))
    }
}

/// Streams the kept rows of all paths by ascending ordinal, and checks at the end that they were the published ones
/// (so nothing that was written meanwhile may be used before this returns without an error).
///
/// # Errors
/// [`MaterialiseError`] when the source can't be read or is no longer what the census saw, or what `visit` returns.
pub fn for_each_kept<E: From<MaterialiseError>>(
    spec: &DataSpec,
    description: &PublicSource,
    source: &dyn RecordSource,
    census: &Census,
    visit: &mut dyn FnMut(KeptRow<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut hashers: Vec<ShardHasher> = spec.shards.iter().map(|_| ShardHasher::new()).collect();
    let mut features = Vec::new();
    let mut rank = 0;
    for_each_row(&spec.schema, description, source, &mut |row| -> Result<_, Stop<E>> {
        let Some(path) = census.path(row.ordinal) else { return Ok(ControlFlow::Continue(())) };
        if let Some(hasher) = hashers.get_mut(path as usize) {
            features.clear();
            push_cells(row.cells, &mut features);
            hasher.push(row.ordinal, &features, row.target);
        }
        visit(KeptRow { ordinal: row.ordinal, rank, path, cells: row.cells, target: row.target })
            .map_err(Stop)?;
        rank += 1;
        Ok(ControlFlow::Continue(()))
    })
    .map_err(|stop| stop.0)?;
    for ((path, hasher), expected) in (0u32..).zip(&hashers).zip(&spec.shards) {
        let found = hasher.shard();
        if found != *expected {
            return Err(MaterialiseError::WrongShard { path, expected: *expected, found }.into());
        }
    }
    Ok(())
}
