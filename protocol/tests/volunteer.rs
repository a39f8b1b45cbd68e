//! Conversations with a volunteer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use common::{delegated, peer, seal};
use protocol::lease::{Moment, Says, UnitState, Units};
use protocol::volunteer::{
    OfferAnswer, OutboxItem, RunComplete, Volunteer, VolunteerEffect as Effect, VolunteerEvent as Event,
    VolunteerNote, VolunteerSettings, VolunteerStart,
};
use protocol::{
    Claim, Complete, ContentHash, Finished, Heartbeat, ModelHash, Receipt, Release, Reopen, RunId, Unit,
};

const ME: u8 = 7;
const COORDINATOR: u8 = 1;

/// A volunteer in a run of two paths with two layers. What it says comes back to it at once.
#[derive(Clone)]
struct Rig {
    volunteer: Volunteer,
    now: Moment,
    effects: Vec<Effect>,
}

impl Rig {
    fn new() -> Self {
        Self::with_outbox(Vec::new())
    }

    fn with_outbox(outbox: Vec<OutboxItem>) -> Self {
        Self::of(&[10, 10], outbox)
    }

    fn of(rows: &[u64], outbox: Vec<OutboxItem>) -> Self {
        let start = VolunteerStart {
            me: peer(ME),
            run: RunId::from_bytes([3; 32]),
            operator: peer(99),
            units: Arc::new(Units::new(rows, 2).unwrap()),
            counter: 100,
            seed: 1,
            outbox,
            settings: VolunteerSettings::default(),
        };
        Self { volunteer: Volunteer::new(Moment(0), start), now: Moment(0), effects: Vec::new() }
    }

    /// One that works: it knows its coordinator and has a neighbour's table.
    fn working() -> Self {
        Self::new().at_work()
    }

    fn at_work(self) -> Self {
        let mut rig = self;
        rig.trigger(Event::Heard(delegated(1, peer(COORDINATOR))));
        rig.trigger(Event::PeerSeen(peer(COORDINATOR)));
        rig.trigger(Event::Synced(peer(COORDINATOR)));
        rig
    }

    fn trigger(&mut self, event: Event) {
        let mut todo = vec![event];
        while let Some(event) = todo.pop() {
            let before = self.effects.len();
            self.volunteer.handle(self.now, event, &mut self.effects);
            for effect in self.effects.iter().skip(before) {
                if let Effect::Say(says) = effect {
                    todo.insert(0, Event::Heard(seal(peer(ME), says.clone())));
                }
            }
        }
    }

    fn trigger_says(&mut self, signer: u8, says: Says) {
        self.trigger(Event::Heard(seal(peer(signer), says)));
    }

    fn trigger_wait(&mut self, wait: Duration) {
        let end = self.now.after(wait);
        while self.now < end {
            self.now = self.now.after(Duration::from_millis(200));
            self.trigger(Event::Tick);
        }
    }

    fn trigger_trained(&mut self, unit: Unit) {
        self.trigger(Event::TrainingDone { unit, content: content(1), bytes: 10 });
    }

    /// Takes the first effect that `wanted` knows out, and what it made of it.
    #[track_caller]
    fn expect<T>(&mut self, what: &str, wanted: impl Fn(&Effect) -> Option<T>) -> T {
        let found = self.effects.iter().enumerate().find_map(|(at, effect)| Some((at, wanted(effect)?)));
        let (at, found) = found.unwrap_or_else(|| panic!("no {what} in {:?}", self.effects));
        self.effects.remove(at);
        found
    }

    #[track_caller]
    fn expect_train(&mut self) -> Unit {
        self.expect("training", |effect| match effect {
            Effect::Train { unit, .. } => Some(*unit),
            _ => None,
        })
    }

    #[track_caller]
    fn expect_claim(&mut self) -> Claim {
        self.expect("claim", |effect| match effect {
            Effect::Say(Says::Claim(claim)) => Some(*claim),
            _ => None,
        })
    }

    #[track_caller]
    fn expect_effect(&mut self, wanted: &Effect) {
        self.expect(&format!("{wanted:?}"), |effect| (effect == wanted).then_some(()));
    }

    #[track_caller]
    fn expect_offer(&mut self, unit: Unit) {
        self.expect_effect(&Effect::Offer { unit, content: content(1), to: peer(COORDINATOR) });
    }

    #[track_caller]
    fn expect_no(&self, unwanted: impl Fn(&Effect) -> bool) {
        assert!(!self.effects.iter().any(unwanted), "{:?}", self.effects);
    }
}

fn content(byte: u8) -> ContentHash {
    ContentHash::from_bytes([byte; 32])
}

fn receipt(unit: Unit, generation: u32, byte: u8) -> Says {
    Says::Receipt(Receipt { delegation: 1, unit, generation, content: content(byte) })
}

#[test]
fn it_claims_and_trains_at_once_when_it_has_a_table() {
    let mut rig = Rig::working();
    let claim = rig.expect_claim();
    assert_eq!((claim.epoch, claim.counter), (0, 101));
    assert_eq!(rig.expect_train(), claim.unit);
}

#[test]
fn alone_it_starts_after_a_moment() {
    let mut rig = Rig::new();
    rig.trigger_wait(Duration::from_millis(800));
    rig.expect_no(|effect| matches!(effect, Effect::Train { .. }));
    rig.trigger_wait(Duration::from_millis(400));
    rig.expect_train();
}

#[test]
fn rows_in_memory_come_first_then_those_on_disk() {
    let mut rig = Rig::working();
    let first = rig.expect_train();
    let other = 1 - first.path;
    rig.trigger(Event::ShardsInMemory(BTreeSet::from([first.path])));
    rig.trigger_trained(first);
    let second = rig.expect_train();
    assert_eq!(second.path, first.path);
    rig.trigger(Event::ShardsOnDisk(BTreeSet::from([other])));
    rig.trigger_trained(second);
    assert_eq!(rig.expect_train().path, other);
}

#[test]
fn training_is_told_what_comes_next() {
    let start = |parallel| {
        let mut rig = Rig::with_outbox(Vec::new());
        rig.volunteer = Volunteer::new(
            Moment(0),
            VolunteerStart {
                me: peer(ME),
                run: RunId::from_bytes([3; 32]),
                operator: peer(99),
                units: Arc::new(Units::new(&[10, 10, 0, 10, 10, 10], 2).unwrap()),
                counter: 100,
                seed: 1,
                outbox: Vec::new(),
                settings: VolunteerSettings { parallel, ..VolunteerSettings::default() },
            },
        );
        rig.trigger(Event::Heard(delegated(1, peer(COORDINATOR))));
        rig
    };
    let train = |rig: &mut Rig| {
        rig.expect("training", |effect| match effect {
            Effect::Train { unit, soon } => Some((*unit, soon.clone())),
            _ => None,
        })
    };
    // Every other path with rows, in the order in which this peer comes to them.
    let mut rig = start(1);
    rig.trigger(Event::Synced(peer(COORDINATOR)));
    let (mut unit, mut soon) = train(&mut rig);
    let mut all: Vec<u32> = soon.iter().copied().chain([unit.path]).collect();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 3, 4, 5]);
    let mut paths = vec![unit.path];
    for _ in 1..10 {
        let expected = soon.first().copied();
        rig.trigger_trained(unit);
        (unit, soon) = train(&mut rig);
        if !paths.contains(&unit.path) {
            assert_eq!(
                Some(unit.path),
                expected,
                "the first of them is the next one, where the path changes"
            );
            paths.push(unit.path);
        }
        assert!(!soon.contains(&unit.path) && soon.iter().all(|path| all.contains(path)));
    }
    assert_eq!(soon, [0u32; 0], "nothing comes after the last unit");

    // What is in hand comes first, then what lies on disk.
    let mut rig = start(2);
    rig.trigger(Event::ShardsOnDisk(BTreeSet::from([4])));
    rig.trigger(Event::Synced(peer(COORDINATOR)));
    let (first, next) = (train(&mut rig), train(&mut rig));
    assert_eq!((first.0.path, next.0.path), (4, 4));
    assert_eq!(first.1.len(), 4);
    rig.trigger_trained(first.0);
    let third = train(&mut rig);
    assert_eq!((third.1.first(), third.1.len()), (Some(&4), 4), "the other unit in hand is of path 4");
}

#[test]
fn a_report_is_kept_then_said_then_offered_until_receipted() {
    let mut rig = Rig::working();
    let unit = rig.expect_train();
    rig.effects.clear();
    rig.trigger_trained(unit);
    assert_eq!(rig.effects.first(), Some(&Effect::Keep { unit, content: content(1) }));
    rig.expect("finished", |effect| match effect {
        Effect::Say(Says::Finished(Finished { unit: of, .. })) if *of == unit => Some(()),
        _ => None,
    });
    rig.expect_offer(unit);
    rig.trigger(Event::OfferAnswered { unit, answer: OfferAnswer::Busy(Duration::ZERO) });
    rig.trigger_wait(Duration::from_millis(400));
    rig.expect_offer(unit);
    rig.trigger_says(COORDINATOR, receipt(unit, 0, 1));
    rig.trigger(Event::OfferAnswered { unit, answer: OfferAnswer::Stored });
    assert_eq!(rig.volunteer.unreceipted(), 0);
    rig.effects.clear();
    rig.trigger(Event::PeerGone(peer(COORDINATOR)));
    rig.trigger(Event::PeerSeen(peer(COORDINATOR)));
    rig.expect_no(|effect| matches!(effect, Effect::Offer { .. }));
    // Proven wrong, or lost: it is offered again, and not trained again here.
    rig.trigger_says(COORDINATOR, Says::Reopen(Reopen { delegation: 1, unit, generation: 1 }));
    rig.expect_offer(unit);
    let again = rig.expect("finished again, so that nobody trains it meanwhile", |effect| match effect {
        Effect::Say(Says::Finished(finished)) if finished.generation == 1 => Some(*finished),
        _ => None,
    });
    let state = |rig: &Rig| {
        let table = rig.volunteer.table();
        table.state(table.units().index(&unit).unwrap())
    };
    assert_eq!((again.unit, state(&rig)), (unit, UnitState::Finished { by: peer(ME) }));
    rig.trigger(Event::OfferAnswered { unit, answer: OfferAnswer::No("it is wrong".into()) });
    rig.expect_effect(&Effect::Forget { unit, content: content(1) });
    assert_eq!(state(&rig), UnitState::Open, "others need not wait for it");
}

#[test]
fn reports_from_before_a_restart_are_offered_as_soon_as_the_coordinator_is_known() {
    let unit = Unit::new(1, 1);
    let mut rig = Rig::with_outbox(vec![OutboxItem { unit, content: content(1), bytes: 5 }]);
    rig.trigger(Event::Heard(delegated(1, peer(COORDINATOR))));
    rig.expect_offer(unit);
    rig.trigger(Event::OfferAnswered { unit, answer: OfferAnswer::Unreachable });
    rig.trigger(Event::PeerSeen(peer(COORDINATOR)));
    rig.expect_offer(unit);
}

#[test]
fn its_own_older_word_does_not_hide_the_report_it_has() {
    let unit = Unit::new(1, 1);
    let mut rig = Rig::with_outbox(vec![OutboxItem { unit, content: content(1), bytes: 5 }]).at_work();
    // Reopened, and only then its own word from before the restart comes back, in a later epoch than it knew of.
    rig.trigger_says(COORDINATOR, Says::Reopen(Reopen { delegation: 1, unit, generation: 1 }));
    rig.trigger_says(ME, Says::Finished(Finished { unit, epoch: 3, counter: 90, generation: 0 }));
    let table = rig.volunteer.table();
    let state = table.state(table.units().index(&unit).unwrap());
    assert_eq!(state, UnitState::Finished { by: peer(ME) }, "it says again that it has it");
}

#[test]
fn a_loser_lets_go_within_two_seconds_and_not_later() {
    for (wait, lets_go) in [(1_000, true), (3_000, false)] {
        let mut rig = Rig::working();
        let claim = rig.expect_claim();
        rig.now = Moment(wait);
        // Of many one has the smaller hash.
        for signer in 20..60 {
            rig.trigger_says(signer, Says::Claim(Claim { unit: claim.unit, epoch: 0, counter: 1 }));
        }
        let released = rig.effects.iter().any(|effect| {
            matches!(effect, Effect::Say(Says::Release(Release { unit, .. })) if *unit == claim.unit)
        });
        let abandoned = rig.effects.contains(&Effect::Abandon { unit: claim.unit });
        assert_eq!((released, abandoned), (lets_go, lets_go), "{:?}", rig.effects);
    }
}

#[test]
fn it_stops_what_is_done() {
    let mut rig = Rig::working();
    let unit = rig.expect_train();
    rig.now = Moment(10_000);
    rig.trigger_says(COORDINATOR, receipt(unit, 0, 9));
    rig.expect_effect(&Effect::Abandon { unit });
    rig.expect_train();
}

#[test]
fn its_own_claims_from_before_a_restart_are_given_back() {
    let mut rig = Rig::working();
    let mine = rig.expect_train();
    let old = Unit::new(1 - mine.path, 0);
    rig.effects.clear();
    rig.trigger_says(ME, Says::Claim(Claim { unit: old, epoch: 2, counter: 1_000 }));
    let release = rig.expect("release", |effect| match effect {
        Effect::Say(Says::Release(release)) => Some(*release),
        _ => None,
    });
    assert_eq!((release.unit, release.epoch), (old, 2));
    assert!(release.counter > 1_000);
    // The counter was behind: what it holds is claimed anew.
    assert!(rig.expect_claim().counter > 1_000);
}

#[test]
fn it_beats_every_third_of_a_lease_while_it_holds_something() {
    let mut rig = Rig::working();
    rig.trigger_wait(Duration::from_secs(20));
    let beats = |effect: &Effect| matches!(effect, Effect::Say(Says::Heartbeat(Heartbeat { .. })));
    assert_eq!(rig.effects.iter().filter(|effect| beats(effect)).count(), 2);
}

#[test]
fn a_failed_shard_rests_for_a_while() {
    let mut rig = Rig::working();
    let unit = rig.expect_train();
    rig.effects.clear();
    rig.trigger(Event::TrainingFailed { unit, why: "no route to host".into() });
    let release = Effect::Say(Says::Release(Release { unit, epoch: 0, counter: 102 }));
    rig.expect_effect(&release);
    let next = rig.expect_train();
    assert_ne!(next.path, unit.path);
    rig.expect("note", |effect| match effect {
        Effect::Note(note @ VolunteerNote::Failed { .. }) => {
            note.to_string().contains("no route").then_some(())
        }
        _ => None,
    });
}

#[test]
fn leaving_gives_everything_back() {
    let mut rig = Rig::working();
    let unit = rig.expect_train();
    rig.effects.clear();
    rig.trigger(Event::Leave);
    rig.expect_effect(&Effect::Abandon { unit });
    rig.expect_effect(&Effect::Say(Says::Release(Release { unit, epoch: 0, counter: 102 })));
    rig.trigger_wait(Duration::from_secs(2));
    rig.expect_no(|effect| matches!(effect, Effect::Train { .. }));
}

/// A volunteer at work that has just woken from a sleep: its unit, its neighbours 1 and 20 asked for their tables.
fn woken(slept: Duration) -> (Rig, Unit) {
    let mut rig = Rig::working();
    rig.trigger(Event::PeerSeen(peer(20)));
    rig.trigger(Event::PeerSeen(peer(21)));
    let unit = rig.expect_train();
    rig.effects.clear();
    rig.now = rig.now.after(slept);
    rig.trigger(Event::Awake);
    let asked: BTreeSet<_> = (0..2)
        .map(|_| {
            rig.expect("exchange", |effect| match effect {
                Effect::SyncWith(peer) => Some(*peer),
                _ => None,
            })
        })
        .collect();
    assert_eq!(asked.len(), 2, "two different ones");
    rig.expect_no(|effect| {
        matches!(effect, Effect::SyncWith(_) | Effect::Train { .. } | Effect::Abandon { .. })
    });
    (rig, unit)
}

/// Longer than a lease, and not so long that nobody may hold a unit again.
const LONG: Duration = Duration::from_secs(10 * 60);

#[test]
fn after_a_sleep_it_gives_up_what_another_peer_took() {
    // Whoever's hash is smaller.
    for signer in 20..30 {
        let (mut rig, unit) = woken(LONG);
        rig.trigger_says(signer, Says::Claim(Claim { unit, epoch: 1, counter: 5 }));
        rig.expect_effect(&Effect::Abandon { unit });
        rig.trigger(Event::Synced(peer(20)));
        assert_ne!(rig.expect_train(), unit);
    }
    let (mut rig, unit) = woken(LONG);
    rig.trigger_says(20, Says::Finished(Finished { unit, epoch: 0, counter: 5, generation: 0 }));
    rig.expect_effect(&Effect::Abandon { unit });
}

#[test]
fn after_a_sleep_it_goes_on_with_what_nobody_took() {
    let (mut rig, unit) = woken(LONG);
    rig.expect_no(|effect| matches!(effect, Effect::Say(Says::Claim(_))));
    rig.trigger(Event::Synced(peer(20)));
    let claim = rig.expect_claim();
    assert_eq!((claim.unit, claim.epoch), (unit, 1), "the old claim died of silence");
    rig.trigger_wait(Duration::from_secs(30));
    rig.expect_no(|effect| matches!(effect, Effect::Abandon { .. } | Effect::Say(Says::Claim(_))));
    // That was long ago: now it insists.
    rig.trigger_says(20, Says::Claim(Claim { unit, epoch: 1, counter: 5 }));
    rig.expect_no(|effect| matches!(effect, Effect::Abandon { .. }));
    rig.trigger_trained(unit);
    rig.expect_train();
}

#[test]
fn after_a_nap_its_lease_still_stands() {
    let (mut rig, _) = woken(Duration::from_secs(6));
    rig.trigger(Event::Synced(peer(20)));
    rig.expect_no(|effect| matches!(effect, Effect::Say(Says::Claim(_))));
}

#[test]
fn after_a_sleep_it_takes_nothing_before_it_knows_what_happened() {
    let (mut rig, unit) = woken(LONG);
    rig.trigger_trained(unit);
    rig.trigger(Event::PeerGone(peer(20)));
    rig.trigger(Event::Synced(peer(20)));
    rig.trigger_wait(Duration::from_secs(9));
    rig.expect_no(|effect| matches!(effect, Effect::Train { .. }));
    // Nobody answers: after half a lease it goes on with what it knows.
    rig.trigger_wait(Duration::from_secs(2));
    rig.expect_train();
    // Whoever leaves does not begin anew.
    rig.trigger(Event::Leave);
    rig.effects.clear();
    rig.trigger(Event::Awake);
    rig.trigger(Event::Synced(peer(21)));
    rig.expect_no(|effect| matches!(effect, Effect::Train { .. } | Effect::SyncWith(_)));
}

#[test]
fn complete_ends_it() {
    let mut rig = Rig::working();
    let unit = rig.expect_train();
    let model = ModelHash::from_bytes([8; 32]);
    rig.trigger_says(50, Says::Complete(Complete { delegation: 1, model }));
    rig.expect_no(|effect| matches!(effect, Effect::Finished(_)));
    rig.trigger_says(COORDINATOR, Says::Complete(Complete { delegation: 1, model }));
    rig.expect_effect(&Effect::Abandon { unit });
    rig.expect_effect(&Effect::Finished(RunComplete { model }));
}

#[test]
fn the_word_of_a_coordinator_that_was_replaced_ends_nothing() {
    let mut rig = Rig::working();
    rig.trigger(Event::Heard(delegated(2, peer(COORDINATOR + 1))));
    let model = ModelHash::from_bytes([9; 32]);
    rig.trigger_says(COORDINATOR, Says::Complete(Complete { delegation: 1, model }));
    rig.expect_no(|effect| matches!(effect, Effect::Finished(_) | Effect::Forget { .. }));
    rig.trigger_says(COORDINATOR + 1, Says::Complete(Complete { delegation: 2, model }));
    rig.expect_effect(&Effect::Finished(RunComplete { model }));
}

/// One that has trained its first unit of twenty, in so long.
fn paced(pace: Duration) -> Rig {
    paced_in(10, pace)
}

fn paced_in(paths: usize, pace: Duration) -> Rig {
    let mut rig = Rig::of(&vec![10; paths], Vec::new()).at_work();
    let unit = rig.expect_train();
    rig.now = rig.now.after(pace);
    rig.trigger_trained(unit);
    rig
}

#[test]
fn short_units_are_claimed_ahead_and_trained_in_turn() {
    let mut rig = paced(Duration::from_millis(200));
    // One in training, and five for the second that a claim may need to get around.
    assert_eq!((rig.volunteer.held(), rig.volunteer.training().count()), (6, 1));
    let mut claims = Vec::new();
    while rig.effects.iter().any(|effect| matches!(effect, Effect::Say(Says::Claim(_)))) {
        claims.push(rig.expect_claim().unit);
    }
    assert_eq!(claims.len(), 7, "the first unit, the second and those ahead");
    for expected in claims.iter().skip(1).take(3) {
        let unit = rig.expect_train();
        assert_eq!(unit, *expected, "in the order of the claims");
        rig.now = rig.now.after(Duration::from_millis(200));
        rig.trigger_trained(unit);
    }
    // Near the end the others get their share.
    let mut shares = Vec::new();
    while rig.volunteer.training().count() > 0 {
        let unit = rig.expect_train();
        rig.trigger_trained(unit);
        let (open, held) = (rig.volunteer.table().progress().open, rig.volunteer.held().saturating_sub(1));
        shares.push((open, held));
    }
    // What is held was taken when twice as much was open: so near the end it gets less, and nothing at last.
    assert!(shares.iter().all(|(open, held)| *held <= 5 && (*held < 5 || *open + 5 >= 10)), "{shares:?}");
    assert_eq!(shares.last(), Some(&(0, 0)));
    assert_eq!(rig.volunteer.table().progress().open, 0);
}

#[test]
fn long_units_are_claimed_one_by_one() {
    let rig = paced(Duration::from_secs(30));
    assert_eq!((rig.volunteer.held(), rig.volunteer.pace()), (1, Some(Duration::from_secs(30))));
}

#[test]
fn what_is_held_and_not_begun_goes_to_whoever_wins_it_and_back_when_leaving() {
    let mut rig = paced(Duration::from_millis(200));
    let training = rig.expect_train();
    let held: Vec<Unit> = {
        let mut claims = Vec::new();
        while rig.effects.iter().any(|effect| matches!(effect, Effect::Say(Says::Claim(_)))) {
            claims.push(rig.expect_claim().unit);
        }
        claims.into_iter().skip(1).filter(|unit| *unit != training).collect()
    };
    // However long ago it was claimed.
    rig.now = rig.now.after(Duration::from_secs(5));
    for signer in 20..60 {
        rig.trigger_says(signer, Says::Claim(Claim { unit: held[0], epoch: 0, counter: 1 }));
    }
    let released = |rig: &Rig, of: Unit| {
        let is = |effect: &&Effect| matches!(effect, Effect::Say(Says::Release(r)) if r.unit == of);
        rig.effects.iter().filter(is).count()
    };
    assert_eq!(released(&rig, held[0]), 1);
    rig.expect_no(|effect| matches!(effect, Effect::Abandon { .. }));
    rig.trigger(Event::Leave);
    for unit in held.iter().skip(1).chain([&training]) {
        assert_eq!(released(&rig, *unit), 1, "{unit}");
    }
    rig.expect_effect(&Effect::Abandon { unit: training });
    rig.expect_no(|effect| matches!(effect, Effect::Abandon { .. }));
    assert_eq!(rig.volunteer.held(), 0);
}

#[test]
fn held_units_of_a_shard_that_fails_are_given_back() {
    let mut rig = paced(Duration::from_millis(200));
    let training = rig.expect_train();
    rig.effects.clear();
    rig.trigger(Event::TrainingFailed { unit: training, why: "no route to host".into() });
    let next = rig.expect_train();
    assert_ne!(next.path, training.path);
    let table = rig.volunteer.table();
    for layer in 0..2 {
        let index = table.units().index(&Unit::new(training.path, layer)).unwrap();
        assert!(table.claimants(index).is_empty(), "layer {layer} is given back");
    }
}

#[test]
fn near_the_end_a_slow_volunteer_leaves_units_to_faster_ones_for_a_while() {
    let mut rig = paced_in(30, Duration::from_secs(30));
    let mine = rig.expect_train();
    // Two others take a second for a unit, until few are left.
    let others: Vec<Unit> = {
        let units = rig.volunteer.table().units().clone();
        units.indices().map(|index| units.unit(index)).filter(|unit| *unit != mine).skip(1).take(56).collect()
    };
    let mut counter = 0;
    for (unit, signer) in others.iter().zip([20, 21].into_iter().cycle()) {
        counter += 1;
        rig.trigger_says(signer, Says::Claim(Claim { unit: *unit, epoch: 0, counter }));
        rig.trigger_wait(Duration::from_secs(1));
        counter += 1;
        rig.trigger_says(signer, Says::Finished(Finished { unit: *unit, epoch: 0, counter, generation: 0 }));
    }
    let open = rig.volunteer.table().progress().open;
    assert!((2..=3).contains(&open), "{open}");
    let left: Vec<Unit> = {
        let table = rig.volunteer.table();
        table.view().open().iter().map(|index| table.units().unit(index)).collect()
    };
    let mut alone = rig.clone();
    // One of the others is at work, and will soon be free again.
    rig.trigger_says(20, Says::Claim(Claim { unit: left[0], epoch: 0, counter: 1_000 }));
    rig.effects.clear();
    rig.trigger_trained(mine);
    rig.trigger_wait(Duration::from_secs(2));
    rig.expect_no(|effect| matches!(effect, Effect::Train { .. }));
    // Nobody took the rest: better late than never.
    rig.trigger_wait(Duration::from_secs(16));
    rig.expect_train();
    // With nobody at work there is nobody to leave them to.
    alone.trigger_trained(mine);
    alone.expect_train();
}

#[test]
fn a_unit_that_was_slept_through_is_no_measure() {
    let mut rig = paced(Duration::from_secs(30));
    let unit = rig.expect_train();
    rig.now = rig.now.after(Duration::from_secs(8 * 3_600));
    rig.trigger(Event::Awake);
    rig.trigger_trained(unit);
    assert_eq!(rig.volunteer.pace(), Some(Duration::from_secs(30)));
}

#[test]
fn the_next_unit_begins_while_a_report_is_put_away_and_nothing_is_said_of_it_before() {
    let mut rig = Rig::working();
    let first = rig.expect_train();
    rig.now = rig.now.after(Duration::from_secs(3));
    rig.trigger(Event::TrainingOver { unit: first });
    let second = rig.expect_train();
    assert_ne!(first, second);
    assert_eq!(rig.volunteer.training().collect::<Vec<_>>(), [second]);
    assert_eq!(rig.volunteer.held(), 2, "it is held until its report is there");
    let is_word = |effect: &Effect| {
        matches!(effect, Effect::Say(Says::Finished(_) | Says::Release(_)) | Effect::Offer { .. })
    };
    assert!(!rig.effects.iter().any(is_word), "{:?}", rig.effects);
    // A slow disk is none of the training's time.
    rig.now = rig.now.after(Duration::from_secs(5));
    rig.trigger_trained(first);
    assert_eq!(rig.volunteer.pace(), Some(Duration::from_secs(3)));
    rig.expect_effect(&Effect::Keep { unit: first, content: content(1) });
    rig.expect("finished", |effect| {
        matches!(effect, Effect::Say(Says::Finished(of)) if of.unit == first).then_some(())
    });
    rig.expect_offer(first);
    assert_eq!(rig.volunteer.training().collect::<Vec<_>>(), [second]);
}

#[test]
fn what_is_being_put_away_is_given_back_when_leaving_or_when_it_fails() {
    for leaves in [true, false] {
        let mut rig = Rig::working();
        let first = rig.expect_train();
        rig.trigger(Event::TrainingOver { unit: first });
        let second = rig.expect_train();
        let why = "no coordinator would take it".to_owned();
        rig.trigger(if leaves { Event::Leave } else { Event::TrainingFailed { unit: first, why } });
        let released = |of: Unit| {
            move |effect: &Effect| {
                matches!(effect, Effect::Say(Says::Release(release)) if release.unit == of).then_some(())
            }
        };
        rig.expect("release", released(first));
        if leaves {
            rig.expect("release", released(second));
        }
        assert_eq!(rig.volunteer.training().count(), usize::from(!leaves));
        if leaves {
            // Its report is on disk all the same: the next start offers it.
            rig.trigger_trained(first);
            rig.expect_effect(&Effect::Keep { unit: first, content: content(1) });
        }
    }
}

#[test]
fn those_who_only_say_that_they_finished_are_not_waited_for_for_ever() {
    let mut rig = Rig::working();
    let begun = rig.expect_train();
    let wanted = Unit::new(1 - begun.path, 0);
    let all = (0..2).flat_map(|path| (0..2).map(move |layer| Unit::new(path, layer)));
    for unit in all.filter(|unit| *unit != wanted) {
        rig.trigger_says(COORDINATOR, receipt(unit, 0, 2));
    }
    rig.effects.clear();
    // Two peers that live say it in turn, each in a higher epoch than the other, and never deliver.
    for turn in 0..100 {
        for signer in [8, 9] {
            rig.trigger_says(signer, Says::Heartbeat(Heartbeat { counter: 1_000 + u64::from(turn) }));
        }
        if turn % 10 == 0 {
            let says =
                Finished { unit: wanted, epoch: turn, counter: 1_000 + u64::from(turn), generation: 0 };
            rig.trigger_says(8 + (turn / 10 % 2) as u8, Says::Finished(says));
        }
        rig.trigger_wait(Duration::from_secs(15));
    }
    assert_eq!(rig.expect_train(), wanted);
}

#[test]
fn what_one_coordinator_refused_is_trained_again_for_another() {
    let mut rig = Rig::working();
    let unit = rig.expect_train();
    let all = (0..2).flat_map(|path| (0..2).map(move |layer| Unit::new(path, layer)));
    for other in all.filter(|other| *other != unit) {
        rig.trigger_says(COORDINATOR, receipt(other, 0, 2));
    }
    rig.trigger_trained(unit);
    rig.expect_offer(unit);
    rig.trigger(Event::OfferAnswered { unit, answer: OfferAnswer::No("not what I think".into()) });
    rig.trigger_wait(Duration::from_secs(30));
    rig.expect_no(|effect| matches!(effect, Effect::Train { .. }));
    rig.trigger(Event::Heard(delegated(2, peer(2))));
    rig.trigger_wait(Duration::from_secs(30));
    assert_eq!(rig.expect_train(), unit);
}

#[test]
fn deliveries_under_way_stay_few_when_receipts_come_by_other_ways() {
    let units: Vec<Unit> = (0..32).map(|path| Unit::new(path, 0)).collect();
    let item = |unit: &Unit| OutboxItem { unit: *unit, content: content(1), bytes: 10 };
    let mut rig = Rig::of(&[10; 32], units.iter().map(item).collect()).at_work();
    let offers = |rig: &Rig| rig.effects.iter().filter(|it| matches!(it, Effect::Offer { .. })).count();
    let at_once = VolunteerSettings::default().offers;
    assert_eq!(offers(&rig), at_once);
    // A receipt makes room for the next offer, as long as not too many bodies are still on their way.
    for unit in units.iter().take(20) {
        rig.trigger_says(COORDINATOR, receipt(*unit, 0, 1));
    }
    rig.trigger_wait(Duration::from_secs(1));
    assert_eq!(offers(&rig), 4 * at_once);
    rig.trigger(Event::OfferAnswered { unit: units[0], answer: OfferAnswer::Stored });
    assert_eq!(offers(&rig), 4 * at_once + 1);
}
