//! What is counted and timed of what peers say, and what is not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;

use common::{delegated, peer, seal};
use proptest::prelude::*;
use protocol::lease::{LeaseTable, LeaseTimes, Moment, Says, Statement, Units};
use protocol::{
    Answer, Claim, ContentHash, Finished, Heartbeat, PACE_PEERS, Pace, PeerKey, Receipt, Release, Reopen,
    RunId, RunStatus, Unit, WINDOWS, Way,
};

const CONTENT: ContentHash = ContentHash::from_bytes([7; 32]);
const COORDINATOR: u8 = 0;

/// A table and what is watched beside it, as a node's loop feeds them.
struct Watch {
    table: LeaseTable,
    pace: Pace,
    now: Moment,
    counter: u64,
}

impl Watch {
    fn new(paths: usize, layers: u32) -> Self {
        let now = Moment(1_000);
        let units = Arc::new(Units::new(&vec![10; paths], layers).unwrap());
        let pace = Pace::new(now, &units);
        let mut watch = Self {
            table: LeaseTable::new(now, units, peer(99), LeaseTimes::default()),
            pace,
            now,
            counter: 0,
        };
        watch.hear(&delegated(1, peer(COORDINATOR)), Way::Told);
        watch
    }

    fn pass(&mut self, millis: u64) {
        self.now = Moment(self.now.0 + millis);
        self.table.advance(self.now);
        self.pace.advance(self.now, self.table.view());
    }

    fn hear(&mut self, statement: &Arc<Statement>, way: Way) {
        let outcome = self.table.merge(self.now, statement);
        self.pace.observe(self.now, statement, outcome, way);
    }

    fn says(&mut self, way: Way, who: PeerKey, says: impl FnOnce(u64) -> Says) {
        self.counter += 1;
        self.hear(&seal(who, says(self.counter)), way);
    }

    fn claims(&mut self, way: Way, who: u8, unit: Unit) {
        self.says(way, peer(who), |counter| Says::Claim(Claim { unit, epoch: 0, counter }));
    }

    fn finishes(&mut self, way: Way, who: u8, unit: Unit) {
        self.says(way, peer(who), |counter| {
            Says::Finished(Finished { unit, epoch: 0, counter, generation: 0 })
        });
    }

    fn receipt(&mut self, unit: Unit, generation: u32) {
        let receipt = Receipt { delegation: 1, unit, generation, content: CONTENT };
        self.says(Way::Said, peer(COORDINATOR), |_| Says::Receipt(receipt));
    }

    fn status(&self) -> RunStatus {
        RunStatus::of(self.now, RunId::from_bytes([1; 32]), &self.table, &self.pace)
    }

    fn counted(&self) -> u32 {
        self.pace.recent(self.now).counts.iter().sum()
    }
}

#[test]
fn a_peer_is_timed_from_claim_to_finished() {
    let mut watch = Watch::new(1, 4);
    watch.claims(Way::Said, 1, Unit::new(0, 0));
    watch.pass(2_000);
    watch.finishes(Way::Said, 1, Unit::new(0, 0));
    let pace = watch.pace.peer(watch.now, &peer(1));
    assert_eq!((pace.finished, pace.millis_per_unit), (1, Some(2_000)));
    // Two at once: what it gets through is the time between two finished. It is the mean of the first ones.
    watch.claims(Way::Said, 1, Unit::new(0, 1));
    watch.claims(Way::Said, 1, Unit::new(0, 2));
    watch.pass(4_000);
    watch.finishes(Way::Said, 1, Unit::new(0, 1));
    watch.pass(2_500);
    watch.finishes(Way::Said, 1, Unit::new(0, 2));
    assert_eq!(watch.pace.peer(watch.now, &peer(1)).millis_per_unit, Some(2_834));
    let status = watch.status();
    assert_eq!((status.allowed, status.allowed_rate()), (352_858, Some(0.352_858)));
    // 20 s later it is silent, and its rate no longer counts.
    watch.pass(25_000);
    let status = watch.status();
    assert_eq!((status.allowed, status.allowed_rate()), (0, None));
    assert_eq!(status.peers[0].millis_per_unit, Some(2_834));
    assert_eq!(watch.pace.peer(Moment(watch.now.0 + 3_600_000), &peer(1)).finished, 0);
}

#[test]
fn a_peak_is_held_against_what_was_possible_then() {
    let mut watch = Watch::new(1, 9);
    // Two peers at a unit every two seconds each; then only one of them.
    for layer in 0..4 {
        watch.claims(Way::Said, 1, Unit::new(0, 2 * layer));
        watch.claims(Way::Said, 2, Unit::new(0, 2 * layer + 1));
        watch.pass(2_000);
        watch.finishes(Way::Said, 1, Unit::new(0, 2 * layer));
        watch.finishes(Way::Said, 2, Unit::new(0, 2 * layer + 1));
    }
    watch.pass(1_000);
    watch.claims(Way::Said, 1, Unit::new(0, 8));
    watch.pass(21_000);
    watch.finishes(Way::Said, 1, Unit::new(0, 8));
    let status = watch.status();
    assert_eq!(status.windows, [1, 0, 0, 8]);
    assert_eq!(status.allowed_rate_at_peak(), Some(1.0));
    assert!(status.allowed_rate().unwrap() < 0.3, "{status:?}");
    assert_eq!(RunStatus { allowed_at_peak: 0, ..status }.allowed_rate_at_peak(), None);
}

#[test]
fn what_comes_with_a_table_is_no_burst() {
    let mut watch = Watch::new(2, 100);
    for layer in 0..100 {
        watch.claims(Way::Told, 1, Unit::new(0, layer));
        watch.finishes(Way::Told, 1, Unit::new(0, layer));
    }
    assert_eq!(watch.counted(), 0);
    assert!(watch.pace.peers(watch.now).next().is_none(), "nobody was heard as they spoke");
    // The coordinator starts again and says all receipts again.
    (0..100).for_each(|layer| watch.receipt(Unit::new(0, layer), 0));
    assert_eq!(watch.counted(), 0);
    // A claim from before we came, finished now: trained now. It can't be timed.
    watch.claims(Way::Told, 1, Unit::new(1, 0));
    watch.finishes(Way::Said, 1, Unit::new(1, 0));
    assert_eq!((watch.counted(), watch.pace.peer(watch.now, &peer(1)).millis_per_unit), (1, None));
    // A claim heard as it was said, of which the finished got lost, or only the receipt arrived.
    watch.claims(Way::Said, 1, Unit::new(1, 1));
    watch.claims(Way::Said, 2, Unit::new(1, 2));
    watch.finishes(Way::Told, 1, Unit::new(1, 1));
    watch.receipt(Unit::new(1, 2), 0);
    assert_eq!((watch.counted(), watch.pace.peer(watch.now, &peer(1)).millis_per_unit), (3, None));
}

#[test]
fn a_unit_counts_once_until_it_is_opened_again() {
    let mut watch = Watch::new(1, 1);
    let unit = Unit::new(0, 0);
    watch.claims(Way::Said, 1, unit);
    watch.finishes(Way::Said, 1, unit);
    watch.finishes(Way::Said, 2, unit);
    watch.receipt(unit, 0);
    assert_eq!(watch.counted(), 1);
    watch.says(Way::Said, peer(COORDINATOR), |_| Says::Reopen(Reopen { delegation: 1, unit, generation: 1 }));
    watch.finishes(Way::Said, 3, unit);
    watch.receipt(unit, 1);
    assert_eq!(watch.counted(), 2);
}

#[test]
fn what_is_let_go_of_is_not_timed() {
    let mut watch = Watch::new(1, 2);
    let unit = Unit::new(0, 0);
    watch.claims(Way::Said, 1, unit);
    watch.says(Way::Said, peer(1), |counter| Says::Release(Release { unit, epoch: 0, counter }));
    watch.pass(9_000);
    watch.finishes(Way::Said, 1, unit);
    let pace = watch.pace.peer(watch.now, &peer(1));
    assert_eq!((pace.finished, pace.millis_per_unit), (1, None));
}

#[test]
fn the_peers_heard_last_are_followed() {
    let mut watch = Watch::new(1, 1);
    let key = |number: u32| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        PeerKey::from_bytes(bytes)
    };
    for number in 0..PACE_PEERS as u32 + 100 {
        watch.pass(1);
        watch.says(Way::Said, key(number), |counter| Says::Heartbeat(Heartbeat { counter }));
        watch.says(Way::Said, key(0), |counter| Says::Heartbeat(Heartbeat { counter }));
    }
    let kept: Vec<PeerKey> = watch.pace.peers(watch.now).map(|(peer, _)| peer).collect();
    assert_eq!(kept.len(), PACE_PEERS);
    assert!(kept.contains(&key(0)) && !kept.contains(&key(1)) && kept.contains(&key(101)));
}

#[test]
fn however_large_a_run_its_status_is_one_message() {
    let told = |watch: &Watch| {
        let status = watch.status();
        let answer = Answer::Status(Box::new(status.clone()));
        assert_eq!(Answer::decode(&answer.encode().unwrap()).unwrap(), answer);
        status
    };
    // As many units as there can be; too many to tell of each.
    let mut most = Watch::new(4096, 256);
    most.claims(Way::Said, 1, Unit::new(4095, 255));
    let status = told(&most);
    assert_eq!((status.counts.total(), status.counts.leased), (1 << 20, 1));
    assert_eq!((status.paths.len(), status.paths_left_out, &status.stages), (4096, 0, &None));
    // More paths than are told of, and every unit in somebody's hands.
    let mut wide = Watch::new(5000, 1);
    let key = |number: u32| {
        let mut bytes = [7; 32];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        PeerKey::from_bytes(bytes)
    };
    for path in 0..5000 {
        wide.pass(1);
        wide.says(Way::Said, key(path), |counter| {
            Says::Claim(Claim { unit: Unit::new(path, 0), epoch: 0, counter })
        });
    }
    wide.pass(2_000);
    let status = told(&wide);
    assert_eq!((status.counts.leased, status.heard), (5000, 5000));
    assert_eq!((status.paths.len(), status.paths_left_out, &status.stages), (4096, 904, &None));
    assert_eq!((status.held.len(), status.held_left_out), (256, 4744));
    assert_eq!((status.peers.len(), status.peers_left_out), (256, 4744));
    // What is held longest comes first.
    assert_eq!((status.held[0].unit, status.held[0].seconds), (Unit::new(0, 0), 6));
}

/// Anything that anybody says, as it is said or later.
fn said() -> impl Strategy<Value = (u8, u8, u32, u32, u32, u64)> {
    (0..6_u8, 0..6_u8, 0..4_u32, prop_oneof![9 => 0..4_u32, 1 => Just(u32::MAX)], 0..3_u32, 0..4_000_u64)
}

proptest! {
    /// Nothing panics, everything stays bounded, and what is said of it is a message that others take.
    #[test]
    fn whatever_is_said_gives_a_status(
        all in proptest::collection::vec((said(), any::<bool>()), 0..150),
        jump in prop_oneof![Just(0), Just(u64::MAX / 2), 0..10_000_000_u64],
    ) {
        let mut watch = Watch::new(3, 4);
        for ((kind, who, path, layer, number, pause), late) in all {
            watch.pass(pause);
            let way = if late { Way::Told } else { Way::Said };
            let unit = Unit::new(path, layer);
            match kind {
                0 => watch.claims(way, who, unit),
                1 => watch.finishes(way, who, unit),
                2 => watch.receipt(unit, number),
                3 => watch.says(way, peer(who), |counter| Says::Heartbeat(Heartbeat { counter })),
                4 => watch.says(way, peer(who), |counter| {
                    Says::Release(Release { unit, epoch: number, counter })
                }),
                _ => watch.says(way, peer(COORDINATOR), |_| {
                    Says::Reopen(Reopen { delegation: 1, unit, generation: number + 1 })
                }),
            }
        }
        watch.pass(jump);
        let status = watch.status();
        prop_assert!(status.windows.len() <= WINDOWS);
        prop_assert!(watch.counted() <= 12 * 4);
        prop_assert_eq!(status.counts.total(), 12);
        for (position, path) in status.paths.iter().enumerate() {
            let stages = (0..4).map(|layer| status.stage(position, layer).unwrap());
            prop_assert_eq!(path.counts, stages.collect());
            prop_assert_eq!(status.stage(position, 4), None);
        }
        prop_assert_eq!(status.held.len(), status.counts.leased as usize);
        let answer = Answer::Status(Box::new(status));
        prop_assert_eq!(Answer::decode(&answer.encode().unwrap()).unwrap(), answer);
    }
}
