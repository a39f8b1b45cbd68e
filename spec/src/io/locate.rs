//! Which file a part means, and whether it may be read.
//!
//! A run file is the operator's own and may name any path. A manifest is a stranger's: a name in it reaches no file
//! until whoever runs this machine has said where that part lies, or has allowed local files altogether.

use std::path::Path;

use snake::Schema;

use super::fetch::{Address, FetchLimits, Fetcher, Reach, S3Access};
use super::part_place::PartPlace;
use super::synthetic::Synthetic;
use super::table_source::TableSource;
use crate::run::PublicSource;
use crate::runfile::RunFile;
use crate::runfile::location::{Location, bare_name, classify};

/// What the person at this machine has said about where parts lie.
#[derive(Debug, Clone, Default)]
pub struct SourcePlaces {
    /// `--source FILE|ADDRESS`, one per part in order; empty: not given. Giving it is the permission to read it.
    pub overrides: Vec<String>,
    /// `--allow-local`: a manifest may name files of this machine and addresses of its own network.
    pub allow_local: bool,
    /// This machine's settings for S3. They are for what was typed here: a manifest gets no more of them than, with
    /// `--allow-local`, the endpoint and region.
    pub s3: S3Access,
    /// How patient reading from afar is.
    pub fetch: FetchLimits,
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
    /// The source of a manifest: a place per part from `--source`, or those that the manifest names, as far as they reach
    /// nothing of this machine or its network; with `--allow-local` anything (bare names in the working directory).
    /// Nothing is opened.
    ///
    /// # Errors
    /// [`LocateError`], which says what to type.
    pub fn of_manifest(&self, source: &PublicSource, schema: &Schema) -> Result<TableSource, LocateError> {
        let parts = match self.given(&source.locations)? {
            Some(parts) => parts,
            None => {
                let fetcher = self.stranger();
                let parts = 0..source.locations.len();
                parts.map(|part| self.published(source, part, &fetcher)).collect::<Result<_, _>>()?
            }
        };
        let table = TableSource::new(source.format, parts, source.on_error);
        Ok(table.with_known_columns(columns(source, schema), source.exclude.len()))
    }

    /// The source of a manifest that was published from a run file of this machine: everything that the run file names, mirrors
    /// too, may be read.
    ///
    /// # Errors
    /// As [`of_run_file`](Self::of_run_file).
    pub fn of_own_manifest(
        &self,
        run: &RunFile,
        folder: &Path,
        schema: &Schema,
    ) -> Result<TableSource, LocateError> {
        let table = self.of_run_file(run, folder)?;
        let source = &run.settings.source;
        Ok(table.with_known_columns(columns(source, schema), source.exclude.len()))
    }

    /// The source of the operator's own run file, which lies in `folder`: it may name anything.
    ///
    /// # Errors
    /// [`LocateError`] when `--source` was given another number of times than there are parts, or what is named is no place.
    pub fn of_run_file(&self, run: &RunFile, folder: &Path) -> Result<TableSource, LocateError> {
        let source = &run.settings.source;
        let parts = match self.given(&run.locations)? {
            Some(parts) => parts,
            None => {
                let fetcher = Fetcher::new(Reach::anywhere(), self.fetch.clone(), self.s3.clone());
                let mut parts = Vec::new();
                for (part, text) in run.locations.iter().enumerate() {
                    let mirrors = source.mirrors.get(part).into_iter().flatten();
                    let places = std::iter::once(text).chain(mirrors);
                    parts.push(places.map(|text| typed(text, folder, &fetcher)).collect::<Result<_, _>>()?);
                }
                parts
            }
        };
        Ok(TableSource::new(source.format, parts, source.on_error))
    }

    fn given(&self, parts: &[String]) -> Result<Option<Vec<Vec<PartPlace>>>, LocateError> {
        if self.overrides.is_empty() {
            return Ok(None);
        }
        if self.overrides.len() != parts.len() {
            let names: Vec<String> = parts.iter().map(|part| shown(part)).collect();
            let (given, names) = (self.overrides.len(), names.join(", "));
            return Err(LocateError::Count { given, parts: parts.len(), names });
        }
        // Exactly what was typed may be reached: where a server redirects to is judged like anybody's.
        let mut reach = if self.allow_local { Reach::anywhere() } else { Reach::public() };
        let plain = Fetcher::new(reach.clone(), self.fetch.clone(), self.s3.clone());
        for text in &self.overrides {
            if let Some(origin) = text.parse::<Address>().ok().and_then(|address| plain.origin(&address)) {
                reach = reach.with_origin(origin);
            }
        }
        let fetcher = plain.with_reach(reach);
        let places = self.overrides.iter().map(|text| Ok(vec![typed(text, Path::new(""), &fetcher)?]));
        places.collect::<Result<_, _>>().map(Some)
    }

    /// Fetches what a manifest names.
    fn stranger(&self) -> Fetcher {
        let (reach, s3) = match self.allow_local {
            true => (Reach::anywhere(), S3Access { credentials: None, ..self.s3.clone() }),
            // The settings' endpoint may be a machine of this network.
            false => (Reach::public(), S3Access::default()),
        };
        Fetcher::new(reach, self.fetch.clone(), s3)
    }

    /// The places of a manifest's part that may be read: its location and its mirrors.
    fn published(
        &self,
        source: &PublicSource,
        part: usize,
        fetcher: &Fetcher,
    ) -> Result<Vec<PartPlace>, LocateError> {
        let location = source.locations.get(part).map_or("", String::as_str);
        let mirrors = source.mirrors.get(part).into_iter().flatten();
        let mirrors = mirrors
            .map(|mirror| match classified(mirror)? {
                Location::Remote { .. } => place(mirror, fetcher),
                Location::Local(_) => Err(LocateError::LocalFile { name: mirror.clone() }),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let first = match classified(location)? {
            Location::Remote { .. } => Ok(place(location, fetcher)?),
            Location::Local(path) if self.allow_local => Ok(PartPlace::File(path.into())),
            Location::Local(path) => {
                let bare = bare_name(location).is_ok_and(|name| name == location) && path == location;
                let name = location.into();
                Err(if bare { LocateError::NeedsSource { name } } else { LocateError::LocalFile { name } })
            }
        };
        match first {
            Ok(first) => Ok(std::iter::once(first).chain(mirrors).collect()),
            // The operator's own copy: the mirrors are for others.
            Err(LocateError::NeedsSource { .. }) if !mirrors.is_empty() => Ok(mirrors),
            Err(error) => Err(error),
        }
    }
}

/// The columns that a published source has.
fn columns(source: &PublicSource, schema: &Schema) -> Vec<String> {
    let columns = schema.features.iter().map(|feature| &feature.name).chain([&schema.target]);
    columns.chain(&source.exclude).cloned().collect()
}

/// What a person typed, at this machine: anything may be read. Paths are looked for in `folder`.
fn typed(text: &str, folder: &Path, fetcher: &Fetcher) -> Result<PartPlace, LocateError> {
    match classified(text)? {
        Location::Local(path) => Ok(PartPlace::File(folder.join(path))),
        Location::Remote { .. } => place(text, fetcher),
    }
}

fn classified(location: &str) -> Result<Location, LocateError> {
    classify(location).map_err(|reason| LocateError::Invalid { location: shown(location), reason })
}

/// No more of an address than is sure to hold no secret.
fn shown(location: &str) -> String {
    let shown = match location.contains("://") && location.contains('@') {
        true => location.split_inclusive("://").next(),
        false => location.split('?').next(),
    };
    shown.unwrap_or_default().to_owned()
}

/// A place that is no file.
fn place(text: &str, fetcher: &Fetcher) -> Result<PartPlace, LocateError> {
    let invalid = |reason| LocateError::Invalid { location: shown(text), reason };
    if let Some(settings) = text.strip_prefix("synthetic://") {
        return match Synthetic::parse(settings) {
            Ok(settings) => Ok(PartPlace::MadeUp { text: text.into(), settings }),
            Err(reason) => Err(invalid(reason)),
        };
    }
    match text.parse::<Address>() {
        Ok(address) => Ok(PartPlace::Remote { text: text.into(), address, fetcher: fetcher.clone() }),
        Err(error) => Err(invalid(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use snake::{Feature, FeatureKind, TargetKind};

    use super::*;
    use crate::run::{Format, OnError};
    use crate::source::RecordSource;

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
        SourcePlaces {
            overrides: overrides.iter().map(ToString::to_string).collect(),
            allow_local,
            ..SourcePlaces::default()
        }
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
        assert!(matches!(refused("ftp://x/y"), LocateError::Invalid { .. }));
        assert!(matches!(refused(""), LocateError::Invalid { .. }));
        assert!(matches!(refused("file://host/a.csv"), LocateError::Invalid { .. }));
    }

    #[test]
    fn allow_local_reads_what_the_manifest_names() {
        let open = places(&[], true);
        let source = open.of_manifest(&manifest(&["a.csv", "file:///data/b%20c.csv"]), &schema()).unwrap();
        assert_eq!(source.files(), [Path::new("a.csv"), Path::new("/data/b c.csv")]);
        let mixed =
            open.of_manifest(&manifest(&["https://example.org/a.csv?x=1", "b.csv"]), &schema()).unwrap();
        assert_eq!(mixed.places(), ["https://example.org/a.csv?x=1", "b.csv"]);
        assert_eq!(mixed.location(0), "https://example.org/a.csv?..");
        assert!(!format!("{mixed:?}").contains("x=1"), "{mixed:?}");
    }

    #[test]
    fn mirrors_stand_in_for_a_file_of_the_operators() {
        let mirror = "https://example.org/a.csv".to_owned();
        let source = PublicSource { mirrors: vec![vec![mirror.clone()]], ..manifest(&["a.csv"]) };
        assert_eq!(places(&[], false).of_manifest(&source, &schema()).unwrap().places(), [mirror]);
        assert_eq!(places(&[], true).of_manifest(&source, &schema()).unwrap().places(), ["a.csv"]);
        let hostile = PublicSource { mirrors: vec![vec!["/etc/passwd".into()]], ..manifest(&["a.csv"]) };
        let refused = places(&[], false).of_manifest(&hostile, &schema()).unwrap_err();
        assert_eq!(refused, LocateError::LocalFile { name: "/etc/passwd".into() });
        let secret = manifest(&["https://me:hunter7@example.org/a.csv?k=v"]);
        let refused = places(&[], false).of_manifest(&secret, &schema()).unwrap_err().to_string();
        assert!(!refused.contains("hunter7") && !refused.contains("k=v"), "{refused}");
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
