//! What a merge can come to.

use super::units::UnitIndex;

/// What a merge did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The set changed.
    Applied(Change),
    /// The set had this very statement.
    Known,
    /// A statement that a well-behaved peer may have sent, and that changes nothing.
    Ignored(Ignored),
    /// A statement that no well-behaved peer passes on.
    Invalid(Invalid),
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The claims of a unit.
    Claims(UnitIndex),
    /// Who finished a unit.
    Finished(UnitIndex),
    /// The coordinator's word about a unit.
    Word(UnitIndex),
    /// A peer's heartbeat.
    Heartbeat,
    /// Who coordinates.
    Delegation,
    /// The run is complete.
    Complete,
}

/// Why a statement changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// A newer one is there.
    #[error("something newer is known")]
    Older,
    /// The set keeps a bounded number and has better ones.
    #[error("enough others rank before it")]
    Crowded,
    /// A coordinator's word under a delegation that hasn't arrived yet. Hand it in again after the delegation.
    #[error("its delegation is not known here yet")]
    UnknownDelegation,
}

/// Why a statement can't be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It names a unit that the run doesn't have.
    #[error("the run has no such unit")]
    NoSuchUnit,
    /// A coordinator's word by somebody else.
    #[error("only the coordinator that the delegation names may say this")]
    NotCoordinator,
    /// A delegation by somebody else.
    #[error("only the run's operator may say this")]
    NotOperator,
    /// A number outside of its range.
    #[error("a delegation starts at number 1, a reopening at generation 1")]
    Number,
}
