//! A manifest from a file, and its source as this machine may read it: the one place where a manifest's source is opened.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use protocol::Manifest;
use protocol::limits::MANIFEST_BYTES;
use spec::{LocateError, MaterialiseError, SourcePlaces, TableSource};

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

/// The source of a manifest: from the files or addresses of `--source`, else from where the manifest says, within the reach that
/// it has. Nothing is opened.
///
/// # Errors
/// [`LocateError`], which says what to type.
pub(crate) fn source_of(
    manifest: &Manifest,
    places: Vec<String>,
    allow_local: bool,
) -> Result<Arc<TableSource>, LocateError> {
    let places = SourcePlaces { overrides: places, allow_local };
    places.of_manifest(&manifest.body().source, &manifest.spec().schema).map(Arc::new)
}

/// The same, as it was typed.
///
/// # Errors
/// `Usage` where something else has to be typed.
pub(crate) fn source_as_typed(manifest: &Manifest, args: &SourceArgs) -> Result<Arc<TableSource>> {
    let found = source_of(manifest, args.source.clone(), args.allow_local);
    Ok(found.map_err(|error| Usage(error.to_string()))?)
}

/// A source that can be read and is not what was signed is a refusal; other errors stay what they are.
pub(crate) fn refusal(error: MaterialiseError) -> anyhow::Error {
    if error.is_refusal() { Refused(error.to_string()).into() } else { error.into() }
}
