//! Reading a model, in two passes over its bytes: the head and the layers, then the rows, whose columns the head
//! names only after them.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use crate::batch::{RowBatch, RowBatchBuilder};
use crate::bucket::{Bucket, Origin};
use crate::literal::{Clause, Literal};
use crate::lookalikes::{Lookalikes, VoteCondition};
use crate::model::{FORMAT_VERSION, Head, Layer, Model, ModelError};
use crate::schema::{Feature, FeatureKind, Label, TargetKind};
use crate::value::{Value, from_json};

impl Model {
    /// Reads a model file of any writer of the format. Keys that are not of the format are ignored.
    ///
    /// # Errors
    /// [`ModelError`] naming layer and bucket where the file contradicts itself.
    pub fn read(bytes: &[u8]) -> Result<Self, ModelError> {
        read(bytes, true)
    }

    /// Reads a model file without its training rows, which predictions do not need: faster and smaller.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_without_rows(bytes: &[u8]) -> Result<Self, ModelError> {
        read(bytes, false)
    }
}

fn read(bytes: &[u8], with_rows: bool) -> Result<Model, ModelError> {
    let file: FileHead = serde_json::from_slice(bytes).map_err(ModelError::Json)?;
    let layers = file.layers.0;
    let head = Head {
        features: features(&file.target, &file.header, &file.datatypes)?,
        target_kind: target_kind(&file.datatypes)?,
        version: file.version,
        stripped: file.stripped,
        target: file.target,
        config: file.config,
        log: file.log,
        opendipaco: file.opendipaco,
    };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let seed = Body { head: &head, with_rows };
    let (population, targets) = seed.deserialize(&mut deserializer).map_err(ModelError::Json)?;
    let model = Model { head, population, targets, layers };
    model.check()?;
    Ok(model)
}

#[derive(Deserialize)]
struct FileHead {
    #[serde(default = "version")]
    version: String,
    #[serde(default)]
    stripped: bool,
    header: Vec<String>,
    target: String,
    datatypes: Vec<String>,
    #[serde(default)]
    config: Json,
    layers: FileLayers,
    #[serde(default)]
    log: String,
    #[serde(default)]
    opendipaco: Option<Json>,
}

fn version() -> String {
    FORMAT_VERSION.into()
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
struct FileLayers(Vec<Layer>);

impl<'de> Deserialize<'de> for FileLayers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let layer = |number| Sequence {
            what: "a layer: a list of buckets",
            item: move |place| BucketSeed { layer: number, place },
        };
        Sequence { what: "a list of layers", item: layer }.deserialize(deserializer).map(Self)
    }
}

/// A list of items that each know their place in it.
struct Sequence<F> {
    what: &'static str,
    item: F,
}

impl<'de, S: DeserializeSeed<'de>, F: Fn(usize) -> S> DeserializeSeed<'de> for Sequence<F> {
    type Value = Vec<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, S: DeserializeSeed<'de>, F: Fn(usize) -> S> Visitor<'de> for Sequence<F> {
    type Value = Vec<S::Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.what)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed((self.item)(items.len()))? {
            items.push(item);
        }
        Ok(items)
    }
}

struct BucketSeed {
    layer: usize,
    place: usize,
}

impl<'de> DeserializeSeed<'de> for BucketSeed {
    type Value = Bucket<u32>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Bucket<u32>, D::Error> {
        let file = FileBucket::deserialize(deserializer).map_err(|error| {
            D::Error::custom(format_args!("layer {}, bucket {}: {error}", self.layer, self.place))
        })?;
        let origins = file.origins.unwrap_or_else(|| vec![Origin::Core; file.members.len()]);
        Ok(Bucket {
            condition: file.condition,
            members: file.members,
            origins,
            clauses: file.clauses,
            lookalikes: file.lookalikes.0,
        })
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
                while let Some(key) = map.next_key::<String>()? {
                    let position = key.parse().ok().filter(|position: &u32| position.to_string() == key);
                    let Some(position) = position else {
                        return Err(A::Error::custom(format_args!(
                            "the lookalike key {key:?} is no position in the members"
                        )));
                    };
                    entries.begin(position);
                    map.next_value_seed(EntryConditions(&mut entries))?;
                }
                Ok(FileLookalikes(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// The conditions of one entry, added to those before.
struct EntryConditions<'a>(&'a mut Lookalikes);

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
        while let Some(condition) = list.next_element::<VoteCondition>()? {
            self.0.push(&condition);
        }
        Ok(())
    }
}

/// The second pass: rows and target values.
struct Body<'a> {
    head: &'a Head,
    with_rows: bool,
}

impl<'de> DeserializeSeed<'de> for Body<'_> {
    type Value = (RowBatch, Vec<Label>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Body<'_> {
    type Value = (RowBatch, Vec<Label>);

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a model: an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut population = None;
        let mut targets = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "population" if self.with_rows && population.is_none() => {
                    population = Some(map.next_value_seed(Population { features: &self.head.features })?);
                }
                "targets" if targets.is_none() => {
                    let kind = self.head.target_kind;
                    let item = move |place| Target { kind, place };
                    targets = Some(map.next_value_seed(Sequence { what: "a list of target values", item })?);
                }
                "population" if self.with_rows => return Err(A::Error::duplicate_field("population")),
                "targets" => return Err(A::Error::duplicate_field("targets")),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let targets = targets.ok_or_else(|| A::Error::missing_field("targets"))?;
        let population = population.unwrap_or_else(|| RowBatchBuilder::new(&self.head.features).take());
        Ok((population, targets))
    }
}

struct Target {
    kind: TargetKind,
    place: usize,
}

impl<'de> DeserializeSeed<'de> for Target {
    type Value = Label;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Label, D::Error> {
        let value = Json::deserialize(deserializer)?;
        let number = |number: &serde_json::Number| number.as_f64().filter(|x| x.is_finite());
        let label = match (self.kind, &value) {
            (TargetKind::Json, _) => Some(Label::Json(value.clone())),
            (TargetKind::Text, Json::String(text)) => Some(Label::Text(text.clone())),
            (TargetKind::Number, Json::Number(n)) => number(n).map(Label::Number),
            (TargetKind::Binary | TargetKind::Integer, Json::Number(n)) => match n.as_i64() {
                Some(whole) => Some(Label::Integer(whole)),
                None => number(n).map(whole_or_number),
            },
            (TargetKind::Binary | TargetKind::Integer, Json::Bool(flag)) => {
                Some(Label::Integer(i64::from(*flag)))
            }
            _ => None,
        };
        label.ok_or_else(|| {
            D::Error::custom(format_args!(
                "target value {} is {value}, which does not fit the target's datatype",
                self.place
            ))
        })
    }
}

/// 3 for 3.0.
fn whole_or_number(x: f64) -> Label {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[allow(clippy::cast_possible_truncation)]
    if x.abs() <= EXACT && x.fract() == 0.0 { Label::Integer(x as i64) } else { Label::Number(x) }
}

struct Population<'a> {
    features: &'a [Feature],
}

impl<'de> DeserializeSeed<'de> for Population<'_> {
    type Value = RowBatch;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RowBatch, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Population<'_> {
    type Value = RowBatch;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the training rows: a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RowBatch, A::Error> {
        let places: BTreeMap<&str, usize> =
            self.features.iter().enumerate().map(|(place, feature)| (feature.name.as_str(), place)).collect();
        let mut builder = RowBatchBuilder::new(self.features);
        let mut row = vec![Json::Null; self.features.len()];
        let mut scratch = vec![String::new(); self.features.len()];
        while seq.next_element_seed(Row { places: &places, row: &mut row })?.is_some() {
            let cells: Vec<Value<'_>> = self
                .features
                .iter()
                .zip(&row)
                .zip(&mut scratch)
                .map(|((feature, value), scratch)| from_json(feature.kind, value, scratch))
                .collect();
            builder.push(&cells).map_err(A::Error::custom)?;
        }
        Ok(builder.take())
    }
}

/// One row, into the cells of its known columns.
struct Row<'a, 'k> {
    places: &'a BTreeMap<&'k str, usize>,
    row: &'a mut [Json],
}

impl<'de> DeserializeSeed<'de> for Row<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Row<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a training row: an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        self.row.fill(Json::Null);
        while let Some(key) = map.next_key::<String>()? {
            match self.places.get(key.as_str()).and_then(|place| self.row.get_mut(*place)) {
                Some(cell) => *cell = map.next_value()?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}
