//! A manifest from a file, and its source as this machine may read it: the one place where a manifest's source is opened.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use protocol::Manifest;
use protocol::limits::MANIFEST_BYTES;
use spec::{MaterialiseError, SourceLimits, SourcePlaces, TableSource, read_run_file};

use crate::cli::SourceArgs;
use crate::exit::{Refused, Usage};
use crate::files;
use crate::s3_settings::s3_settings;

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
/// `Usage`, which says what to type.
fn source_of(manifest: &Manifest, places: Vec<String>, allow_local: bool) -> Result<Arc<TableSource>> {
    let places =
        SourcePlaces { overrides: places, allow_local, s3: s3_settings()?, ..SourcePlaces::default() };
    let source = places.of_manifest(&manifest.body().source, &manifest.spec().schema);
    Ok(limited(source.map_err(|error| Usage(error.to_string()))?, manifest))
}

/// The source of a manifest that was published from a run file of this machine, as that says.
///
/// # Errors
/// `Usage`, where it is the file of another run.
fn source_of_run(manifest: &Manifest, file: &Path, beside: Option<&Path>) -> Result<Arc<TableSource>> {
    let run = read_run_file(file)?;
    if run.settings.source != manifest.body().source {
        let text = format!("{}: is not what {} was published from", file.display(), manifest.title());
        return Err(Usage(text).into());
    }
    let places = SourcePlaces { s3: s3_settings()?, ..SourcePlaces::default() };
    let folder = beside.or(file.parent()).unwrap_or(Path::new(""));
    let source = places.of_own_manifest(&run, folder, &manifest.spec().schema);
    Ok(limited(source.map_err(|error| Usage(error.to_string()))?, manifest))
}

fn limited(source: TableSource, manifest: &Manifest) -> Arc<TableSource> {
    // What goes on for much longer than was published is another source. How much longer leaves room to say what differs.
    let rows = manifest.body().counts.records.saturating_mul(2).saturating_add(65_536);
    let limits = SourceLimits::default();
    Arc::new(source.with_limits(SourceLimits { rows: rows.min(limits.rows), ..limits }))
}

/// The same, as it was typed.
///
/// # Errors
/// As [`source_of`].
pub(crate) fn source_as_typed(manifest: &Manifest, args: &SourceArgs) -> Result<Arc<TableSource>> {
    source_among(manifest, args, args.source.clone())
}

/// The same, where only some of the places that were typed are this run's.
///
/// # Errors
/// As [`source_of`].
pub(crate) fn source_among(
    manifest: &Manifest,
    args: &SourceArgs,
    places: Vec<String>,
) -> Result<Arc<TableSource>> {
    match &args.source_of_run {
        Some(file) => source_of_run(manifest, file, args.beside.as_deref()),
        None => source_of(manifest, places, args.allow_local),
    }
}

/// A source that can be read and is not what was signed is a refusal; other errors stay what they are.
pub(crate) fn refusal(error: MaterialiseError) -> anyhow::Error {
    if error.is_refusal() { Refused(error.to_string()).into() } else { error.into() }
}
