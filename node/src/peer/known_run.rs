//! A run as a peer knows it: manifest, delegation, who else is in it.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::{Delegation, HelloRun, Manifest, PeerKey, RecordBytes, RunId, Signed};

use super::book::AddressBook;

/// Peer records that go with one hello.
const SHARED_RECORDS: usize = 32;

/// What is known of a run.
#[derive(Debug, Default)]
pub(crate) struct KnownRun {
    /// Its manifest, once it is here.
    pub(crate) manifest: Option<Arc<Manifest>>,
    /// The newest delegation that its operator signed.
    pub(crate) delegation: Option<Signed<Delegation>>,
    /// Delegations that came before the manifest, to be looked at when it is here.
    waiting: Vec<Vec<u8>>,
    /// Connected peers that know the run.
    pub(crate) members: BTreeSet<PeerKey>,
    /// Whether this peer takes part in it. Others it only tells about.
    pub(crate) takes_part: bool,
    /// Peers that were asked for the manifest and have not answered.
    pub(crate) asked: BTreeSet<PeerKey>,
    /// Where its members can be reached.
    pub(crate) book: AddressBook,
}

/// Delegations kept until the manifest is here.
const WAITING_MAX: usize = 8;

impl KnownRun {
    /// Takes a manifest; a second one is the same one.
    pub(crate) fn take_manifest(&mut self, manifest: Arc<Manifest>) {
        self.manifest.get_or_insert(manifest);
        for bytes in std::mem::take(&mut self.waiting) {
            self.take_delegation(&bytes);
        }
    }

    /// Takes a delegation's bytes from anybody: it counts when the operator signed it and its number is the highest yet.
    /// Whether it was news.
    pub(crate) fn take_delegation(&mut self, bytes: &[u8]) -> bool {
        let Some(manifest) = &self.manifest else {
            if self.waiting.len() < WAITING_MAX && !self.waiting.iter().any(|known| known == bytes) {
                self.waiting.push(bytes.to_vec());
            }
            return false;
        };
        let Ok(delegation) = Signed::<Delegation>::open(bytes, Some(manifest.run())) else { return false };
        if delegation.signed_by(manifest.operator()).is_err() {
            return false;
        }
        let newer =
            self.delegation.as_ref().is_none_or(|known| known.value().number < delegation.value().number);
        if newer {
            self.delegation = Some(delegation);
        }
        newer
    }

    /// Who coordinates, as far as this peer knows.
    pub(crate) fn coordinator(&self) -> Option<PeerKey> {
        self.delegation.as_ref().map(|delegation| delegation.value().coordinator)
    }

    /// The run as it stands in a hello; `None` without its manifest.
    pub(crate) fn hello(&self, run: RunId, own_record: Option<&RecordBytes>) -> Option<HelloRun> {
        let manifest = self.manifest.as_ref()?;
        let connected: Vec<PeerKey> = self.members.iter().copied().collect();
        let others = self.book.to_share(&connected, SHARED_RECORDS);
        let peers =
            own_record.cloned().into_iter().chain(others.into_iter().map(|r| RecordBytes::from(r.bytes())));
        Some(HelloRun {
            run,
            name: manifest.body().name.clone(),
            operator: manifest.operator(),
            delegation: self.delegation.as_ref().map(|delegation| RecordBytes::from(delegation.bytes())),
            peers: peers.take(SHARED_RECORDS).collect(),
        })
    }
}
