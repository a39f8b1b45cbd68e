//! What can be wrong with a layer.

use crate::model::BucketFault;

/// How a layer breaks the model format's promises: which invariant, in which bucket, on which row. Rows are named by
/// ordinal in a unit and by position in the population in a model; buckets and clauses count from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum Breach {
    /// The bucket points to something that is not there.
    #[error("bucket {bucket} has no valid shape: {fault}")]
    Shape { bucket: usize, fault: BucketFault },
    /// A number that no file can hold.
    #[error("bucket {bucket} has a literal with a number that is not finite")]
    NotFinite { bucket: usize },
    /// A literal over a column that the shard does not have and the run does not promise: nobody with the rows can tell
    /// what it says.
    #[error("bucket {bucket} has a literal over column {column}, which the shard does not have")]
    ForeignColumn { bucket: usize, column: u32 },
    /// A member that is no row of the shard.
    #[error("bucket {bucket} names row {row}, which is not in the shard")]
    UnknownMember { bucket: usize, row: u64 },
    /// A member twice in a bucket.
    #[error("bucket {bucket} names row {row} twice")]
    MemberTwice { bucket: usize, row: u64 },
    /// Members that training would have put in another order.
    #[error(
        "bucket {bucket} is not in order: core members come first, then noise, each by ascending ordinal"
    )]
    MemberOrder { bucket: usize },
    /// Lookalikes that training would have put in another order.
    #[error("bucket {bucket} is not in order: one lookalike entry per member, by ascending position")]
    LookalikeOrder { bucket: usize },
    /// No bucket for rows that are there.
    #[error("there is no bucket (invariant 2)")]
    NoBucket,
    /// A bucket without members.
    #[error("bucket {bucket} has no core member (invariant 2)")]
    NoCore { bucket: usize },
    /// Two buckets with one condition.
    #[error(
        "bucket {bucket} has the condition of bucket {other}, which takes all rows that satisfy it: no row ever comes to bucket {bucket}, and its members never vote (invariant 1)"
    )]
    SameCondition { bucket: usize, other: usize },
    /// A null that is not the last bucket's, or where rows have to satisfy something to come to the chain.
    #[error(
        "bucket {bucket} has the condition null, which only the last bucket may have, and none if the shard has a prefix (invariant 1)"
    )]
    NullCondition { bucket: usize },
    /// An AND of nothing that is not written as null.
    #[error("bucket {bucket} has a condition without literals, which is written as null (invariant 1)")]
    EmptyCondition { bucket: usize },
    /// A condition that would also catch rows of other shards.
    #[error("the condition of bucket {bucket} does not begin with the shard's prefix (invariant 1)")]
    Prefix { bucket: usize },
    /// Paths in another order than that of their numbers.
    #[error(
        "bucket {bucket} is of an earlier path than the bucket before it: paths stand in ascending order"
    )]
    PathOrder { bucket: usize },
    /// A row that no condition holds for, in a layer that this chain is only a part of.
    #[error("row {row} satisfies no bucket's condition (invariant 2)")]
    Unmatched { row: u64 },
    /// A core member that the chain walk sends elsewhere.
    #[error(
        "row {row} is a core member of bucket {bucket}, but the chain walk does not send it there (invariant 2)"
    )]
    NotRouted { bucket: usize, row: u64 },
    /// A row that is missing where the chain walk sends it.
    #[error(
        "the chain walk sends row {row} to bucket {bucket}, but it is no core member there (invariant 2)"
    )]
    NotCore { bucket: usize, row: u64 },
    /// A noise member that has nothing in common with its bucket.
    #[error(
        "row {row} is a noise member of bucket {bucket}, but does not satisfy its condition (invariant 3)"
    )]
    NoiseOutside { bucket: usize, row: u64 },
    /// More noise than the run's share of the core members.
    #[error("bucket {bucket} has {noise} noise members, its {core} core members allow {most} (invariant 3)")]
    NoiseCount { bucket: usize, noise: usize, core: usize, most: usize },
    /// A clause that nobody lists.
    #[error("clause {clause} of bucket {bucket} stands in nobody's list (invariant 4)")]
    ClauseUnused { bucket: usize, clause: u32 },
    /// A clause in the lists of two classes.
    #[error(
        "clause {clause} of bucket {bucket} stands in the lists of rows {row} and {other}, which are of different classes (invariant 4)"
    )]
    ClauseOfTwoClasses { bucket: usize, clause: u32, row: u64, other: u64 },
    /// A clause that is true on a row that lists it.
    #[error(
        "clause {clause} of bucket {bucket} stands in the list of row {row}, but is true on it (invariant 4)"
    )]
    ClauseTrue { bucket: usize, clause: u32, row: u64 },
    /// A clause that is false on a row of its class that does not list it.
    #[error(
        "clause {clause} of bucket {bucket} is false on row {row} of its own class, which does not list it (invariant 4)"
    )]
    ClauseNotListed { bucket: usize, clause: u32, row: u64 },
    /// A clause that is false on a row of another class.
    #[error(
        "clause {clause} of bucket {bucket} is false on row {row}, which is of another class (invariant 4)"
    )]
    ClauseFalse { bucket: usize, clause: u32, row: u64 },
    /// A member without a clause in a bucket of several classes.
    #[error("row {row} has no clause in bucket {bucket}, which has several classes (invariant 5)")]
    NoClause { bucket: usize, row: u64 },
    /// A vote without a clause in a bucket of several classes: it would go to rows of other classes.
    #[error("row {row} always votes in bucket {bucket}, which has several classes (invariant 5)")]
    AlwaysVotes { bucket: usize, row: u64 },
    /// A bucket of one class in which a row gets no vote.
    #[error("row {row} gets no vote in bucket {bucket}, which has one class (invariant 5)")]
    NoVote { bucket: usize, row: u64 },
}

impl Breach {
    /// The bucket it is in, where it is in one.
    #[must_use]
    pub fn bucket(&self) -> Option<usize> {
        match self {
            Self::NoBucket | Self::Unmatched { .. } => None,
            Self::Shape { bucket, .. }
            | Self::NotFinite { bucket }
            | Self::ForeignColumn { bucket, .. }
            | Self::UnknownMember { bucket, .. }
            | Self::MemberTwice { bucket, .. }
            | Self::MemberOrder { bucket }
            | Self::LookalikeOrder { bucket }
            | Self::PathOrder { bucket }
            | Self::NoCore { bucket }
            | Self::SameCondition { bucket, .. }
            | Self::NullCondition { bucket }
            | Self::EmptyCondition { bucket }
            | Self::Prefix { bucket }
            | Self::NotRouted { bucket, .. }
            | Self::NotCore { bucket, .. }
            | Self::NoiseOutside { bucket, .. }
            | Self::NoiseCount { bucket, .. }
            | Self::ClauseUnused { bucket, .. }
            | Self::ClauseOfTwoClasses { bucket, .. }
            | Self::ClauseTrue { bucket, .. }
            | Self::ClauseNotListed { bucket, .. }
            | Self::ClauseFalse { bucket, .. }
            | Self::NoClause { bucket, .. }
            | Self::AlwaysVotes { bucket, .. }
            | Self::NoVote { bucket, .. } => Some(*bucket),
        }
    }

    /// The row it shows on, where it shows on one.
    #[must_use]
    pub fn row(&self) -> Option<u64> {
        match self {
            Self::UnknownMember { row, .. }
            | Self::MemberTwice { row, .. }
            | Self::Unmatched { row }
            | Self::NotRouted { row, .. }
            | Self::NotCore { row, .. }
            | Self::NoiseOutside { row, .. }
            | Self::ClauseOfTwoClasses { row, .. }
            | Self::ClauseTrue { row, .. }
            | Self::ClauseNotListed { row, .. }
            | Self::ClauseFalse { row, .. }
            | Self::NoClause { row, .. }
            | Self::AlwaysVotes { row, .. }
            | Self::NoVote { row, .. } => Some(*row),
            _ => None,
        }
    }

    /// The clause it is about, where it is about one.
    #[must_use]
    pub fn clause(&self) -> Option<u32> {
        match self {
            Self::ClauseUnused { clause, .. }
            | Self::ClauseOfTwoClasses { clause, .. }
            | Self::ClauseTrue { clause, .. }
            | Self::ClauseNotListed { clause, .. }
            | Self::ClauseFalse { clause, .. } => Some(*clause),
            _ => None,
        }
    }

    /// The invariant that is broken, from 1 to 5; 0 when the layer is not even well-formed.
    #[must_use]
    pub fn invariant(&self) -> u8 {
        match self {
            Self::Shape { .. }
            | Self::NotFinite { .. }
            | Self::ForeignColumn { .. }
            | Self::UnknownMember { .. }
            | Self::MemberTwice { .. }
            | Self::MemberOrder { .. }
            | Self::LookalikeOrder { .. }
            | Self::PathOrder { .. } => 0,
            Self::SameCondition { .. }
            | Self::NullCondition { .. }
            | Self::EmptyCondition { .. }
            | Self::Prefix { .. } => 1,
            Self::NoBucket
            | Self::NoCore { .. }
            | Self::Unmatched { .. }
            | Self::NotRouted { .. }
            | Self::NotCore { .. } => 2,
            Self::NoiseOutside { .. } | Self::NoiseCount { .. } => 3,
            Self::ClauseUnused { .. }
            | Self::ClauseOfTwoClasses { .. }
            | Self::ClauseTrue { .. }
            | Self::ClauseNotListed { .. }
            | Self::ClauseFalse { .. } => 4,
            Self::NoClause { .. } | Self::AlwaysVotes { .. } | Self::NoVote { .. } => 5,
        }
    }
}

/// Why a layer of a model has no certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayerError {
    /// The model has fewer layers.
    #[error("there is no layer {layer}: the model has {layers}, counted from 0")]
    NoSuchLayer {
        /// The layer asked for.
        layer: usize,
        /// How many there are.
        layers: usize,
    },
    /// A stripped model, or one read without its rows.
    #[error(
        "the model has no training rows to check against: use a model that is not stripped, read with its rows"
    )]
    NoRows,
    /// The rows to check over are not ascending positions in the population.
    #[error("the rows to check over are not ascending positions in the model's population")]
    BadRows,
    /// The layer breaks an invariant.
    #[error(transparent)]
    Breach(#[from] Breach),
}
