//! From the source to the tables of one or more paths.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use snake::{Cancel, Table, TableBuilder};

use crate::ahead::DUPLICATES;
use crate::data_spec::DataSpec;
use crate::error::MaterialiseError;
use crate::keep::{Fate, Keeper};
use crate::rows::for_each_row;
use crate::run::PublicSource;
use crate::source::RecordSource;

/// Makes the tables of `paths` (in that order, each path once) in one pass over the source, and checks row counts and
/// hashes.
///
/// The tables have the spec's schema, without `__path`. Memory: the tables, and about 50 bytes a row to find duplicates.
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
    materialise_within(spec, description, source, paths, u64::MAX, cancel)
}

/// The same, as long as it takes no more than `most` bytes of memory.
///
/// # Errors
/// Also [`MaterialiseError::TooLarge`].
pub(crate) fn materialise_within(
    spec: &DataSpec,
    description: &PublicSource,
    source: &dyn RecordSource,
    paths: &[u32],
    most: u64,
    cancel: &Cancel,
) -> Result<Vec<Table>, MaterialiseError> {
    let mut bytes = 0u64;
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
                let before = builder.memory();
                builder.push(row.ordinal, row.cells, row.target)?;
                bytes += DUPLICATES + (builder.memory() - before) as u64;
                if bytes > most {
                    return Err(MaterialiseError::TooLarge { most });
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    keeper.check(spec)?;
    Ok(paths.iter().filter_map(|path| builders.remove(path)).map(TableBuilder::finish).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::description;
    use crate::memory::VecSource;
    use crate::publish::publish;
    use crate::run::{RoutingSettings, RunSettings, TrainingSettings};

    #[test]
    fn tables_stay_within_the_memory_they_may_take() {
        let class = |row: u32| if row.is_multiple_of(2) { "y" } else { "z" }.to_owned();
        let rows = (0..50).map(|row| vec![row.to_string(), format!("a text of its own, {row}"), class(row)]);
        let source = VecSource::new("rows.csv", ["n", "t", "c"].map(str::to_owned).into(), rows.collect());
        let settings = RunSettings {
            name: "memory".into(),
            source: description("c"),
            holdout: 0.0,
            routing: RoutingSettings::RoundRobin { paths: 1 },
            training: TrainingSettings {
                layers: 1,
                bucket: 10,
                slice: 100,
                noise: 1.0,
                profile: None,
                lookahead: 5,
                seed: 0,
            },
        };
        let spec = publish(&settings, &source, &mut |_| {}).unwrap().spec;
        let make = |most| materialise_within(&spec, &settings.source, &source, &[0], most, &Cancel::new());
        let table = make(u64::MAX).unwrap().remove(0);
        let least = table.memory() as u64 + DUPLICATES * table.rows() as u64;
        assert!(matches!(make(least - 1), Err(MaterialiseError::TooLarge { most }) if most == least - 1));
        assert_eq!(make(3 * least).unwrap(), [table]);
    }
}
