//! One signed record about a run, of any kind that the lease table knows.

use std::fmt;
use std::sync::Arc;

use super::hash::tie_hash;
use crate::envelope::{EnvelopeError, Record, Signed};
use crate::gossip::GossipRecord;
use crate::identity::Identity;
use crate::ids::{PeerKey, RunId};
use crate::records::{
    Claim, Complete, Delegation, Finished, Heartbeat, PeerRecord, Receipt, Release, Reopen,
};
use crate::unit::Unit;

/// What a statement says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// I train this.
    Claim(Claim),
    /// I no longer train this.
    Release(Release),
    /// I am here.
    Heartbeat(Heartbeat),
    /// I have trained this.
    Finished(Finished),
    /// This is done (the coordinator).
    Receipt(Receipt),
    /// This is open again (the coordinator).
    Reopen(Reopen),
    /// The model is written (the coordinator).
    Complete(Complete),
    /// This peer coordinates (the operator).
    Delegation(Delegation),
}

impl Says {
    /// The signer's counter, in the kinds that carry it.
    #[must_use]
    pub fn counter(&self) -> Option<u64> {
        match self {
            Self::Claim(claim) => Some(claim.counter),
            Self::Release(release) => Some(release.counter),
            Self::Heartbeat(heartbeat) => Some(heartbeat.counter),
            Self::Finished(finished) => Some(finished.counter),
            Self::Receipt(_) | Self::Reopen(_) | Self::Complete(_) | Self::Delegation(_) => None,
        }
    }

    /// The unit it is about, if it is about one.
    #[must_use]
    pub fn unit(&self) -> Option<Unit> {
        match self {
            Self::Claim(claim) => Some(claim.unit),
            Self::Release(release) => Some(release.unit),
            Self::Finished(finished) => Some(finished.unit),
            Self::Receipt(receipt) => Some(receipt.unit),
            Self::Reopen(reopen) => Some(reopen.unit),
            Self::Heartbeat(_) | Self::Complete(_) | Self::Delegation(_) => None,
        }
    }

    fn epoch(&self) -> u32 {
        match self {
            Self::Claim(claim) => claim.epoch,
            Self::Release(release) => release.epoch,
            Self::Finished(finished) => finished.epoch,
            _ => 0,
        }
    }
}

/// A verified statement with the signed bytes it came in, so that it can be passed on.
#[derive(Clone)]
pub struct Statement {
    signer: PeerKey,
    says: Says,
    bytes: Arc<[u8]>,
    digest: [u8; 32],
    /// Asked for whenever statements of a unit are ranked.
    tie: u64,
}

impl Statement {
    /// Signs what a machine wants to say.
    ///
    /// # Errors
    /// [`EnvelopeError`] when nobody would accept the record.
    pub fn sign(identity: &Identity, run: RunId, says: Says) -> Result<Self, EnvelopeError> {
        fn signed<T: Record>(identity: &Identity, run: RunId, record: T) -> Result<Statement, EnvelopeError>
        where
            Statement: From<Signed<T>>,
        {
            Signed::sign(identity, run, record).map(Statement::from)
        }
        match says {
            Says::Claim(record) => signed(identity, run, record),
            Says::Release(record) => signed(identity, run, record),
            Says::Heartbeat(record) => signed(identity, run, record),
            Says::Finished(record) => signed(identity, run, record),
            Says::Receipt(record) => signed(identity, run, record),
            Says::Reopen(record) => signed(identity, run, record),
            Says::Complete(record) => signed(identity, run, record),
            Says::Delegation(record) => signed(identity, run, record),
        }
    }

    /// A statement of which the caller knows that `signer` signed it, about the table's run, in these bytes.
    #[must_use]
    pub fn new(signer: PeerKey, says: Says, bytes: Arc<[u8]>) -> Self {
        let digest = *blake3::hash(&bytes).as_bytes();
        let tie = says.unit().map_or(0, |unit| tie_hash(&unit, says.epoch(), &signer));
        Self { signer, says, bytes, digest, tie }
    }

    /// Who said it.
    #[must_use]
    pub fn signer(&self) -> PeerKey {
        self.signer
    }

    /// What was said.
    #[must_use]
    pub fn says(&self) -> &Says {
        &self.says
    }

    /// The signed envelope.
    #[must_use]
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// The epoch of a claim, a finished or a release; 0 for others.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.says.epoch()
    }

    /// The [tie hash](super::tie_hash) of unit, epoch and signer; 0 for a statement about no unit.
    #[must_use]
    pub fn tie(&self) -> u64 {
        self.tie
    }

    /// BLAKE3 of the envelope: names this very statement.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl PartialEq for Statement {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Statement {}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} says {:?}", self.signer, self.says)
    }
}

macro_rules! from_signed {
    ($($kind:ident),*) => {$(
        impl From<Signed<$kind>> for Statement {
            fn from(signed: Signed<$kind>) -> Self {
                Self::new(signed.signer(), Says::$kind(signed.value().clone()), signed.shared_bytes())
            }
        }
    )*};
}

impl TryFrom<GossipRecord> for Statement {
    /// The record that is none of the table's: a peer's addresses.
    type Error = Signed<PeerRecord>;

    fn try_from(record: GossipRecord) -> Result<Self, Signed<PeerRecord>> {
        Ok(match record {
            GossipRecord::Claim(signed) => signed.into(),
            GossipRecord::Release(signed) => signed.into(),
            GossipRecord::Heartbeat(signed) => signed.into(),
            GossipRecord::Finished(signed) => signed.into(),
            GossipRecord::Receipt(signed) => signed.into(),
            GossipRecord::Reopen(signed) => signed.into(),
            GossipRecord::Complete(signed) => signed.into(),
            GossipRecord::Delegation(signed) => signed.into(),
            GossipRecord::Peer(signed) => return Err(signed),
        })
    }
}

from_signed!(Claim, Release, Heartbeat, Finished, Receipt, Reopen, Complete, Delegation);
