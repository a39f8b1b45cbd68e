//! A model: what `model.json` holds, and what must be true of it.

use crate::batch::RowBatch;
use crate::bucket::Bucket;
use crate::literal::Literal;
use crate::schema::{Feature, Label, TargetKind};

/// The version of the model format that this crate reads and writes.
pub const FORMAT_VERSION: &str = "5.4.8";

/// What a model file says besides its rows and layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The format's version; [`FORMAT_VERSION`] for models written here.
    pub version: String,
    /// Whether the training rows are left out of the file.
    pub stripped: bool,
    /// The target's name.
    pub target: String,
    /// What the target holds.
    pub target_kind: TargetKind,
    /// The features in the order of their columns: feature `i` is column `i + 1`.
    pub features: Vec<Feature>,
    /// How the model was trained, as an object; see [`Config`].
    pub config: serde_json::Value,
    /// What the training had to say.
    pub log: String,
    /// What OpenDiPaCo adds: spec, routing, training and paths of the run. Other readers ignore it.
    pub opendipaco: Option<serde_json::Value>,
}

/// The training settings that a model file names, in the file's order.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Config {
    /// Layers in the file.
    pub n_layers: u32,
    /// A chain stops splitting at twice this many rows.
    pub bucket: u32,
    /// Noise rows per core member.
    pub noise: f64,
    /// Whether training talked about its work; false here.
    pub vocal: bool,
    /// Threads; 1 here, since the number never matters.
    pub workers: u32,
    /// The profile's name.
    pub oppose_profile: String,
    /// Candidates per literal of a clause.
    pub lookahead: u32,
}

impl From<Config> for serde_json::Value {
    /// The object of the file. A share that is not finite becomes null.
    fn from(config: Config) -> Self {
        serde_json::to_value(config).unwrap_or_default()
    }
}

/// What becomes of a model's training rows when it is read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrainingRows {
    /// They are in the model.
    #[default]
    Kept,
    /// They are left out: a file without them is stripped. Target values stay.
    LeftOut,
}

/// A layer: the buckets of its chain in order.
pub type Layer = Vec<Bucket<u32>>;

/// A whole model in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Names, kinds, settings.
    pub head: Head,
    /// The training rows' features; no rows when the model is stripped or was read without them.
    pub population: RowBatch,
    /// The training rows' target values.
    pub targets: Vec<Label>,
    /// The layers.
    pub layers: Vec<Layer>,
}

/// Why a model cannot be used, read or written.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The bytes are not JSON of the format's shape.
    #[error(
        "the model file does not read as a model: line {line}, column {column}: {what}. It is damaged or of another \
         format: get it again from where it came"
    )]
    Json {
        /// What is wrong.
        what: String,
        /// The line, from 1.
        line: u64,
        /// The byte of the line, from 1.
        column: u64,
    },
    /// The file could not be read.
    #[error("the model could not be read: {0}")]
    Read(std::io::Error),
    /// A part of the head contradicts another.
    #[error(
        "the model's {part} cannot be used: {what}. Get the model again from where it came, or train it again"
    )]
    Head {
        /// The key in the file.
        part: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// A bucket points to something that is not there.
    #[error(
        "layer {layer}, bucket {bucket} (both from 0): {fault}. Get the model again from where it came, or train it \
         again"
    )]
    Bucket {
        /// The layer, from 0.
        layer: usize,
        /// The bucket's place in the layer, from 0.
        bucket: usize,
        /// What is wrong.
        fault: BucketFault,
    },
    /// The file could not be written.
    #[error("the model could not be written: {0}")]
    Write(std::io::Error),
    /// Something that the format has no form for was to be written.
    #[error("the model could not be written: {0}")]
    Unwritable(String),
}

/// What is wrong with the shape of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BucketFault {
    /// What stands there is JSON, but no bucket.
    #[error("line {line}, column {column}: {what}")]
    Unreadable {
        /// What is wrong.
        what: String,
        /// The line, from 1.
        line: u64,
        /// The byte of the line, from 1.
        column: u64,
    },
    /// An ELSE that is not the last of its chain.
    #[error("its condition is null (ELSE), but it is not the last bucket of its layer")]
    ElseNotLast,
    /// A member that the population does not have.
    #[error("member {position} is row {member}, the model has {rows} rows")]
    Member {
        /// Position in the members.
        position: usize,
        /// The row it names.
        member: u64,
        /// How many rows there are.
        rows: usize,
    },
    /// As many origins as members.
    #[error("it has {members} members and {origins} origins")]
    Origins {
        /// How many members.
        members: usize,
        /// How many origins.
        origins: usize,
    },
    /// A lookalike entry for a position that is no member.
    #[error("a lookalike entry is for member {position}, the bucket has {members} members")]
    Lookalike {
        /// The entry's key.
        position: u32,
        /// How many members.
        members: usize,
    },
    /// Two lookalike entries for a member.
    #[error("member {position} has two lookalike entries")]
    LookalikeTwice {
        /// The entry's key.
        position: u32,
    },
    /// A vote condition names a clause that is not there.
    #[error("member {position} votes on clause {clause}, the bucket has {clauses} clauses")]
    Clause {
        /// The entry's key.
        position: u32,
        /// The clause named.
        clause: u32,
        /// How many clauses.
        clauses: usize,
    },
    /// A literal over a column that the header does not have.
    #[error("a literal ({place}) is over column {column}, the header has {width} columns")]
    Column {
        /// In the condition, or in which clause.
        place: String,
        /// The column named.
        column: u32,
        /// How many columns the header has, the target's included.
        width: usize,
    },
}

impl<M> Bucket<M> {
    /// Checks every position in the bucket but the members themselves: origins, lookalike keys, clauses, columns below
    /// `width` (the header's length).
    pub(crate) fn check_positions(&self, width: usize) -> Result<(), BucketFault> {
        let members = self.members.len();
        if self.origins.len() != members {
            return Err(BucketFault::Origins { members, origins: self.origins.len() });
        }
        let column = |literals: &[Literal], place: &dyn Fn() -> String| match literals
            .iter()
            .find(|literal| literal.column as usize >= width)
        {
            Some(literal) => Err(BucketFault::Column { place: place(), column: literal.column, width }),
            None => Ok(()),
        };
        if let Some(condition) = &self.condition {
            column(condition, &|| "condition".into())?;
        }
        for (index, clause) in self.clauses.iter().enumerate() {
            column(clause, &|| format!("clause {index}"))?;
        }
        let clauses = self.clauses.len();
        let mut seen = vec![false; members];
        for (position, conditions) in self.lookalikes.iter() {
            match seen.get_mut(position as usize) {
                None => return Err(BucketFault::Lookalike { position, members }),
                Some(true) => return Err(BucketFault::LookalikeTwice { position }),
                Some(seen) => *seen = true,
            }
            if let Some(clause) = conditions.flatten().find(|clause| **clause as usize >= clauses) {
                return Err(BucketFault::Clause { position, clause: *clause, clauses });
            }
        }
        Ok(())
    }
}

impl Head {
    /// Checks the names: not empty, no two the same.
    pub(crate) fn check(&self) -> Result<(), ModelError> {
        let mut names: Vec<&str> = self.features.iter().map(|feature| feature.name.as_str()).collect();
        names.push(&self.target);
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair.first() == pair.last()) {
            let name = pair.first().copied().unwrap_or_default();
            return Err(ModelError::Head {
                part: "header",
                what: format!("column {name:?} stands in it twice"),
            });
        }
        Ok(())
    }
}

impl Model {
    /// Checks that the model can be evaluated: names are unique, every row has a target, and whatever a bucket points
    /// to is there. A model that was read has passed this.
    ///
    /// # Errors
    /// [`ModelError`] with the first thing that is wrong and its place.
    pub fn check(&self) -> Result<(), ModelError> {
        self.check_rows()?;
        for (number, layer) in self.layers.iter().enumerate() {
            check_layer(number, layer, self.targets.len(), self.head.features.len() + 1)?;
        }
        Ok(())
    }

    /// Checks all but the layers.
    pub(crate) fn check_rows(&self) -> Result<(), ModelError> {
        self.head.check()?;
        let rows = self.targets.len();
        if rows == 0 {
            return Err(ModelError::Head { part: "targets", what: "there are none".into() });
        }
        if u32::try_from(rows).is_err() {
            return Err(ModelError::Head { part: "targets", what: "there are more than 2^32".into() });
        }
        if self.population.rows() != 0 && self.population.rows() != rows {
            return Err(ModelError::Head {
                part: "population",
                what: format!("it has {} rows, the model has {rows} targets", self.population.rows()),
            });
        }
        Ok(())
    }

    /// The classes in class order: the distinct values of the targets.
    #[must_use]
    pub fn classes(&self) -> Vec<Label> {
        let mut classes: Vec<&Label> = self.targets.iter().collect();
        classes.sort_by(|a, b| a.class_order(b));
        classes.dedup();
        classes.into_iter().cloned().collect()
    }
}

pub(crate) fn check_layer(
    number: usize,
    layer: &[Bucket<u32>],
    rows: usize,
    width: usize,
) -> Result<(), ModelError> {
    for (place, bucket) in layer.iter().enumerate() {
        let at = |fault| ModelError::Bucket { layer: number, bucket: place, fault };
        if bucket.condition.is_none() && place + 1 != layer.len() {
            return Err(at(BucketFault::ElseNotLast));
        }
        if let Some((position, member)) =
            bucket.members.iter().enumerate().find(|(_, member)| **member as usize >= rows)
        {
            return Err(at(BucketFault::Member { position, member: u64::from(*member), rows }));
        }
        bucket.check_positions(width).map_err(at)?;
    }
    Ok(())
}
