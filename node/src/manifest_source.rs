//! A manifest from a file, and its source as this machine may read it: the one place where a manifest's source is opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use protocol::Manifest;
use protocol::limits::MANIFEST_BYTES;
use spec::{LocateError, MaterialiseError, RecordSource, SourcePlaces};

use crate::cli::SourceArgs;
use crate::exit::{Refused, Usage};
use crate::files;

/// Reads a manifest and checks its signature and all that it says.
///
/// # Errors
/// `Refused` for one that is damaged, signed wrongly, or needs a newer version.
pub(crate) fn open_manifest(path: &Path) -> Result<Manifest> {
    let bytes = files::read_small(path, MANIFEST_BYTES)?;
    Manifest::open(&bytes).map_err(|error| Refused(format!("{}: {error}", path.display())).into())
}

/// A manifest's source on this machine.
pub(crate) struct ManifestSource {
    /// Reads it.
    pub(crate) source: Arc<dyn RecordSource>,
    /// The files that will be opened.
    pub(crate) files: Vec<PathBuf>,
}

/// The source of a manifest, from the files of `--source` or, with `--allow-local`, from those that the manifest names. Nothing
/// is opened.
///
/// # Errors
/// [`LocateError`], which says what to type.
pub(crate) fn source_of(
    manifest: &Manifest,
    files: Vec<PathBuf>,
    allow_local: bool,
) -> Result<ManifestSource, LocateError> {
    let source = SourcePlaces { overrides: files, allow_local }.of_manifest(&manifest.body().source)?;
    let files = source.parts().to_vec();
    Ok(ManifestSource { source: Arc::new(source), files })
}

/// The same, as it was typed.
///
/// # Errors
/// `Usage` where something else has to be typed.
pub(crate) fn source_as_typed(manifest: &Manifest, args: &SourceArgs) -> Result<Arc<dyn RecordSource>> {
    let found = source_of(manifest, args.source.clone(), args.allow_local);
    Ok(found.map_err(|error| Usage(error.to_string()))?.source)
}

/// A source that can be read and is not what was signed is a refusal; other errors stay what they are.
pub(crate) fn refusal(error: MaterialiseError) -> anyhow::Error {
    if error.is_refusal() { Refused(error.to_string()).into() } else { error.into() }
}
