//! What a coordinator is told and what it asks for.

use std::fmt;
use std::sync::Arc;

use crate::ids::{ContentHash, ModelHash, PeerKey};
use crate::lease::{Says, Statement};
use crate::unit::Unit;

/// What a coordinator is told.
#[derive(Debug, Clone)]
pub enum CoordinatorEvent {
    /// A verified statement about the run, from gossip or an exchange; its own come back this way too.
    Heard(Arc<Statement>),
    /// A member of the run is connected.
    PeerSeen(PeerKey),
    /// It no longer is. Its receptions end with [`CoordinatorEvent::ReceptionFailed`] if they fail.
    PeerGone(PeerKey),
    /// A peer offers a report.
    HeaderArrived {
        /// Who.
        from: PeerKey,
        /// Of which unit.
        unit: Unit,
        /// Its content, as the peer says.
        content: ContentHash,
        /// Its uncompressed length, as the peer says.
        length: u64,
    },
    /// A report that was sent for did not arrive whole.
    ReceptionFailed {
        /// From whom.
        from: PeerKey,
        /// Of which unit.
        unit: Unit,
        /// The content that was announced.
        content: ContentHash,
    },
    /// A report arrived and was checked: its content hash is what was announced, and all that can be checked without
    /// rows holds. Or not: why, as the end of a sentence.
    Checked {
        /// From whom.
        from: PeerKey,
        /// Of which unit.
        unit: Unit,
        /// The content that was announced.
        content: ContentHash,
        /// What the check found.
        verdict: Result<(), String>,
    },
    /// A report is on disk, synced.
    Stored {
        /// Of which unit.
        unit: Unit,
        /// Its content.
        content: ContentHash,
    },
    /// A report could not be written to disk.
    StoreFailed {
        /// Of which unit.
        unit: Unit,
        /// Its content.
        content: ContentHash,
        /// Why, for people.
        why: String,
    },
    /// The model is written.
    Assembled {
        /// The round that [`CoordinatorEffect::Assemble`] named.
        round: u64,
        /// The model.
        model: ModelHash,
    },
    /// The model could not be written. Tried again when asked for with [`Coordinator::assemble_again`].
    ///
    /// [`Coordinator::assemble_again`]: super::Coordinator::assemble_again
    AssemblyFailed {
        /// The round that [`CoordinatorEffect::Assemble`] named.
        round: u64,
        /// Why, for people.
        why: String,
    },
    /// Time has passed. Expected every 100 to 250 ms.
    Tick,
}

/// The answer to the header of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderAnswer {
    /// Send it. Ends with [`CoordinatorEvent::ReceptionFailed`] or [`CoordinatorEvent::Checked`].
    Send,
    /// It is stored: send [`Coordinator::receipt`](super::Coordinator::receipt) of the unit along.
    Have,
    /// Not now: again after so many seconds.
    Busy(u32),
    /// Never: why.
    No(String),
}

/// What became of a report that was sent for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportEnd {
    /// Stored and accepted: send [`Coordinator::receipt`](super::Coordinator::receipt) of the unit along.
    Stored,
    /// Stored beside another report of the unit that was there first.
    Kept,
    /// Not stored for now: again after so many seconds.
    Busy(u32),
    /// Refused: why.
    No(String),
}

/// What a coordinator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CoordinatorEffect {
    /// Sign this, gossip it and hand it back as [`CoordinatorEvent::Heard`], before going on with the list.
    Say(Says),
    /// Answer a header.
    Answer {
        /// To whom.
        to: PeerKey,
        /// Of which unit.
        unit: Unit,
        /// The content that was announced.
        content: ContentHash,
        /// The answer.
        answer: HeaderAnswer,
    },
    /// Say what became of a report that was sent for.
    End {
        /// To whom.
        to: PeerKey,
        /// Of which unit.
        unit: Unit,
        /// Its content.
        content: ContentHash,
        /// What became of it.
        end: ReportEnd,
    },
    /// Put a checked report on disk: ends with [`CoordinatorEvent::Stored`] or [`CoordinatorEvent::StoreFailed`].
    Store {
        /// Of which unit.
        unit: Unit,
        /// Its content.
        content: ContentHash,
    },
    /// Take a report out of the store.
    Drop {
        /// Of which unit.
        unit: Unit,
        /// Its content.
        content: ContentHash,
    },
    /// Every unit has its report: write the model of [`Coordinator::stored`](super::Coordinator::stored). Ends with
    /// [`CoordinatorEvent::Assembled`] or [`CoordinatorEvent::AssemblyFailed`].
    Assemble {
        /// Names this attempt.
        round: u64,
    },
    /// Compare tables with a peer and take over what differs.
    SyncWith(PeerKey),
    /// Something a person may want to see.
    Note(CoordinatorNote),
    /// The run is over and announced.
    Exit,
}

/// Something a person may want to see; its `Display` is a line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CoordinatorNote {
    /// A report was accepted.
    Accepted {
        /// Of which unit.
        unit: Unit,
        /// How many units have one now.
        stored: usize,
        /// How many units there are.
        of: usize,
    },
    /// A report was refused.
    Refused {
        /// From whom.
        from: PeerKey,
        /// Of which unit.
        unit: Unit,
        /// Why.
        why: String,
    },
    /// Two reports of a unit differ.
    Disputed {
        /// Of which unit.
        unit: Unit,
        /// The accepted one.
        accepted: ContentHash,
        /// The other one.
        other: ContentHash,
    },
    /// A report could not be written to disk.
    StoreFailed {
        /// Of which unit.
        unit: Unit,
        /// Why.
        why: String,
    },
    /// A unit is opened again.
    Reopened {
        /// Which.
        unit: Unit,
        /// The generation that begins.
        generation: u32,
    },
    /// The model could not be written.
    AssemblyFailed {
        /// Why.
        why: String,
    },
    /// The model is written.
    Complete {
        /// The model.
        model: ModelHash,
    },
    /// A later delegation names another peer.
    Superseded {
        /// Whom.
        by: PeerKey,
    },
}

impl fmt::Display for CoordinatorNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { unit, stored, of } => write!(f, "has {unit} ({stored} of {of})"),
            Self::Refused { from, unit, why } => {
                write!(f, "refuses the report of {unit} from {}: {why}", from.short())
            }
            Self::Disputed { unit, accepted, other } => write!(
                f,
                "two reports of {unit} differ: {} was first, {} is kept beside it",
                accepted.short(),
                other.short()
            ),
            Self::StoreFailed { unit, why } => {
                write!(f, "could not store the report of {unit}: {why}; takes none for a moment")
            }
            Self::Reopened { unit, generation } => write!(f, "opens {unit} again (generation {generation})"),
            Self::AssemblyFailed { why } => write!(f, "could not write the model: {why}"),
            Self::Complete { model } => write!(f, "the model is written: {}", model.short()),
            Self::Superseded { by } => {
                write!(f, "a later delegation names {} as coordinator: takes no more reports", by.short())
            }
        }
    }
}
