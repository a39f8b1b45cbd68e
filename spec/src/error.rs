//! Why rows can't be used: the header, a value, the spec, the shard.

use crate::data_spec::Shard;
use crate::source::{At, SourceError};

/// The source's columns are not what they must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum HeaderError {
    /// The target is not there.
    #[error(
        "there is no column {target:?} for the target; the columns are {columns}: set `target` to one of them"
    )]
    NoTarget { target: String, columns: String },
    /// A column to leave out is not there.
    #[error("`exclude` names {column:?}, which is no column; the columns are {columns}")]
    NoExcluded { column: String, columns: String },
    /// The target is to be left out.
    #[error("`exclude` names the target {target:?}: choose another target or take it out of `exclude`")]
    TargetExcluded { target: String },
    /// Two columns have one name.
    #[error("two columns are called {column:?}: give each its own name in the source")]
    Duplicate { column: String },
    /// A name that this system keeps for itself.
    #[error("column {column:?} starts with `__`, which is reserved: rename it or list it in `exclude`")]
    Reserved { column: String },
    /// A column without a name.
    #[error("column {position} has no name: name it in the source or put \"\" in `exclude`")]
    Unnamed { position: usize },
    /// A name that is too long to publish.
    #[error(
        "the name of column {position} has {length} bytes, at most {limit} are allowed: rename it in the source"
    )]
    LongName { position: usize, length: usize, limit: usize },
    /// Only the target is left.
    #[error("no feature is left beside the target {target:?}: add columns or shorten `exclude`")]
    NoFeatures { target: String },
    /// More columns than a spec may have.
    #[error("there are {found} feature columns, at most {limit} are allowed: list some in `exclude`")]
    TooManyColumns { found: usize, limit: usize },
    /// The spec has a column that the source has not.
    #[error(
        "the spec's column {column:?} is not in the source, whose columns are {columns}: use the source the run was published from"
    )]
    Missing { column: String, columns: String },
    /// The source has a column that the spec has not.
    #[error(
        "the source's column {column:?} is neither in the spec nor excluded: use the source the run was published from"
    )]
    Extra { column: String },
}

/// A value that does not fit the spec's schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{location}, {at}: the value {value:?} of column {column:?} {reason}")]
pub struct RowError {
    /// Which part.
    pub location: String,
    /// Where in it.
    pub at: At,
    /// The column.
    pub column: String,
    /// The value, shortened.
    pub value: String,
    /// What is wrong with it, and what to do.
    pub reason: String,
}

/// A pass over a source under a schema failed.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// The source can't be read, or a record is malformed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The columns don't fit.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A value doesn't fit.
    #[error(transparent)]
    Row(#[from] RowError),
}

/// A spec that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A kind that this version does not know.
    #[error("{what} {found} is unknown here: this run needs a newer version of opendipaco")]
    NewerVersion {
        /// What is unknown.
        what: &'static str,
        /// Its name in quotes, or where it stands.
        found: String,
    },
    /// A field is out of range, or contradicts another one.
    #[error("{field} is not usable: {reason}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl SpecError {
    pub(crate) fn field(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Field { field, reason: reason.into() }
    }
}

/// Shards could not be made from the source, or are not the published ones.
#[derive(Debug, thiserror::Error)]
pub enum MaterialiseError {
    /// The source can't be read, or its columns or values don't fit the spec.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// The spec is not usable.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The path is not one of the spec's.
    #[error("there is no path {path}: the run has paths 0 to {last}")]
    NoSuchPath {
        /// What was asked for.
        path: u32,
        /// The last one there is.
        last: u32,
    },
    /// A path was asked for twice in one call.
    #[error("path {path} was asked for twice: name each path once")]
    PathTwice {
        /// The path.
        path: u32,
    },
    /// The rows are not the ones that were signed.
    #[error(
        "the shard of path {path} has {} rows with hash {}, but {} rows with hash {} were published: the source is not \
         what the operator signed",
        found.rows, found.hash, expected.rows, expected.hash
    )]
    WrongShard {
        /// The path.
        path: u32,
        /// What was published.
        expected: Shard,
        /// What the source gives.
        found: Shard,
    },
    /// A class of the schema is no row's.
    #[error(
        "no row of the source has the class {class} of the schema: the source is not what the operator signed"
    )]
    AbsentClass {
        /// The class, as JSON.
        class: String,
    },
    /// More rows than can be counted.
    #[error("the source has more rows than one run can hold ({limit}): split it into several runs")]
    TooManyRows {
        /// The most there may be.
        limit: u64,
    },
    /// A table takes more memory than it may.
    #[error("its rows take more than {} MiB of memory, which is the most that is allowed", most >> 20)]
    TooLarge {
        /// The most, in bytes.
        most: u64,
    },
    /// A row did not go into a table.
    #[error(transparent)]
    Table(#[from] snake::TableError),
    /// It was asked to stop.
    #[error("stopped before the shards were complete")]
    Cancelled,
}

impl MaterialiseError {
    /// Whether the source is readable but not what the operator signed: a refusal that no retry helps.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::WrongShard { .. } | Self::AbsentClass { .. } | Self::Spec(_) => true,
            Self::Rows(RowsError::Source(error)) => error.is_refusal(),
            Self::Rows(RowsError::Header(_) | RowsError::Row(_)) => true,
            _ => false,
        }
    }
}

impl From<SourceError> for MaterialiseError {
    fn from(error: SourceError) -> Self {
        Self::Rows(error.into())
    }
}
