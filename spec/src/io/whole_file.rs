//! Writing a file that is either whole or not there.

use std::fmt::{Debug, Display};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::replace;

/// A file was not written. One that stood there before still does.
#[derive(Debug, thiserror::Error)]
pub enum WholeFileError<E: Debug + Display> {
    /// The folder or the disk.
    #[error("{}: can't be written: {error}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What happened.
        error: io::Error,
    },
    /// What was to be written could not be made.
    #[error("{0}")]
    Content(E),
}

/// Writes a file under a temporary name in the same folder, syncs and renames it; on any error nothing is left and what
/// stood there before is untouched. `model.json` is written this way.
///
/// # Errors
/// [`WholeFileError`]: of the disk, or what `content` returns.
pub fn write_whole_file<T, E: Debug + Display>(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> Result<T, E>,
) -> Result<T, WholeFileError<E>> {
    let failed = |error: io::Error| WholeFileError::Io { path: path.to_owned(), error };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = temporary(folder).map_err(failed)?;
    let mut out = BufWriter::with_capacity(256 * 1024, &mut file);
    let value = content(&mut out).map_err(WholeFileError::Content)?;
    out.flush().map_err(failed)?;
    drop(out);
    replace(file, path).map_err(failed)?;
    Ok(value)
}

/// A temporary file that others may read later, as far as the user's mask allows: it becomes an ordinary file.
fn temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".writing-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_whole_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.json");
        write_whole_file(&path, |out| out.write_all(b"one")).unwrap();
        let error = write_whole_file(&path, |out| {
            out.write_all(b"half").unwrap();
            Err::<(), _>(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert!(matches!(error, Err(WholeFileError::Content(_))));
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
        write_whole_file(&path, |out| out.write_all(b"two")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no/model.json");
        let error = write_whole_file(&path, |out| out.write_all(b"x")).unwrap_err().to_string();
        assert!(error.contains("model.json: can't be written"), "{error}");
    }
}
