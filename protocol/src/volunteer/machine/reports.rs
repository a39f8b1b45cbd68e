//! From a unit trained to its receipt.

use std::time::Duration;

use super::{Effects, FAILED, Failure, Phase, Volunteer};
use crate::ids::ContentHash;
use crate::lease::{Moment, Says, Stage, UnitIndex, UnitState, Word, bid_of};
use crate::records::Finished;
use crate::unit::Unit;
use crate::volunteer::event::{OfferAnswer, VolunteerEffect, VolunteerNote};
use crate::volunteer::outbox::backoff;

impl Volunteer {
    pub(super) fn word(&mut self, now: Moment, unit: UnitIndex, effects: &mut Effects) {
        match self.table.records().word(unit) {
            Some(Word::Receipted { content, .. }) => {
                match self.outbox.content(unit) {
                    Some(ours) if ours == content => self.outbox.settle(unit),
                    Some(ours) => {
                        let unit = self.table.units().unit(unit);
                        let note = VolunteerNote::Disputed { unit, ours, accepted: content };
                        effects.push(VolunteerEffect::Note(note));
                    }
                    None => {}
                }
                self.review(now, unit, effects);
            }
            Some(Word::Reopened { .. }) if self.outbox.contains(unit) => {
                self.outbox.again(now, unit);
                // So that nobody trains it again meanwhile.
                self.say_finished(now, unit, None, effects);
            }
            Some(Word::Reopened { .. }) => {}
            None => {}
        }
    }

    /// Room for the next unit: what comes after training is disk, and waits for nothing here.
    pub(super) fn training_over(&mut self, now: Moment, unit: Unit) {
        let Some(index) = self.table.units().index(&unit) else { return };
        let Some(job) = self.jobs.get_mut(&index).filter(|job| job.began.is_some() && !job.trained) else {
            return;
        };
        job.trained = true;
        self.free_since = now;
        // What was slept is no measure.
        let began = job.began.filter(|began| self.woke.is_none_or(|woke| *began > woke));
        self.pace = began.map(|began| paced(self.pace, now.since(began))).or(self.pace);
    }

    pub(super) fn training_done(
        &mut self,
        now: Moment,
        unit: Unit,
        content: ContentHash,
        bytes: u64,
        effects: &mut Effects,
    ) {
        let Some(index) = self.table.units().index(&unit) else { return };
        self.training_over(now, unit);
        let job = self.jobs.remove(&index);
        // What began before something of the same shard failed does not speak for it.
        let since = job.and_then(|job| job.began);
        if self.failures.get(&unit.path).is_some_and(|failure| since.is_none_or(|since| since > failure.at)) {
            self.failures.remove(&unit.path);
        }
        let accepted = UnitState::Done { content };
        if self.phase == Phase::Complete || self.table.state(index) == accepted {
            return;
        }
        effects.push(VolunteerEffect::Keep { unit, content });
        self.outbox.add(now, index, content, bytes);
        self.say_finished(now, index, job.and_then(|job| job.epoch), effects);
    }

    /// Says that the report of a unit is here, in the epoch of its claim or of what was said of the unit since.
    fn say_finished(&mut self, now: Moment, index: UnitIndex, claimed: Option<u32>, effects: &mut Effects) {
        let generation = self.table.records().word(index).map_or(0, |word| word.generation());
        let epoch = self.own_epoch(index).max(claimed);
        let epoch = epoch.or_else(|| self.table.next_epoch(index, &self.me)).unwrap_or(0);
        let (unit, counter) = (self.table.units().unit(index), self.count());
        self.say(now, Says::Finished(Finished { unit, epoch, counter, generation }), effects);
    }

    /// An own word from before a restart stands in the place of what this peer says of a unit now, whose report it has: says it
    /// again, so that nobody trains the unit meanwhile.
    pub(super) fn insist(&mut self, now: Moment, index: UnitIndex, effects: &mut Effects) {
        let is_known = self.table.records().finished(index).any(|by| by == self.me);
        let is_done = self.table.view().stage(index) == Stage::Done;
        if self.outbox.contains(index) && self.phase != Phase::Complete && !is_known && !is_done {
            self.say_finished(now, index, None, effects);
        }
    }

    /// In which epoch this peer last spoke of a unit.
    fn own_epoch(&self, index: UnitIndex) -> Option<u32> {
        bid_of(self.table.records().bids(index), &self.me).map(|bid| bid.epoch())
    }

    /// Says that the report is not to be had here any more: others need not wait for it.
    fn give_up_report(&mut self, now: Moment, unit: UnitIndex, effects: &mut Effects) {
        if self.table.records().finished(unit).any(|by| by == self.me) {
            let epoch = self.own_epoch(unit).unwrap_or(0);
            self.release(now, unit, epoch, effects);
        }
    }

    pub(super) fn training_failed(&mut self, now: Moment, unit: Unit, why: String, effects: &mut Effects) {
        let Some(index) = self.table.units().index(&unit) else { return };
        let Some(job) = self.jobs.remove(&index) else { return };
        if !job.trained {
            self.free_since = now;
        }
        if let Some(epoch) = job.epoch {
            self.release(now, index, epoch, effects);
        }
        let failure = self.failures.entry(unit.path).or_insert(Failure { tries: 0, at: now, until: now });
        let again_in = backoff(FAILED, failure.tries, self.seed ^ u64::from(unit.path));
        failure.tries = failure.tries.saturating_add(1);
        (failure.at, failure.until) = (now, now.after(again_in));
        // What is held of the same shard goes to others.
        let held = self.jobs.iter().filter(|(_, job)| job.began.is_none());
        let same = held.filter(|(of, _)| self.table.units().unit(**of).path == unit.path);
        let same: Vec<_> = same.map(|(of, job)| (*of, job.epoch)).collect();
        for (of, epoch) in same {
            self.drop_job(now, of, effects);
            if let Some(epoch) = epoch {
                self.release(now, of, epoch, effects);
            }
        }
        effects.push(VolunteerEffect::Note(VolunteerNote::Failed { unit, why, again_in }));
    }

    pub(super) fn offer_answered(
        &mut self,
        now: Moment,
        unit: Unit,
        answer: OfferAnswer,
        effects: &mut Effects,
    ) {
        let Some(index) = self.table.units().index(&unit) else { return };
        self.outbox.ended(index);
        if let OfferAnswer::No(why) = answer {
            if let Some(content) = self.outbox.take(index) {
                self.refused.insert(index);
                effects.push(VolunteerEffect::Forget { unit, content });
                effects.push(VolunteerEffect::Note(VolunteerNote::Refused { unit, why }));
                self.give_up_report(now, index, effects);
            }
            return;
        }
        if let OfferAnswer::Lost(why) = answer {
            // It was let go of when the coordinator had it.
            if let (UnitState::Done { content }, Some(ours)) =
                (self.table.state(index), self.outbox.content(index))
                && content == ours
            {
                self.outbox.settle(index);
                return;
            }
            // Another peer may repeat the unit, and so may this one.
            if let Some(content) = self.outbox.take(index) {
                effects.push(VolunteerEffect::Forget { unit, content });
                effects.push(VolunteerEffect::Note(VolunteerNote::Lost { unit, why }));
                self.give_up_report(now, index, effects);
            }
            return;
        }
        let delivered = matches!(answer, OfferAnswer::Stored | OfferAnswer::Kept);
        let is_done = matches!(self.table.state(index), UnitState::Done { .. });
        if delivered && is_done {
            self.outbox.settle(index);
        } else {
            self.outbox.answered(now, index, &answer);
        }
    }
}

/// The measured time of a unit after one more: what came last weighs a quarter.
fn paced(before: Option<Duration>, last: Duration) -> Duration {
    before.map_or(last, |before| (before * 3 + last) / 4)
}
