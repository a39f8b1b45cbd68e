//! Key files: PKCS#8 PEM, readable by their owner alone.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use protocol::Identity;

use crate::files;

/// Where an operator's key lies unless told otherwise: what `publish` signs with and `coordinate` answers to.
pub(crate) fn operator_default() -> Result<PathBuf> {
    Ok(files::home()?.join("operator.pem"))
}

/// A key read from its file, or made and written there.
pub(crate) struct KeyFile {
    /// The key.
    pub(crate) identity: Identity,
    /// Whether it is new.
    pub(crate) made: bool,
}

/// Reads the key file, or makes it when it is not there.
pub(crate) fn load_or_make(path: &Path) -> Result<KeyFile> {
    if path.try_exists().with_context(|| format!("{}: can't be looked up", path.display()))? {
        return Ok(KeyFile { identity: load(path)?, made: false });
    }
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| anyhow::anyhow!("no random numbers from the system: {e}"))?;
    let identity = Identity::from_seed(&seed);
    if let Some(folder) = path.parent() {
        files::make_folder(folder)?;
    }
    let pem = identity.to_pem()?;
    match write_private(path, pem.as_bytes()) {
        Ok(()) => Ok(KeyFile { identity, made: true }),
        // Another process made it in the meantime: that one counts.
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            Ok(KeyFile { identity: load(path)?, made: false })
        }
        Err(e) => Err(e).with_context(|| format!("{}: the key file can't be written", path.display())),
    }
}

/// Reads a key file that has to be there.
pub(crate) fn load(path: &Path) -> Result<Identity> {
    let bytes = files::read_small(path, 16 * 1024)?;
    let text = std::str::from_utf8(&bytes).with_context(|| format!("{}: is not a text", path.display()))?;
    Identity::from_pem(text).with_context(|| path.display().to_string())
}

/// Written under a temporary name (made with mode 0600) and linked into place, never over another key.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|e| e.error)?;
    fs::File::open(folder).and_then(|f| if cfg!(unix) { f.sync_all() } else { Ok(()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/key.pem");
        let first = load_or_make(&path).unwrap();
        let second = load_or_make(&path).unwrap();
        assert!(first.made && !second.made);
        assert_eq!(first.identity.key(), second.identity.key());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_file_that_holds_no_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        fs::write(&path, "not a key").unwrap();
        let message = format!("{:#}", load_or_make(&path).map(|_| ()).unwrap_err());
        assert!(message.contains("key.pem") && message.contains("keygen"), "{message}");
    }
}
