//! The second layer of the lease table: who holds what, as far as this peer can tell now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::bids;
use super::moment::{Moment, Stamp};
use super::outcome::Change;
use super::records::LeaseRecords;
use super::speakers::Speakers;
use super::state::{Stage, UnitState};
use super::statement::Statement;
use super::stay::{Fate, Named, Stay};
use super::times::LeaseTimes;
use super::unit_set::UnitSet;
use super::units::{UnitIndex, Units};
use super::word::Word;
use crate::ids::PeerKey;

/// How many times in a `max_lease` units are gone through at most for claims that have lasted it: one may last so much longer.
const LOOKS_PER_TENURE: u32 = 1_024;

/// A unit, as far as records don't say. There are very many, so it is kept small.
#[derive(Debug, Clone, Copy)]
struct Seen {
    since: Stamp,
    /// Tells one holder, finisher or content from another.
    mark: [u8; 2],
    stage: Stage,
    /// How its only bid stands; `None`: it has none, or several.
    stay: Option<Stay>,
}

/// A statement that the records took up, and the one that had to go for it.
pub(super) struct News<'a> {
    pub(super) statement: &'a Arc<Statement>,
    pub(super) dropped: Option<&'a Arc<Statement>>,
}

/// Who holds a unit and what is open: a function of the records and of the local times at which each counter was
/// first seen.
///
/// A claim is live while its signer's counter grew within the lease time, and at most `max_lease` after this signer's
/// first claim of the unit was seen; then the signer can't hold the unit again. A claim that died of silence stays
/// dead: its signer may claim again, in a later epoch. The lowest live epoch wins a unit, then the smaller tie hash.
/// A word of the coordinator stands above all that: receipted is done, and a finished from before a reopening is void.
#[derive(Debug, Clone)]
pub struct View {
    times: LeaseTimes,
    now: Moment,
    units: Vec<Seen>,
    /// How the bids of units with several stand.
    crowds: BTreeMap<UnitIndex, Vec<Named>>,
    speakers: Speakers,
    /// No claim has lasted `max_lease` before.
    look_at: Moment,
    open: UnitSet,
    leased: UnitSet,
    finished: UnitSet,
    done: usize,
    longest: Option<Duration>,
    typical: Option<Duration>,
}

impl View {
    /// Everything open, nobody heard.
    #[must_use]
    pub fn new(now: Moment, units: &Units, times: LeaseTimes) -> Self {
        let unit = Seen { since: now.into(), mark: [0; 2], stage: Stage::Open, stay: None };
        Self {
            times,
            now,
            units: vec![unit; units.len()],
            crowds: BTreeMap::new(),
            speakers: Speakers::new(times),
            look_at: Moment(u64::MAX),
            open: UnitSet::all(units.len()),
            leased: UnitSet::none(units.len()),
            finished: UnitSet::none(units.len()),
            done: 0,
            longest: None,
            typical: None,
        }
    }

    /// Takes note of a statement that the records took up, the view being at the moment of it.
    pub(super) fn observe(&mut self, records: &LeaseRecords, news: &News<'_>, change: Change) {
        if news.statement.says().counter().is_some() {
            self.speakers.hear(self.now, news.statement);
        }
        match change {
            Change::Claims(unit) | Change::Finished(unit) => self.refresh(unit, records, Some(news)),
            Change::Word(unit) => self.refresh(unit, records, None),
            Change::Heartbeat | Change::Delegation | Change::Complete => {}
        }
    }

    /// Lets time pass: leases that ran out end. Time that goes back stands still.
    pub fn advance(&mut self, now: Moment, records: &LeaseRecords) {
        self.now = self.now.max(now);
        for (peer, held) in self.speakers.fall_silent(self.now) {
            for unit in held {
                if let Some(stay) = self.stay_mut(unit, &peer) {
                    stay.fate = Fate::Silent;
                }
                self.refresh(unit, records, None);
            }
        }
        if self.now >= self.look_at {
            self.expire(records);
        }
    }

    /// Ends the claims that lasted `max_lease`.
    fn expire(&mut self, records: &LeaseRecords) {
        let max_lease = self.times.max_lease;
        let until = |stay: &Stay| Moment::from(stay.first_seen).after(max_lease);
        let mut next = Moment(u64::MAX);
        let mut due = BTreeSet::new();
        let alone = self.units.iter().enumerate();
        let alone = alone.filter_map(|(at, seen)| Some((UnitIndex::of(at), seen.stay.as_ref()?)));
        let several = self.crowds.iter().flat_map(|(unit, all)| all.iter().map(|named| (*unit, &named.stay)));
        for (unit, stay) in alone.chain(several).filter(|(_, stay)| stay.fate != Fate::Expired) {
            if until(stay) > self.now {
                next = next.min(until(stay));
            } else {
                due.insert(unit);
            }
        }
        for unit in due {
            let ends = |stay: &Stay| stay.fate != Fate::Expired && until(stay) <= self.now;
            let ended = self.stays(unit, records).filter(|(_, stay)| ends(stay));
            let ended: Vec<_> = ended.map(|(bid, stay)| (bid.signer(), stay.fate, counter(bid))).collect();
            for (signer, fate, counter) in &ended {
                if let Some(stay) = self.stay_mut(unit, signer) {
                    stay.fate = Fate::Expired;
                }
                if *fate == Fate::Live {
                    self.leave_share(signer, (*counter, unit), records);
                }
            }
            self.refresh(unit, records, None);
        }
        self.look_at = next.max(self.now.after(max_lease / LOOKS_PER_TENURE));
    }

    /// The bids of a unit, each with how it stands.
    pub(super) fn stays<'a>(
        &'a self,
        unit: UnitIndex,
        records: &'a LeaseRecords,
    ) -> impl Iterator<Item = (&'a Arc<Statement>, &'a Stay)> {
        let only = self.units.get(unit.get()).and_then(|seen| seen.stay.as_ref());
        let several = match only {
            None => self.crowds.get(&unit).map_or(&[][..], Vec::as_slice),
            Some(_) => &[],
        };
        records.bids(unit).iter().filter_map(move |bid| {
            let named = || several.iter().find(|named| named.signer == bid.signer());
            Some((bid, only.or_else(|| named().map(|named| &named.stay))?))
        })
    }

    /// How a signer's bid stands, if it has one.
    fn stay_mut(&mut self, unit: UnitIndex, signer: &PeerKey) -> Option<&mut Stay> {
        if let Some(several) = self.crowds.get_mut(&unit) {
            return several.iter_mut().find(|named| named.signer == *signer).map(|named| &mut named.stay);
        }
        self.units.get_mut(unit.get())?.stay.as_mut()
    }

    /// Brings a unit's claims and state in line with the records.
    fn refresh(&mut self, unit: UnitIndex, records: &LeaseRecords, news: Option<&News<'_>>) {
        if let Some(Word::Receipted { .. }) = records.word(unit) {
            self.forget_stays(unit, records);
        } else if let [only] = records.bids(unit) {
            let before = self.units.get(unit.get()).and_then(|seen| seen.stay);
            let stay = self.follow(unit, records, before, only, news);
            if let Some(seen) = self.units.get_mut(unit.get()) {
                seen.stay = Some(stay);
            }
        } else {
            self.refresh_several(unit, records, news);
        }
        self.settle(unit, records);
    }

    /// The same for a unit with several bids, or none.
    fn refresh_several(&mut self, unit: UnitIndex, records: &LeaseRecords, news: Option<&News<'_>>) {
        let bids = records.bids(unit);
        let mut before = self.crowds.remove(&unit).unwrap_or_default();
        if let Some(stay) = self.units.get_mut(unit.get()).and_then(|seen| seen.stay.take()) {
            // It had a single one until now: not by who said the latest.
            let is_new = |bid: &Statement| news.is_some_and(|news| news.statement.signer() == bid.signer());
            let first = bids.iter().find(|bid| !is_new(bid));
            before.extend(first.map(|bid| Named { signer: bid.signer(), stay }));
        }
        // Somebody had to make room.
        if let Some(gone) = news.and_then(|news| news.dropped)
            && let Some(named) = before.iter().find(|named| named.signer == gone.signer())
            && named.stay.fate == Fate::Live
            && bids::by(bids, &gone.signer()).is_none()
        {
            self.leave_share(&gone.signer(), (counter(gone), unit), records);
        }
        let mut after = Vec::with_capacity(bids.len());
        for said in bids {
            let signer = said.signer();
            let known = before.iter().find(|named| named.signer == signer).map(|named| named.stay);
            let stay = self.follow(unit, records, known, said, news);
            after.push(Named { signer, stay });
        }
        if !after.is_empty() {
            self.crowds.insert(unit, after);
        }
    }

    /// How a bid stands now, that stood so before; joins or leaves its signer's share with it.
    fn follow(
        &mut self,
        unit: UnitIndex,
        records: &LeaseRecords,
        known: Option<Stay>,
        said: &Arc<Statement>,
        news: Option<&News<'_>>,
    ) -> Stay {
        let signer = said.signer();
        let heard = self.speakers.is_heard(&signer);
        let Some(mut stay) = known else {
            let stay = Stay::begin(self.now, Fate::wanted(said), heard);
            self.look_at = self.look_at.min(self.now.after(self.times.max_lease));
            if stay.fate == Fate::Live {
                self.join_share(&signer, (counter(said), unit), records);
            }
            return stay;
        };
        let replaced = news.and_then(|news| news.dropped).filter(|dropped| dropped.signer() == signer);
        let was = (stay.fate, replaced.map_or(counter(said), counter));
        stay.follow(said, replaced.map(Arc::as_ref), heard);
        if was != (stay.fate, counter(said)) {
            if was.0 == Fate::Live {
                self.leave_share(&signer, (was.1, unit), records);
            }
            if stay.fate == Fate::Live {
                self.join_share(&signer, (counter(said), unit), records);
            }
        }
        stay
    }

    /// A done unit needs no claims; if it is opened again they are judged anew.
    fn forget_stays(&mut self, unit: UnitIndex, records: &LeaseRecords) {
        let live = self.stays(unit, records).filter(|(_, stay)| stay.fate == Fate::Live);
        let live: Vec<_> = live.map(|(bid, _)| (bid.signer(), counter(bid))).collect();
        let only = self.units.get_mut(unit.get()).and_then(|seen| seen.stay.take());
        if only.is_none() {
            self.crowds.remove(&unit);
        }
        for (signer, counter) in live {
            self.leave_share(&signer, (counter, unit), records);
        }
    }

    fn join_share(&mut self, signer: &PeerKey, claim: (u64, UnitIndex), records: &LeaseRecords) {
        let others = |unit| bids::by(records.bids(unit), signer).map_or(0, counter);
        let displaced = self.speakers.join(signer, claim, others);
        self.rejudge(displaced, claim.1, records);
    }

    fn leave_share(&mut self, signer: &PeerKey, claim: (u64, UnitIndex), records: &LeaseRecords) {
        let promoted = self.speakers.leave(signer, claim);
        self.rejudge(promoted, claim.1, records);
    }

    /// Another unit, whose claim counts now or does no longer; the one in hand is judged anyway.
    fn rejudge(&mut self, unit: Option<UnitIndex>, in_hand: UnitIndex, records: &LeaseRecords) {
        if let Some(unit) = unit.filter(|unit| *unit != in_hand) {
            self.settle(unit, records);
        }
    }

    /// The bids that count as claims now.
    fn live<'a>(
        &'a self,
        unit: UnitIndex,
        records: &'a LeaseRecords,
    ) -> impl Iterator<Item = &'a Arc<Statement>> {
        let live = self.stays(unit, records).filter(|(_, stay)| stay.fate == Fate::Live);
        live.map(|(bid, _)| bid).filter(move |bid| self.speakers.counts(&bid.signer(), (counter(bid), unit)))
    }

    /// The state of a unit of the run.
    #[must_use]
    pub(super) fn state(&self, unit: UnitIndex, records: &LeaseRecords) -> UnitState {
        if let Some(Word::Receipted { content, .. }) = records.word(unit) {
            return UnitState::Done { content };
        }
        if let Some(by) = records.finished(unit).next() {
            return UnitState::Finished { by };
        }
        match self.live(unit, records).min_by_key(|bid| rank(bid)) {
            Some(bid) => UnitState::Leased { by: bid.signer(), epoch: bid.epoch() },
            None => UnitState::Open,
        }
    }

    fn settle(&mut self, unit: UnitIndex, records: &LeaseRecords) {
        let now = self.now;
        let state = self.state(unit, records);
        let Some(seen) = self.units.get_mut(unit.get()) else { return };
        let (old, new, mark) = (seen.stage, state.stage(), mark(&state));
        if (old, seen.mark) == (new, mark) {
            return;
        }
        let lasted = now.since(seen.since.into());
        // What somebody else finished tells nothing of how long its holder takes.
        let by_holder = match state {
            UnitState::Finished { by } => {
                let bid = bids::by(records.bids(unit), &by);
                bid.is_some_and(|bid| seen.mark == self::mark(&UnitState::Leased { by, epoch: bid.epoch() }))
            }
            _ => false,
        };
        // Whoever else says to have finished it makes nobody wait anew for its report, where another who does is there.
        let is_waited_for = match (old, &state) {
            (Stage::Finished, UnitState::Finished { by }) => {
                records.finished(unit).any(|other| other != *by && self.speakers.is_heard(&other))
            }
            _ => false,
        };
        if !is_waited_for {
            seen.since = now.into();
        }
        (seen.mark, seen.stage) = (mark, new);
        if old == new {
            return;
        }
        if old == Stage::Leased && by_holder {
            self.longest = self.longest.max(Some(lasted));
            self.typical = Some(self.typical.map_or(lasted, |typical| (typical * 15 + lasted) / 16));
        }
        match old {
            Stage::Open => self.open.remove(unit),
            Stage::Leased => self.leased.remove(unit),
            Stage::Finished => self.finished.remove(unit),
            Stage::Done => self.done -= 1,
        }
        match new {
            Stage::Open => self.open.insert(unit),
            Stage::Leased => self.leased.insert(unit),
            Stage::Finished => self.finished.insert(unit),
            Stage::Done => self.done += 1,
        }
    }

    /// The stage of a unit of the run.
    #[must_use]
    pub fn stage(&self, unit: UnitIndex) -> Stage {
        self.units.get(unit.get()).map_or(Stage::Open, |seen| seen.stage)
    }

    /// Since when the unit is in its state, or since the view began.
    #[must_use]
    pub fn since(&self, unit: UnitIndex) -> Moment {
        self.units.get(unit.get()).map_or(self.now, |seen| seen.since.into())
    }

    /// Whose live claims a unit has, the winning one first.
    pub(super) fn claimants(&self, unit: UnitIndex, records: &LeaseRecords) -> Vec<PeerKey> {
        let mut live: Vec<_> = self.live(unit, records).map(|bid| rank(bid)).collect();
        live.sort_unstable();
        live.into_iter().map(|(.., signer)| signer).collect()
    }

    /// The units of which a peer has live claims.
    #[cfg(test)]
    pub(super) fn held(&self, peer: &PeerKey) -> BTreeSet<UnitIndex> {
        self.speakers.held(peer).into_iter().collect()
    }

    /// How many units are leased to a peer.
    pub(super) fn leases(&self, peer: &PeerKey, records: &LeaseRecords) -> usize {
        let is_its = |unit: &UnitIndex| matches!(self.state(*unit, records), UnitState::Leased { by, .. } if by == *peer);
        self.speakers.held(peer).iter().filter(|unit| is_its(unit)).count()
    }

    /// Open units, in order.
    pub fn open(&self) -> &UnitSet {
        &self.open
    }

    /// Units that somebody trains.
    pub fn leased(&self) -> &UnitSet {
        &self.leased
    }

    /// Units that somebody has trained and the coordinator hasn't acknowledged.
    pub fn finished(&self) -> &UnitSet {
        &self.finished
    }

    /// How many units are done.
    #[must_use]
    pub fn done(&self) -> usize {
        self.done
    }

    /// How many peers were heard within the lease time.
    #[must_use]
    pub fn peers_heard(&self) -> usize {
        self.speakers.heard()
    }

    /// Whether a peer was heard within the lease time.
    #[must_use]
    pub fn is_heard(&self, peer: &PeerKey) -> bool {
        self.speakers.is_heard(peer)
    }

    /// How long a lease lasts now without a word from its holder.
    #[must_use]
    pub fn lease(&self) -> Duration {
        self.times.lease(self.speakers.heard())
    }

    /// The longest time for which a unit was leased until its holder finished it, of those seen from here.
    #[must_use]
    pub fn longest_lease(&self) -> Option<Duration> {
        self.longest
    }

    /// The time for which units are leased until their holders finish them, smoothed over those seen from here.
    #[must_use]
    pub fn typical_lease(&self) -> Option<Duration> {
        self.typical
    }

    /// The epoch in which `peer` can claim a unit: the lowest without a dead claim, not below its own earlier bid, and
    /// such that the claim is kept. `None` when it can't hold this unit (again); it may train it all the same.
    pub(super) fn next_epoch(&self, records: &LeaseRecords, unit: UnitIndex, peer: &PeerKey) -> Option<u32> {
        let bids = records.bids(unit);
        if bids.is_empty() {
            return Some(0);
        }
        let mut dead = Vec::new();
        for (bid, stay) in self.stays(unit, records) {
            if stay.fate.is_dead() {
                dead.push(bid.epoch());
            }
            if bid.signer() == *peer && stay.fate == Fate::Expired {
                return None;
            }
        }
        let mut epoch = bids::by(bids, peer).map_or(0, |own| own.epoch());
        dead.sort_unstable();
        for dead in dead {
            if dead == epoch {
                epoch = epoch.checked_add(1)?;
            }
        }
        let name = records.units().unit(unit);
        if bids::have_room(bids, &name, epoch, peer) {
            return Some(epoch);
        }
        // In the last epoch there is none above: the better tie hashes are kept.
        let highest = bids.iter().map(|kept| kept.epoch()).max()?;
        let last = || bids::have_room(bids, &name, highest, peer).then_some(highest);
        highest.checked_add(1).or_else(last)
    }
}

/// Of claims; smaller wins.
fn rank(bid: &Statement) -> (u32, u64, PeerKey) {
    (bid.epoch(), bid.tie(), bid.signer())
}

fn counter(bid: &Arc<Statement>) -> u64 {
    bid.says().counter().unwrap_or(0)
}

/// Two bytes of what a state says beside its stage.
fn mark(state: &UnitState) -> [u8; 2] {
    let of = |bytes: &[u8]| bytes.first_chunk().copied().unwrap_or_default();
    match state {
        UnitState::Open => [0; 2],
        UnitState::Leased { by, epoch } => {
            let [a, b] = of(by.as_bytes());
            let [c, d, ..] = epoch.to_le_bytes();
            [a ^ c, b ^ d]
        }
        UnitState::Finished { by } => of(by.as_bytes()),
        UnitState::Done { content } => of(content.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_small() {
        assert_eq!(size_of::<Seen>(), 16);
    }
}
