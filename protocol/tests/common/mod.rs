//! Peers and statements for tests. Signatures are the callers' business, so these have none.

use std::sync::Arc;

use protocol::lease::{Says, Statement};
use protocol::{Delegation, PeerKey};

pub(crate) fn peer(number: u8) -> PeerKey {
    PeerKey::from_bytes([number; 32])
}

pub(crate) fn seal(signer: PeerKey, says: Says) -> Arc<Statement> {
    let bytes = format!("{signer} {says:?}").into_bytes();
    Arc::new(Statement::new(signer, says, bytes.into()))
}

/// A delegation by the operator, who is peer 99.
pub(crate) fn delegated(number: u64, coordinator: PeerKey) -> Arc<Statement> {
    seal(peer(99), Says::Delegation(Delegation { coordinator, addresses: Vec::new(), number }))
}
