//! Nothing half written: a file appears under its name when all of it is on disk.

use std::fs::File;
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// Syncs a temporary file and gives it its name. On an error the temporary file is removed.
pub(super) fn replace(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // The name itself is on disk when its folder is. Not every system can sync a folder, and the file is whole either way.
    if let Some(folder) = path.parent()
        && let Ok(folder) = File::open(folder)
    {
        let _ = folder.sync_all();
    }
    Ok(())
}
