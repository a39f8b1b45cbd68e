//! From the source to the tables of one or more paths.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use snake::{Cancel, Table, TableBuilder};

use crate::data_spec::DataSpec;
use crate::error::MaterialiseError;
use crate::keep::{Fate, Keeper};
use crate::rows::for_each_row;
use crate::run::PublicSource;
use crate::source::RecordSource;

/// Makes the tables of `paths` (in that order, each path once) in one pass over the source, and checks row counts and
/// hashes.
///
/// The tables have the spec's schema, without `__path`. Memory: the tables, and about 40 bytes a row to find duplicates.
///
/// # Errors
/// [`MaterialiseError`]; `WrongShard` when the rows are not the published ones.
pub fn materialise(
    spec: &DataSpec,
    description: &PublicSource,
    source: &dyn RecordSource,
    paths: &[u32],
    cancel: &Cancel,
) -> Result<Vec<Table>, MaterialiseError> {
    let schema = Arc::new(spec.schema.clone());
    let mut builders: BTreeMap<u32, TableBuilder> = BTreeMap::new();
    for path in paths {
        if *path >= spec.paths() {
            return Err(MaterialiseError::NoSuchPath { path: *path, last: spec.paths().saturating_sub(1) });
        }
        if builders.insert(*path, TableBuilder::new(Arc::clone(&schema))).is_some() {
            return Err(MaterialiseError::PathTwice { path: *path });
        }
    }
    let mut keeper = Keeper::of_spec(spec, &|path| builders.contains_key(&path))?;
    for_each_row(&spec.schema, description, source, &mut |row| -> Result<_, MaterialiseError> {
        if cancel.is_cancelled() {
            return Err(MaterialiseError::Cancelled);
        }
        if let Fate::Kept(path) = keeper.sort(&row) {
            keeper.check_growth(spec, path)?;
            if let Some(builder) = builders.get_mut(&path) {
                builder.push(row.ordinal, row.cells, row.target)?;
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    keeper.check(spec)?;
    Ok(paths.iter().filter_map(|path| builders.remove(path)).map(TableBuilder::finish).collect())
}
