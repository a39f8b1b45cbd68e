//! What a coordinator says about a unit.

use super::statement::{Says, Statement};
use crate::ids::ContentHash;

/// The coordinator's newest word about a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Open again.
    Reopened {
        /// The delegation's number.
        delegation: u64,
        /// The generation that begins.
        generation: u32,
    },
    /// Done.
    Receipted {
        /// The delegation's number.
        delegation: u64,
        /// How often it was opened again before.
        generation: u32,
        /// What was accepted.
        content: ContentHash,
    },
}

impl Word {
    /// The delegation's number and the generation, which with reopened before receipted order a coordinator's words.
    #[must_use]
    pub fn order(&self) -> (u64, u32, u8) {
        match *self {
            Self::Reopened { delegation, generation } => (delegation, generation, 0),
            Self::Receipted { delegation, generation, .. } => (delegation, generation, 1),
        }
    }
}

impl Word {
    /// How often the unit had been opened again before.
    #[must_use]
    pub fn generation(&self) -> u32 {
        match *self {
            Self::Reopened { generation, .. } | Self::Receipted { generation, .. } => generation,
        }
    }

    /// A statement as a word, if it is one.
    pub(super) fn of(statement: &Statement) -> Option<Self> {
        match statement.says() {
            Says::Receipt(r) => Some(Self::Receipted {
                delegation: r.delegation,
                generation: r.generation,
                content: r.content,
            }),
            Says::Reopen(r) => Some(Self::Reopened { delegation: r.delegation, generation: r.generation }),
            _ => None,
        }
    }
}
