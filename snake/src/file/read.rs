//! Reading a model as it streams by: a row, a target value, a bucket at a time.
//!
//! Rows stand before the header that names their columns, so a file that has them is opened twice: once for all but its
//! rows, then for these alone.

mod layers;
mod rows;
mod targets;

use std::io::{self, Read};

use serde_json::Value as Json;

use super::pieces::Pieces;
use crate::batch::{RowBatch, RowBatchBuilder};
use crate::model::{FORMAT_VERSION, Head, Layer, Model, ModelError, TrainingRows};
use crate::schema::{Feature, FeatureKind, Label, TargetKind};
use layers::layers;
use rows::{KnownTargets, rows_of};
use targets::{target_value, targets};

/// A value of the head may take this many bytes: a router's fit is by far the largest.
const MAX_HEAD: usize = 1 << 28;
/// A training row, or a target value.
const MAX_ROW: usize = 1 << 28;

impl Model {
    /// Reads a model file of any writer of the format. Keys that are not of the format are ignored.
    ///
    /// # Errors
    /// [`ModelError`] naming the line, or layer and bucket where the file contradicts itself.
    pub fn read(bytes: &[u8]) -> Result<Self, ModelError> {
        Self::read_stream(|| Ok(bytes), TrainingRows::Kept)
    }

    /// Reads a model file without its training rows, which predictions do not need: faster and smaller.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_without_rows(bytes: &[u8]) -> Result<Self, ModelError> {
        Self::read_stream(|| Ok(bytes), TrainingRows::LeftOut)
    }

    /// Reads a model file as it streams: of the document, never more than one row or one bucket is in memory. `open` is
    /// asked for the file from its start, a second time where the rows are wanted and stand before the header.
    ///
    /// # Errors
    /// As [`read`](Self::read), and what `open` and its readers return.
    pub fn read_stream<R: Read>(
        open: impl FnMut() -> io::Result<R>,
        rows: TrainingRows,
    ) -> Result<Self, ModelError> {
        let model = Self::read_parts(open, rows, None)?;
        model.check()?;
        Ok(model)
    }

    /// Reads a model file, rows included, to check it. Its layers may point to what is not there, which
    /// [`survey_layer`](crate::survey_layer) says bucket by bucket; for anything else ask [`check`](Self::check) first.
    /// `differs` is told of every row (by its position) whose target is another one than `targets` says, and which.
    ///
    /// # Errors
    /// As [`read_stream`](Self::read_stream), but for the layers' positions.
    pub fn read_for_survey<R: Read>(
        open: impl FnMut() -> io::Result<R>,
        mut differs: impl FnMut(usize, &Label),
    ) -> Result<Self, ModelError> {
        let model = Self::read_parts(open, TrainingRows::Kept, Some(&mut differs))?;
        model.check_rows()?;
        Ok(model)
    }

    fn read_parts<R: Read>(
        mut open: impl FnMut() -> io::Result<R>,
        rows: TrainingRows,
        differs: Option<Differs<'_>>,
    ) -> Result<Self, ModelError> {
        // Target values come after the rows, so rows that are compared with them wait for a second look.
        let mut parts = Parts { rows_wait: differs.is_some(), ..Parts::default() };
        let mut pieces = Pieces::new(open().map_err(ModelError::Read)?);
        parts.read(&mut pieces, rows)?;
        drop(pieces);
        let Parts { head, targets, population, population_passed, layers, .. } = parts;
        let missing = |key| ModelError::Head { part: key, what: "there is none".into() };
        let header = head.header.ok_or_else(|| missing("header"))?;
        let target = head.target.ok_or_else(|| missing("target"))?;
        let datatypes = head.datatypes.ok_or_else(|| missing("datatypes"))?;
        let head = Head {
            features: features(&target, &header, &datatypes)?,
            target_kind: target_kind(&datatypes)?,
            version: head.version.unwrap_or_else(|| FORMAT_VERSION.into()),
            stripped: head.stripped.unwrap_or_default(),
            target,
            config: head.config.unwrap_or_default(),
            log: head.log.unwrap_or_default(),
            opendipaco: head.opendipaco.flatten(),
        };
        head.check()?;
        let mut targets = targets.ok_or_else(|| missing("targets"))?;
        for (place, label) in targets.iter_mut().enumerate() {
            let generic = std::mem::replace(label, Label::Integer(0));
            *label = target_value(head.target_kind, generic, place)?;
        }
        let population = match population {
            Some(rows) => rows,
            None if population_passed && rows == TrainingRows::Kept => {
                let mut pieces = Pieces::new(open().map_err(ModelError::Read)?);
                let known = differs.map(|differs| KnownTargets {
                    name: &head.target,
                    kind: head.target_kind,
                    values: &targets,
                    differs,
                });
                population_of(&mut pieces, &head.features, known)?
            }
            None => RowBatchBuilder::new(&head.features).take(),
        };
        let layers = layers.ok_or_else(|| missing("layers"))?;
        Ok(Model { head, population, targets, layers })
    }
}

/// Told of a row, by its position, and of the target that it names.
type Differs<'a> = &'a mut dyn FnMut(usize, &Label);

/// The head's keys as they were met.
#[derive(Default)]
struct FileHead {
    version: Option<String>,
    stripped: Option<bool>,
    header: Option<Vec<String>>,
    target: Option<String>,
    datatypes: Option<Vec<String>>,
    config: Option<Json>,
    log: Option<String>,
    opendipaco: Option<Option<Json>>,
}

/// What a pass over a file has met so far.
#[derive(Default)]
struct Parts {
    head: FileHead,
    /// Of any kind: what a target holds may be said only later.
    targets: Option<Vec<Label>>,
    population: Option<RowBatch>,
    /// The rows were there, and were not read.
    population_passed: bool,
    /// The rows are not to be read in this pass.
    rows_wait: bool,
    layers: Option<Vec<Layer>>,
}

impl Parts {
    fn read<R: Read>(&mut self, pieces: &mut Pieces<R>, rows: TrainingRows) -> Result<(), ModelError> {
        pieces.expect(b'{', "a model: an object")?;
        let mut first = true;
        while pieces.more(first, b'}', "a comma or the end of the model")? {
            first = false;
            let key = pieces.key()?;
            let head = &mut self.head;
            match key.as_str() {
                "version" => once(&mut head.version, "version", || pieces.value(MAX_HEAD))?,
                "stripped" => once(&mut head.stripped, "stripped", || pieces.value(MAX_HEAD))?,
                "header" => once(&mut head.header, "header", || pieces.value(MAX_HEAD))?,
                "target" => once(&mut head.target, "target", || pieces.value(MAX_HEAD))?,
                "datatypes" => once(&mut head.datatypes, "datatypes", || pieces.value(MAX_HEAD))?,
                "config" => once(&mut head.config, "config", || pieces.value(MAX_HEAD))?,
                "log" => once(&mut head.log, "log", || pieces.value(MAX_HEAD))?,
                "opendipaco" => once(&mut head.opendipaco, "opendipaco", || pieces.value(MAX_HEAD))?,
                "targets" => once(&mut self.targets, "targets", || targets(pieces))?,
                "layers" => once(&mut self.layers, "layers", || layers(pieces))?,
                "population" if self.population.is_some() || self.population_passed => {
                    return Err(twice("population"));
                }
                "population" => match (&head.target, &head.header, &head.datatypes) {
                    (Some(target), Some(header), Some(datatypes))
                        if rows == TrainingRows::Kept && !self.rows_wait =>
                    {
                        let features = features(target, header, datatypes)?;
                        self.population = Some(rows_of(pieces, &features, None)?);
                    }
                    _ => {
                        pieces.skip()?;
                        self.population_passed = true;
                    }
                },
                _ => pieces.skip()?,
            }
        }
        if pieces.peek()?.is_some() { Err(pieces.unexpected("the end of the file")) } else { Ok(()) }
    }
}

fn once<T>(
    place: &mut Option<T>,
    key: &'static str,
    read: impl FnOnce() -> Result<T, ModelError>,
) -> Result<(), ModelError> {
    if place.is_some() {
        return Err(twice(key));
    }
    *place = Some(read()?);
    Ok(())
}

fn twice(key: &'static str) -> ModelError {
    ModelError::Head { part: key, what: "it stands in the file twice".into() }
}

/// The rows, in a pass for them alone.
fn population_of<R: Read>(
    pieces: &mut Pieces<R>,
    features: &[Feature],
    known: Option<KnownTargets<'_>>,
) -> Result<RowBatch, ModelError> {
    pieces.expect(b'{', "a model: an object")?;
    let mut first = true;
    while pieces.more(first, b'}', "a comma or the end of the model")? {
        first = false;
        if pieces.key()? == "population" {
            return rows_of(pieces, features, known);
        }
        pieces.skip()?;
    }
    Err(ModelError::Head { part: "population", what: "it went away between two looks at the file".into() })
}

fn features(target: &str, header: &[String], datatypes: &[String]) -> Result<Vec<Feature>, ModelError> {
    let refuse = |part, what| Err(ModelError::Head { part, what });
    let Some((first, names)) = header.split_first() else {
        return refuse("header", "it is empty".into());
    };
    if first != target {
        return refuse("header", format!("its first column is {first:?}, the target is {target:?}"));
    }
    if datatypes.len() != header.len() {
        let what = format!("there are {} for {} columns", datatypes.len(), header.len());
        return refuse("datatypes", what);
    }
    let mut features = Vec::with_capacity(names.len());
    for (name, datatype) in names.iter().zip(datatypes.iter().skip(1)) {
        let kind = match datatype.as_str() {
            "N" => FeatureKind::Number,
            "T" => FeatureKind::Text,
            other => {
                let what = format!("feature {name:?} is {other:?}, a feature is \"N\" or \"T\"");
                return refuse("datatypes", what);
            }
        };
        features.push(Feature { name: name.clone(), kind });
    }
    Ok(features)
}

fn target_kind(datatypes: &[String]) -> Result<TargetKind, ModelError> {
    match datatypes.first().map(String::as_str) {
        Some("B") => Ok(TargetKind::Binary),
        Some("I") => Ok(TargetKind::Integer),
        Some("N") => Ok(TargetKind::Number),
        Some("T") => Ok(TargetKind::Text),
        Some("J") => Ok(TargetKind::Json),
        other => Err(ModelError::Head {
            part: "datatypes",
            what: format!("the target is {:?}, a target is B, I, N, T or J", other.unwrap_or_default()),
        }),
    }
}
