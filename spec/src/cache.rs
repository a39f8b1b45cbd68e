//! The shards in memory: the least recently used goes first.

use std::sync::Arc;

use lru::LruCache;
use snake::Table;

use crate::data_spec::Fingerprint;

/// Which shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardKey {
    /// Of which spec.
    pub fingerprint: Fingerprint,
    /// Of which path.
    pub path: u32,
}

/// What the cache may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLimits {
    /// The most tables; 0 counts as 1.
    pub shards: usize,
    /// The most bytes, as [`Table::memory`] counts them.
    pub bytes: usize,
}

/// How often what happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheCounters {
    /// Asked for and there.
    pub hits: u64,
    /// Asked for and not there.
    pub misses: u64,
    /// Taken out to make room.
    pub evictions: u64,
    /// Not taken in, because it alone is over the limit of bytes.
    pub oversized: u64,
}

/// Tables in memory, at most so many and at most so large, also while one is being put in.
///
/// The limits are on what the cache holds: a table that was handed out lives until its training ends, even when it was
/// evicted meanwhile. Whoever makes a table calls [`make_room`](Self::make_room) first, so that the old one can go before
/// the new one takes memory.
#[derive(Debug)]
pub struct ShardCache {
    tables: LruCache<ShardKey, Arc<Table>>,
    limits: MemoryLimits,
    bytes: usize,
    /// Room for tables that are being made ahead: so many, of so many bytes.
    reserved: (usize, usize),
    counters: CacheCounters,
}

impl ShardCache {
    /// An empty cache.
    #[must_use]
    pub fn new(limits: MemoryLimits) -> Self {
        let limits = MemoryLimits { shards: limits.shards.max(1), ..limits };
        // Unbounded for the crate: both limits are kept here, before anything is put in.
        let (reserved, counters) = ((0, 0), CacheCounters::default());
        Self { tables: LruCache::unbounded(), limits, bytes: 0, reserved, counters }
    }

    /// The table, which is now the most recently used.
    pub fn get(&mut self, key: ShardKey) -> Option<Arc<Table>> {
        let found = self.tables.get(&key).map(Arc::clone);
        match found {
            Some(_) => self.counters.hits += 1,
            None => self.counters.misses += 1,
        }
        found
    }

    /// The table, without counting or changing what goes first.
    #[must_use]
    pub fn peek(&self, key: ShardKey) -> Option<Arc<Table>> {
        self.tables.peek(&key).map(Arc::clone)
    }

    /// Takes tables out until one of about so many bytes fits.
    pub fn make_room(&mut self, bytes: usize) {
        self.make_room_for(1, bytes);
    }

    /// Takes tables out until so many, of about so many bytes in all, fit.
    pub(crate) fn make_room_for(&mut self, shards: usize, bytes: usize) {
        let bytes = bytes.saturating_add(self.reserved.1).min(self.limits.bytes);
        let others = self.limits.shards.saturating_sub(shards).saturating_sub(self.reserved.0);
        while self.tables.len() > others || self.limits.bytes - bytes < self.bytes {
            let Some((_, evicted)) = self.tables.pop_lru() else { return };
            self.bytes -= evicted.memory();
            self.counters.evictions += 1;
        }
    }

    /// Puts a table in as the most recently used; others go first. One that is over the limit by itself stays out.
    pub fn insert(&mut self, key: ShardKey, table: Arc<Table>) {
        if let Some(old) = self.tables.pop(&key) {
            self.bytes -= old.memory();
        }
        let bytes = table.memory();
        if bytes > self.limits.bytes.saturating_sub(self.reserved.1) {
            self.counters.oversized += 1;
            return;
        }
        self.make_room(bytes);
        self.bytes += bytes;
        self.tables.put(key, table);
    }

    /// Puts a table in that is not used yet, where it fits without one of `keep` or the most recently used one having to
    /// go. These stay before it in the order of use. Whether it is in.
    #[cfg(feature = "io")]
    pub(crate) fn insert_beside(&mut self, key: ShardKey, table: Arc<Table>, keep: &[ShardKey]) -> bool {
        if self.tables.contains(&key) {
            return true;
        }
        let used = self.most_recent();
        let stays = |key: &ShardKey| keep.contains(key) || Some(*key) == used;
        let bytes = table.memory().saturating_add(self.reserved.1);
        let kept = self.tables.iter().filter(|(key, _)| stays(key));
        let (shards, kept) = kept.fold((1 + self.reserved.0, bytes), |(n, bytes), (_, it)| {
            (n + 1, bytes.saturating_add(it.memory()))
        });
        if shards > self.limits.shards || kept > self.limits.bytes {
            return false;
        }
        self.promote(keep);
        self.promote(used.as_slice());
        self.insert(key, table);
        self.promote(keep);
        self.promote(used.as_slice());
        true
    }

    /// Keeps room for so many tables of so many bytes in all, after others have gone for them.
    #[cfg(feature = "io")]
    pub(crate) fn reserve(&mut self, shards: usize, bytes: usize) {
        self.make_room_for(shards, bytes);
        self.reserved = (self.reserved.0 + shards, self.reserved.1.saturating_add(bytes));
    }

    /// The most recently used shard.
    #[cfg(feature = "io")]
    pub(crate) fn most_recent(&self) -> Option<ShardKey> {
        self.tables.peek_mru().map(|(key, _)| *key)
    }

    /// Whether room is kept for anything.
    #[cfg(feature = "io")]
    pub(crate) fn is_reserved(&self) -> bool {
        self.reserved.0 > 0
    }

    /// Gives room back that was kept.
    #[cfg(feature = "io")]
    pub(crate) fn release(&mut self, shards: usize, bytes: usize) {
        self.reserved = (self.reserved.0.saturating_sub(shards), self.reserved.1.saturating_sub(bytes));
    }

    /// Makes these the most recently used, the first of them most of all, without counting.
    #[cfg(feature = "io")]
    pub(crate) fn promote(&mut self, keys: &[ShardKey]) {
        for key in keys.iter().rev() {
            self.tables.promote(key);
        }
    }

    /// What it may hold.
    #[cfg(feature = "io")]
    pub(crate) fn limits(&self) -> MemoryLimits {
        self.limits
    }

    /// The shards it holds, most recently used first.
    #[must_use]
    pub fn keys(&self) -> Vec<ShardKey> {
        self.tables.iter().map(|(key, _)| *key).collect()
    }

    /// How many bytes its tables take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> CacheCounters {
        self.counters
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use snake::{Cell, Feature, FeatureKind, Schema, TableBuilder, TargetKind, TargetValue};

    use super::*;

    const ROW: usize = 24;

    /// A table of so many rows, each of `ROW` bytes.
    fn table(rows: usize) -> Arc<Table> {
        let schema = Schema {
            target: "y".into(),
            target_kind: TargetKind::Number,
            classes: vec![],
            features: vec![Feature { name: "x".into(), kind: FeatureKind::Number }],
        };
        let mut builder = TableBuilder::new(Arc::new(schema));
        for row in 0..rows {
            builder.push(row as u64, &[Cell::Number(0.0)], TargetValue::Number(0.0)).unwrap();
        }
        let table = builder.finish();
        assert_eq!(table.memory(), rows * ROW, "the tests count in rows");
        Arc::new(table)
    }

    fn key(path: u32) -> ShardKey {
        ShardKey { fingerprint: Fingerprint::from_bytes([1; 32]), path }
    }

    fn limits(shards: usize, rows: usize) -> MemoryLimits {
        MemoryLimits { shards, bytes: rows * ROW }
    }

    #[test]
    fn one_shard_at_a_time() {
        let mut cache = ShardCache::new(limits(0, 100));
        cache.insert(key(0), table(1));
        cache.insert(key(1), table(1));
        assert_eq!(cache.keys(), [key(1)]);
        assert!(cache.get(key(0)).is_none() && cache.get(key(1)).is_some());
        let counters = CacheCounters { hits: 1, misses: 1, evictions: 1, oversized: 0 };
        assert_eq!(cache.counters(), counters);
    }

    #[test]
    fn another_run_is_another_shard() {
        let mut cache = ShardCache::new(limits(4, 100));
        cache.insert(key(0), table(1));
        let other = ShardKey { fingerprint: Fingerprint::from_bytes([2; 32]), ..key(0) };
        assert!(cache.get(other).is_none());
    }

    #[test]
    fn a_table_in_use_outlives_its_eviction() {
        let mut cache = ShardCache::new(limits(1, 100));
        cache.insert(key(0), table(3));
        let used = cache.get(key(0)).unwrap();
        cache.make_room(0);
        assert_eq!((cache.bytes(), used.rows()), (0, 3));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Get(u32),
        Insert(u32, usize),
        MakeRoom(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0u32..6).prop_map(Step::Get),
            (0u32..6, 0usize..12).prop_map(|(path, rows)| Step::Insert(path, rows)),
            (0usize..12).prop_map(Step::MakeRoom),
        ]
    }

    /// The same in a plain list, most recently used last.
    #[derive(Default)]
    struct Model {
        held: Vec<(u32, usize)>,
        counters: CacheCounters,
    }

    impl Model {
        fn make_room(&mut self, shards: usize, most: usize, rows: usize) {
            let held = |model: &Self| model.held.iter().map(|(_, rows)| rows).sum::<usize>();
            while !self.held.is_empty() && (self.held.len() >= shards || held(self) + rows.min(most) > most) {
                self.held.remove(0);
                self.counters.evictions += 1;
            }
        }
    }

    proptest! {
        #[test]
        fn it_does_what_a_list_does(
            shards in 1usize..4,
            most in 1usize..20,
            steps in proptest::collection::vec(step(), 0..60),
        ) {
            let mut cache = ShardCache::new(limits(shards, most));
            let mut model = Model::default();
            for step in steps {
                match step {
                    Step::Get(path) => {
                        let found = cache.get(key(path)).map(|table| table.rows());
                        let at = model.held.iter().position(|(held, _)| *held == path);
                        let expected = at.map(|at| model.held.remove(at));
                        model.held.extend(expected);
                        if expected.is_some() { model.counters.hits += 1 } else { model.counters.misses += 1 }
                        prop_assert_eq!(found, expected.map(|(_, rows)| rows));
                    }
                    Step::Insert(path, rows) => {
                        cache.insert(key(path), table(rows));
                        model.held.retain(|(held, _)| *held != path);
                        if rows > most {
                            model.counters.oversized += 1;
                        } else {
                            model.make_room(shards, most, rows);
                            model.held.push((path, rows));
                        }
                    }
                    Step::MakeRoom(rows) => {
                        cache.make_room(rows * ROW);
                        model.make_room(shards, most, rows);
                    }
                }
                let keys: Vec<_> = model.held.iter().rev().map(|(path, _)| key(*path)).collect();
                prop_assert_eq!(cache.keys(), keys);
                prop_assert_eq!(cache.bytes(), model.held.iter().map(|(_, rows)| rows * ROW).sum::<usize>());
                prop_assert_eq!(cache.counters(), model.counters);
                prop_assert!(cache.keys().len() <= shards && cache.bytes() <= most * ROW);
            }
        }
    }
}
