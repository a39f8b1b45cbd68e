//! The work on a row, in order: route, hold out, drop duplicates within its shard, count and hash.
//!
//! Duplicates are found by 128 bits of BLAKE3 of the canonical features: about 50 bytes of memory per kept row of the
//! paths at work, for the time of one pass.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use snake::TargetValue;

use crate::data_spec::{DataSpec, Shard};
use crate::error::{MaterialiseError, SpecError};
use crate::holdout::Holdout;
use crate::route::Router;
use crate::routing::Routing;
use crate::rows::Row;
use crate::shard::{ShardHasher, push_cells};

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Never trained on.
    HeldOut,
    /// Of a path that is not asked for.
    Elsewhere,
    /// Equal to an earlier row of its shard in all features.
    Duplicate,
    /// In the shard of this path.
    Kept(u32),
}

/// Sorts rows into the shards that are asked for.
#[derive(Debug)]
pub(crate) struct Keeper {
    router: Router,
    holdout: Holdout,
    shards: Vec<Option<ShardInWork>>,
    features: Vec<u8>,
    /// Per class, whether a row of the source has it, held out or not.
    classes: Vec<bool>,
}

/// A shard that is being read.
#[derive(Debug)]
pub(crate) struct ShardInWork {
    hasher: ShardHasher,
    seen: HashMap<u128, u64, RandomState>,
    /// Rows that were dropped.
    pub(crate) duplicates: u64,
    /// Those of them whose target is another one.
    pub(crate) conflicts: u64,
}

impl ShardInWork {
    pub(crate) fn shard(&self) -> Shard {
        self.hasher.shard()
    }
}

impl Keeper {
    /// `wanted` says of a path whether its rows are asked for.
    pub(crate) fn new(
        routing: &Routing,
        schema: &snake::Schema,
        holdout: Holdout,
        wanted: &dyn Fn(u32) -> bool,
    ) -> Result<Self, SpecError> {
        let router = Router::new(routing, schema)?;
        let shards = (0..routing.paths())
            .map(|path| {
                wanted(path).then(|| ShardInWork {
                    hasher: ShardHasher::new(),
                    seen: HashMap::default(),
                    duplicates: 0,
                    conflicts: 0,
                })
            })
            .collect();
        let classes = vec![false; schema.classes.len()];
        Ok(Self { router, holdout, shards, features: Vec::new(), classes })
    }

    /// The keeper of a published spec's shards.
    pub(crate) fn of_spec(spec: &DataSpec, wanted: &dyn Fn(u32) -> bool) -> Result<Self, SpecError> {
        if spec.shards.len() != spec.paths() as usize {
            return Err(SpecError::field(
                "shards",
                format!("{} shards for {} paths", spec.shards.len(), spec.paths()),
            ));
        }
        Self::new(&spec.routing, &spec.schema, Holdout::new(spec.holdout, spec.training.seed), wanted)
    }

    pub(crate) fn sort(&mut self, row: &Row<'_>) -> Fate {
        if let TargetValue::Class(class) = row.target
            && let Some(seen) = self.classes.get_mut(class as usize)
        {
            *seen = true;
        }
        if self.holdout.holds_out(row.ordinal) {
            return Fate::HeldOut;
        }
        let path = self.router.route(row.ordinal, row.cells);
        let Some(Some(shard)) = self.shards.get_mut(path as usize) else { return Fate::Elsewhere };
        self.features.clear();
        push_cells(row.cells, &mut self.features);
        let target = match row.target {
            TargetValue::Class(class) => u64::from(class),
            TargetValue::Number(value) => (value + 0.0).to_bits(),
        };
        let hash = blake3::hash(&self.features);
        let key = hash.as_bytes().iter().take(16).fold(0u128, |key, byte| (key << 8) | u128::from(*byte));
        match shard.seen.entry(key) {
            std::collections::hash_map::Entry::Occupied(first) => {
                shard.duplicates += 1;
                shard.conflicts += u64::from(*first.get() != target);
                Fate::Duplicate
            }
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(target);
                shard.hasher.push(row.ordinal, &self.features, row.target);
                Fate::Kept(path)
            }
        }
    }

    /// An error as soon as a shard has more rows than were published, so that an endless source ends too.
    pub(crate) fn check_growth(&self, spec: &DataSpec, path: u32) -> Result<(), MaterialiseError> {
        match (self.shards.get(path as usize), spec.shards.get(path as usize)) {
            (Some(Some(shard)), Some(expected)) if shard.hasher.rows() > expected.rows => {
                Err(MaterialiseError::WrongShard { path, expected: *expected, found: shard.shard() })
            }
            _ => Ok(()),
        }
    }

    /// Checks every shard that was asked for, lowest path first, and after the last row of the source that each class of
    /// the schema was there: one that no row has changes no shard's hash, but it would stand in the model.
    pub(crate) fn check(&self, spec: &DataSpec) -> Result<(), MaterialiseError> {
        for ((path, shard), expected) in (0u32..).zip(&self.shards).zip(&spec.shards) {
            if let Some(shard) = shard {
                let found = shard.shard();
                if found != *expected {
                    return Err(MaterialiseError::WrongShard { path, expected: *expected, found });
                }
            }
        }
        match self.absent(spec).next().map(|class| serde_json::to_string(class).unwrap_or_default()) {
            Some(class) => Err(MaterialiseError::AbsentClass { class }),
            None => Ok(()),
        }
    }

    /// The classes of the schema that no row so far had.
    pub(crate) fn absent<'s>(&'s self, spec: &'s DataSpec) -> impl Iterator<Item = &'s snake::Label> {
        self.classes.iter().zip(&spec.schema.classes).filter(|(seen, _)| !**seen).map(|(_, class)| class)
    }

    /// The shards that were asked for, by path.
    pub(crate) fn shards(&self) -> impl Iterator<Item = (u32, &ShardInWork)> {
        (0u32..).zip(&self.shards).filter_map(|(path, shard)| shard.as_ref().map(|shard| (path, shard)))
    }
}
