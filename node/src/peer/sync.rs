//! Exchanging lease records with a neighbour: what differs, page by page.

use protocol::{LeaseRecords, RecordBytes, RecordDigests, Records, RecordsRequest, RunId};

/// Pages asked of one neighbour in a row. A neighbour that never comes to an end is left alone after them.
pub(crate) const PAGES_MAX: u32 = 256;

/// The question for what this peer lacks.
pub(crate) fn question(run: RunId, records: &LeaseRecords, after: Option<[u8; 32]>) -> RecordsRequest {
    RecordsRequest { run, have: Some(digests(records)), after }
}

/// The answer to a neighbour's question: the records of the ranges in which the two differ.
pub(crate) fn answer(request: &RecordsRequest, records: &LeaseRecords) -> Records {
    let differs = match &request.have {
        Some(theirs) => digests(records).differs(theirs),
        None => [true; protocol::RANGES],
    };
    let mut wanted: Vec<([u8; 32], &[u8])> = records
        .statements()
        .map(|statement| (*blake3::hash(statement.bytes()).as_bytes(), &**statement.bytes()))
        .filter(|(digest, _)| differs.get(RecordDigests::range(digest)).copied().unwrap_or(true))
        .collect();
    wanted.sort_unstable();
    Records::page(wanted, request.after)
}

fn digests(records: &LeaseRecords) -> RecordDigests {
    RecordDigests::of(records.statements().map(|statement| *blake3::hash(statement.bytes()).as_bytes()))
}

/// The signed bytes of an answer, to be opened one by one.
pub(crate) fn bytes(records: &Records) -> impl Iterator<Item = &[u8]> {
    records.records.iter().map(RecordBytes::as_slice)
}
