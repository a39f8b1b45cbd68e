//! Who speaks: when each peer was last heard, and which of its claims count.
//!
//! A table has one of these per peer of the run, so each is kept small: its newest statement says who it is and how far its
//! counter is, and a peer that holds one unit, as nearly all do, needs no set for it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::moment::{Moment, Stamp};
use super::statement::Statement;
use super::times::LeaseTimes;
use super::units::UnitIndex;
use crate::ids::PeerKey;

/// How many peers are followed. Beyond it those that are silent and hold nothing are forgotten, and if there are none
/// a new peer's claims don't count.
const MAX_PEERS: usize = 65_536;
/// Speakers stand together in blocks of so many, so that none is ever moved to make room.
const BLOCK: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Voice {
    Heard,
    Silent,
}

/// What a peer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Nothing,
    One(UnitIndex),
    /// What, stands in [`Speakers::holdings`].
    Several,
}

/// A peer, as its counter shows it.
#[derive(Debug, Clone)]
struct Speaker {
    /// Of its statements that carry its counter, the newest heard.
    last: Arc<Statement>,
    grew: Stamp,
    voice: Voice,
    holds: Holds,
}

/// Live claims by the counters with which they were made: the oldest first, of which the first `share` count.
type Claims = BTreeSet<(u64, UnitIndex)>;

/// All peers that were heard.
#[derive(Debug, Clone)]
pub(super) struct Speakers {
    times: LeaseTimes,
    blocks: Vec<Vec<Speaker>>,
    /// Looked up by key; never gone through in order.
    index: HashTable<u32>,
    hasher: RandomState,
    /// Who was looked up last: the hash of its key, and where it is.
    found: Cell<(u64, u32)>,
    /// By position.
    holdings: BTreeMap<u32, Claims>,
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
            blocks: Vec::new(),
            index: HashTable::new(),
            hasher: RandomState::default(),
            found: Cell::new((0, 0)),
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
        self.find(peer).and_then(|at| self.at(at)).is_some_and(|speaker| speaker.voice == Voice::Heard)
    }

    /// Takes note of a statement that carries its signer's counter.
    pub(super) fn hear(&mut self, now: Moment, said: &Arc<Statement>) {
        let signer = said.signer();
        let Some(position) = self.find(&signer) else {
            self.begin(now, said);
            return;
        };
        let Some(speaker) = self.at_mut(position) else { return };
        if said.says().counter() <= speaker.last.says().counter() {
            return;
        }
        speaker.last = Arc::clone(said);
        speaker.grew = now.into();
        if std::mem::replace(&mut speaker.voice, Voice::Heard) == Voice::Silent {
            self.count_in(now);
        }
    }

    fn begin(&mut self, now: Moment, said: &Arc<Statement>) {
        if self.index.len() >= MAX_PEERS {
            self.forget_silent();
        }
        if self.index.len() >= MAX_PEERS {
            return;
        }
        self.add(Speaker {
            last: Arc::clone(said),
            grew: now.into(),
            voice: Voice::Heard,
            holds: Holds::Nothing,
        });
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
        for (position, speaker) in (0..).zip(self.blocks.iter_mut().flatten()) {
            if speaker.voice == Voice::Silent {
                continue;
            }
            let at = times.silent_at(speaker.grew.into(), peers);
            if at > now {
                next = next.min(at);
                continue;
            }
            speaker.voice = Voice::Silent;
            self.heard -= 1;
            let held = match std::mem::replace(&mut speaker.holds, Holds::Nothing) {
                Holds::Nothing => Vec::new(),
                Holds::One(unit) => vec![unit],
                Holds::Several => {
                    let claims = self.holdings.remove(&position).unwrap_or_default();
                    claims.into_iter().map(|(_, unit)| unit).collect()
                }
            };
            silent.push((speaker.last.signer(), held));
        }
        self.look_at = next;
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
        let position = self.find(signer)?;
        let speaker = self.at_mut(position)?;
        let held = match speaker.holds {
            Holds::Nothing => {
                speaker.holds = Holds::One(unit);
                return None;
            }
            Holds::One(held) => Some((others(held), held)),
            Holds::Several => None,
        };
        speaker.holds = Holds::Several;
        let claims = self.holdings.entry(position).or_default();
        claims.extend(held);
        claims.insert((counter, unit));
        // An older claim than those that count pushes one of them out.
        claims.iter().nth(share).map(|(_, unit)| *unit)
    }

    /// A claim is no longer live. Gives the unit whose claim counts for it now.
    pub(super) fn leave(&mut self, signer: &PeerKey, claim: (u64, UnitIndex)) -> Option<UnitIndex> {
        let share = self.times.share;
        let position = self.find(signer)?;
        let speaker = self.at_mut(position)?;
        match speaker.holds {
            Holds::Nothing => return None,
            Holds::One(unit) => {
                if unit == claim.1 {
                    speaker.holds = Holds::Nothing;
                }
                return None;
            }
            Holds::Several => {}
        }
        let claims = self.holdings.get_mut(&position)?;
        claims.remove(&claim);
        let left = (claims.len() <= 1).then(|| claims.first().map(|(_, unit)| *unit));
        let promoted = share.checked_sub(1).and_then(|last| claims.iter().nth(last)).map(|(_, unit)| *unit);
        if let Some(left) = left {
            self.holdings.remove(&position);
            if let Some(speaker) = self.at_mut(position) {
                speaker.holds = left.map_or(Holds::Nothing, Holds::One);
            }
        }
        promoted
    }

    /// Whether a live claim is one of those that count.
    pub(super) fn counts(&self, signer: &PeerKey, claim: (u64, UnitIndex)) -> bool {
        let Some(position) = self.find(signer) else { return false };
        match self.at(position).map(|speaker| speaker.holds) {
            None | Some(Holds::Nothing) => false,
            Some(Holds::One(unit)) => self.times.share > 0 && unit == claim.1,
            Some(Holds::Several) => {
                let claims = self.holdings.get(&position);
                claims.is_some_and(|claims| claims.iter().take(self.times.share).any(|it| *it == claim))
            }
        }
    }

    /// The units that a peer claims, of live claims.
    pub(super) fn held(&self, peer: &PeerKey) -> Vec<UnitIndex> {
        let Some(position) = self.find(peer) else { return Vec::new() };
        match self.at(position).map(|speaker| speaker.holds) {
            None | Some(Holds::Nothing) => Vec::new(),
            Some(Holds::One(unit)) => vec![unit],
            Some(Holds::Several) => {
                self.holdings.get(&position).into_iter().flatten().map(|(_, unit)| *unit).collect()
            }
        }
    }

    /// Drops those that are silent: they hold nothing. The others move up.
    fn forget_silent(&mut self) {
        let mut holdings = std::mem::take(&mut self.holdings);
        let blocks = std::mem::take(&mut self.blocks);
        self.index.clear();
        for (position, speaker) in (0..).zip(blocks.into_iter().flatten()) {
            if speaker.voice == Voice::Silent {
                continue;
            }
            let moved = self.add(speaker);
            if let Some(claims) = holdings.remove(&position) {
                self.holdings.insert(moved, claims);
            }
        }
    }

    fn add(&mut self, speaker: Speaker) -> u32 {
        let position = u32::try_from(self.index.len()).unwrap_or(u32::MAX);
        let hash = self.hasher.hash_one(speaker.last.signer());
        if self.blocks.last().is_none_or(|block| block.len() >= BLOCK) {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        if let Some(block) = self.blocks.last_mut() {
            block.push(speaker);
        }
        let (blocks, hasher) = (&self.blocks, &self.hasher);
        let hash_at = |at: &u32| look(blocks, *at).map_or(0, |it| hasher.hash_one(it.last.signer()));
        self.index.insert_unique(hash, position, hash_at);
        position
    }

    fn find(&self, peer: &PeerKey) -> Option<u32> {
        let is_it = |at: &u32| self.at(*at).is_some_and(|speaker| speaker.last.signer() == *peer);
        let hash = self.hasher.hash_one(peer);
        // What is looked up once is looked up again at once.
        let (known, last) = self.found.get();
        if known == hash && is_it(&last) {
            return Some(last);
        }
        let found = self.index.find(hash, is_it).copied()?;
        self.found.set((hash, found));
        Some(found)
    }

    fn at(&self, position: u32) -> Option<&Speaker> {
        look(&self.blocks, position)
    }

    fn at_mut(&mut self, position: u32) -> Option<&mut Speaker> {
        let position = position as usize;
        self.blocks.get_mut(position / BLOCK)?.get_mut(position % BLOCK)
    }
}

fn look(blocks: &[Vec<Speaker>], position: u32) -> Option<&Speaker> {
    let position = position as usize;
    blocks.get(position / BLOCK)?.get(position % BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speaker_is_small() {
        assert_eq!(size_of::<Speaker>(), 24);
    }
}
