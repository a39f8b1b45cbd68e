//! One signed record about a run, of any kind that the lease table knows.

use std::fmt;
use std::sync::Arc;

use crate::envelope::Signed;
use crate::ids::PeerKey;
use crate::records::{Claim, Complete, Delegation, Finished, Heartbeat, Receipt, Release, Reopen};

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
}

/// A verified statement with the signed bytes it came in, so that it can be passed on.
#[derive(Clone)]
pub struct Statement {
    signer: PeerKey,
    says: Says,
    bytes: Arc<[u8]>,
    mark: u128,
}

impl Statement {
    /// A statement of which the caller knows that `signer` signed it, about the table's run, in these bytes.
    #[must_use]
    pub fn new(signer: PeerKey, says: Says, bytes: Arc<[u8]>) -> Self {
        let mut mark = [0; 16];
        let mut hasher = blake3::Hasher::new();
        hasher.update(&bytes).finalize_xof().fill(&mut mark);
        Self { signer, says, bytes, mark: u128::from_le_bytes(mark) }
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

    /// The first 16 bytes of BLAKE3 of the envelope: its part in a digest.
    pub(crate) fn mark(&self) -> u128 {
        self.mark
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

from_signed!(Claim, Release, Heartbeat, Finished, Receipt, Reopen, Complete, Delegation);
