//! The first layer of the lease table: signed statements that merge.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::bids::{Bids, Taken};
use super::ranges::{Content, Ranges, Sum};
use super::statement::{Says, Statement};
use super::units::{UnitIndex, Units};
use crate::ids::{ContentHash, ModelHash, PeerKey};
use crate::records::Delegation;
use crate::unit::Unit;

/// How many peers' heartbeats are kept: those with the smallest keys, when there are more.
pub const MAX_HEARTBEATS: usize = 16_384;
/// How many delegations of a run are kept: those with the highest numbers.
pub const MAX_DELEGATIONS: usize = 16;

/// What a merge did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The set changed.
    Applied(Change),
    /// The set had this very statement.
    Known,
    /// A statement that a well-behaved peer may have sent, and that changes nothing.
    Ignored(Ignored),
    /// A statement that no well-behaved peer passes on.
    Invalid(Invalid),
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The claims of a unit.
    Claims(UnitIndex),
    /// Who finished a unit.
    Finished(UnitIndex),
    /// The coordinator's word about a unit.
    Word(UnitIndex),
    /// A peer's heartbeat.
    Heartbeat,
    /// Who coordinates.
    Delegation,
    /// The run is complete.
    Complete,
}

/// Why a statement changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// A newer one is there.
    #[error("something newer is known")]
    Older,
    /// The set keeps a bounded number and has better ones.
    #[error("enough others rank before it")]
    Crowded,
    /// A coordinator's word under a delegation that hasn't arrived yet. Hand it in again after the delegation.
    #[error("its delegation is not known here yet")]
    UnknownDelegation,
}

/// Why a statement can't be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It names a unit that the run doesn't have.
    #[error("the run has no such unit")]
    NoSuchUnit,
    /// A coordinator's word by somebody else.
    #[error("only the coordinator that the delegation names may say this")]
    NotCoordinator,
    /// A delegation by somebody else.
    #[error("only the run's operator may say this")]
    NotOperator,
    /// A number outside of its range.
    #[error("a delegation starts at number 1, a reopening at generation 1")]
    Number,
}

/// The coordinator's newest word about a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Open again.
    Reopened {
        /// The delegation's number.
        delegation: u64,
        /// The generation that begins.
        generation: u32,
    },
    /// Done.
    Receipted {
        /// The delegation's number.
        delegation: u64,
        /// How often it was opened again before.
        generation: u32,
        /// What was accepted.
        content: ContentHash,
    },
}

impl Word {
    /// The delegation's number and the generation, which with reopened before receipted order a coordinator's words.
    #[must_use]
    pub fn order(&self) -> (u64, u32, u8) {
        match *self {
            Self::Reopened { delegation, generation } => (delegation, generation, 0),
            Self::Receipted { delegation, generation, .. } => (delegation, generation, 1),
        }
    }
}

/// A finished, without the unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FinishedBy {
    pub(crate) by: PeerKey,
    pub(crate) counter: u64,
    generation: u32,
}

/// What is known about one unit.
#[derive(Debug, Clone, Default)]
struct Slot {
    claims: Bids,
    finished: Bids,
    word: Option<Arc<Statement>>,
}

impl Slot {
    fn statements(&self) -> impl Iterator<Item = &Arc<Statement>> {
        self.claims.iter().chain(self.finished.iter()).chain(&self.word)
    }
}

/// The set of signed statements about a run. Merging is "newest", "highest" and "best 8" per kind and nothing else, so
/// it is commutative, associative and idempotent: peers that heard the same statements, in whatever order and however
/// often, hold the same set.
///
/// * per unit and signer the newest claim or release, by epoch, then counter; of these, per unit, the 8 with the
///   highest epochs, then the smallest [tie hashes](super::tie_hash). The module `bids` says why highest;
/// * per unit the finished of 8 signers: the newest of each, of the smallest tie hashes;
/// * per peer its highest heartbeat, of the peers with the smallest keys;
/// * per unit the coordinator's newest word, by delegation number, generation, reopen before receipt;
/// * the operator's delegations, by number.
///
/// Of equal statements with different bytes, which only a signer that breaks the rules makes, the larger bytes are
/// kept. A coordinator's word counts once its delegation is known, not before: that much order there is, and exchange
/// by [`LeaseRecords::tell`] keeps to it.
///
/// Size is bounded by the shape of the run: at most 17 statements per unit, [`MAX_HEARTBEATS`] and
/// [`MAX_DELEGATIONS`].
#[derive(Debug, Clone)]
pub struct LeaseRecords {
    units: Arc<Units>,
    operator: PeerKey,
    delegations: BTreeMap<u64, Arc<Statement>>,
    complete: Option<Arc<Statement>>,
    heartbeats: BTreeMap<PeerKey, Arc<Statement>>,
    slots: Vec<Slot>,
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
        match statement.says() {
            Says::Claim(claim) => self.merge_claim(&claim.unit, statement),
            Says::Release(release) => self.merge_claim(&release.unit, statement),
            Says::Finished(finished) => self.merge_finished(&finished.unit, statement),
            Says::Heartbeat(_) => self.merge_heartbeat(statement),
            Says::Receipt(receipt) => self.merge_word(receipt.delegation, &receipt.unit, statement),
            Says::Reopen(reopen) if reopen.generation == 0 => Outcome::Invalid(Invalid::Number),
            Says::Reopen(reopen) => self.merge_word(reopen.delegation, &reopen.unit, statement),
            Says::Complete(complete) => self.merge_complete(complete.delegation, statement),
            Says::Delegation(delegation) => self.merge_delegation(delegation.number, statement),
        }
    }

    fn merge_claim(&mut self, unit: &Unit, statement: &Arc<Statement>) -> Outcome {
        let Some(index) = self.units.index(unit) else { return Outcome::Invalid(Invalid::NoSuchUnit) };
        let Some(slot) = self.slots.get_mut(index.get()) else {
            return Outcome::Invalid(Invalid::NoSuchUnit);
        };
        let taken = slot.claims.merge(statement);
        self.account(self.ranges.of_unit(index), statement, taken, Change::Claims(index))
    }

    fn merge_finished(&mut self, unit: &Unit, statement: &Arc<Statement>) -> Outcome {
        let Some(index) = self.units.index(unit) else { return Outcome::Invalid(Invalid::NoSuchUnit) };
        let Some(slot) = self.slots.get_mut(index.get()) else {
            return Outcome::Invalid(Invalid::NoSuchUnit);
        };
        let taken = slot.finished.merge(statement);
        self.account(self.ranges.of_unit(index), statement, taken, Change::Finished(index))
    }

    fn merge_heartbeat(&mut self, statement: &Arc<Statement>) -> Outcome {
        let taken = merge_highest(
            &mut self.heartbeats,
            statement.signer(),
            MAX_HEARTBEATS,
            statement,
            BTreeMap::pop_last,
            |s| s.says().counter(),
        );
        self.account(self.ranges.of_other(statement), statement, taken, Change::Heartbeat)
    }

    fn merge_word(&mut self, delegation: u64, unit: &Unit, statement: &Arc<Statement>) -> Outcome {
        let Some(index) = self.units.index(unit) else { return Outcome::Invalid(Invalid::NoSuchUnit) };
        if let Err(refused) = self.check_coordinator(delegation, statement) {
            return refused;
        }
        let Some(slot) = self.slots.get_mut(index.get()) else {
            return Outcome::Invalid(Invalid::NoSuchUnit);
        };
        let taken = merge_one(&mut slot.word, statement, |s| word(s).map(|word| word.order()));
        self.account(self.ranges.of_unit(index), statement, taken, Change::Word(index))
    }

    fn merge_complete(&mut self, delegation: u64, statement: &Arc<Statement>) -> Outcome {
        if let Err(refused) = self.check_coordinator(delegation, statement) {
            return refused;
        }
        let taken = merge_one(&mut self.complete, statement, |s| match s.says() {
            Says::Complete(complete) => complete.delegation,
            _ => 0,
        });
        self.account(self.ranges.of_other(statement), statement, taken, Change::Complete)
    }

    fn merge_delegation(&mut self, number: u64, statement: &Arc<Statement>) -> Outcome {
        if statement.signer() != self.operator {
            return Outcome::Invalid(Invalid::NotOperator);
        }
        if number == 0 {
            return Outcome::Invalid(Invalid::Number);
        }
        let taken = merge_highest(
            &mut self.delegations,
            number,
            MAX_DELEGATIONS,
            statement,
            BTreeMap::pop_first,
            |_| (),
        );
        self.account(self.ranges.of_other(statement), statement, taken, Change::Delegation)
    }

    /// Keeps the sums in line with what became of a statement.
    fn account(&mut self, range: usize, statement: &Arc<Statement>, taken: Taken, change: Change) -> Outcome {
        match taken {
            Taken::Kept(dropped) => {
                if let Some(sum) = self.sums.get_mut(range) {
                    sum.add(statement);
                }
                if let Some(dropped) = dropped {
                    let range = match dropped.says() {
                        // The heartbeat of another peer, which had to make room.
                        Says::Heartbeat(_) => self.ranges.of_other(&dropped),
                        _ => range,
                    };
                    if let Some(sum) = self.sums.get_mut(range) {
                        sum.remove(&dropped);
                    }
                }
                Outcome::Applied(change)
            }
            Taken::Known => Outcome::Known,
            Taken::Older => Outcome::Ignored(Ignored::Older),
            Taken::Crowded => Outcome::Ignored(Ignored::Crowded),
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
        self.slots.get(index.get()).and_then(|slot| slot.word.as_ref()).and_then(|s| word(s))
    }

    /// The same, as the signed statement: a coordinator sends it to whoever offers a report that it has.
    #[must_use]
    pub fn word_statement(&self, index: UnitIndex) -> Option<&Arc<Statement>> {
        self.slots.get(index.get()).and_then(|slot| slot.word.as_ref())
    }

    /// Claims and releases of a unit.
    pub(crate) fn claims(&self, index: UnitIndex) -> &Bids {
        static NONE: Bids = Bids::None;
        self.slots.get(index.get()).map_or(&NONE, |slot| &slot.claims)
    }

    /// Who says to hold a report of the unit now: since it was last opened again, and without having given it up later.
    pub fn finished(&self, index: UnitIndex) -> impl Iterator<Item = PeerKey> {
        let generation = match self.word(index) {
            Some(Word::Reopened { generation, .. } | Word::Receipted { generation, .. }) => generation,
            None => 0,
        };
        let claims = self.claims(index);
        self.all_finished(index).filter(move |finished| finished.generation == generation).filter_map(
            move |finished| {
                let newest = claims.of(&finished.by).and_then(|kept| kept.says().counter());
                newest.is_none_or(|newest| newest <= finished.counter).then_some(finished.by)
            },
        )
    }

    /// Who ever said to have finished a unit, and is remembered.
    pub(crate) fn all_finished(&self, index: UnitIndex) -> impl Iterator<Item = FinishedBy> {
        self.slots.get(index.get()).into_iter().flat_map(|slot| slot.finished.iter()).filter_map(|kept| {
            match kept.says() {
                Says::Finished(finished) => Some(FinishedBy {
                    by: kept.signer(),
                    counter: finished.counter,
                    generation: finished.generation,
                }),
                _ => None,
            }
        })
    }

    /// How many statements are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        let units: usize = self
            .slots
            .iter()
            .map(|slot| {
                slot.claims.iter().len() + slot.finished.iter().len() + usize::from(slot.word.is_some())
            })
            .sum();
        units + self.heartbeats.len() + self.delegations.len() + usize::from(self.complete.is_some())
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every statement that is kept.
    pub fn statements(&self) -> impl Iterator<Item = &Arc<Statement>> {
        self.of_run().chain(self.heartbeats.values()).chain(self.slots.iter().flat_map(Slot::statements))
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
    pub(super) fn in_range(&self, range: usize) -> Box<dyn Iterator<Item = &Arc<Statement>> + '_> {
        match self.ranges.content(range) {
            Content::Run => Box::new(self.of_run()),
            Content::Heartbeats(bits) => Box::new(self.heartbeats_from(bits << 4, (bits << 4) | 0x0f)),
            Content::Units(units) => {
                Box::new(self.slots.get(units).unwrap_or_default().iter().flat_map(Slot::statements))
            }
        }
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
    pub(super) fn at_place(&self, place: u32) -> Box<dyn Iterator<Item = &Arc<Statement>> + '_> {
        match (place as usize).checked_sub(BEFORE_UNITS) {
            None if place == 0 => Box::new(self.of_run()),
            None => {
                let byte = u8::try_from(place - 1).unwrap_or(u8::MAX);
                Box::new(self.heartbeats_from(byte, byte))
            }
            Some(unit) => Box::new(self.slots.get(unit).into_iter().flat_map(Slot::statements)),
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

fn word(statement: &Statement) -> Option<Word> {
    match statement.says() {
        Says::Receipt(r) => {
            Some(Word::Receipted { delegation: r.delegation, generation: r.generation, content: r.content })
        }
        Says::Reopen(r) => Some(Word::Reopened { delegation: r.delegation, generation: r.generation }),
        _ => None,
    }
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
