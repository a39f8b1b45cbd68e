//! What making shards needs, one pass over the source at a time: which to make, and the disk they go to.

use std::io;
use std::sync::Arc;

use snake::{Schema, Table};

use super::disk::{DiskCache, DiskCounters};
use crate::ahead::{Held, RowBytes, ahead};
use crate::cache::{ShardCache, ShardKey};
use crate::data_spec::{DataSpec, Shard};

/// Held while a shard is looked for on disk or written there, never during a pass over the source.
pub(super) struct Builder {
    disk: Option<DiskCache>,
    rebuilds: u64,
    passes: u64,
    row: RowBytes,
    warned: bool,
}

/// What a builder has done so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) disk: DiskCounters,
    pub(super) rebuilds: u64,
    pub(super) passes: u64,
}

/// What to make ahead of time.
pub(super) struct Plan {
    /// The first one is what is wanted; those after it come from the same pass.
    pub(super) paths: Vec<u32>,
    /// Whether the first one is on disk.
    pub(super) on_disk: bool,
    /// What they take in memory, by all that is known.
    pub(super) bytes: usize,
    /// What may be taken for making them.
    pub(super) most: usize,
    /// The shards that must not go for them.
    pub(super) keep: Vec<ShardKey>,
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
            memory.make_room_for(paths.len(), self.bytes(spec, &paths));
        }
        paths
    }

    /// What to make ahead while `using` is in use and those of `soon` come next: the first of them that is not in memory,
    /// if it fits beside `using` and what memory has of `soon`; nothing goes for it that is either. With it come those
    /// after it that one pass can make too. While the next one is there already, the source is not read: a pass that comes
    /// later makes more at once.
    pub(super) fn plan(
        &self,
        spec: &DataSpec,
        using: (u32, ShardKey),
        soon: &[u32],
        keys: &[ShardKey],
        memory: &ShardCache,
    ) -> Option<Plan> {
        let (using, in_use) = using;
        let mut held = Held::default();
        let mut missing = Vec::new();
        let mut keep = vec![in_use];
        for (soon, key) in soon.iter().zip(keys) {
            match memory.peek(*key) {
                Some(table) => {
                    held.shards += 1;
                    held.bytes = held.bytes.saturating_add(table.memory());
                    keep.push(*key);
                }
                None => missing.push(*soon),
            }
        }
        let mut paths = ahead(spec, memory.limits(), self.row, held, using, missing);
        let on_disk = self.is_on_disk(spec, *paths.first()?);
        if on_disk {
            paths.truncate(1);
        } else if keys.first().is_some_and(|key| keep.contains(key)) {
            return None;
        } else {
            paths.retain(|path| !self.is_on_disk(spec, *path));
        }
        let used = memory.peek(in_use).map_or_else(|| self.bytes(spec, &[using]), |table| table.memory());
        let most = memory.limits().bytes.checked_sub(held.bytes)?.checked_sub(used)?;
        let bytes = self.bytes(spec, &paths);
        (bytes <= most).then_some(Plan { paths, on_disk, bytes, most, keep })
    }

    /// What the tables of `paths` take in memory, as far as is known.
    pub(super) fn bytes(&self, spec: &DataSpec, paths: &[u32]) -> usize {
        let rows = |path: &u32| spec.shards.get(*path as usize).map_or(0, |shard| shard.rows);
        let bytes = paths.iter().map(|path| self.row.table(rows(path))).fold(0, u64::saturating_add);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    pub(super) fn is_on_disk(&self, spec: &DataSpec, path: u32) -> bool {
        let shard = spec.shards.get(path as usize);
        shard.zip(self.disk.as_ref()).is_some_and(|(shard, disk)| disk.contains(shard))
    }

    /// Takes note of what a pass over the source has made.
    pub(super) fn note(&mut self, tables: &[Table]) {
        self.passes += 1;
        self.rebuilds += tables.len() as u64;
        tables.iter().for_each(|table| self.row.learn(table));
    }

    /// What it has done so far.
    pub(super) fn tally(&self) -> Tally {
        let disk = self.disk.as_ref().map(DiskCache::counters).unwrap_or_default();
        Tally { disk, rebuilds: self.rebuilds, passes: self.passes }
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
