//! What making shards needs, one pass over the source at a time: which to make, and the disk they go to.

use std::io;
use std::sync::Arc;

use snake::{Cancel, Schema, Table};

use super::disk::DiskCache;
use crate::ahead::{Held, RowBytes, ahead};
use crate::cache::{ShardCache, ShardKey};
use crate::data_spec::{DataSpec, Shard};
use crate::error::MaterialiseError;
use crate::materialise::materialise_within;
use crate::run::PublicSource;
use crate::source::RecordSource;

pub(super) struct Builder {
    pub(super) disk: Option<DiskCache>,
    pub(super) rebuilds: u64,
    pub(super) passes: u64,
    row: RowBytes,
    warned: bool,
}

impl Builder {
    pub(super) fn new(disk: Option<DiskCache>, schema: &Schema) -> Self {
        Self { disk, rebuilds: 0, passes: 0, row: RowBytes::of_schema(schema), warned: false }
    }

    /// The shard of a path, if it is on disk.
    pub(super) fn read(&mut self, spec: &DataSpec, path: u32, schema: &Arc<Schema>) -> Option<Table> {
        let table = self.disk.as_mut()?.get(spec.shards.get(path as usize)?, schema)?;
        self.row.learn(&table);
        Some(table)
    }

    /// The paths to make in one pass: `path`, and those of `soon` that are nowhere yet, as far as memory goes. Room is made
    /// for them; what memory has of `soon` stays.
    pub(super) fn choose(
        &self,
        spec: &DataSpec,
        path: u32,
        soon: &[u32],
        keys: &[ShardKey],
        memory: &mut ShardCache,
    ) -> Vec<u32> {
        let mut held = Held::default();
        let mut missing = Vec::new();
        for (soon, key) in soon.iter().zip(keys) {
            match memory.peek(*key) {
                Some(table) => {
                    held.shards += 1;
                    held.bytes = held.bytes.saturating_add(table.memory());
                }
                None if self.is_on_disk(spec, *soon) => {}
                None => missing.push(*soon),
            }
        }
        let mut paths = vec![path];
        paths.extend(ahead(spec, memory.limits(), self.row, held, path, missing));
        if paths.len() > 1 {
            let rows = |path: &u32| spec.shards.get(*path as usize).map_or(0, |shard| shard.rows);
            let bytes = paths.iter().map(|path| self.row.table(rows(path))).fold(0, u64::saturating_add);
            memory.make_room_for(paths.len(), usize::try_from(bytes).unwrap_or(usize::MAX));
        }
        paths
    }

    fn is_on_disk(&self, spec: &DataSpec, path: u32) -> bool {
        let shard = spec.shards.get(path as usize);
        shard.zip(self.disk.as_ref()).is_some_and(|(shard, disk)| disk.contains(shard))
    }

    /// The tables of `paths`, in one pass over the source, where they take no more than `most` bytes to make.
    pub(super) fn make(
        &mut self,
        spec: &DataSpec,
        description: &PublicSource,
        source: &dyn RecordSource,
        paths: &[u32],
        most: u64,
        cancel: &Cancel,
    ) -> Result<Vec<Table>, MaterialiseError> {
        let rows = |path: &u32| spec.shards.get(*path as usize).map_or(0, |shard| shard.rows);
        if paths.iter().any(|path| RowBytes::least(&spec.schema, rows(path)) > most) {
            return Err(MaterialiseError::TooLarge { most });
        }
        let tables = materialise_within(spec, description, source, paths, most, cancel)?;
        self.passes += 1;
        self.rebuilds += tables.len() as u64;
        tables.iter().for_each(|table| self.row.learn(table));
        Ok(tables)
    }

    /// Keeps tables on disk; the first one counts as the most recently used. The first error there ever was is given.
    pub(super) fn keep(&mut self, spec: &DataSpec, paths: &[u32], tables: &[Table]) -> Option<io::Error> {
        let disk = self.disk.as_mut()?;
        let shards: Vec<(&Shard, &Table)> = paths
            .iter()
            .zip(tables)
            .filter_map(|(path, table)| Some((spec.shards.get(*path as usize)?, table)))
            .collect();
        let error = disk.put(&shards).err()?;
        (!std::mem::replace(&mut self.warned, true)).then_some(error)
    }
}
