//! What a volunteer is told and what it asks for.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::ids::{ContentHash, ModelHash, PeerKey};
use crate::lease::{Says, Statement};
use crate::unit::Unit;

/// What a volunteer is told.
#[derive(Debug, Clone)]
pub enum VolunteerEvent {
    /// A verified statement about the run, from gossip or an exchange; its own come back this way too.
    Heard(Arc<Statement>),
    /// A member of the run is connected.
    PeerSeen(PeerKey),
    /// It no longer is.
    PeerGone(PeerKey),
    /// An exchange that was asked for with [`VolunteerEffect::SyncWith`] is through: this peer's table is taken up. Nothing is said
    /// of one that failed.
    Synced(PeerKey),
    /// The shards that are in memory now.
    ShardsInMemory(BTreeSet<u32>),
    /// The shards that are on disk now.
    ShardsOnDisk(BTreeSet<u32>),
    /// A unit is trained, and its report is still being made and put away: the next one may begin meanwhile. It is held until
    /// [`VolunteerEvent::TrainingDone`] or [`VolunteerEvent::TrainingFailed`], and nothing is said of it before. May be left out.
    TrainingOver {
        /// Which.
        unit: Unit,
    },
    /// A unit is trained, its report is made.
    TrainingDone {
        /// Which.
        unit: Unit,
        /// What came out.
        content: ContentHash,
        /// The size of the report.
        bytes: u64,
    },
    /// A unit could not be trained.
    TrainingFailed {
        /// Which.
        unit: Unit,
        /// Why, for people.
        why: String,
    },
    /// How an offer went. Every [`VolunteerEffect::Offer`] is answered by exactly one of these.
    OfferAnswered {
        /// Which.
        unit: Unit,
        /// How.
        answer: OfferAnswer,
    },
    /// Time has passed. Expected every 100 to 250 ms.
    Tick,
    /// The machine slept, for longer than a pause: the times that are handed in have jumped by that much, and what others
    /// said meanwhile was not heard.
    Awake,
    /// The volunteer wants to go: it gives back what it holds and takes nothing more.
    Leave,
}

/// How an offer of a report went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OfferAnswer {
    /// The coordinator stored it, or had it. Hand in the receipt that came with the answer before this.
    Stored,
    /// The coordinator keeps it and hasn't decided about it: it is not needed a second time.
    Kept,
    /// The coordinator can't take it for this long.
    Busy(Duration),
    /// The coordinator refuses it.
    No(String),
    /// No way to the coordinator, or it went away in between.
    Unreachable,
    /// The report can't be read back from disk: it is as if it had never been made.
    Lost(String),
}

/// What a volunteer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolunteerEffect {
    /// Sign this, gossip it and hand it back as [`VolunteerEvent::Heard`].
    Say(Says),
    /// Train a unit: ends with [`VolunteerEvent::TrainingDone`] or [`VolunteerEvent::TrainingFailed`].
    Train {
        /// Which.
        unit: Unit,
        /// The paths of what comes next, as things look now: of the other units in hand, then of those it would take up,
        /// the likeliest first. Their shards may be made in the same pass over the source.
        soon: Vec<u32>,
    },
    /// Stop training a unit. No event is needed; a late one does no harm.
    Abandon {
        /// Which.
        unit: Unit,
    },
    /// Put the report of a unit on disk, before anything later in the list.
    Keep {
        /// Which.
        unit: Unit,
        /// Its content.
        content: ContentHash,
    },
    /// The report of a unit is no longer needed.
    Forget {
        /// Which.
        unit: Unit,
        /// Its content.
        content: ContentHash,
    },
    /// Offer a report to the coordinator, connecting first if need be.
    Offer {
        /// Which.
        unit: Unit,
        /// Its content.
        content: ContentHash,
        /// To whom.
        to: PeerKey,
    },
    /// Compare tables with a neighbour and take over what differs.
    SyncWith(PeerKey),
    /// Something a person may want to see.
    Note(VolunteerNote),
    /// There is nothing more to do.
    Finished(RunComplete),
}

/// Why a volunteer is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunComplete {
    /// The model that the coordinator wrote.
    pub model: ModelHash,
}

/// Something a person may want to see; its `Display` is a line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolunteerNote {
    /// Took a unit nobody held.
    Took {
        /// Which.
        unit: Unit,
        /// 0, or how often it was taken over.
        epoch: Option<u32>,
    },
    /// Trains a unit again that somebody finished and couldn't deliver.
    Repeats {
        /// Which.
        unit: Unit,
    },
    /// Trains a unit too that takes another peer very long.
    Doubles {
        /// Which.
        unit: Unit,
    },
    /// Let go of a unit that another peer won.
    Yielded {
        /// Which.
        unit: Unit,
    },
    /// Stopped training what is done.
    NoLongerNeeded {
        /// Which.
        unit: Unit,
    },
    /// Training failed.
    Failed {
        /// Which.
        unit: Unit,
        /// Why.
        why: String,
        /// When this shard is tried again.
        again_in: Duration,
    },
    /// A report can't be read back from disk.
    Lost {
        /// Which.
        unit: Unit,
        /// Why.
        why: String,
    },
    /// The coordinator refused a report.
    Refused {
        /// Which.
        unit: Unit,
        /// Why.
        why: String,
    },
    /// The coordinator accepted another content for a unit than was trained here.
    Disputed {
        /// Which.
        unit: Unit,
        /// What was trained here.
        ours: ContentHash,
        /// What was accepted.
        accepted: ContentHash,
    },
    /// Another peer coordinates the run from now on.
    Coordinator(PeerKey),
}

impl fmt::Display for VolunteerNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Took { unit, epoch: None } => write!(f, "trains {unit} without a lease"),
            Self::Took { unit, epoch: Some(0) } => write!(f, "trains {unit}"),
            Self::Took { unit, epoch: Some(epoch) } => write!(f, "takes over {unit} (epoch {epoch})"),
            Self::Repeats { unit } => write!(f, "repeats {unit}: its report never reached the coordinator"),
            Self::Doubles { unit } => write!(f, "doubles {unit}: it takes its holder very long"),
            Self::Yielded { unit } => write!(f, "leaves {unit} to another peer"),
            Self::NoLongerNeeded { unit } => write!(f, "stops {unit}: it is done"),
            Self::Failed { unit, why, again_in } => {
                write!(f, "could not train {unit}: {why}; tries its shard again in {} s", again_in.as_secs())
            }
            Self::Lost { unit, why } => {
                write!(
                    f,
                    "the report of {unit} can't be read back ({why}): the unit is trained again when nothing else is open"
                )
            }
            Self::Refused { unit, why } => write!(f, "the coordinator refuses the report of {unit}: {why}"),
            Self::Disputed { unit, ours, accepted } => write!(
                f,
                "the coordinator accepted {} for {unit}, here it came out as {}",
                accepted.short(),
                ours.short()
            ),
            Self::Coordinator(key) => write!(f, "{} coordinates the run", key.short()),
        }
    }
}
