//! That a view is what follows from its records, however they came about.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::stay::Fate;
use super::*;
use crate::ids::{ContentHash, PeerKey};
use crate::records::{Claim, Delegation, Finished, Heartbeat, Receipt, Release, Reopen};
use crate::unit::Unit;

const UNITS: usize = 3;
const PEERS: u8 = 12;

fn peer(number: u8) -> PeerKey {
    PeerKey::from_bytes([number; 32])
}

fn seal(signer: PeerKey, says: Says) -> Arc<Statement> {
    let bytes = format!("{signer} {says:?}").into_bytes();
    Arc::new(Statement::new(signer, says, bytes.into()))
}

fn says() -> impl Strategy<Value = Says> {
    let unit = || (0..UNITS as u32).prop_map(|path| Unit::new(path, 0));
    let epoch = || prop_oneof![12 => 0..3_u32, 1 => Just(u32::MAX)];
    let counter = || 0..12_u64;
    let content = ContentHash::from_bytes([7; 32]);
    prop_oneof![
        8 => (unit(), epoch(), counter())
            .prop_map(|(unit, epoch, counter)| Says::Claim(Claim { unit, epoch, counter })),
        3 => (unit(), epoch(), counter())
            .prop_map(|(unit, epoch, counter)| Says::Release(Release { unit, epoch, counter })),
        3 => (unit(), epoch(), counter(), 0..2_u32).prop_map(|(unit, epoch, counter, generation)| {
            Says::Finished(Finished { unit, epoch, counter, generation })
        }),
        4 => counter().prop_map(|counter| Says::Heartbeat(Heartbeat { counter })),
        1 => (unit(), 0..2_u32).prop_map(move |(unit, generation)| {
            Says::Receipt(Receipt { delegation: 1, unit, generation, content })
        }),
        1 => unit().prop_map(|unit| Says::Reopen(Reopen { delegation: 1, unit, generation: 1 })),
    ]
}

/// What is said, by whom, and how many milliseconds after what was said before.
fn conversation() -> impl Strategy<Value = Vec<(Arc<Statement>, u64)>> {
    let coordinator = |says: &Says| matches!(says, Says::Receipt(_) | Says::Reopen(_));
    let said = (0..PEERS, says(), prop_oneof![4 => 0..2_000_u64, 2 => 5_000..25_000_u64]);
    let said = said.prop_map(move |(signer, says, wait)| {
        let signer = if coordinator(&says) { 0 } else { signer };
        (seal(peer(signer), says), wait)
    });
    prop::collection::vec(said, 0..120)
}

fn table() -> LeaseTable {
    let times = LeaseTimes { max_lease: Duration::from_secs(60), share: 2, ..LeaseTimes::default() };
    let units = Arc::new(Units::new(&[10; UNITS], 1).unwrap());
    let mut table = LeaseTable::new(Moment(0), units, peer(99), times);
    let delegation = Delegation { coordinator: peer(0), addresses: Vec::new(), number: 1 };
    table.merge(Moment(0), &seal(peer(99), Says::Delegation(delegation)));
    table
}

/// What a table says of every unit.
fn told(table: &LeaseTable) -> Vec<(UnitState, Vec<PeerKey>, Vec<Option<u32>>)> {
    let epochs = |unit| (0..PEERS).map(|who| table.next_epoch(unit, &peer(who))).collect();
    let units = table.units().indices();
    units.map(|unit| (table.state(unit), table.claimants(unit), epochs(unit))).collect()
}

fn expect_in_line(table: &LeaseTable) {
    let (view, records) = (table.view(), table.records());
    let mut leases = 0;
    for who in (0..PEERS).map(peer) {
        let live: BTreeSet<UnitIndex> = (table.units().indices())
            .filter(|unit| {
                let mut stays = view.stays(*unit, records);
                stays.any(|(bid, stay)| bid.signer() == who && stay.fate == Fate::Live)
            })
            .collect();
        assert_eq!(view.held(&who), live, "what {who} holds is what it claims and lives");
        leases += table.leases(&who);
    }
    assert_eq!(leases, table.progress().leased, "every lease is somebody's");
    for unit in table.units().indices() {
        assert_eq!(view.stage(unit), table.state(unit).stage(), "what is kept of {unit:?} is what follows");
        let in_sets = [view.open(), view.leased(), view.finished()].map(|set| set.contains(unit));
        let stages = [Stage::Open, Stage::Leased, Stage::Finished].map(|stage| view.stage(unit) == stage);
        assert_eq!(in_sets, stages);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_view_stays_in_line_with_its_records(all in conversation()) {
        let mut table = table();
        let mut now = Moment(0);
        for (statement, wait) in all {
            now = now.after(Duration::from_millis(wait));
            table.merge(now, &statement);
            expect_in_line(&table);
        }
    }

    /// Whether time passed before a statement was heard or with it.
    #[test]
    fn it_does_not_matter_when_one_looked(all in conversation()) {
        let (mut looked, mut heard) = (table(), table());
        let mut now = Moment(0);
        for (statement, wait) in all {
            now = now.after(Duration::from_millis(wait));
            looked.advance(now);
            looked.merge(now, &statement);
            heard.merge(now, &statement);
            prop_assert_eq!(told(&looked), told(&heard));
        }
    }
}

#[test]
fn a_take_over_at_the_moment_of_silence_counts() {
    let unit = Unit::new(0, 0);
    let mut table = table();
    table.merge(Moment(0), &seal(peer(1), Says::Claim(Claim { unit, epoch: 0, counter: 1 })));
    table.merge(Moment(15_000), &seal(peer(2), Says::Heartbeat(Heartbeat { counter: 1 })));
    table.merge(Moment(20_400), &seal(peer(2), Says::Claim(Claim { unit, epoch: 1, counter: 2 })));
    let index = table.units().index(&unit).unwrap();
    assert_eq!(table.state(index), UnitState::Leased { by: peer(2), epoch: 1 });
}
