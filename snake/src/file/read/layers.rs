//! Layers, a bucket at a time.

use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::bucket::{Bucket, Origin};
use crate::file::pieces::Pieces;
use crate::literal::{Clause, Literal};
use crate::lookalikes::{Lookalikes, VoteCondition};
use crate::model::{BucketFault, Layer, ModelError};

/// The layers, with the place in every error.
pub(super) fn layers<R: Read>(pieces: &mut Pieces<R>) -> Result<Vec<Layer>, ModelError> {
    pieces.expect(b'[', "a list of layers")?;
    let mut layers = Vec::new();
    while pieces.more(layers.is_empty(), b']', "a comma or the end of the layers")? {
        pieces.expect(b'[', "a layer: a list of buckets")?;
        let mut layer = Layer::new();
        while pieces.more(layer.is_empty(), b']', "a comma or the end of the layer")? {
            let bucket = pieces.piece(usize::MAX, |piece| piece.parse::<FileBucket>())?;
            let bucket = bucket.map_err(|error| match error {
                ModelError::Json { what, line, column } => ModelError::Bucket {
                    layer: layers.len(),
                    bucket: layer.len(),
                    fault: BucketFault::Unreadable { what, line, column },
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
