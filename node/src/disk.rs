//! The few things the program asks of a disk for what must not be lost, behind a trait, so that tests can fill the disk
//! at any step.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// What a store needs of a disk. Every step may fail. As it stands it is the system's disk; one of a test changes the steps that
/// it is about.
pub(crate) trait Disk: Send + Sync {
    /// Writes a new file whole and syncs it.
    fn write(&self, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
        let mut file = File::create(path)?;
        for part in parts {
            file.write_all(part)?;
        }
        file.sync_all()
    }

    /// Gives a file its final name, replacing what was there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    /// Makes renames in this folder last.
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
    }

    /// Removes a file; it not being there is no error.
    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Reads a file of at most `limit` bytes.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("larger than {limit} bytes")));
        }
        Ok(bytes)
    }

    /// The files of a folder, in the order of their names.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder)? {
            paths.push(entry?.path());
        }
        paths.sort();
        Ok(paths)
    }
}

/// The system's disk.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RealDisk;

impl Disk for RealDisk {}

/// Ending of files that are being written; what a crash leaves of them is removed at the next start.
pub(crate) const UNFINISHED: &str = "unfinished";

/// Writes `to` whole or not at all: temporary name, sync, rename, sync of the folder.
pub(crate) fn put(disk: &dyn Disk, to: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let temporary = to.with_extension(UNFINISHED);
    let written = disk.write(&temporary, parts).and_then(|()| disk.rename(&temporary, to));
    if let Err(error) = written {
        // What was written of it only takes room; if it can't be removed now, the next start does.
        let _ = disk.remove(&temporary);
        return Err(error);
    }
    disk.sync_folder(to.parent().unwrap_or(Path::new(".")))
}

#[cfg(test)]
pub(crate) mod faults {
    //! A disk that is full from its n-th writing step on.

    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Passes on to the real disk until `steps` writing steps were made; then every one fails with ENOSPC.
    #[derive(Debug)]
    pub(crate) struct FullAfter {
        steps: AtomicU64,
    }

    impl FullAfter {
        pub(crate) fn new(steps: u64) -> Self {
            Self { steps: AtomicU64::new(steps) }
        }

        fn step(&self) -> io::Result<()> {
            self.steps
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                .map(|_| ())
                .map_err(|_| io::Error::from(io::ErrorKind::StorageFull))
        }
    }

    impl Disk for FullAfter {
        fn write(&self, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
            if let Err(full) = self.step() {
                // As a real disk would: the file is there, and cut off.
                let first = parts.first().copied().unwrap_or_default();
                let _ = fs::write(path, &first[..first.len() / 2]);
                return Err(full);
            }
            RealDisk.write(path, parts)
        }

        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            self.step()?;
            RealDisk.rename(from, to)
        }

        fn sync_folder(&self, folder: &Path) -> io::Result<()> {
            self.step()?;
            RealDisk.sync_folder(folder)
        }
    }

    #[test]
    fn a_full_disk_leaves_the_old_file_or_the_new_one_whole() {
        for steps in 0..4 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.report");
            put(&RealDisk, &path, &[b"old"]).unwrap();
            let outcome = put(&FullAfter::new(steps), &path, &[b"new ", b"content"]);
            assert_eq!(outcome.is_ok(), steps >= 3);
            let found = fs::read(&path).unwrap();
            assert!(found == b"old" || (steps >= 2 && found == b"new content"), "{steps}: {found:?}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{steps} left something behind");
        }
    }
}
