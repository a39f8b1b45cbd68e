//! Between records as they travel and statements as the decisions take them.

use std::sync::Arc;

use anyhow::Result;
use net::Verdict;
use protocol::lease::{Outcome, Says, Statement, delegations_first};
use protocol::{GossipRecord, Identity, RunId};

/// Signs what a machine wants to say.
pub(crate) fn sign(identity: &Identity, run: RunId, says: Says) -> Result<Arc<Statement>> {
    Ok(Arc::new(Statement::sign(identity, run, says)?))
}

/// A verified record as a statement; `None` for a peer's addresses, which are no business of the lease table.
pub(crate) fn statement(record: GossipRecord) -> Option<Arc<Statement>> {
    Statement::try_from(record).ok().map(Arc::new)
}

/// Opens records that a neighbour handed over; what does not open is left out. Delegations come first, since they say
/// whose words count.
pub(crate) fn opened<'b>(run: RunId, records: impl Iterator<Item = &'b [u8]>) -> Vec<Arc<Statement>> {
    let mut statements: Vec<_> =
        records.filter_map(|bytes| GossipRecord::open(bytes, run).ok()).filter_map(statement).collect();
    delegations_first(&mut statements);
    statements
}

/// What a statement is worth to the peer that passed it on.
pub(crate) fn verdict(outcome: &Outcome) -> Verdict {
    match outcome {
        Outcome::Applied(_) => Verdict::Accept,
        Outcome::Known | Outcome::Ignored(_) => Verdict::Ignore,
        Outcome::Invalid(_) => Verdict::Reject,
    }
}
