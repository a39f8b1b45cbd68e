//! Which file a part means, and whether it may be read.
//!
//! A run file is the operator's own and may name any path. A manifest is a stranger's: a name in it reaches no file
//! until whoever runs this machine has said where that part lies, or has allowed local files altogether.

use std::path::Path;

use snake::Schema;

use super::part_place::PartPlace;
use super::synthetic::Synthetic;
use super::table_source::TableSource;
use crate::run::PublicSource;
use crate::runfile::RunFile;
use crate::runfile::location::{Location, bare_name, classify};

/// What the person at this machine has said about where parts lie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourcePlaces {
    /// `--source FILE|ADDRESS`, one per part in order; empty: not given. Giving it is the permission to read it.
    pub overrides: Vec<String>,
    /// `--allow-local`: a manifest may name files of this machine.
    pub allow_local: bool,
}

/// Parts of a source can't be read here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocateError {
    /// `--source` was given another number of times than there are parts.
    #[error(
        "--source names {given} files, but the run has {parts} parts: give it once per part, in this order: {names}"
    )]
    Count {
        /// How many were given.
        given: usize,
        /// How many parts there are.
        parts: usize,
        /// Their names.
        names: String,
    },
    /// A bare name, which only its owner can place.
    #[error("the rows are in {name:?}, which this machine must be told where to find: add --source FILE")]
    NeedsSource {
        /// The name that was published.
        name: String,
    },
    /// A manifest names a file of this machine.
    #[error(
        "the manifest names the file {name:?} of this machine, which is refused: \
         add --source FILE, or --allow-local if you trust the operator"
    )]
    LocalFile {
        /// What was published.
        name: String,
    },
    /// An address that this version can't read.
    #[error(
        "the rows are at {location:?}, and this version reads local files: download it and add --source FILE"
    )]
    Remote {
        /// What was published.
        location: String,
    },
    /// No location at all.
    #[error("{location:?} {reason}")]
    Invalid {
        /// What was published.
        location: String,
        /// What is wrong.
        reason: String,
    },
}

impl SourcePlaces {
    /// The source of a manifest: a place per part, from `--source`, or as the manifest says where that reaches nothing of this
    /// machine, or anything with `--allow-local` (bare names in the working directory). Nothing is opened.
    ///
    /// # Errors
    /// [`LocateError`], which says what to type.
    pub fn of_manifest(&self, source: &PublicSource, schema: &Schema) -> Result<TableSource, LocateError> {
        let parts = match self.given(&source.locations)? {
            Some(parts) => parts,
            None => {
                source.locations.iter().map(|location| self.published(location)).collect::<Result<_, _>>()?
            }
        };
        let columns = schema.features.iter().map(|feature| &feature.name).chain([&schema.target]);
        let columns = columns.chain(&source.exclude).cloned().collect();
        Ok(TableSource::new(source.format, parts, source.on_error).with_known_columns(columns))
    }

    /// The source of the operator's own run file, which lies in `folder`.
    ///
    /// # Errors
    /// [`LocateError`] when `--source` was given another number of times than there are parts, or a place can't be read here.
    pub fn of_run_file(&self, run: &RunFile, folder: &Path) -> Result<TableSource, LocateError> {
        let parts = match self.given(&run.locations)? {
            Some(parts) => parts,
            None => run.locations.iter().map(|text| typed(text, folder)).collect::<Result<_, _>>()?,
        };
        let source = &run.settings.source;
        Ok(TableSource::new(source.format, parts, source.on_error))
    }

    fn given(&self, parts: &[String]) -> Result<Option<Vec<Vec<PartPlace>>>, LocateError> {
        if self.overrides.is_empty() {
            return Ok(None);
        }
        if self.overrides.len() == parts.len() {
            let places = self.overrides.iter().map(|text| typed(text, Path::new("")));
            return places.collect::<Result<_, _>>().map(Some);
        }
        Err(LocateError::Count { given: self.overrides.len(), parts: parts.len(), names: parts.join(", ") })
    }

    fn published(&self, location: &str) -> Result<Vec<PartPlace>, LocateError> {
        let path = match classified(location)? {
            Location::Remote { scheme } if scheme == "synthetic" => {
                return made_up(location).map(|place| vec![place]);
            }
            Location::Remote { .. } => return Err(LocateError::Remote { location: location.into() }),
            Location::Local(path) => path,
        };
        if self.allow_local {
            return Ok(vec![PartPlace::File(path.into())]);
        }
        let bare = bare_name(location).is_ok_and(|name| name == location) && path == location;
        let name = location.into();
        Err(if bare { LocateError::NeedsSource { name } } else { LocateError::LocalFile { name } })
    }
}

/// What a person typed, at this machine: anything may be read. Paths are looked for in `folder`.
fn typed(text: &str, folder: &Path) -> Result<Vec<PartPlace>, LocateError> {
    match classified(text)? {
        Location::Local(path) => Ok(vec![PartPlace::File(folder.join(path))]),
        Location::Remote { scheme } if scheme == "synthetic" => made_up(text).map(|place| vec![place]),
        Location::Remote { .. } => Err(LocateError::Remote { location: text.into() }),
    }
}

fn classified(location: &str) -> Result<Location, LocateError> {
    classify(location).map_err(|reason| LocateError::Invalid { location: location.into(), reason })
}

fn made_up(location: &str) -> Result<PartPlace, LocateError> {
    let settings = location.split_once("://").map_or("", |(_, settings)| settings);
    match Synthetic::parse(settings) {
        Ok(settings) => Ok(PartPlace::MadeUp { text: location.into(), settings }),
        Err(reason) => Err(LocateError::Invalid { location: location.into(), reason }),
    }
}

#[cfg(test)]
mod tests {
    use snake::{Feature, FeatureKind, TargetKind};

    use super::*;
    use crate::run::{Format, OnError};

    fn manifest(locations: &[&str]) -> PublicSource {
        PublicSource {
            format: Format::Csv,
            locations: locations.iter().map(|l| (*l).to_owned()).collect(),
            mirrors: Vec::new(),
            target: "y".into(),
            target_type: None,
            exclude: Vec::new(),
            on_error: OnError::Refuse,
        }
    }

    fn schema() -> Schema {
        Schema {
            target: "y".into(),
            target_kind: TargetKind::Number,
            classes: Vec::new(),
            features: vec![Feature { name: "x".into(), kind: FeatureKind::Number }],
        }
    }

    fn places(overrides: &[&str], allow_local: bool) -> SourcePlaces {
        SourcePlaces { overrides: overrides.iter().map(ToString::to_string).collect(), allow_local }
    }

    #[test]
    fn a_manifest_reaches_no_file_by_itself() {
        let closed = places(&[], false);
        let refused = |location: &str| closed.of_manifest(&manifest(&[location]), &schema()).unwrap_err();
        assert_eq!(refused("a.csv"), LocateError::NeedsSource { name: "a.csv".into() });
        assert!(refused("a.csv").to_string().ends_with("add --source FILE"));
        for local in
            ["/etc/passwd", "../a.csv", "x/a.csv", "x\\a.csv", "file:///etc/passwd", "..", ".", "./a.csv"]
        {
            assert!(matches!(refused(local), LocateError::LocalFile { .. }), "{local}");
        }
        for remote in ["https://example.org/a.csv", "http://127.0.0.1/x", "s3://bucket/a.csv", "ftp://x/y"] {
            assert!(matches!(refused(remote), LocateError::Remote { .. }), "{remote}");
        }
        assert!(matches!(refused(""), LocateError::Invalid { .. }));
        assert!(matches!(refused("file://host/a.csv"), LocateError::Invalid { .. }));
    }

    #[test]
    fn allow_local_reads_what_the_manifest_names() {
        let open = places(&[], true);
        let source = open.of_manifest(&manifest(&["a.csv", "file:///data/b%20c.csv"]), &schema()).unwrap();
        assert_eq!(source.files(), [Path::new("a.csv"), Path::new("/data/b c.csv")]);
        let error = open.of_manifest(&manifest(&["https://example.org/a.csv"]), &schema()).unwrap_err();
        assert!(error.to_string().contains("download it and add --source FILE"), "{error}");
    }

    #[test]
    fn source_files_come_once_per_part() {
        let given = places(&["/x/1", "/x/2"], false);
        let source =
            given.of_manifest(&manifest(&["a.csv", "https://example.org/b.csv"]), &schema()).unwrap();
        assert_eq!(source.files(), [Path::new("/x/1"), Path::new("/x/2")]);
        let error = given.of_manifest(&manifest(&["a.csv"]), &schema()).unwrap_err().to_string();
        assert!(error.contains("names 2 files, but the run has 1 parts"), "{error}");
    }

    #[test]
    fn a_run_file_may_name_paths() {
        let text = "name = \"n\"\n[source]\nlocations = [\"d/a.csv\", \"/abs/b.csv\"]\ntarget = \"y\"\n";
        let run = RunFile::parse(text).unwrap();
        let source = SourcePlaces::default().of_run_file(&run, Path::new("runs")).unwrap();
        assert_eq!(source.files(), [Path::new("runs/d/a.csv"), Path::new("/abs/b.csv")]);
        let source = places(&["1", "2"], false).of_run_file(&run, Path::new("runs")).unwrap();
        assert_eq!(source.files(), [Path::new("1"), Path::new("2")]);
    }
}
