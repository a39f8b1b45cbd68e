//! What a unit is to a peer.

use crate::ids::{ContentHash, PeerKey};

/// What state a unit is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitState {
    /// Nobody holds it.
    Open,
    /// A peer trains it.
    Leased {
        /// Who.
        by: PeerKey,
        /// The epoch of the claim.
        epoch: u32,
    },
    /// A peer has trained it; the coordinator hasn't said anything yet.
    Finished {
        /// Who: of several, the one whose bid ranks first.
        by: PeerKey,
    },
    /// The coordinator has its report.
    Done {
        /// Its content.
        content: ContentHash,
    },
}

/// The state without details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Nobody holds it.
    Open,
    /// A peer trains it.
    Leased,
    /// A peer has trained it.
    Finished,
    /// The coordinator has its report.
    Done,
}

impl UnitState {
    /// The state without details.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self {
            Self::Open => Stage::Open,
            Self::Leased { .. } => Stage::Leased,
            Self::Finished { .. } => Stage::Finished,
            Self::Done { .. } => Stage::Done,
        }
    }
}
