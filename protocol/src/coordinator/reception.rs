//! Reports on their way into the store.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::{ContentHash, PeerKey};
use crate::lease::{Moment, UnitIndex};

/// How far a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is being received, then checked.
    Arriving,
    /// It is being written.
    Storing,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Reception {
    pub(super) from: PeerKey,
    pub(super) step: Step,
    since: Moment,
    bytes: u64,
}

/// The reports that are being received, checked or stored, each content once.
#[derive(Debug, Clone, Default)]
pub(super) struct Receptions(BTreeMap<(UnitIndex, ContentHash), Reception>);

impl Receptions {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn from(&self, peer: &PeerKey) -> usize {
        self.0.values().filter(|reception| reception.from == *peer).count()
    }

    /// The bytes that one peer announces.
    pub(super) fn bytes_from(&self, peer: &PeerKey) -> u64 {
        let its = self.0.values().filter(|reception| reception.from == *peer);
        its.map(|reception| reception.bytes).fold(0, u64::saturating_add)
    }

    pub(super) fn of(&self, unit: UnitIndex) -> usize {
        self.0.keys().filter(|(of, _)| *of == unit).count()
    }

    pub(super) fn contains(&self, unit: UnitIndex, content: ContentHash) -> bool {
        self.0.contains_key(&(unit, content))
    }

    /// The bytes that all of them announce.
    pub(super) fn bytes(&self) -> u64 {
        self.0.values().map(|reception| reception.bytes).fold(0, u64::saturating_add)
    }

    pub(super) fn begin(
        &mut self,
        now: Moment,
        unit: UnitIndex,
        content: ContentHash,
        from: PeerKey,
        bytes: u64,
    ) {
        self.0.insert((unit, content), Reception { from, step: Step::Arriving, since: now, bytes });
    }

    /// Moves on what this peer sends; `false` when nothing of the kind is arriving.
    pub(super) fn store(
        &mut self,
        now: Moment,
        unit: UnitIndex,
        content: ContentHash,
        from: &PeerKey,
    ) -> bool {
        match self.0.get_mut(&(unit, content)) {
            Some(reception) if reception.from == *from && reception.step == Step::Arriving => {
                reception.step = Step::Storing;
                reception.since = now;
                true
            }
            _ => false,
        }
    }

    /// Ends what this peer sends; `false` when nothing of the kind is arriving.
    pub(super) fn fail(&mut self, unit: UnitIndex, content: ContentHash, from: &PeerKey) -> bool {
        let arriving = self
            .0
            .get(&(unit, content))
            .is_some_and(|reception| reception.from == *from && reception.step == Step::Arriving);
        arriving && self.0.remove(&(unit, content)).is_some()
    }

    pub(super) fn end(&mut self, unit: UnitIndex, content: ContentHash) -> Option<Reception> {
        self.0.remove(&(unit, content))
    }

    /// Gives up what arrives for too long. What is being written is the disk's to end.
    pub(super) fn give_up(&mut self, now: Moment, after: Duration) {
        self.0.retain(|_, reception| reception.step == Step::Storing || now.since(reception.since) < after);
    }
}
