//! The shards on disk, under their hash. An aid: whatever goes wrong here costs a rebuild and nothing else.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use snake::{Schema, Table};
use tempfile::NamedTempFile;

use super::rows_file;
use crate::data_spec::Shard;

const EXTENSION: &str = "rows";
const TEMPORARY: &str = ".writing-";
/// A temporary file older than this was left behind by a process that died.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// How often what happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskCounters {
    /// Asked for, there and whole.
    pub hits: u64,
    /// Asked for and not there, or not whole.
    pub misses: u64,
    /// Found damaged, and removed.
    pub damaged: u64,
    /// Removed to make room.
    pub evictions: u64,
    /// Not kept, because it alone is over the limit.
    pub oversized: u64,
    /// Not kept, because writing failed.
    pub failures: u64,
}

/// A folder of shards, each under its hash, at most so many bytes in all: the longest unused goes first.
///
/// Files are written under a temporary name, synced and renamed, so several processes may share the folder, and what is
/// there under its name is whole or was damaged later, which its hash shows.
#[derive(Debug)]
pub struct DiskCache {
    folder: PathBuf,
    limit: u64,
    counters: DiskCounters,
    #[cfg(test)]
    room: Option<u64>,
}

impl DiskCache {
    /// The cache in `folder`, which is made when something is first kept.
    #[must_use]
    pub fn new(folder: PathBuf, limit: u64) -> Self {
        Self {
            folder,
            limit,
            counters: DiskCounters::default(),
            #[cfg(test)]
            room: None,
        }
    }

    /// What happened so far, in this process.
    #[must_use]
    pub fn counters(&self) -> DiskCounters {
        self.counters
    }

    /// Whether there is a file for the shard; it is checked when it is read.
    #[must_use]
    pub fn contains(&self, shard: &Shard) -> bool {
        self.path(shard).is_file()
    }

    fn path(&self, shard: &Shard) -> PathBuf {
        self.folder.join(format!("{}.{EXTENSION}", shard.hash))
    }

    /// Reads a shard and checks its hash. A file that is not what it should be is removed.
    pub fn get(&mut self, shard: &Shard, schema: &Arc<Schema>) -> Option<Table> {
        let path = self.path(shard);
        let found = File::open(&path).ok().map(|file| {
            let size = file.metadata()?.len();
            let table = rows_file::read(&mut BufReader::new(&file), size, schema, shard)?;
            // The age of a file says when it was last of use. Where that can't be noted, the order is by writing.
            let _ = file.set_modified(SystemTime::now());
            Ok::<_, rows_file::Damage>(table)
        });
        match found {
            Some(Ok(table)) => {
                self.counters.hits += 1;
                return Some(table);
            }
            Some(Err(_)) => {
                let _ = fs::remove_file(&path);
                self.counters.damaged += 1;
            }
            None => {}
        }
        self.counters.misses += 1;
        None
    }

    /// Keeps a shard, after removing what has to go for it.
    ///
    /// # Errors
    /// Why it could not be written; nothing half written is left. Whoever asked can go on without.
    pub fn put(&mut self, shard: &Shard, table: &Table) -> io::Result<()> {
        let result = self.write(shard, table);
        if result.is_err() {
            self.counters.failures += 1;
        }
        result
    }

    fn write(&mut self, shard: &Shard, table: &Table) -> io::Result<()> {
        let size = rows_file::size(table);
        if size > self.limit {
            self.counters.oversized += 1;
            return Ok(());
        }
        fs::create_dir_all(&self.folder)?;
        let path = self.path(shard);
        self.make_room(size, &path)?;
        let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(&self.folder)?;
        let mut out = BufWriter::new(self.guard(&mut file));
        rows_file::write(table, &mut out)?;
        out.flush()?;
        drop(out);
        super::replace(file, &path)
    }

    #[cfg(not(test))]
    fn guard<'f>(&self, file: &'f mut NamedTempFile) -> &'f mut NamedTempFile {
        file
    }

    #[cfg(test)]
    fn guard<'f>(&self, file: &'f mut NamedTempFile) -> tests::SmallDisk<'f> {
        tests::SmallDisk { file, room: self.room.unwrap_or(u64::MAX) }
    }

    /// Removes the longest unused shards until `size` more bytes fit, and what dead processes left behind.
    fn make_room(&mut self, size: u64, keep: &Path) -> io::Result<()> {
        let mut shards = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // Another process may have removed it meanwhile.
            let Ok(metadata) = entry.metadata() else { continue };
            let (path, used) = (entry.path(), metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH));
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                if used.elapsed().is_ok_and(|age| age > ABANDONED) {
                    let _ = fs::remove_file(&path);
                }
            } else if path.extension().is_some_and(|extension| extension == EXTENSION) && path != keep {
                shards.push((used, path, metadata.len()));
            }
        }
        shards.sort();
        let mut held: u64 = shards.iter().map(|(_, _, size)| size).sum();
        for (_, path, bytes) in shards {
            if held.saturating_add(size) <= self.limit {
                break;
            }
            match fs::remove_file(&path) {
                Ok(()) => self.counters.evictions += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            held -= bytes;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use snake::{Cell, Feature, FeatureKind, TableBuilder, TargetKind, TargetValue};

    use super::*;

    /// A file on a disk that has room for so many bytes.
    pub(super) struct SmallDisk<'f> {
        pub(super) file: &'f mut NamedTempFile,
        pub(super) room: u64,
    }

    impl Write for SmallDisk<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if bytes.len() as u64 > self.room {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.room -= bytes.len() as u64;
            self.file.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.file.flush()
        }
    }

    fn schema() -> Arc<Schema> {
        Arc::new(Schema {
            target: "y".into(),
            target_kind: TargetKind::Number,
            classes: vec![],
            features: vec![Feature { name: "x".into(), kind: FeatureKind::Number }],
        })
    }

    /// A shard of 10 rows of 24 bytes, which is a file of 260.
    fn shard(value: f64) -> (Shard, Table) {
        let mut builder = TableBuilder::new(schema());
        for row in 0..10 {
            builder.push(row, &[Cell::Number(value)], TargetValue::Number(1.0)).unwrap();
        }
        let table = builder.finish();
        (Shard::of_table(&table), table)
    }

    fn files(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn age(cache: &DiskCache, shard: &Shard, seconds: u64) {
        let file = File::options().write(true).open(cache.path(shard)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    }

    #[test]
    fn a_shard_comes_back_and_another_process_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a/b");
        let (shard, table) = shard(1.0);
        let mut cache = DiskCache::new(place.clone(), 1000);
        assert_eq!(cache.get(&shard, &schema()), None);
        cache.put(&shard, &table).unwrap();
        assert_eq!(files(&place), [format!("{}.rows", shard.hash)]);
        let mut other = DiskCache::new(place, 1000);
        assert!(other.contains(&shard));
        assert_eq!(other.get(&shard, &schema()), Some(table));
        assert_eq!((cache.counters().misses, other.counters().hits), (1, 1));
    }

    #[test]
    fn a_damaged_file_is_removed_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = DiskCache::new(folder.path().into(), 1000);
        let (shard, table) = shard(1.0);
        for damage in [0usize, 100, 259] {
            cache.put(&shard, &table).unwrap();
            let mut bytes = fs::read(cache.path(&shard)).unwrap();
            bytes[damage] ^= 0x10;
            fs::write(cache.path(&shard), &bytes).unwrap();
            assert_eq!(cache.get(&shard, &schema()), None);
            assert!(!cache.contains(&shard));
        }
        cache.put(&shard, &table).unwrap();
        File::options().write(true).open(cache.path(&shard)).unwrap().set_len(99).unwrap();
        assert_eq!(cache.get(&shard, &schema()), None);
        assert_eq!((cache.counters().damaged, cache.counters().misses), (4, 4));
    }

    #[test]
    fn the_longest_unused_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = DiskCache::new(folder.path().into(), 600);
        let (a, b, c) = (shard(1.0), shard(2.0), shard(3.0));
        cache.put(&a.0, &a.1).unwrap();
        cache.put(&b.0, &b.1).unwrap();
        age(&cache, &a.0, 200);
        age(&cache, &b.0, 100);
        cache.get(&a.0, &schema()).unwrap();
        cache.put(&c.0, &c.1).unwrap();
        assert!(cache.contains(&a.0) && !cache.contains(&b.0) && cache.contains(&c.0));
        assert_eq!(cache.counters().evictions, 1);
        let mut small = DiskCache::new(folder.path().into(), 259);
        small.put(&b.0, &b.1).unwrap();
        assert!(!small.contains(&b.0));
        assert_eq!(small.counters().oversized, 1);
    }

    #[test]
    fn a_full_disk_leaves_nothing_half_written() {
        let folder = tempfile::tempdir().unwrap();
        let (shard, table) = shard(1.0);
        for room in [0, 1, 100, 259] {
            let mut cache = DiskCache::new(folder.path().into(), 1000);
            cache.room = Some(room);
            let error = cache.put(&shard, &table).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            assert_eq!(files(folder.path()), Vec::<String>::new());
            assert_eq!(cache.counters().failures, 1);
            assert_eq!(cache.get(&shard, &schema()), None);
        }
    }

    #[test]
    fn what_a_dead_process_left_is_cleared_away() {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = DiskCache::new(folder.path().into(), 1000);
        for (name, age) in [(".writing-old", 2 * 24 * 60 * 60), (".writing-new", 60)] {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        let (shard, table) = shard(1.0);
        cache.put(&shard, &table).unwrap();
        assert_eq!(files(folder.path()), [".writing-new".to_owned(), format!("{}.rows", shard.hash)]);
    }
}
