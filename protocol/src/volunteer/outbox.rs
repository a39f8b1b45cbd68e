//! Reports on their way to the coordinator.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::event::OfferAnswer;
use crate::ids::ContentHash;
use crate::lease::{Moment, UnitIndex};
use crate::unit::Unit;

/// A report that lies on the volunteer's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxItem {
    /// Of which unit.
    pub unit: Unit,
    /// Its content.
    pub content: ContentHash,
    /// Its size.
    pub bytes: u64,
}

/// After a busy answer, an unreachable coordinator, a delivery without a receipt: the first wait and the longest.
const BUSY: (u64, u64) = (150, 10_000);
const UNREACHABLE: (u64, u64) = (500, 60_000);
const UNRECEIPTED: (u64, u64) = (5_000, 120_000);

/// How many times as many deliveries may be under way as are offered at once. A receipt that comes by gossip makes room for the
/// next offer, and the delivery still takes memory until it ends.
const ENDING: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delivery {
    /// To be offered from this moment on.
    Waiting(Moment),
    /// Offered, not answered.
    Offered,
    /// The coordinator has its receipt out for this content, or for another.
    Settled,
}

#[derive(Debug, Clone)]
struct Parcel {
    content: ContentHash,
    bytes: u64,
    delivery: Delivery,
    attempt: u32,
}

/// Every report that was made and is kept, and what is to be done about it.
#[derive(Debug, Clone)]
pub(super) struct Outbox {
    parcels: BTreeMap<UnitIndex, Parcel>,
    /// Those that are not settled.
    active: BTreeSet<UnitIndex>,
    offered: usize,
    /// Offers that are not answered, whatever became of their reports meanwhile.
    under_way: BTreeSet<UnitIndex>,
    seed: u64,
}

impl Outbox {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            parcels: BTreeMap::new(),
            active: BTreeSet::new(),
            offered: 0,
            under_way: BTreeSet::new(),
            seed,
        }
    }

    pub(super) fn add(&mut self, now: Moment, unit: UnitIndex, content: ContentHash, bytes: u64) {
        self.take(unit);
        let parcel = Parcel { content, bytes, delivery: Delivery::Waiting(now), attempt: 0 };
        self.parcels.insert(unit, parcel);
        self.active.insert(unit);
    }

    pub(super) fn content(&self, unit: UnitIndex) -> Option<ContentHash> {
        self.parcels.get(&unit).map(|parcel| parcel.content)
    }

    pub(super) fn contains(&self, unit: UnitIndex) -> bool {
        self.parcels.contains_key(&unit)
    }

    /// How many reports wait for a receipt.
    pub(super) fn waiting(&self) -> usize {
        self.active.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.parcels.values().map(|parcel| parcel.bytes).fold(0, u64::saturating_add)
    }

    /// Takes a report out for good.
    pub(super) fn take(&mut self, unit: UnitIndex) -> Option<ContentHash> {
        let parcel = self.parcels.remove(&unit)?;
        self.active.remove(&unit);
        if parcel.delivery == Delivery::Offered {
            self.offered = self.offered.saturating_sub(1);
        }
        Some(parcel.content)
    }

    pub(super) fn take_all(&mut self) -> Vec<(UnitIndex, ContentHash)> {
        self.active.clear();
        self.offered = 0;
        std::mem::take(&mut self.parcels).into_iter().map(|(unit, parcel)| (unit, parcel.content)).collect()
    }

    /// The coordinator is there, or there again: nothing waits any longer.
    pub(super) fn hurry(&mut self, now: Moment) {
        for unit in &self.active {
            if let Some(parcel) = self.parcels.get_mut(unit)
                && parcel.delivery != Delivery::Offered
            {
                parcel.delivery = Delivery::Waiting(now);
                parcel.attempt = 0;
            }
        }
    }

    /// The unit needs its report again.
    pub(super) fn again(&mut self, now: Moment, unit: UnitIndex) {
        if let Some(parcel) = self.parcels.get_mut(&unit)
            && parcel.delivery == Delivery::Settled
        {
            parcel.delivery = Delivery::Waiting(now);
            parcel.attempt = 0;
            self.active.insert(unit);
        }
    }

    /// The coordinator has the last word about the unit, so that offering is over.
    pub(super) fn settle(&mut self, unit: UnitIndex) {
        if let Some(parcel) = self.parcels.get_mut(&unit) {
            if parcel.delivery == Delivery::Offered {
                self.offered = self.offered.saturating_sub(1);
            }
            parcel.delivery = Delivery::Settled;
            self.active.remove(&unit);
        }
    }

    /// The reports to offer now, at most `at_once` under way.
    pub(super) fn due(&mut self, now: Moment, at_once: usize) -> Vec<(UnitIndex, ContentHash)> {
        let mut due = Vec::new();
        for unit in &self.active {
            if self.offered >= at_once || self.under_way.len() >= at_once.saturating_mul(ENDING) {
                break;
            }
            if self.under_way.contains(unit) {
                continue;
            }
            if let Some(parcel) = self.parcels.get_mut(unit)
                && matches!(parcel.delivery, Delivery::Waiting(at) if at <= now)
            {
                parcel.delivery = Delivery::Offered;
                self.offered += 1;
                self.under_way.insert(*unit);
                due.push((*unit, parcel.content));
            }
        }
        due
    }

    /// An offer was answered, however.
    pub(super) fn ended(&mut self, unit: UnitIndex) {
        self.under_way.remove(&unit);
    }

    /// It was, and not with a refusal.
    pub(super) fn answered(&mut self, now: Moment, unit: UnitIndex, answer: &OfferAnswer) {
        let seed = self.seed;
        let Some(parcel) = self.parcels.get_mut(&unit) else { return };
        if parcel.delivery != Delivery::Offered {
            return;
        }
        self.offered = self.offered.saturating_sub(1);
        let (range, least) = match answer {
            OfferAnswer::Busy(wait) => (BUSY, *wait),
            OfferAnswer::Unreachable | OfferAnswer::Lost(_) | OfferAnswer::No(_) => {
                (UNREACHABLE, Duration::ZERO)
            }
            OfferAnswer::Stored | OfferAnswer::Kept => (UNRECEIPTED, Duration::ZERO),
        };
        let least = least.min(Duration::from_millis(range.1));
        let wait = backoff(range, parcel.attempt, seed ^ unit.get() as u64);
        parcel.attempt = parcel.attempt.saturating_add(1);
        parcel.delivery = Delivery::Waiting(now.after(least.saturating_add(wait)));
    }
}

/// Doubles with every attempt up to the longest wait; between half of it and all of it, so that peers spread out.
pub(super) fn backoff((first, longest): (u64, u64), attempt: u32, seed: u64) -> Duration {
    let full = first.saturating_mul(1 << attempt.min(20)).min(longest);
    Duration::from_millis(full / 2 + mix(seed.wrapping_add(u64::from(attempt))) % (full / 2 + 1))
}

/// SplitMix64's finaliser: spreads a seed. Nothing that others see depends on it.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_below_the_longest() {
        for attempt in [0, 1, 5, 20, 64, u32::MAX] {
            let wait = backoff(BUSY, attempt, 7).as_millis() as u64;
            assert!(wait >= BUSY.0 / 2 && wait <= BUSY.1, "{attempt}: {wait}");
        }
        assert_ne!(backoff(BUSY, 3, 1), backoff(BUSY, 3, 2));
    }
}
