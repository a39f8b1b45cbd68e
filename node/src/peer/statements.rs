//! Between records as they travel and statements as the decisions take them.

use std::sync::Arc;

use anyhow::Result;
use net::Verdict;
use protocol::lease::{Outcome, Says, Statement, delegations_first};
use protocol::{GossipRecord, Identity, RecordBytes, RunId, Told};

/// Signs what a machine wants to say.
pub(crate) fn sign(identity: &Identity, run: RunId, says: Says) -> Result<Arc<Statement>> {
    Ok(Arc::new(Statement::sign(identity, run, says)?))
}

/// A verified record as a statement; `None` for a peer's addresses, which are no business of the lease table.
pub(crate) fn statement(record: GossipRecord) -> Option<Arc<Statement>> {
    Statement::try_from(record).ok().map(Arc::new)
}

/// Opens records that were handed over or kept; what does not open is left out. Delegations come first, since they say whose
/// words count.
pub(crate) fn opened<'b>(run: RunId, records: impl Iterator<Item = &'b [u8]>) -> Vec<Arc<Statement>> {
    let opened = records.filter_map(|bytes| GossipRecord::open(bytes, run).ok());
    let mut statements: Vec<_> = opened.filter_map(statement).collect();
    delegations_first(&mut statements);
    statements
}

/// The statements of a neighbour's answer.
pub(crate) fn told(run: RunId, told: &Told) -> Vec<Arc<Statement>> {
    let Told::Records(records) = told else { return Vec::new() };
    opened(run, records.records.iter().map(RecordBytes::as_slice))
}

/// What a statement is worth to the peer that passed it on.
pub(crate) fn verdict(outcome: &Outcome) -> Verdict {
    match outcome {
        Outcome::Applied(_) => Verdict::Accept,
        Outcome::Known | Outcome::Ignored(_) => Verdict::Ignore,
        Outcome::Invalid(_) => Verdict::Reject,
    }
}
