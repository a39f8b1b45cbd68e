//! The shards on disk, under their hash. An aid: whatever goes wrong here costs a rebuild and nothing else.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use snake::{Schema, Table};
use tempfile::NamedTempFile;

use super::rows_file;
use crate::data_spec::Shard;

const EXTENSION: &str = "rows";
const TEMPORARY: &str = ".writing-";
/// A temporary file that is older than this and that no process has locked was left behind by one that died. Whoever
/// makes one locks it at once.
const ABANDONED: Duration = Duration::from_secs(60);

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
/// there under its name is whole or was damaged later, which the hash at its end shows. What is no file under such a name (a folder, a
/// link, a pipe) counts as damaged.
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
        contains(&self.folder, shard)
    }

    fn path(&self, shard: &Shard) -> PathBuf {
        path(&self.folder, shard)
    }

    /// Reads a shard, and checks that the file is the one that was written for it. What is not is removed.
    pub fn get(&mut self, shard: &Shard, schema: &Arc<Schema>) -> Option<Table> {
        let path = self.path(shard);
        match read(&path, shard, schema) {
            Ok(Some(table)) => {
                self.counters.hits += 1;
                return Some(table);
            }
            Err(_) => {
                let _ = discard(&path);
                self.counters.damaged += 1;
            }
            Ok(None) => {}
        }
        self.counters.misses += 1;
        None
    }

    /// Keeps shards, after removing what has to go for them. Each table must be its shard's, as
    /// [`materialise`](crate::materialise) hands it out: its rows are not hashed again, here or in [`get`](Self::get). The first counts as the most recently used. Those that have no
    /// room beside the ones before them are left out: nothing that was just made goes for another one.
    ///
    /// # Errors
    /// Why one could not be written; nothing half written is left, and the rest was not tried. Whoever asked can go on
    /// without.
    pub fn put(&mut self, shards: &[(&Shard, &Table)]) -> io::Result<()> {
        let result = self.write_all(shards);
        if result.is_err() {
            self.counters.failures += 1;
        }
        result
    }

    fn write_all(&mut self, shards: &[(&Shard, &Table)]) -> io::Result<()> {
        let mut room = self.limit;
        let mut fit: Vec<(PathBuf, &Shard, &Table)> = Vec::new();
        for (shard, table) in shards {
            match room.checked_sub(rows_file::size(table)) {
                Some(left) => {
                    room = left;
                    fit.push((self.path(shard), *shard, *table));
                }
                None => self.counters.oversized += 1,
            }
        }
        if fit.is_empty() {
            return Ok(());
        }
        fs::create_dir_all(&self.folder)?;
        self.make_room(self.limit - room, &fit)?;
        let now = SystemTime::now();
        for ((path, shard, table), age) in fit.iter().zip(0..) {
            self.write(path, shard, table, now - Duration::from_nanos(age))?;
        }
        Ok(())
    }

    fn write(&self, path: &Path, shard: &Shard, table: &Table, used: SystemTime) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(&self.folder)?;
        // Where files can't be locked, age alone says that one was left behind.
        let _ = file.as_file().try_lock();
        rows_file::write(shard, table, self.guard(&mut file))?;
        let _ = file.as_file().set_modified(used);
        super::replace(file, path)
    }

    #[cfg(not(test))]
    fn guard<'f>(&self, file: &'f mut NamedTempFile) -> &'f mut NamedTempFile {
        file
    }

    #[cfg(test)]
    fn guard<'f>(&self, file: &'f mut NamedTempFile) -> tests::SmallDisk<'f> {
        tests::SmallDisk { file, room: self.room.unwrap_or(u64::MAX) }
    }

    /// Removes the longest unused shards until `size` more bytes fit, and what dead processes left behind. What stands where
    /// one of `new` will be does not count.
    fn make_room(&mut self, size: u64, new: &[(PathBuf, &Shard, &Table)]) -> io::Result<()> {
        let mut shards = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // Another process may have removed it meanwhile.
            let Ok(metadata) = entry.metadata() else { continue };
            let (path, used) = (entry.path(), metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH));
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                if used.elapsed().is_ok_and(|age| age > ABANDONED) && !is_locked(&path) {
                    let _ = fs::remove_file(&path);
                }
            } else if path.extension().is_some_and(|extension| extension == EXTENSION) {
                if !metadata.is_file() {
                    let _ = discard(&path);
                } else if new.iter().all(|(new, ..)| *new != path) {
                    shards.push((used, path, metadata.len()));
                }
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

/// Whether there is a file for the shard in a cache's folder, for those who can't wait for the cache.
pub(super) fn contains(folder: &Path, shard: &Shard) -> bool {
    is_file(&path(folder, shard))
}

fn path(folder: &Path, shard: &Shard) -> PathBuf {
    folder.join(format!("{}.{EXTENSION}", shard.hash))
}

/// A file, and no link to one.
fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// The shard in this place, if there is anything.
fn read(path: &Path, shard: &Shard, schema: &Arc<Schema>) -> Result<Option<Table>, rows_file::Damage> {
    match fs::symlink_metadata(path) {
        Err(_) => return Ok(None),
        // A pipe would be waited for.
        Ok(metadata) if !metadata.is_file() => return Err(io::Error::from(io::ErrorKind::InvalidData).into()),
        Ok(_) => {}
    }
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let size = file.metadata()?.len();
    let table = rows_file::read(&file, size, schema, shard)?;
    // The age of a file says when it was last of use. Where that can't be noted, the order is by writing.
    let _ = file.set_modified(SystemTime::now());
    Ok(Some(table))
}

/// Removes whatever stands in a place: of a link, the link.
fn discard(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// Whether a process is still writing the file. One that can't be opened or locked for another reason is not at work, by
/// all that is known.
fn is_locked(path: &Path) -> bool {
    // What is no file (a pipe would not even open) was not written here.
    let file = fs::symlink_metadata(path).is_ok_and(|it| it.is_file());
    file && File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;
