//! Reading a run file from disk.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::runfile::{MAX_RUN_FILE_BYTES, RunFile, RunFileError};

/// A run file can't be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct RunFileReadError {
    /// Which file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: RunFileFault,
}

/// What is wrong with a run file.
#[derive(Debug, thiserror::Error)]
pub enum RunFileFault {
    /// It can't be opened or read, or is not text.
    #[error("{0}")]
    Unreadable(String),
    /// It is not a run file that can be used.
    #[error(transparent)]
    Invalid(#[from] RunFileError),
}

/// Reads and checks a run file.
///
/// # Errors
/// [`RunFileReadError`] with the file's name, and line and key where there are any.
pub fn read_run_file(path: &Path) -> Result<RunFile, RunFileReadError> {
    read(path).map_err(|reason| RunFileReadError { path: path.to_owned(), reason })
}

fn read(path: &Path) -> Result<RunFile, RunFileFault> {
    let unreadable = |error: &std::io::Error| RunFileFault::Unreadable(super::unpack::reason(error));
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let mut bytes = Vec::new();
    file.take(MAX_RUN_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    let length = bytes.len() as u64;
    if length > MAX_RUN_FILE_BYTES {
        return Err(RunFileError::TooLarge { bytes: length }.into());
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| RunFileFault::Unreadable("is not UTF-8 text: a run file is TOML".into()))?;
    Ok(RunFile::parse(&text)?)
}
