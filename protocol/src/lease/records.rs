//! The first layer of the lease table: signed statements that merge.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;
use std::sync::Arc;

use super::bids::{self, Crowds, Taken};
use super::outcome::{Change, Ignored, Invalid, Outcome};
use super::ranges::{Content, Ranges, Sum};
use super::statement::{Says, Statement};
use super::units::{UnitIndex, Units};
use super::word::Word;
use crate::ids::{ModelHash, PeerKey};
use crate::records::Delegation;
use crate::unit::Unit;

/// How many peers' heartbeats are kept: those with the smallest keys, when there are more.
pub const MAX_HEARTBEATS: usize = 16_384;
/// How many delegations of a run are kept: those with the highest numbers.
pub const MAX_DELEGATIONS: usize = 16;

/// What is known about one unit, unless it has several bids.
#[derive(Debug, Clone, Default)]
struct Slot {
    bid: Option<Arc<Statement>>,
    word: Option<Arc<Statement>>,
}

/// The set of signed statements about a run. Merging is "newest", "highest" and "best 8" per kind and nothing else, so
/// it is commutative, associative and idempotent: peers that heard the same statements, in whatever order and however
/// often, hold the same set.
///
/// * per unit and signer the newest claim, finished or release, by epoch, then counter; of these, per unit, the 8 with the
///   highest epochs, then the smallest [tie hashes](super::tie_hash). The module `bids` says why highest;
/// * per peer its highest heartbeat, of the peers with the smallest keys;
/// * per unit the coordinator's newest word, by delegation number, generation, reopen before receipt;
/// * the operator's delegations, by number.
///
/// Of equal statements with different bytes, which only a signer that breaks the rules makes, the larger bytes are
/// kept. A coordinator's word counts once its delegation is known, not before: that much order there is, and exchange
/// by [`LeaseRecords::tell`] keeps to it.
///
/// Size is bounded by the shape of the run: at most 9 statements per unit, [`MAX_HEARTBEATS`] and
/// [`MAX_DELEGATIONS`].
#[derive(Debug, Clone)]
pub struct LeaseRecords {
    units: Arc<Units>,
    operator: PeerKey,
    delegations: BTreeMap<u64, Arc<Statement>>,
    complete: Option<Arc<Statement>>,
    heartbeats: BTreeMap<PeerKey, Arc<Statement>>,
    slots: Vec<Slot>,
    crowds: Crowds,
    ranges: Ranges,
    /// Per range, of what is in it.
    sums: Vec<Sum>,
}

impl LeaseRecords {
    /// Nothing said yet about a run of this shape and operator.
    #[must_use]
    pub fn new(units: Arc<Units>, operator: PeerKey) -> Self {
        let ranges = Ranges::of(&units);
        Self {
            operator,
            delegations: BTreeMap::new(),
            complete: None,
            heartbeats: BTreeMap::new(),
            slots: vec![Slot::default(); units.len()],
            crowds: Crowds::new(),
            units,
            ranges,
            sums: vec![Sum::default(); ranges.count()],
        }
    }

    /// The run's units.
    #[must_use]
    pub fn units(&self) -> &Arc<Units> {
        &self.units
    }

    /// Takes up a statement that is certain to be its signer's, about this run.
    pub fn merge(&mut self, statement: &Arc<Statement>) -> Outcome {
        self.replace(statement).0
    }

    /// The same; gives what had to go for it as well.
    pub(super) fn replace(&mut self, statement: &Arc<Statement>) -> (Outcome, Option<Arc<Statement>>) {
        let (range, taken, change) = match self.place(statement) {
            Ok(placed) => placed,
            Err(refused) => return (refused, None),
        };
        match taken {
            Taken::Kept(dropped) => {
                self.account(range, statement, dropped.as_deref());
                (Outcome::Applied(change), dropped)
            }
            Taken::Known => (Outcome::Known, None),
            Taken::Older => (Outcome::Ignored(Ignored::Older), None),
            Taken::Crowded => (Outcome::Ignored(Ignored::Crowded), None),
        }
    }

    /// Offers a statement where it belongs: to which range that counts, what became of it, and what changed if it was kept.
    fn place(&mut self, statement: &Arc<Statement>) -> Result<(usize, Taken, Change), Outcome> {
        match statement.says() {
            Says::Claim(claim) => self.merge_bid(&claim.unit, statement, Change::Claims),
            Says::Release(release) => self.merge_bid(&release.unit, statement, Change::Claims),
            Says::Finished(finished) => self.merge_bid(&finished.unit, statement, Change::Finished),
            Says::Heartbeat(_) => Ok(self.merge_heartbeat(statement)),
            Says::Receipt(receipt) => self.merge_word(receipt.delegation, &receipt.unit, statement),
            Says::Reopen(reopen) if reopen.generation == 0 => Err(Outcome::Invalid(Invalid::Number)),
            Says::Reopen(reopen) => self.merge_word(reopen.delegation, &reopen.unit, statement),
            Says::Complete(complete) => self.merge_complete(complete.delegation, statement),
            Says::Delegation(delegation) => self.merge_delegation(delegation.number, statement),
        }
    }

    fn slot(&mut self, unit: &Unit) -> Result<(UnitIndex, &mut Slot, &mut Crowds), Outcome> {
        let index = self.units.index(unit);
        let slot = index.and_then(|index| Some((index, self.slots.get_mut(index.get())?)));
        let (index, slot) = slot.ok_or(Outcome::Invalid(Invalid::NoSuchUnit))?;
        Ok((index, slot, &mut self.crowds))
    }

    fn merge_bid(
        &mut self,
        unit: &Unit,
        statement: &Arc<Statement>,
        change: impl Fn(UnitIndex) -> Change,
    ) -> Result<(usize, Taken, Change), Outcome> {
        let (index, slot, crowds) = self.slot(unit)?;
        let taken = bids::merge(&mut slot.bid, crowds, index, statement);
        Ok((self.ranges.of_unit(index), taken, change(index)))
    }

    fn merge_heartbeat(&mut self, statement: &Arc<Statement>) -> (usize, Taken, Change) {
        let taken = merge_highest(
            &mut self.heartbeats,
            statement.signer(),
            MAX_HEARTBEATS,
            statement,
            BTreeMap::pop_last,
            |s| s.says().counter(),
        );
        (self.ranges.of_other(statement), taken, Change::Heartbeat)
    }

    fn merge_word(
        &mut self,
        delegation: u64,
        unit: &Unit,
        statement: &Arc<Statement>,
    ) -> Result<(usize, Taken, Change), Outcome> {
        let by_coordinator = self.check_coordinator(delegation, statement);
        let (index, slot, _) = self.slot(unit)?;
        by_coordinator?;
        let taken = merge_one(&mut slot.word, statement, |s| Word::of(s).map(|word| word.order()));
        Ok((self.ranges.of_unit(index), taken, Change::Word(index)))
    }

    fn merge_complete(
        &mut self,
        delegation: u64,
        statement: &Arc<Statement>,
    ) -> Result<(usize, Taken, Change), Outcome> {
        self.check_coordinator(delegation, statement)?;
        let taken = merge_one(&mut self.complete, statement, |s| match s.says() {
            Says::Complete(complete) => complete.delegation,
            _ => 0,
        });
        Ok((self.ranges.of_other(statement), taken, Change::Complete))
    }

    fn merge_delegation(
        &mut self,
        number: u64,
        statement: &Arc<Statement>,
    ) -> Result<(usize, Taken, Change), Outcome> {
        if statement.signer() != self.operator {
            return Err(Outcome::Invalid(Invalid::NotOperator));
        }
        if number == 0 {
            return Err(Outcome::Invalid(Invalid::Number));
        }
        let taken = merge_highest(
            &mut self.delegations,
            number,
            MAX_DELEGATIONS,
            statement,
            BTreeMap::pop_first,
            |_| (),
        );
        Ok((self.ranges.of_other(statement), taken, Change::Delegation))
    }

    /// Keeps the sums in line with what became of a statement.
    fn account(&mut self, range: usize, kept: &Statement, dropped: Option<&Statement>) {
        if let Some(sum) = self.sums.get_mut(range) {
            sum.add(kept);
        }
        let Some(dropped) = dropped else { return };
        let range = match dropped.says() {
            // The heartbeat of another peer, which had to make room.
            Says::Heartbeat(_) => self.ranges.of_other(dropped),
            _ => range,
        };
        if let Some(sum) = self.sums.get_mut(range) {
            sum.remove(dropped);
        }
    }

    fn check_coordinator(&self, delegation: u64, statement: &Statement) -> Result<(), Outcome> {
        match self.delegations.get(&delegation).map(|s| s.says()) {
            Some(Says::Delegation(known)) if known.coordinator == statement.signer() => Ok(()),
            Some(_) => Err(Outcome::Invalid(Invalid::NotCoordinator)),
            None => Err(Outcome::Ignored(Ignored::UnknownDelegation)),
        }
    }

    /// The delegation that rules: the one with the highest number.
    #[must_use]
    pub fn delegation(&self) -> Option<&Delegation> {
        self.delegations.last_key_value().and_then(|(_, s)| match s.says() {
            Says::Delegation(delegation) => Some(delegation),
            _ => None,
        })
    }

    /// The model, once the coordinator said that the run is complete: the one that rules, since the word of one that was
    /// replaced would end a run that goes on.
    #[must_use]
    pub fn complete(&self) -> Option<ModelHash> {
        let ruling = self.delegation()?.number;
        self.complete.as_ref().and_then(|s| match s.says() {
            Says::Complete(complete) if complete.delegation == ruling => Some(complete.model),
            _ => None,
        })
    }

    /// The coordinator's newest word about a unit.
    #[must_use]
    pub fn word(&self, index: UnitIndex) -> Option<Word> {
        self.slots.get(index.get()).and_then(|slot| slot.word.as_ref()).and_then(|s| Word::of(s))
    }

    /// The same, as the signed statement: a coordinator sends it to whoever offers a report that it has.
    #[must_use]
    pub fn word_statement(&self, index: UnitIndex) -> Option<&Arc<Statement>> {
        self.slots.get(index.get()).and_then(|slot| slot.word.as_ref())
    }

    /// What is said of a unit by those who train or trained it: claims, finished and releases, the best first.
    pub(crate) fn bids(&self, index: UnitIndex) -> &[Arc<Statement>] {
        match self.slots.get(index.get()).map(|slot| &slot.bid) {
            Some(only @ Some(_)) => only.as_slice(),
            _ => self.crowds.get(&index).map_or(&[], Vec::as_slice),
        }
    }

    /// Who says to hold a report of the unit now: since it was last opened again, and without having said otherwise since.
    pub fn finished(&self, index: UnitIndex) -> impl Iterator<Item = PeerKey> {
        let opened = self.word(index).map_or(0, |word| word.generation());
        let now = move |says: &Says| matches!(says, Says::Finished(it) if it.generation == opened);
        self.bids(index).iter().filter(move |kept| now(kept.says())).map(|kept| kept.signer())
    }

    /// How many statements are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        let alone = |slot: &Slot| usize::from(slot.bid.is_some()) + usize::from(slot.word.is_some());
        let units: usize = self.slots.iter().map(alone).sum();
        let units = units + self.crowds.values().map(Vec::len).sum::<usize>();
        units + self.heartbeats.len() + self.delegations.len() + usize::from(self.complete.is_some())
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every statement that is kept.
    pub fn statements(&self) -> impl Iterator<Item = &Arc<Statement>> {
        self.of_run().chain(self.heartbeats.values()).chain(self.of_units(0..self.slots.len()))
    }

    /// What is kept of the units at these positions, in order.
    fn of_units(&self, units: Range<usize>) -> impl Iterator<Item = &Arc<Statement>> {
        units.flat_map(|unit| {
            let word = self.slots.get(unit).and_then(|slot| slot.word.as_ref());
            self.bids(UnitIndex::of(unit)).iter().chain(word)
        })
    }

    /// How the statements are spread over ranges.
    #[must_use]
    pub fn ranges(&self) -> Ranges {
        self.ranges
    }

    /// Per range, the sum of what is in it.
    pub(super) fn sums(&self) -> &[Sum] {
        &self.sums
    }

    fn of_run(&self) -> impl Iterator<Item = &Arc<Statement>> {
        self.delegations.values().chain(&self.complete)
    }

    /// The heartbeats of signers whose keys begin with a byte of these.
    fn heartbeats_from(&self, first: u8, last: u8) -> impl Iterator<Item = &Arc<Statement>> {
        let key = |first: u8, rest: u8| {
            let mut bytes = [rest; 32];
            bytes[0] = first;
            PeerKey::from_bytes(bytes)
        };
        self.heartbeats.range(key(first, 0)..=key(last, u8::MAX)).map(|(_, statement)| statement)
    }

    /// The statements in a range, in order.
    pub(super) fn in_range(&self, range: usize) -> impl Iterator<Item = &Arc<Statement>> {
        match self.ranges.content(range) {
            Content::Run => self.part(true, None, 0..0),
            Content::Heartbeats(bits) => self.part(false, Some((bits << 4, (bits << 4) | 0x0f)), 0..0),
            Content::Units(units) => self.part(false, None, units),
        }
    }

    /// Statements about the run, heartbeats, statements about units, whichever are wanted. One kind of iterator for all:
    /// a page of a newcomer's goes through tens of thousands of places.
    fn part(
        &self,
        run: bool,
        heartbeats: Option<(u8, u8)>,
        units: Range<usize>,
    ) -> impl Iterator<Item = &Arc<Statement>> {
        let run = run.then(|| self.of_run()).into_iter().flatten();
        let heartbeats = heartbeats.map(|(first, last)| self.heartbeats_from(first, last));
        run.chain(heartbeats.into_iter().flatten()).chain(self.of_units(units))
    }

    /// How many places there are: see [`at_place`](Self::at_place).
    pub(super) fn places(&self) -> u32 {
        u32::try_from(BEFORE_UNITS + self.slots.len()).unwrap_or(u32::MAX)
    }

    /// The first place that has statements of a range.
    pub(super) fn first_place(&self, range: usize) -> u32 {
        let place = match self.ranges.content(range) {
            Content::Run => 0,
            Content::Heartbeats(bits) => 1 + (usize::from(bits) << 4),
            Content::Units(units) => BEFORE_UNITS + units.start,
        };
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    /// The statements at a place. Place 0 has the delegations and the word that the run is complete, then come 256 places
    /// of heartbeats by the first byte of the signer's key, then the units.
    pub(super) fn at_place(&self, place: u32) -> impl Iterator<Item = &Arc<Statement>> {
        match (place as usize).checked_sub(BEFORE_UNITS) {
            None if place == 0 => self.part(true, None, 0..0),
            None => {
                let byte = u8::try_from(place - 1).unwrap_or(u8::MAX);
                self.part(false, Some((byte, byte)), 0..0)
            }
            Some(unit) => self.part(false, None, unit..unit.saturating_add(1)),
        }
    }
}

/// Places before those of units.
const BEFORE_UNITS: usize = 1 + 256;

/// Puts delegations before all others, which otherwise stay in order: the words of a coordinator count only once its
/// delegation is known.
pub fn delegations_first(statements: &mut [Arc<Statement>]) {
    statements.sort_by_key(|statement| !matches!(statement.says(), Says::Delegation(_)));
}

/// Keeps the greatest by `key`, then bytes.
fn merge_one<K: Ord>(
    place: &mut Option<Arc<Statement>>,
    new: &Arc<Statement>,
    key: impl Fn(&Statement) -> K,
) -> Taken {
    if let Some(old) = place {
        if old.bytes() == new.bytes() {
            return Taken::Known;
        }
        if (key(new), new.bytes()) < (key(old), old.bytes()) {
            return Taken::Older;
        }
    }
    Taken::Kept(place.replace(Arc::clone(new)))
}

/// Per `name` the greatest by `key`, then bytes; at most `max` names, `drop` taking out the one that goes. Names have
/// an order that no statement changes, so what is dropped never matters again.
fn merge_highest<N: Ord + Copy, K: Ord>(
    map: &mut BTreeMap<N, Arc<Statement>>,
    name: N,
    max: usize,
    new: &Arc<Statement>,
    drop: impl Fn(&mut BTreeMap<N, Arc<Statement>>) -> Option<(N, Arc<Statement>)>,
    key: impl Fn(&Statement) -> K,
) -> Taken {
    match map.entry(name) {
        Entry::Occupied(mut known) => {
            let mut place = Some(Arc::clone(known.get()));
            let taken = merge_one(&mut place, new, key);
            if let Some(kept) = place {
                known.insert(kept);
            }
            taken
        }
        Entry::Vacant(free) => {
            free.insert(Arc::clone(new));
            match (map.len() > max).then(|| drop(map)).flatten() {
                Some((dropped, _)) if dropped == name => Taken::Crowded,
                dropped => Taken::Kept(dropped.map(|(_, statement)| statement)),
            }
        }
    }
}
