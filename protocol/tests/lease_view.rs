//! Conversations with a lease table: who holds a unit, and until when.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{delegated, peer, seal};
use protocol::lease::{LeaseTable, LeaseTimes, Moment, Outcome, Says, UnitState, Units, tie_hash};
use protocol::{Claim, ContentHash, Finished, Heartbeat, Receipt, Release, Reopen, Unit};

const UNIT: Unit = Unit::new(0, 0);

struct Rig {
    table: LeaseTable,
    now: Moment,
}

impl Rig {
    fn new() -> Self {
        Self::with(LeaseTimes::default())
    }

    fn with(times: LeaseTimes) -> Self {
        let units = Arc::new(Units::new(&[10, 10], 4).unwrap());
        let mut rig = Self { table: LeaseTable::new(Moment(0), units, peer(99), times), now: Moment(0) };
        rig.table.merge(rig.now, &delegated(1, peer(0)));
        rig
    }

    fn trigger_says(&mut self, signer: u8, says: Says) -> Outcome {
        self.table.merge(self.now, &seal(peer(signer), says))
    }

    fn trigger_claim(&mut self, signer: u8, epoch: u32, counter: u64) -> Outcome {
        self.trigger_says(signer, Says::Claim(Claim { unit: UNIT, epoch, counter }))
    }

    fn trigger_heartbeat(&mut self, signer: u8, counter: u64) {
        self.trigger_says(signer, Says::Heartbeat(Heartbeat { counter }));
    }

    fn trigger_wait(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
        self.table.advance(self.now);
    }

    fn state(&self) -> UnitState {
        self.table.state(self.table.units().index(&UNIT).unwrap())
    }

    fn next_epoch(&self, who: u8) -> Option<u32> {
        self.table.next_epoch(self.table.units().index(&UNIT).unwrap(), &peer(who))
    }

    #[track_caller]
    fn expect_held(&self, by: u8, epoch: u32) {
        assert_eq!(self.state(), UnitState::Leased { by: peer(by), epoch });
    }

    #[track_caller]
    fn expect_open(&self) {
        assert_eq!(self.state(), UnitState::Open);
    }
}

/// Two peers, the one with the smaller tie hash in this epoch first.
fn by_tie(epoch: u32) -> (u8, u8) {
    if tie_hash(&UNIT, epoch, &peer(1)) < tie_hash(&UNIT, epoch, &peer(2)) { (1, 2) } else { (2, 1) }
}

#[test]
fn the_smaller_tie_hash_wins_an_epoch_whoever_comes_first() {
    let (winner, loser) = by_tie(0);
    for order in [[winner, loser], [loser, winner]] {
        let mut rig = Rig::new();
        for signer in order {
            rig.trigger_claim(signer, 0, 1);
        }
        rig.expect_held(winner, 0);
    }
}

#[test]
fn heartbeats_renew_and_silence_ends_a_lease() {
    let mut rig = Rig::new();
    rig.trigger_claim(1, 0, 1);
    for counter in 2..10 {
        rig.trigger_wait(15);
        rig.trigger_heartbeat(1, counter);
        rig.expect_held(1, 0);
    }
    rig.trigger_wait(21);
    rig.expect_open();
    assert_eq!(rig.next_epoch(2), Some(1));
    rig.trigger_claim(2, 1, 1);
    rig.expect_held(2, 1);
    // The first one was only asleep: its heartbeat brings nothing back, its new claim comes after the other's.
    rig.trigger_heartbeat(1, 50);
    rig.expect_held(2, 1);
}

#[test]
fn the_lowest_live_epoch_wins() {
    let mut rig = Rig::new();
    rig.trigger_claim(1, 3, 1);
    rig.trigger_claim(2, 1, 1);
    rig.expect_held(2, 1);
    rig.trigger_says(2, Says::Release(Release { unit: UNIT, epoch: 1, counter: 2 }));
    rig.expect_held(1, 3);
}

#[test]
fn a_squatter_that_only_sends_heartbeats_loses_its_unit() {
    let mut rig = Rig::new();
    rig.trigger_claim(1, 0, 1);
    let mut counter = 1;
    while rig.now < Moment(1_799_000) {
        rig.expect_held(1, 0);
        rig.trigger_wait(10);
        counter += 1;
        rig.trigger_heartbeat(1, counter);
    }
    rig.trigger_wait(10);
    rig.expect_open();
    // For good, whatever it says.
    rig.trigger_claim(1, 1, counter + 1);
    rig.trigger_claim(1, 7, counter + 2);
    rig.expect_open();
    assert_eq!(rig.next_epoch(1), None);
}

#[test]
fn a_replayed_claim_revives_nothing() {
    let mut rig = Rig::new();
    rig.trigger_claim(1, 0, 5);
    rig.trigger_says(1, Says::Release(Release { unit: UNIT, epoch: 0, counter: 6 }));
    rig.expect_open();
    assert!(!matches!(rig.trigger_claim(1, 0, 5), Outcome::Applied(_)));
    rig.expect_open();
    // Nor does one that was never heard here, of a peer that fell silent since.
    rig.trigger_heartbeat(2, 9);
    rig.trigger_wait(60);
    rig.trigger_claim(2, 0, 3);
    rig.expect_open();
}

#[test]
fn a_full_unit_still_can_be_taken_over() {
    let mut rig = Rig::new();
    for signer in 1..=20 {
        rig.trigger_claim(signer, 0, 1);
    }
    rig.trigger_wait(60);
    rig.expect_open();
    let epoch = rig.next_epoch(50).unwrap();
    assert!(matches!(rig.trigger_claim(50, epoch, 1), Outcome::Applied(_)));
    rig.expect_held(50, epoch);
}

#[test]
fn a_peer_holds_no_more_than_its_share() {
    let mut rig = Rig::with(LeaseTimes { share: 2, ..LeaseTimes::default() });
    for (counter, layer) in (0..4).enumerate() {
        let claim = Claim { unit: Unit::new(1, layer), epoch: 0, counter: counter as u64 };
        rig.trigger_says(1, Says::Claim(claim));
    }
    assert_eq!(rig.table.progress().leased, 2);
    // Released ones make room for the next.
    rig.trigger_says(1, Says::Release(Release { unit: Unit::new(1, 0), epoch: 0, counter: 9 }));
    assert_eq!(rig.table.progress().leased, 2);
    assert_eq!(rig.table.state(rig.table.units().index(&Unit::new(1, 0)).unwrap()), UnitState::Open);
}

#[test]
fn how_long_a_lease_takes_is_told_by_those_who_end_theirs() {
    let mut rig = Rig::new();
    rig.trigger_claim(1, 0, 1);
    rig.trigger_wait(10);
    // Another one trained the same, whose claim came second.
    rig.trigger_claim(2, 1, 1);
    rig.trigger_says(2, Says::Finished(Finished { unit: UNIT, epoch: 1, counter: 2, generation: 0 }));
    assert_eq!(rig.table.view().longest_lease(), None);
    let unit = Unit::new(1, 1);
    rig.trigger_says(3, Says::Claim(Claim { unit, epoch: 0, counter: 1 }));
    rig.trigger_wait(7);
    rig.trigger_says(3, Says::Finished(Finished { unit, epoch: 0, counter: 2, generation: 0 }));
    assert_eq!(rig.table.view().longest_lease(), Some(Duration::from_secs(7)));
    assert_eq!(rig.table.view().typical_lease(), Some(Duration::from_secs(7)));
}

#[test]
fn more_peers_that_speak_make_longer_leases() {
    let mut rig = Rig::new();
    for signer in 1..=98 {
        rig.trigger_heartbeat(signer, 1);
    }
    assert_eq!(rig.table.view().lease(), Duration::from_millis(98 * 600));
    rig.trigger_wait(60);
    assert_eq!(rig.table.view().lease(), Duration::from_secs(20));
}

#[test]
fn finished_then_receipted_then_reopened() {
    let mut rig = Rig::new();
    let content = ContentHash::from_bytes([4; 32]);
    rig.trigger_claim(1, 0, 1);
    rig.trigger_says(1, Says::Finished(Finished { unit: UNIT, epoch: 0, counter: 2, generation: 0 }));
    assert_eq!(rig.state(), UnitState::Finished { by: peer(1) });
    let receipt = |generation| Says::Receipt(Receipt { delegation: 1, unit: UNIT, generation, content });
    rig.trigger_says(5, receipt(0));
    assert_eq!(rig.state(), UnitState::Finished { by: peer(1) }, "only the coordinator may say it");
    rig.trigger_says(0, receipt(0));
    assert_eq!(rig.state(), UnitState::Done { content });
    rig.trigger_says(0, Says::Reopen(Reopen { delegation: 1, unit: UNIT, generation: 1 }));
    rig.expect_open();
    rig.trigger_says(0, receipt(0));
    rig.expect_open();
    // One that still holds its report says so, and may give it up again.
    rig.trigger_says(1, Says::Finished(Finished { unit: UNIT, epoch: 0, counter: 5, generation: 1 }));
    assert_eq!(rig.state(), UnitState::Finished { by: peer(1) });
    rig.trigger_says(1, Says::Release(Release { unit: UNIT, epoch: 0, counter: 6 }));
    rig.expect_open();
    rig.trigger_says(0, receipt(1));
    assert_eq!(rig.state(), UnitState::Done { content });
}
