//! The training rows, one at a time.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use super::targets::{label, target_value};
use super::{Differs, MAX_ROW};
use crate::batch::{RowBatch, RowBatchBuilder};
use crate::file::pieces::Pieces;
use crate::model::ModelError;
use crate::schema::{Feature, Label, TargetKind};
use crate::value::{Value, from_json};

/// The model's target values, to compare those of the rows with.
pub(super) struct KnownTargets<'a> {
    pub(super) name: &'a str,
    pub(super) kind: TargetKind,
    pub(super) values: &'a [Label],
    /// Told of every row that has another target than `values` says, and which.
    pub(super) differs: Differs<'a>,
}

impl KnownTargets<'_> {
    /// Null, a list or an object says nothing of the target.
    fn compare(&mut self, place: usize, found: Found<'_>) {
        let found = match found {
            Found::Other(Json::Null) => return,
            Found::Text(text) => Label::Text(text.into_owned()),
            Found::Other(value) => label(value),
        };
        // Whether there are as many rows as target values is asked elsewhere.
        let Some(expected) = self.values.get(place) else { return };
        if target_value(self.kind, found.clone(), place).ok().as_ref() != Some(expected) {
            (self.differs)(place, &found);
        }
    }
}

/// The training rows as columns.
pub(super) fn rows_of<R: Read>(
    pieces: &mut Pieces<R>,
    features: &[Feature],
    mut known: Option<KnownTargets<'_>>,
) -> Result<RowBatch, ModelError> {
    pieces.expect(b'[', "the training rows: a list of objects")?;
    let names =
        features.iter().map(|feature| feature.name.as_str()).chain(known.as_ref().map(|known| known.name));
    let places: BTreeMap<&str, usize> = names.enumerate().map(|(place, name)| (name, place)).collect();
    let width = features.len() + usize::from(known.is_some());
    let mut builder = RowBatchBuilder::new(features);
    let mut scratch = vec![String::new(); features.len()];
    while pieces.more(builder.rows() == 0, b']', "a comma or the end of the training rows")? {
        pieces.piece(MAX_ROW, |piece| {
            let mut row = piece.parse_seed(Row { places: &places, width })?;
            if let Some((known, found)) = known.as_mut().zip(row.get_mut(features.len())) {
                known.compare(builder.rows(), std::mem::replace(found, Found::Other(Json::Null)));
            }
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
