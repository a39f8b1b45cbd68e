//! Files and folders: where things are by default, and writing so that nothing is ever half written.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folder for everything that has no place of its own.
///
/// # Errors
/// When the system names no home folder.
pub(crate) fn home() -> Result<PathBuf> {
    let base =
        dirs::data_local_dir().context("this system names no home folder: pass --data-dir and --key")?;
    Ok(base.join("opendipaco"))
}

/// Makes a folder and those above it.
pub(crate) fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{}: the folder can't be made", folder.display()))
}

/// Whether a file can be written here as far as that shows beforehand: said before hours of work, not after.
///
/// # Errors
/// When there is no such folder, or the place is a folder itself.
pub(crate) fn check_place(path: &Path) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    anyhow::ensure!(
        folder.is_dir(),
        "{}: there is no folder {}: make it first",
        path.display(),
        folder.display()
    );
    anyhow::ensure!(!path.is_dir(), "{}: is a folder: name a file in it", path.display());
    Ok(())
}

/// Reads a file of at most `limit` bytes.
pub(crate) fn read_small(path: &Path, limit: usize) -> Result<Vec<u8>> {
    use std::io::Read;
    let file = fs::File::open(path).with_context(|| format!("{}: can't be opened", path.display()))?;
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("{}: can't be read", path.display()))?;
    anyhow::ensure!(
        bytes.len() <= limit,
        "{}: larger than {limit} bytes, so it is not what it should be",
        path.display()
    );
    Ok(bytes)
}

/// Writes a file whole or not at all; one that was there before then stays as it was.
///
/// # Errors
/// The disk's, with the file's name, or what `write` returns.
pub(crate) fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    spec::write_whole_file(path, write).map_err(|error| match error {
        spec::WholeFileError::Content(error) => error,
        error @ spec::WholeFileError::Io { .. } => anyhow::anyhow!("{error}"),
    })
}

/// Holds a lock file for as long as the result lives, or fails with `taken` when another process holds it.
pub(crate) fn lock(path: &Path, taken: impl FnOnce() -> String) -> Result<fs::File> {
    let file = fs::File::create(path).with_context(|| format!("{}: can't be made", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => anyhow::bail!(taken()),
        Err(fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{}: can't be locked", path.display()))
        }
    }
}
