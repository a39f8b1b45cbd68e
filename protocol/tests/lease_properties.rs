//! What must hold for every set of statements, in every order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{delegated, peer, seal};
use proptest::prelude::*;
use protocol::lease::{
    Change, KEPT_PER_UNIT, LeaseRecords, LeaseTable, LeaseTimes, Moment, Outcome, Says, Statement, Units,
};
use protocol::{
    Claim, Complete, ContentHash, Finished, Heartbeat, ModelHash, Receipt, Release, Reopen, Told, Unit,
};

const PATHS: u32 = 2;
const LAYERS: u32 = 1;

fn units() -> Arc<Units> {
    Arc::new(Units::new(&[10; PATHS as usize], LAYERS).unwrap())
}

/// Records that know the delegations 1 and 2, both naming peer 0.
fn records() -> LeaseRecords {
    let mut records = LeaseRecords::new(units(), peer(99));
    for number in [1, 2] {
        assert!(matches!(records.merge(&delegated(number, peer(0))), Outcome::Applied(Change::Delegation)));
    }
    records
}

/// Small numbers, so that they meet, and the ends of the ranges.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![6 => 0..6_u64, 1 => Just(u64::MAX), 1 => Just(u64::MAX - 1)]
}

fn epoch() -> impl Strategy<Value = u32> {
    prop_oneof![6 => 0..4_u32, 1 => Just(u32::MAX), 1 => Just(u32::MAX - 1)]
}

fn unit() -> impl Strategy<Value = Unit> {
    prop_oneof![
        12 => (0..PATHS).prop_map(|path| Unit::new(path, 0)),
        1 => Just(Unit::new(u32::MAX, 0)),
        1 => Just(Unit { replica: 1, ..Unit::new(0, 0) }),
    ]
}

fn content() -> impl Strategy<Value = ContentHash> {
    (0..3_u8).prop_map(|byte| ContentHash::from_bytes([byte; 32]))
}

fn says() -> impl Strategy<Value = Says> {
    prop_oneof![
        4 => (unit(), epoch(), number())
            .prop_map(|(unit, epoch, counter)| Says::Claim(Claim { unit, epoch, counter })),
        3 => (unit(), epoch(), number())
            .prop_map(|(unit, epoch, counter)| Says::Release(Release { unit, epoch, counter })),
        2 => (unit(), epoch(), number(), 0..3_u32).prop_map(|(unit, epoch, counter, generation)| {
            Says::Finished(Finished { unit, epoch, counter, generation })
        }),
        1 => number().prop_map(|counter| Says::Heartbeat(Heartbeat { counter })),
        1 => (1..4_u64, unit(), epoch(), content()).prop_map(|(delegation, unit, generation, content)| {
            Says::Receipt(Receipt { delegation, unit, generation, content })
        }),
        1 => (1..4_u64, unit(), epoch())
            .prop_map(|(delegation, unit, generation)| Says::Reopen(Reopen { delegation, unit, generation })),
        1 => (1..4_u64, 0..3_u8).prop_map(|(delegation, byte)| {
            Says::Complete(Complete { delegation, model: ModelHash::from_bytes([byte; 32]) })
        }),
    ]
}

/// By one of 14 peers, more than are kept per unit. The coordinator speaks more often.
fn statement() -> impl Strategy<Value = Arc<Statement>> {
    let signer = prop_oneof![1 => Just(0_u8), 2 => 0..14_u8];
    (signer, says()).prop_map(|(signer, says)| seal(peer(signer), says))
}

fn statements(most: usize) -> impl Strategy<Value = Vec<Arc<Statement>>> {
    prop::collection::vec(statement(), 0..most)
}

fn merged<'a>(statements: impl IntoIterator<Item = &'a Arc<Statement>>) -> LeaseRecords {
    let mut records = records();
    for statement in statements {
        records.merge(statement);
    }
    records
}

fn bytes(records: &LeaseRecords) -> Vec<Vec<u8>> {
    let mut all: Vec<_> = records.statements().map(|statement| statement.bytes().to_vec()).collect();
    all.sort();
    all
}

/// What a peer takes over in an exchange, step by step.
fn pull(from: &LeaseRecords, to: &mut LeaseRecords) {
    let mut ask = Some(to.ask([1; 32]));
    while let Some(asked) = ask {
        let told = from.tell(&asked);
        let mut news = false;
        if let Told::Records(records) = &told {
            for record in &records.records {
                let known = from.statements().find(|s| s.bytes()[..] == *record.as_slice()).unwrap();
                news |= matches!(to.merge(known), Outcome::Applied(_));
            }
        }
        ask = to.next_ask(&asked, &told, news, [2; 32]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_does_not_matter(
        (one, other) in statements(80).prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        prop_assert_eq!(bytes(&merged(&one)), bytes(&merged(&other)));
    }

    #[test]
    fn grouping_does_not_matter(a in statements(40), b in statements(40), c in statements(40)) {
        let (ra, rb, rc) = (merged(&a), merged(&b), merged(&c));
        let left: Vec<_> = {
            let ab = merged(ra.statements().chain(rb.statements()));
            bytes(&merged(ab.statements().chain(rc.statements())))
        };
        let right: Vec<_> = {
            let bc = merged(rb.statements().chain(rc.statements()));
            bytes(&merged(ra.statements().chain(bc.statements())))
        };
        prop_assert_eq!(&left, &right);
        prop_assert_eq!(left, bytes(&merged(a.iter().chain(&b).chain(&c))));
    }

    #[test]
    fn repeating_does_not_matter(all in statements(60)) {
        let mut once = merged(&all);
        let before = bytes(&once);
        for statement in &all {
            let outcome = once.merge(statement);
            prop_assert!(!matches!(outcome, Outcome::Applied(_)), "{:?}: {:?}", statement, outcome);
        }
        prop_assert_eq!(before, bytes(&once));
    }

    #[test]
    fn the_coordinators_word_never_goes_back(all in statements(80)) {
        let mut records = records();
        let units = units();
        let words = |records: &LeaseRecords| -> Vec<_> {
            units.indices().map(|unit| records.word(unit).map(|word| word.order())).collect()
        };
        let mut before = words(&records);
        for statement in &all {
            records.merge(statement);
            let after = words(&records);
            prop_assert!(before.iter().zip(&after).all(|(before, after)| before <= after));
            before = after;
        }
    }

    /// Nor does any of it panic, however odd, and the table's numbers stay those of its units.
    #[test]
    fn the_table_stays_bounded_and_consistent(
        all in statements(120),
        steps in prop::collection::vec(prop_oneof![3 => 0..500_u64, 1 => Just(u64::MAX / 4), 1 => 0..30_000_u64], 120),
    ) {
        let times = LeaseTimes { share: 2, ..LeaseTimes::default() };
        let mut table = LeaseTable::new(Moment(0), units(), peer(99), times);
        table.merge(Moment(0), &delegated(1, peer(0)));
        let mut now = Moment(0);
        for (statement, step) in all.iter().zip(steps) {
            now = now.after(Duration::from_millis(step));
            table.merge(now, statement);
            let progress = table.progress();
            prop_assert_eq!(progress.total(), (PATHS * LAYERS) as usize);
            let from_grid = table.grid().into_iter().flat_map(|path| path.layers).count();
            prop_assert_eq!(from_grid, progress.total());
            for unit in units().indices() {
                prop_assert!(table.claimants(unit).len() <= KEPT_PER_UNIT);
                let epoch = table.next_epoch(unit, &peer(3));
                let is_kept = epoch.is_none_or(|epoch| {
                    let claim = Claim { unit: units().unit(unit), epoch, counter: u64::MAX };
                    let mine = seal(peer(3), Says::Claim(claim));
                    let mut copy = table.records().clone();
                    copy.merge(&mine);
                    copy.statements().any(|kept| kept.signer() == peer(3))
                });
                prop_assert!(is_kept, "a claim of the next epoch is kept");
            }
        }
        let per_unit = KEPT_PER_UNIT + 1;
        prop_assert!(table.records().len() <= (PATHS * LAYERS) as usize * per_unit + 14 + 2);
    }

    /// After an exchange both ways two peers hold the same.
    #[test]
    fn an_exchange_makes_equal(a in statements(60), b in statements(60)) {
        let (mut ra, mut rb) = (merged(&a), merged(&b));
        pull(&ra, &mut rb);
        pull(&rb, &mut ra);
        prop_assert_eq!(bytes(&ra), bytes(&rb));
    }
}
