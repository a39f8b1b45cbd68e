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
    let base = dirs::data_local_dir().context("this system names no home folder: pass --data-dir and --key")?;
    Ok(base.join("opendipaco"))
}

/// Makes a folder and those above it.
pub(crate) fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{}: the folder can't be made", folder.display()))
}

/// Reads a file of at most `limit` bytes.
pub(crate) fn read_small(path: &Path, limit: usize) -> Result<Vec<u8>> {
    use std::io::Read;
    let file = fs::File::open(path).with_context(|| format!("{}: can't be opened", path.display()))?;
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("{}: can't be read", path.display()))?;
    anyhow::ensure!(bytes.len() <= limit, "{}: larger than {limit} bytes, so it is not what it should be", path.display());
    Ok(bytes)
}

/// Writes a file under a temporary name beside it, syncs it, and renames it, so that it is there whole or not at all.
///
/// # Errors
/// The system's, with the file's name. A file that was there before is then unchanged.
pub(crate) fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = || format!("{}: can't be written", path.display());
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder).with_context(name)?;
    {
        let mut out = std::io::BufWriter::with_capacity(1 << 18, file.as_file_mut());
        write(&mut out).with_context(name)?;
        out.flush().with_context(name)?;
    }
    file.as_file().sync_all().with_context(name)?;
    readable(file.as_file())?;
    file.persist(path).map_err(|e| e.error).with_context(name)?;
    sync_folder(folder).with_context(name)
}

/// Temporary files are private; what a person asked for is readable as any other file.
#[cfg(unix)]
fn readable(file: &fs::File) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(file.set_permissions(fs::Permissions::from_mode(0o644))?)
}

#[cfg(not(unix))]
fn readable(_: &fs::File) -> Result<()> {
    Ok(())
}

/// Makes a rename last through a power cut, where the system can.
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}
