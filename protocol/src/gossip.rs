//! What is said to everybody in a run: one topic per run, one signed record per message.

use crate::envelope::{Envelope, EnvelopeError, Record, Signed};
use crate::ids::{PeerKey, RunId};
use crate::limits::GOSSIP_BYTES;
use crate::records::{
    Claim, Complete, Delegation, Finished, Heartbeat, PeerRecord, Receipt, Release, Reopen,
};

/// The name of a run's topic.
#[must_use]
pub fn topic(run: RunId) -> String {
    format!("opendipaco/1/{run}")
}

/// A record that may be gossiped, or handed over in an answer to [`Request::Exchange`](crate::Request::Exchange).
///
/// Verified; whether its signer may say it is still to be checked: receipt, reopen and complete by the delegated
/// coordinator, delegation by the operator, everything else by anybody about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GossipRecord {
    /// A unit is being trained.
    Claim(Signed<Claim>),
    /// A unit is no longer being trained.
    Release(Signed<Release>),
    /// A peer lives.
    Heartbeat(Signed<Heartbeat>),
    /// A unit was trained.
    Finished(Signed<Finished>),
    /// A unit is done.
    Receipt(Signed<Receipt>),
    /// A unit is open again.
    Reopen(Signed<Reopen>),
    /// The run is over.
    Complete(Signed<Complete>),
    /// Who coordinates.
    Delegation(Signed<Delegation>),
    /// Where a peer listens.
    Peer(Signed<PeerRecord>),
}

macro_rules! each {
    ($self:expr, $record:ident => $what:expr) => {
        match $self {
            GossipRecord::Claim($record) => $what,
            GossipRecord::Release($record) => $what,
            GossipRecord::Heartbeat($record) => $what,
            GossipRecord::Finished($record) => $what,
            GossipRecord::Receipt($record) => $what,
            GossipRecord::Reopen($record) => $what,
            GossipRecord::Complete($record) => $what,
            GossipRecord::Delegation($record) => $what,
            GossipRecord::Peer($record) => $what,
        }
    };
}

impl GossipRecord {
    /// Opens a message of a run's topic.
    ///
    /// # Errors
    /// [`EnvelopeError`]: size, form, version, kind (another one is never gossiped), then as
    /// [`Signed::open`] for the kind.
    pub fn open(bytes: &[u8], run: RunId) -> Result<Self, EnvelopeError> {
        let envelope = Envelope::decode(bytes, "gossip", GOSSIP_BYTES)?;
        let run = Some(run);
        match envelope.kind.as_str() {
            Claim::KIND => Signed::from_envelope(envelope, bytes, run).map(Self::Claim),
            Release::KIND => Signed::from_envelope(envelope, bytes, run).map(Self::Release),
            Heartbeat::KIND => Signed::from_envelope(envelope, bytes, run).map(Self::Heartbeat),
            Finished::KIND => Signed::from_envelope(envelope, bytes, run).map(Self::Finished),
            Receipt::KIND => Signed::from_envelope(envelope, bytes, run).map(Self::Receipt),
            Reopen::KIND => Signed::from_envelope(envelope, bytes, run).map(Self::Reopen),
            Complete::KIND => Signed::from_envelope(envelope, bytes, run).map(Self::Complete),
            Delegation::KIND => Signed::from_envelope(envelope, bytes, run).map(Self::Delegation),
            PeerRecord::KIND => Signed::from_envelope(envelope, bytes, run).map(Self::Peer),
            _ => Err(envelope
                .check_kind("gossip")
                .err()
                .unwrap_or(EnvelopeError::Malformed { kind: "gossip" })),
        }
    }

    /// Who signed.
    #[must_use]
    pub fn signer(&self) -> PeerKey {
        each!(self, record => record.signer())
    }

    /// The envelope as it travels.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        each!(self, record => record.bytes())
    }

    /// BLAKE3 of the envelope.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        each!(self, record => record.digest())
    }
}

macro_rules! wrap {
    ($($record:ident => $variant:ident),*) => {$(
        impl From<Signed<$record>> for GossipRecord {
            fn from(record: Signed<$record>) -> Self {
                Self::$variant(record)
            }
        }
    )*};
}
wrap!(Claim => Claim, Release => Release, Heartbeat => Heartbeat, Finished => Finished, Receipt => Receipt,
    Reopen => Reopen, Complete => Complete, Delegation => Delegation, PeerRecord => Peer);
