//! Who speaks: when each peer was last heard, and which of its claims count.
//!
//! A table has one of these per peer of the run, so each is kept small: its newest statement says who it is and how far its
//! counter is, and a peer that holds one unit, as nearly all do, needs no set for it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::moment::Moment;
use super::statement::Statement;
use super::times::LeaseTimes;
use super::units::{MAX_UNITS, UnitIndex};
use crate::ids::PeerKey;

/// How many peers are followed. Beyond it those that are silent and hold nothing are forgotten, and if there are none
/// a new peer's claims don't count.
const MAX_PEERS: usize = 65_536;
/// How many times in the shortest lease all are gone through at most: one may be taken for heard so much longer.
const LOOKS_PER_LEASE: u32 = 64;

/// How a peer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It was not heard within the lease time, so it holds nothing.
    Silent,
    Idle,
    /// Its one live claim.
    Holds(UnitIndex),
    /// What, stands in [`Speakers::holdings`].
    HoldsSeveral,
}

/// When a peer's counter grew and how it stands, in eight bytes: good for 278 years from the start, and the end of these for
/// what is later.
#[derive(Debug, Clone, Copy)]
struct Mark(u64);

impl Mark {
    const STANDING_BITS: u32 = 21;
    const SILENT: u32 = (1 << Self::STANDING_BITS) - 1;
    const IDLE: u32 = Self::SILENT - 1;
    const SEVERAL: u32 = Self::SILENT - 2;

    fn new(grew: Moment, standing: Standing) -> Self {
        let standing = match standing {
            Standing::Silent => Self::SILENT,
            Standing::Idle => Self::IDLE,
            Standing::HoldsSeveral => Self::SEVERAL,
            Standing::Holds(unit) => u32::try_from(unit.get()).unwrap_or(u32::MAX).min(Self::SEVERAL - 1),
        };
        let latest = u64::MAX >> Self::STANDING_BITS;
        Self(grew.0.min(latest) << Self::STANDING_BITS | u64::from(standing))
    }

    fn grew(self) -> Moment {
        Moment(self.0 >> Self::STANDING_BITS)
    }

    fn standing(self) -> Standing {
        match self.0 as u32 & Self::SILENT {
            Self::SILENT => Standing::Silent,
            Self::IDLE => Standing::Idle,
            Self::SEVERAL => Standing::HoldsSeveral,
            unit => Standing::Holds(UnitIndex::at(unit)),
        }
    }
}

const _: () = assert!(MAX_UNITS < Mark::SEVERAL as usize);

/// A peer, as its counter shows it.
#[derive(Debug, Clone)]
struct Speaker {
    /// Of its statements that carry its counter, the newest heard.
    last: Arc<Statement>,
    mark: Mark,
}

impl Speaker {
    fn standing(&self) -> Standing {
        self.mark.standing()
    }

    fn stand(&mut self, standing: Standing) {
        self.mark = Mark::new(self.mark.grew(), standing);
    }
}

/// Live claims by the counters with which they were made: the oldest first, of which the first `share` count.
type Claims = BTreeSet<(u64, UnitIndex)>;

/// All peers that were heard.
#[derive(Debug, Clone)]
pub(super) struct Speakers {
    times: LeaseTimes,
    /// By key. It has an order of its own, from which nothing may follow.
    all: HashTable<Speaker>,
    hasher: RandomState,
    holdings: BTreeMap<PeerKey, Claims>,
    heard: usize,
    /// How many there were at the last look.
    reckoned: usize,
    /// Nobody falls silent before.
    look_at: Moment,
}

impl Speakers {
    pub(super) fn new(times: LeaseTimes) -> Self {
        Self {
            times,
            all: HashTable::new(),
            hasher: RandomState::default(),
            holdings: BTreeMap::new(),
            heard: 0,
            reckoned: 0,
            look_at: Moment(u64::MAX),
        }
    }

    /// How many were heard within the lease time.
    pub(super) fn heard(&self) -> usize {
        self.heard
    }

    pub(super) fn is_heard(&self, peer: &PeerKey) -> bool {
        self.find(peer).is_some_and(|speaker| speaker.standing() != Standing::Silent)
    }

    /// Takes note of a statement that carries its signer's counter.
    pub(super) fn hear(&mut self, now: Moment, said: &Arc<Statement>) {
        let Some(speaker) = self.find_mut(&said.signer()) else {
            self.begin(now, said);
            return;
        };
        if said.says().counter() <= speaker.last.says().counter() {
            return;
        }
        let before = speaker.standing();
        let standing = if before == Standing::Silent { Standing::Idle } else { before };
        speaker.last = Arc::clone(said);
        speaker.mark = Mark::new(now, standing);
        if before == Standing::Silent {
            self.count_in(now);
        }
    }

    fn begin(&mut self, now: Moment, said: &Arc<Statement>) {
        if self.all.len() >= MAX_PEERS && self.heard < self.all.len() {
            // They hold nothing.
            self.all.retain(|speaker| speaker.standing() != Standing::Silent);
        }
        if self.all.len() >= MAX_PEERS {
            return;
        }
        let hasher = &self.hasher;
        let hash = |speaker: &Speaker| hasher.hash_one(speaker.last.signer());
        let speaker = Speaker { last: Arc::clone(said), mark: Mark::new(now, Standing::Idle) };
        self.all.insert_unique(hash(&speaker), speaker, hash);
        self.count_in(now);
    }

    fn count_in(&mut self, now: Moment) {
        self.heard += 1;
        self.look_at = self.look_at.min(self.times.silent_at(now, self.heard));
    }

    /// The peers that fall silent until now, with what they held.
    ///
    /// The fewer there are, the shorter a lease. Those who fall silent shorten it for the others only when a look has passed:
    /// until they notice it themselves, others speak as often as the longer one asked for.
    pub(super) fn fall_silent(&mut self, now: Moment) -> Vec<(PeerKey, Vec<UnitIndex>)> {
        let mut silent = Vec::new();
        if now < self.look_at {
            return silent;
        }
        let (times, peers) = (self.times, self.heard.max(self.reckoned));
        self.reckoned = self.heard;
        let mut next = Moment(u64::MAX);
        for speaker in self.all.iter_mut().filter(|speaker| speaker.standing() != Standing::Silent) {
            let at = times.silent_at(speaker.mark.grew(), peers);
            if at > now {
                next = next.min(at);
                continue;
            }
            let signer = speaker.last.signer();
            let held = match speaker.standing() {
                Standing::Silent | Standing::Idle => Vec::new(),
                Standing::Holds(unit) => vec![unit],
                Standing::HoldsSeveral => {
                    let claims = self.holdings.remove(&signer).unwrap_or_default();
                    claims.into_iter().map(|(_, unit)| unit).collect()
                }
            };
            speaker.stand(Standing::Silent);
            self.heard -= 1;
            silent.push((signer, held));
        }
        silent.sort_unstable_by_key(|(signer, _)| *signer);
        // Many that fall silent one by one are not worth a look each.
        self.look_at = next.max(now.after(times.least / LOOKS_PER_LEASE));
        silent
    }

    /// A claim is live now. Gives the unit whose claim no longer counts for it. `others`: with which counter the signer claims
    /// a unit that it holds.
    pub(super) fn join(
        &mut self,
        signer: &PeerKey,
        (counter, unit): (u64, UnitIndex),
        others: impl Fn(UnitIndex) -> u64,
    ) -> Option<UnitIndex> {
        let share = self.times.share;
        let speaker = self.find_mut(signer)?;
        let held = match speaker.standing() {
            Standing::Silent => return None,
            Standing::Idle => {
                speaker.stand(Standing::Holds(unit));
                return None;
            }
            Standing::Holds(held) => Some((others(held), held)),
            Standing::HoldsSeveral => None,
        };
        speaker.stand(Standing::HoldsSeveral);
        let claims = self.holdings.entry(*signer).or_default();
        claims.extend(held);
        claims.insert((counter, unit));
        // An older claim than those that count pushes one of them out.
        claims.iter().nth(share).map(|(_, unit)| *unit)
    }

    /// A claim is no longer live. Gives the unit whose claim counts for it now.
    pub(super) fn leave(&mut self, signer: &PeerKey, claim: (u64, UnitIndex)) -> Option<UnitIndex> {
        let share = self.times.share;
        let speaker = self.find_mut(signer)?;
        match speaker.standing() {
            Standing::Silent | Standing::Idle => return None,
            Standing::Holds(unit) => {
                if unit == claim.1 {
                    speaker.stand(Standing::Idle);
                }
                return None;
            }
            Standing::HoldsSeveral => {}
        }
        let claims = self.holdings.get_mut(signer)?;
        claims.remove(&claim);
        let left = (claims.len() <= 1).then(|| claims.first().map(|(_, unit)| *unit));
        let promoted = share.checked_sub(1).and_then(|last| claims.iter().nth(last)).map(|(_, unit)| *unit);
        if let Some(left) = left {
            self.holdings.remove(signer);
            if let Some(speaker) = self.find_mut(signer) {
                speaker.stand(left.map_or(Standing::Idle, Standing::Holds));
            }
        }
        promoted
    }

    /// Whether a live claim is one of those that count.
    pub(super) fn counts(&self, signer: &PeerKey, claim: (u64, UnitIndex)) -> bool {
        match self.find(signer).map(Speaker::standing) {
            None | Some(Standing::Silent | Standing::Idle) => false,
            Some(Standing::Holds(unit)) => self.times.share > 0 && unit == claim.1,
            Some(Standing::HoldsSeveral) => {
                let claims = self.holdings.get(signer);
                claims.is_some_and(|claims| claims.iter().take(self.times.share).any(|it| *it == claim))
            }
        }
    }

    /// The units that a peer claims, of live claims.
    pub(super) fn held(&self, peer: &PeerKey) -> Vec<UnitIndex> {
        match self.find(peer).map(Speaker::standing) {
            None | Some(Standing::Silent | Standing::Idle) => Vec::new(),
            Some(Standing::Holds(unit)) => vec![unit],
            Some(Standing::HoldsSeveral) => {
                self.holdings.get(peer).into_iter().flatten().map(|(_, unit)| *unit).collect()
            }
        }
    }

    fn find(&self, peer: &PeerKey) -> Option<&Speaker> {
        self.all.find(self.hasher.hash_one(peer), |speaker| speaker.last.signer() == *peer)
    }

    fn find_mut(&mut self, peer: &PeerKey) -> Option<&mut Speaker> {
        self.all.find_mut(self.hasher.hash_one(peer), |speaker| speaker.last.signer() == *peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speaker_is_small() {
        assert_eq!(size_of::<Speaker>(), 16);
    }

    #[test]
    fn a_mark_is_what_was_put_into_it() {
        let units = [0, 1, MAX_UNITS as u32 - 1].map(|unit| Standing::Holds(UnitIndex::at(unit)));
        for standing in [Standing::Silent, Standing::Idle, Standing::HoldsSeveral].into_iter().chain(units) {
            for millis in [0, 1, (1 << 43) - 1] {
                let mark = Mark::new(Moment(millis), standing);
                assert_eq!((mark.grew(), mark.standing()), (Moment(millis), standing));
            }
            assert_eq!(Mark::new(Moment(u64::MAX), standing).grew(), Moment((1 << 43) - 1));
        }
    }
}
