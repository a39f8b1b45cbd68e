//! Conversations with a coordinator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{delegated, peer, seal};
use protocol::coordinator::{
    Coordinator, CoordinatorEffect as Effect, CoordinatorEvent as Event, CoordinatorSettings,
    CoordinatorStart, HeaderAnswer, ReportEnd,
};
use protocol::lease::{Moment, Says, Units};
use protocol::{Complete, ContentHash, ModelHash, Receipt, Reopen, Unit};

const ME: u8 = 1;
const A: Unit = Unit::new(0, 0);
const B: Unit = Unit::new(1, 0);

/// A coordinator of a run with two units. What it says comes back to it at once.
struct Rig {
    coordinator: Coordinator,
    now: Moment,
    effects: Vec<Effect>,
}

impl Rig {
    fn new(stored: &[(Unit, ContentHash)]) -> Self {
        let start = CoordinatorStart {
            me: peer(ME),
            operator: peer(99),
            delegation: delegated(1, peer(ME)),
            units: Arc::new(Units::new(&[10, 10], 1).unwrap()),
            report_limits: vec![1000, 1000],
            stored: stored.to_vec(),
            settings: CoordinatorSettings {
                receptions: 3,
                reception_bytes: 1_500,
                ..CoordinatorSettings::default()
            },
        };
        let mut effects = Vec::new();
        let coordinator = Coordinator::new(Moment(0), start, &mut effects).unwrap();
        Self { coordinator, now: Moment(0), effects }
    }

    fn trigger(&mut self, event: Event) {
        let before = self.effects.len();
        self.coordinator.handle(self.now, event, &mut self.effects);
        self.echo(before);
    }

    fn echo(&mut self, before: usize) {
        let said: Vec<_> = self.effects.iter().skip(before).cloned().collect();
        for effect in said {
            if let Effect::Say(says) = effect {
                self.trigger(Event::Heard(seal(peer(ME), says)));
            }
        }
    }

    fn trigger_header(&mut self, from: u8, unit: Unit, content: ContentHash) -> HeaderAnswer {
        self.trigger_long_header(from, unit, content, 10)
    }

    fn trigger_long_header(
        &mut self,
        from: u8,
        unit: Unit,
        content: ContentHash,
        length: u64,
    ) -> HeaderAnswer {
        self.trigger(Event::HeaderArrived { from: peer(from), unit, content, length });
        match self.effects.pop() {
            Some(Effect::Answer { answer, .. }) => answer,
            other => panic!("no answer but {other:?}"),
        }
    }

    fn trigger_report(&mut self, from: u8, unit: Unit, content: ContentHash) {
        assert_eq!(self.trigger_header(from, unit, content), HeaderAnswer::Send);
        self.trigger(Event::Checked { from: peer(from), unit, content, verdict: Ok(()) });
        self.expect(&Effect::Store { unit, content });
        self.trigger(Event::Stored { unit, content });
    }

    #[track_caller]
    fn expect(&mut self, wanted: &Effect) {
        let at = self.effects.iter().position(|effect| effect == wanted);
        let at = at.unwrap_or_else(|| panic!("no {wanted:?} in {:?}", self.effects));
        self.effects.remove(at);
    }

    #[track_caller]
    fn expect_end(&mut self, to: u8, unit: Unit, content: ContentHash, end: ReportEnd) {
        self.expect(&Effect::End { to: peer(to), unit, content, end });
    }

    #[track_caller]
    fn expect_receipt(&mut self, unit: Unit, generation: u32, content: ContentHash) {
        self.expect(&Effect::Say(receipt(unit, generation, content)));
    }

    #[track_caller]
    fn expect_silence(&self) {
        assert!(!self.effects.iter().any(|effect| matches!(effect, Effect::Say(_))), "{:?}", self.effects);
    }
}

fn content(byte: u8) -> ContentHash {
    ContentHash::from_bytes([byte; 32])
}

fn receipt(unit: Unit, generation: u32, content: ContentHash) -> Says {
    Says::Receipt(Receipt { delegation: 1, unit, generation, content })
}

#[test]
fn a_report_is_acknowledged_when_it_is_stored_and_not_before() {
    let mut rig = Rig::new(&[]);
    assert_eq!(rig.trigger_header(5, A, content(1)), HeaderAnswer::Send);
    rig.trigger(Event::Checked { from: peer(5), unit: A, content: content(1), verdict: Ok(()) });
    rig.expect_silence();
    rig.expect(&Effect::Store { unit: A, content: content(1) });
    rig.trigger(Event::Stored { unit: A, content: content(1) });
    rig.expect_receipt(A, 0, content(1));
    rig.expect_end(5, A, content(1), ReportEnd::Stored);
    assert!(rig.coordinator.receipt(&A).is_some());
    assert_eq!(rig.trigger_header(6, A, content(1)), HeaderAnswer::Have);
}

#[test]
fn a_full_disk_acknowledges_nothing_and_takes_nothing_for_a_moment() {
    let mut rig = Rig::new(&[]);
    assert_eq!(rig.trigger_header(5, A, content(1)), HeaderAnswer::Send);
    rig.trigger(Event::Checked { from: peer(5), unit: A, content: content(1), verdict: Ok(()) });
    rig.trigger(Event::StoreFailed { unit: A, content: content(1), why: "no space left".into() });
    rig.expect_end(5, A, content(1), ReportEnd::Busy(5));
    rig.expect_silence();
    assert_eq!(rig.trigger_header(5, A, content(1)), HeaderAnswer::Busy(5));
    rig.now = Moment(6_000);
    rig.trigger_report(5, A, content(1));
    rig.expect_receipt(A, 0, content(1));
}

#[test]
fn headers_that_cannot_be_are_refused() {
    let mut rig = Rig::new(&[]);
    assert!(matches!(rig.trigger_header(5, Unit::new(7, 0), content(1)), HeaderAnswer::No(_)));
    rig.trigger(Event::HeaderArrived { from: peer(5), unit: A, content: content(1), length: 1_001 });
    assert!(matches!(rig.effects.pop(), Some(Effect::Answer { answer: HeaderAnswer::No(_), .. })));
}

#[test]
fn the_same_content_is_received_once_at_a_time() {
    let mut rig = Rig::new(&[]);
    assert_eq!(rig.trigger_header(5, A, content(1)), HeaderAnswer::Send);
    assert_eq!(rig.trigger_header(6, A, content(1)), HeaderAnswer::Busy(0));
    rig.trigger(Event::ReceptionFailed { from: peer(6), unit: A, content: content(1) });
    assert_eq!(rig.trigger_header(6, A, content(1)), HeaderAnswer::Busy(0), "somebody else's failure");
    rig.trigger(Event::ReceptionFailed { from: peer(5), unit: A, content: content(1) });
    assert_eq!(rig.trigger_header(6, A, content(1)), HeaderAnswer::Send);
}

#[test]
fn receptions_are_few_and_given_up_in_the_end() {
    let mut rig = Rig::new(&[]);
    for (from, unit, byte) in [(5, A, 1), (6, B, 2), (7, A, 3)] {
        assert_eq!(rig.trigger_header(from, unit, content(byte)), HeaderAnswer::Send);
    }
    assert_eq!(rig.trigger_header(8, B, content(4)), HeaderAnswer::Busy(0));
    rig.now = Moment(700_000);
    rig.trigger(Event::Tick);
    assert_eq!(rig.trigger_header(8, B, content(4)), HeaderAnswer::Send);
    // The one that was given up arrives after all: nothing is stored unasked.
    rig.trigger(Event::Checked { from: peer(5), unit: A, content: content(1), verdict: Ok(()) });
    rig.expect_end(5, A, content(1), ReportEnd::Busy(0));
}

#[test]
fn receptions_are_bounded_in_bytes_too() {
    let mut rig = Rig::new(&[]);
    assert_eq!(rig.trigger_long_header(5, A, content(1), 1_000), HeaderAnswer::Send);
    assert_eq!(rig.trigger_long_header(6, B, content(2), 600), HeaderAnswer::Busy(0));
    assert_eq!(rig.trigger_long_header(6, B, content(2), 500), HeaderAnswer::Send);
    rig.trigger(Event::Checked { from: peer(5), unit: A, content: content(1), verdict: Ok(()) });
    rig.trigger(Event::Stored { unit: A, content: content(1) });
    rig.trigger(Event::Checked { from: peer(6), unit: B, content: content(2), verdict: Ok(()) });
    rig.trigger(Event::Stored { unit: B, content: content(2) });
    assert_eq!(rig.coordinator.stored().count(), 2);
}

#[test]
fn another_content_is_kept_beside_up_to_a_bound() {
    let mut rig = Rig::new(&[(A, content(1))]);
    for byte in [2, 3] {
        rig.trigger_report(5, A, content(byte));
        rig.expect_end(5, A, content(byte), ReportEnd::Kept);
    }
    // Not a refusal: the reporter keeps what may be the honest one.
    assert_eq!(rig.trigger_header(5, A, content(4)), HeaderAnswer::Busy(300));
    assert_eq!(rig.coordinator.disputed().count(), 2);
    assert_eq!(rig.coordinator.stored().next(), Some((A, content(1))));
    // The accepted one is proven wrong: the next takes its place, in the next generation.
    rig.trigger(Event::Tick);
    rig.expect_receipt(A, 0, content(1));
    let before = rig.effects.len();
    rig.coordinator.reopen(&A, &mut rig.effects);
    rig.echo(before);
    rig.expect(&Effect::Drop { unit: A, content: content(1) });
    rig.expect_receipt(A, 1, content(2));
}

#[test]
fn after_a_restart_it_says_its_receipts_again_and_opens_what_it_lost() {
    let mut rig = Rig::new(&[(A, content(1))]);
    rig.trigger(Event::Tick);
    rig.expect_receipt(A, 0, content(1));
    // Its peers remember what it said before.
    rig.trigger(Event::Heard(seal(peer(ME), receipt(B, 3, content(2)))));
    rig.expect(&Effect::Say(Says::Reopen(Reopen { delegation: 1, unit: B, generation: 4 })));
    rig.trigger(Event::Heard(seal(peer(ME), Says::Reopen(Reopen { delegation: 1, unit: A, generation: 2 }))));
    rig.expect_receipt(A, 2, content(1));
}

#[test]
fn with_every_report_it_assembles_and_says_so_for_five_seconds() {
    let mut rig = Rig::new(&[(A, content(1))]);
    rig.trigger_report(5, B, content(2));
    rig.expect(&Effect::Assemble { round: 1 });
    let model = ModelHash::from_bytes([9; 32]);
    rig.trigger(Event::Assembled { round: 1, model });
    for second in 1..=6 {
        rig.now = Moment(0).after(Duration::from_secs(second));
        rig.trigger(Event::Tick);
    }
    let complete = Effect::Say(Says::Complete(Complete { delegation: 1, model }));
    assert_eq!(rig.effects.iter().filter(|effect| **effect == complete).count(), 5);
    rig.expect(&Effect::Exit);
}

#[test]
fn a_model_of_reports_that_were_reopened_is_an_old_one() {
    let mut rig = Rig::new(&[(A, content(1)), (B, content(2))]);
    rig.expect(&Effect::Assemble { round: 1 });
    rig.coordinator.reopen(&A, &mut rig.effects);
    rig.trigger(Event::Assembled { round: 1, model: ModelHash::from_bytes([9; 32]) });
    assert!(!rig.effects.iter().any(|effect| matches!(effect, Effect::Say(Says::Complete(_)))));
    rig.trigger_report(5, A, content(3));
    rig.expect(&Effect::Assemble { round: 2 });
}

#[test]
fn a_later_delegation_of_another_silences_it() {
    let mut rig = Rig::new(&[(A, content(1))]);
    rig.trigger(Event::Heard(delegated(2, peer(44))));
    rig.trigger(Event::Tick);
    rig.expect_silence();
    assert_eq!(rig.trigger_header(5, B, content(1)), HeaderAnswer::Busy(5));
}
