//! Training without a network: the same units as volunteers train, path by path.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::sync::Arc;

use rayon::prelude::*;
use snake::{Cancel, Prepared, Table, TrainError, UnitBuckets, UnitJob, UnitSeed, train_unit};

use crate::data_spec::{DataSpec, Fingerprint};
use crate::error::SpecError;

/// Trains a unit of a run: everything that the result depends on comes from the spec and the shard. Works on the current
/// rayon pool.
///
/// # Errors
/// [`TrainError`].
pub fn train_unit_of(
    spec: &DataSpec,
    fingerprint: Fingerprint,
    prepared: &Prepared,
    path: u32,
    layer: u32,
    cancel: &Cancel,
) -> Result<UnitBuckets, TrainError> {
    let training = &spec.training;
    let prefix: Vec<_> = spec.path_literal(path).into_iter().collect();
    let seed = UnitSeed { fingerprint: *fingerprint.as_bytes(), seed: training.seed, path, layer };
    train_unit(&UnitJob { prepared, training, seed, prefix: &prefix, cancel })
}

/// The trained units of a run, by path and layer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LocalUnits(BTreeMap<(u32, u32), UnitBuckets>);

impl LocalUnits {
    /// Takes a unit out, as assembling asks for it.
    ///
    /// # Errors
    /// [`MissingUnit`] when it is not there, or no longer.
    pub fn take(&mut self, path: u32, layer: u32) -> Result<UnitBuckets, MissingUnit> {
        self.0.remove(&(path, layer)).ok_or(MissingUnit)
    }

    /// How many units there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A unit that was not trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it was not trained")]
pub struct MissingUnit;

/// A unit is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitDone {
    /// Its path.
    pub path: u32,
    /// Its layer.
    pub layer: u32,
    /// Units ready so far, with this one.
    pub done: u64,
    /// Units in all.
    pub total: u64,
}

/// Training stopped.
#[derive(Debug, thiserror::Error)]
pub enum LocalError<E: Debug + Display> {
    /// The spec is not usable.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A shard is not to be had.
    #[error("path {path}: {error}")]
    Shard {
        /// The path.
        path: u32,
        /// Why.
        error: E,
    },
    /// A unit can't be trained.
    #[error("unit (path {path}, layer {layer}): {error}")]
    Unit {
        /// Its path.
        path: u32,
        /// Its layer.
        layer: u32,
        /// Why.
        error: TrainError,
    },
}

/// Trains all units of a run on the current rayon pool: as many layers of a path side by side as it has threads, over
/// one table. `shard` is asked for one path after the other and only for paths with rows; a table is let go of before
/// the next is asked for. `progress` is told of layers in ascending order.
///
/// # Errors
/// [`LocalError`], of the first layer that has one; a training that was cancelled is a `Unit` error.
pub fn train_locally<E: Debug + Display>(
    spec: &DataSpec,
    shard: &mut dyn FnMut(u32) -> Result<Arc<Table>, E>,
    progress: &mut dyn FnMut(UnitDone),
    cancel: &Cancel,
) -> Result<LocalUnits, LocalError<E>> {
    spec.check()?;
    let fingerprint = spec.fingerprint()?;
    let paths = || (0u32..).zip(&spec.shards).filter(|(_, shard)| shard.rows > 0).map(|(path, _)| path);
    let total = paths().count() as u64 * u64::from(spec.training.layers);
    let layers: Vec<u32> = (0..spec.training.layers).collect();
    let mut units = LocalUnits::default();
    for path in paths() {
        let table = shard(path).map_err(|error| LocalError::Shard { path, error })?;
        let prepared = Prepared::new(table, spec.training.profile);
        // A layer keeps all threads busy but for its chains, so a few at a time are enough.
        for layers in layers.chunks(rayon::current_num_threads()) {
            let trained: Vec<_> = layers
                .par_iter()
                .map(|&layer| (layer, train_unit_of(spec, fingerprint, &prepared, path, layer, cancel)))
                .collect();
            for (layer, unit) in trained {
                let unit = unit.map_err(|error| LocalError::Unit { path, layer, error })?;
                units.0.insert((path, layer), unit);
                progress(UnitDone { path, layer, done: units.len() as u64, total });
            }
        }
    }
    Ok(units)
}
