//! What peers ask for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use protocol::coordinator::{CoordinatorEffect, HeaderAnswer, ReportEnd};
use protocol::lease::{Says, Statement};
use protocol::volunteer::{OfferAnswer, VolunteerEffect, VolunteerEvent};
use protocol::{ContentHash, PeerKey, Unit};

use super::{COORDINATOR, Event, SHARD, World};
use crate::machine::{Mind, Training};

/// A statement goes out in so many batches, each with a latency of its own.
const BATCHES: usize = 8;
/// What writing a report takes, in milliseconds.
const WRITE_MS: u64 = 10;

impl World {
    pub(super) fn volunteer_effect(&mut self, number: usize, effect: VolunteerEffect) {
        match effect {
            VolunteerEffect::Say(says) => self.say(number, says),
            VolunteerEffect::Train { unit, soon } => self.train(number, unit, &soon),
            VolunteerEffect::Abandon { unit } => {
                if let Some(machine) = self.machines.get_mut(number)
                    && machine.training.remove(&unit).is_some()
                {
                    self.measure.abandoned += 1;
                }
            }
            VolunteerEffect::Keep { unit, content } => {
                if let Some(machine) = self.machines.get_mut(number) {
                    machine.outbox.insert(unit, content);
                }
            }
            VolunteerEffect::Forget { unit, .. } => {
                if let Some(machine) = self.machines.get_mut(number) {
                    machine.outbox.remove(&unit);
                }
            }
            VolunteerEffect::Offer { unit, content, .. } => {
                let (life, wait) = (self.life(number), self.link.latency());
                let event = match self.link.loses() || !self.reach(number, COORDINATOR) {
                    true => Event::Answered(number, life, unit, OfferAnswer::Unreachable),
                    false => Event::Header(number, life, unit, content),
                };
                self.after(wait, event);
            }
            VolunteerEffect::SyncWith(peer) => self.sync(number, &peer),
            VolunteerEffect::Note(_) => {}
            VolunteerEffect::Finished(_) => {
                if let Some(machine) = self.machines.get_mut(number) {
                    machine.ended = true;
                }
            }
        }
    }

    fn train(&mut self, number: usize, unit: Unit, soon: &[u32]) {
        let now = self.now;
        let Some(machine) = self.machines.get_mut(number) else { return };
        let making = (machine.nature.unit_ms as f64 * SHARD) as u64;
        let shard = machine.touch(now, unit.path, soon, making);
        let (wait, life) = (machine.nature.unit_ms + shard, machine.life);
        machine.training.insert(unit, Training { slept_ms: machine.slept_ms });
        let (squats, shards) =
            (machine.nature.squats, machine.shards.iter().copied().collect::<BTreeSet<u32>>());
        if !squats {
            self.after(wait, Event::Trained(number, life, unit));
        }
        self.volunteer(number, VolunteerEvent::ShardsInMemory(shards));
    }

    pub(super) fn coordinator_effects(&mut self, effects: Vec<CoordinatorEffect>) {
        let life = self.life(COORDINATOR);
        for effect in effects {
            match effect {
                CoordinatorEffect::Say(says) => self.say(COORDINATOR, says),
                CoordinatorEffect::Answer { to, unit, content, answer } => {
                    self.answer(to, unit, content, answer)
                }
                CoordinatorEffect::End { to, unit, end, .. } => {
                    self.answered(
                        to,
                        unit,
                        match end {
                            ReportEnd::Stored => OfferAnswer::Stored,
                            ReportEnd::Kept => OfferAnswer::Kept,
                            ReportEnd::Busy(seconds) => {
                                OfferAnswer::Busy(Duration::from_secs(seconds.into()))
                            }
                            ReportEnd::No(why) => OfferAnswer::No(why),
                        },
                    );
                }
                CoordinatorEffect::Store { unit, content } => {
                    self.after(WRITE_MS, Event::Written(unit, content, life));
                }
                CoordinatorEffect::Drop { unit, content } => {
                    self.store.retain(|stored| *stored != (unit, content));
                }
                CoordinatorEffect::Assemble { round } => self.after(20, Event::Assembled(round, life)),
                CoordinatorEffect::SyncWith(peer) => self.sync(COORDINATOR, &peer),
                CoordinatorEffect::Note(_) | CoordinatorEffect::Exit => {}
            }
        }
    }

    fn answer(&mut self, to: PeerKey, unit: Unit, content: ContentHash, answer: HeaderAnswer) {
        let answer = match answer {
            HeaderAnswer::Send => {
                let life = self.life(COORDINATOR);
                let Some((from, _)) = self.offers.get(&(to, unit)).copied() else { return };
                let wait = 2 * self.link.latency();
                self.after(wait, Event::Arrived(from, unit, content, life));
                return;
            }
            HeaderAnswer::Have => OfferAnswer::Stored,
            HeaderAnswer::Busy(seconds) => OfferAnswer::Busy(Duration::from_secs(seconds.into())),
            HeaderAnswer::No(why) => OfferAnswer::No(why),
        };
        self.answered(to, unit, answer);
    }

    fn answered(&mut self, to: PeerKey, unit: Unit, answer: OfferAnswer) {
        let Some((number, life)) = self.offers.remove(&(to, unit)) else { return };
        let wait = self.link.latency();
        // The receipt comes with the answer.
        if answer == OfferAnswer::Stored
            && let Some(Mind::Coordinator(coordinator)) = self.machines.get(COORDINATOR).map(|it| &it.mind)
            && let Some(receipt) = coordinator.receipt(&unit).cloned()
        {
            self.after(wait, Event::Deliver(receipt, vec![number as u32]));
        }
        self.after(wait, Event::Answered(number, life, unit, answer));
    }

    fn sync(&mut self, number: usize, peer: &PeerKey) {
        let Some(with) = self.by_key.get(peer).copied() else { return };
        let (wait, life) = (2 * self.link.latency(), self.life(number));
        self.after(wait, Event::Exchange(number, life, with));
    }

    /// Signs for a peer, hands back to it, gossips to those that it reaches.
    fn say(&mut self, number: usize, says: Says) {
        let Some(machine) = self.machines.get(number) else { return };
        let is_heartbeat = matches!(says, Says::Heartbeat(_));
        let Ok(statement) = Statement::sign(&machine.identity, self.run, says).map(Arc::new) else { return };
        self.said.insert(*statement.digest(), Arc::clone(&statement));
        let bytes = statement.bytes().len() as u64;
        let said = if is_heartbeat { &mut self.measure.heartbeats } else { &mut self.measure.words };
        *said = (said.0 + 1, said.1 + bytes);
        let mut batches: [Vec<u32>; BATCHES] = Default::default();
        let (is_up, side) = (machine.is_up(), machine.nature.cut_off);
        for (other, listener) in self.machines.iter().enumerate() {
            let reaches = is_up && listener.is_up() && (!self.is_cut || listener.nature.cut_off == side);
            if other != number && reaches && !self.link.loses() {
                let batch = self.link.below(BATCHES as u64) as usize;
                if let Some(batch) = batches.get_mut(batch) {
                    batch.push(other as u32);
                }
            }
        }
        for batch in batches {
            if !batch.is_empty() {
                let wait = self.link.latency();
                self.after(wait, Event::Deliver(Arc::clone(&statement), batch));
            }
        }
        self.after(0, Event::Deliver(statement, vec![number as u32]));
    }
}
