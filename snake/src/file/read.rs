//! Reading a model as it streams by: a row, a target value, a bucket at a time.
//!
//! Rows stand before the header that names their columns, so a file that has them is opened twice: once for all but its
//! rows, then for these alone.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use super::pieces::Pieces;
use crate::batch::{RowBatch, RowBatchBuilder};
use crate::bucket::{Bucket, Origin};
use crate::literal::{Clause, Literal};
use crate::lookalikes::{Lookalikes, VoteCondition};
use crate::model::{FORMAT_VERSION, Head, Layer, Model, ModelError, TrainingRows};
use crate::schema::{Feature, FeatureKind, Label, TargetKind};
use crate::value::{Value, from_json};

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
        mut open: impl FnMut() -> io::Result<R>,
        rows: TrainingRows,
    ) -> Result<Self, ModelError> {
        let mut parts = Parts::default();
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
                population_of(&mut Pieces::new(open().map_err(ModelError::Read)?), &head.features)?
            }
            None => RowBatchBuilder::new(&head.features).take(),
        };
        let layers = layers.ok_or_else(|| missing("layers"))?;
        let model = Model { head, population, targets, layers };
        model.check()?;
        Ok(model)
    }
}

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
                    (Some(target), Some(header), Some(datatypes)) if rows == TrainingRows::Kept => {
                        let features = features(target, header, datatypes)?;
                        self.population = Some(rows_of(pieces, &features)?);
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
fn population_of<R: Read>(pieces: &mut Pieces<R>, features: &[Feature]) -> Result<RowBatch, ModelError> {
    pieces.expect(b'{', "a model: an object")?;
    let mut first = true;
    while pieces.more(first, b'}', "a comma or the end of the model")? {
        first = false;
        if pieces.key()? == "population" {
            return rows_of(pieces, features);
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

/// The layers, with the place in every error.
fn layers<R: Read>(pieces: &mut Pieces<R>) -> Result<Vec<Layer>, ModelError> {
    pieces.expect(b'[', "a list of layers")?;
    let mut layers = Vec::new();
    while pieces.more(layers.is_empty(), b']', "a comma or the end of the layers")? {
        pieces.expect(b'[', "a layer: a list of buckets")?;
        let mut layer = Layer::new();
        while pieces.more(layer.is_empty(), b']', "a comma or the end of the layer")? {
            let bucket = pieces.piece(usize::MAX, |piece| piece.parse::<FileBucket>())?;
            let bucket = bucket.map_err(|error| match error {
                ModelError::Json { what, line, column } => ModelError::Json {
                    what: format!("layer {}, bucket {}: {what}", layers.len(), layer.len()),
                    line,
                    column,
                },
                other => other,
            })?;
            layer.push(bucket.into());
        }
        layer.shrink_to_fit();
        layers.push(layer);
    }
    Ok(layers)
}

impl From<FileBucket> for Bucket<u32> {
    /// Without the room that lists were given while they grew: a model has many of them.
    fn from(mut file: FileBucket) -> Self {
        file.members.shrink_to_fit();
        file.clauses.shrink_to_fit();
        file.clauses.iter_mut().for_each(Vec::shrink_to_fit);
        file.lookalikes.0.shrink_to_fit();
        let mut origins = file.origins.unwrap_or_else(|| vec![Origin::Core; file.members.len()]);
        origins.shrink_to_fit();
        Self {
            condition: file.condition.map(|mut condition| {
                condition.shrink_to_fit();
                condition
            }),
            members: file.members,
            origins,
            clauses: file.clauses,
            lookalikes: file.lookalikes.0,
        }
    }
}

#[derive(Deserialize)]
struct FileBucket {
    condition: Option<Vec<Literal>>,
    members: Vec<u32>,
    #[serde(default)]
    origins: Option<Vec<Origin>>,
    clauses: Vec<Clause>,
    lookalikes: FileLookalikes,
}

/// Lookalike entries in the order of the file, which is the order of votes.
struct FileLookalikes(Lookalikes);

impl<'de> Deserialize<'de> for FileLookalikes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = FileLookalikes;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("lookalikes: {\"position in members\": [[clause position, ..], ..], ..}")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FileLookalikes, A::Error> {
                let mut entries = Lookalikes::new();
                let mut condition = VoteCondition::new();
                while let Some(Position(position)) = map.next_key()? {
                    entries.begin(position);
                    map.next_value_seed(EntryConditions {
                        entries: &mut entries,
                        condition: &mut condition,
                    })?;
                }
                Ok(FileLookalikes(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// A position as the key of an object: its digits, and nothing else.
struct Position(u32);

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Key;
        impl Visitor<'_> for Key {
            type Value = Position;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a position in the members, as text")
            }

            fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Position, E> {
                let plain = key.bytes().all(|byte| byte.is_ascii_digit())
                    && (key.len() == 1 || !key.starts_with('0'));
                let position = key.parse().ok().filter(|_| plain).map(Position);
                position.ok_or_else(|| {
                    E::custom(format_args!("the lookalike key {key:?} is no position in the members"))
                })
            }
        }
        deserializer.deserialize_str(Key)
    }
}

/// The conditions of one entry, added to those before. `condition` is room for one of them.
struct EntryConditions<'a> {
    entries: &'a mut Lookalikes,
    condition: &'a mut VoteCondition,
}

impl<'de> DeserializeSeed<'de> for EntryConditions<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for EntryConditions<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("conditions: [[clause position, ..], ..]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(OneCondition(self.condition))?.is_some() {
            self.entries.push(self.condition);
        }
        Ok(())
    }
}

/// A condition, in place of the one that was there.
struct OneCondition<'a>(&'a mut VoteCondition);

impl<'de> DeserializeSeed<'de> for OneCondition<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.clear();
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for OneCondition<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a condition: [clause position, ..]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(clause) = list.next_element()? {
            self.0.push(clause);
        }
        Ok(())
    }
}

/// The target values, before it is known what they are to hold.
fn targets<R: Read>(pieces: &mut Pieces<R>) -> Result<Vec<Label>, ModelError> {
    pieces.expect(b'[', "a list of target values")?;
    let mut targets = Vec::new();
    while pieces.more(targets.is_empty(), b']', "a comma or the end of the targets")? {
        targets.push(pieces.piece(MAX_ROW, |piece| piece.parse::<Json>().map(label))??);
    }
    targets.shrink_to_fit();
    Ok(targets)
}

/// A value as the plainest label that loses nothing of it.
fn label(value: Json) -> Label {
    match value {
        Json::String(text) => Label::Text(text),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Label::Integer(whole),
            None if number.is_f64() => Label::Number(number.as_f64().unwrap_or(f64::NAN)),
            None => Label::Json(Json::Number(number)),
        },
        other => Label::Json(other),
    }
}

/// The target value of a row, under the kind of the target.
fn target_value(kind: TargetKind, generic: Label, place: usize) -> Result<Label, ModelError> {
    let json = |label: Label| match label {
        Label::Integer(value) => Json::from(value),
        Label::Number(value) => Json::from(value),
        Label::Text(text) => Json::from(text),
        Label::Json(value) => value,
    };
    let label = match (kind, generic) {
        (TargetKind::Json, label) => Ok(Label::Json(json(label))),
        (TargetKind::Text, label @ Label::Text(_)) => Ok(label),
        #[allow(clippy::cast_precision_loss)]
        (TargetKind::Number, Label::Integer(value)) => Ok(Label::Number(value as f64)),
        (TargetKind::Number, Label::Number(value)) if value.is_finite() => Ok(Label::Number(value)),
        (TargetKind::Binary | TargetKind::Integer, label @ Label::Integer(_)) => Ok(label),
        (TargetKind::Binary | TargetKind::Integer, Label::Number(value)) if value.is_finite() => {
            Ok(whole_or_number(value))
        }
        (TargetKind::Binary | TargetKind::Integer, Label::Json(Json::Bool(flag))) => {
            Ok(Label::Integer(i64::from(flag)))
        }
        // Whole numbers from 2^63 on.
        (_, Label::Json(Json::Number(number))) => match (kind, number.as_f64()) {
            (TargetKind::Number, Some(value)) => Ok(Label::Number(value)),
            (TargetKind::Binary | TargetKind::Integer, Some(value)) => Ok(whole_or_number(value)),
            _ => Err(Label::Json(Json::Number(number))),
        },
        (_, other) => Err(other),
    };
    label.map_err(|other| ModelError::Head {
        part: "targets",
        what: format!("target value {place} is {}, which does not fit the target's datatype", json(other)),
    })
}

/// 3 for 3.0.
fn whole_or_number(x: f64) -> Label {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[allow(clippy::cast_possible_truncation)]
    if x.abs() <= EXACT && x.fract() == 0.0 { Label::Integer(x as i64) } else { Label::Number(x) }
}

/// The training rows as columns.
fn rows_of<R: Read>(pieces: &mut Pieces<R>, features: &[Feature]) -> Result<RowBatch, ModelError> {
    pieces.expect(b'[', "the training rows: a list of objects")?;
    let places: BTreeMap<&str, usize> =
        features.iter().enumerate().map(|(place, feature)| (feature.name.as_str(), place)).collect();
    let mut builder = RowBatchBuilder::new(features);
    let mut scratch = vec![String::new(); features.len()];
    while pieces.more(builder.rows() == 0, b']', "a comma or the end of the training rows")? {
        pieces.piece(MAX_ROW, |piece| {
            let row = piece.parse_seed(Row { places: &places, width: features.len() })?;
            let cells: Vec<Value<'_>> = features
                .iter()
                .zip(&row)
                .zip(&mut scratch)
                .map(|((feature, found), scratch)| match found {
                    Found::Text(text) => Value::parse(feature.kind, text),
                    Found::Other(value) => from_json(feature.kind, value, scratch),
                })
                .collect();
            builder
                .push(&cells)
                .map_err(|error| ModelError::Head { part: "population", what: error.to_string() })
        })??;
    }
    Ok(builder.take())
}

/// A cell as the file has it. A text without escapes is not copied.
enum Found<'de> {
    Text(Cow<'de, str>),
    Other(Json),
}

impl<'de> Deserialize<'de> for Found<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Cell;
        impl<'de> Visitor<'de> for Cell {
            type Value = Found<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a value of a row")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Found::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Found::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
                Ok(Found::Other(Json::from(value)))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Found::Other(Json::from(value)))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(Found::Other(Json::from(value)))
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
                Ok(Found::Other(Json::Bool(flag)))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Found::Other(Json::Null))
            }

            // What is neither number nor text counts as missing.
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Found::Other(Json::Null))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Found::Other(Json::Null))
            }
        }
        deserializer.deserialize_any(Cell)
    }
}

/// One row: the cells of its known columns.
struct Row<'a, 'k> {
    places: &'a BTreeMap<&'k str, usize>,
    width: usize,
}

impl<'de> DeserializeSeed<'de> for Row<'_, '_> {
    type Value = Vec<Found<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Row<'_, '_> {
    type Value = Vec<Found<'de>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a training row: an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut row: Vec<Found<'de>> = Vec::with_capacity(self.width);
        row.resize_with(self.width, || Found::Other(Json::Null));
        while let Some(Found::Text(key)) = map.next_key()? {
            match self.places.get(key.as_ref()).and_then(|place| row.get_mut(*place)) {
                Some(cell) => *cell = map.next_value()?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(row)
    }
}
