//! What an event does.

use std::sync::Arc;

use protocol::coordinator::{CoordinatorEffect, CoordinatorEvent};
use protocol::lease::Moment;
use protocol::volunteer::{OfferAnswer, VolunteerEvent};
use protocol::{ContentHash, ModelHash, Unit};

use super::{COORDINATOR, Event, NEIGHBOURS, World, content};
use crate::fault::{Fault, What};
use crate::machine::Mind;

impl World {
    pub(super) fn step(&mut self, event: Event) {
        match event {
            Event::Start(machine) => self.start(machine),
            Event::Tick(machine, life) => self.tick(machine, life),
            Event::Deliver(statement, peers) => self.deliver_all(&peers, &statement),
            Event::Trained(machine, life, unit) => self.trained(machine, life, unit),
            Event::Exchange(machine, life, with) => self.exchange(machine, life, with),
            Event::Header(from, life, unit, content) => self.header(from, life, unit, content),
            Event::Arrived(from, unit, content, life) if self.life(COORDINATOR) == life => {
                self.measure.sent += 1;
                let Some(from) = self.machines.get(from).map(|machine| machine.key) else { return };
                self.coordinator(CoordinatorEvent::Checked { from, unit, content, verdict: Ok(()) });
            }
            Event::Written(unit, content, life)
                if self.life(COORDINATOR) == life && self.now < self.full_until =>
            {
                self.coordinator(CoordinatorEvent::StoreFailed {
                    unit,
                    content,
                    why: "the disk is full".into(),
                });
            }
            Event::Written(unit, content, life) if self.life(COORDINATOR) == life => {
                self.store.push((unit, content));
                self.coordinator(CoordinatorEvent::Stored { unit, content });
            }
            Event::Answered(machine, life, unit, _)
                if self.life(machine) == life && self.machines.get(machine).is_some_and(|it| it.asleep) =>
            {
                // It finds out when it wakes.
                self.after(1_000, Event::Answered(machine, life, unit, OfferAnswer::Unreachable));
            }
            Event::Answered(machine, life, unit, answer) if self.life(machine) == life => {
                self.volunteer(machine, VolunteerEvent::OfferAnswered { unit, answer });
            }
            Event::Assembled(round, life) if self.life(COORDINATOR) == life => {
                self.measure.whole_at_ms.get_or_insert(self.now);
                let model = ModelHash::from_bytes([1; 32]);
                self.coordinator(CoordinatorEvent::Assembled { round, model });
            }
            Event::Arrived(..) | Event::Written(..) | Event::Answered(..) | Event::Assembled(..) => {}
            Event::Replace => self.replace(),
            Event::Sleep(machine) => self.sleep(machine),
            Event::Wake(machine) => self.wake(machine),
            Event::Cut(cut) => self.is_cut = cut,
            Event::CoordinatorGoes(wait) => self.restart(COORDINATOR, wait),
            Event::Fault(fault) => self.fault(&fault),
        }
    }

    fn fault(&mut self, fault: &Fault) {
        let volunteer = COORDINATOR + 1 + fault.who;
        match fault.what {
            What::Kill => self.stop(volunteer),
            What::Restart => self.restart(volunteer, fault.for_ms()),
            What::Leave => {
                self.volunteer(volunteer, VolunteerEvent::Leave);
                self.stop(volunteer);
            }
            What::Coordinator => self.restart(COORDINATOR, fault.for_ms()),
            What::LoseStore => {
                self.restart(COORDINATOR, fault.for_ms());
                self.store.clear();
            }
            What::FullDisk => self.full_until = self.now + fault.for_ms(),
        }
    }

    fn restart(&mut self, number: usize, wait: u64) {
        self.stop(number);
        self.after(wait, Event::Start(number));
    }

    fn start(&mut self, number: usize) {
        let mut effects = Vec::new();
        let mind = match number {
            COORDINATOR => self.make_coordinator(&mut effects),
            _ => self.make_volunteer(number),
        };
        let Some(machine) = self.machines.get_mut(number) else { return };
        machine.life += 1;
        machine.ended = false;
        machine.mind = mind.unwrap_or(Mind::Gone);
        let (life, sleeps) = (machine.life, machine.nature.sleeps);
        let offset = self.link.below(self.scenario.tick_ms);
        self.after(offset, Event::Tick(number, life));
        let delegation = Arc::clone(&self.delegation);
        self.deliver(number, &delegation);
        self.meet_some(number);
        self.coordinator_effects(effects);
        if sleeps {
            self.after_awake(number);
        }
    }

    /// Connects a machine to the coordinator and to a few others.
    fn meet_some(&mut self, number: usize) {
        let mut others = vec![COORDINATOR];
        let up: Vec<usize> =
            (1..self.machines.len()).filter(|other| *other != number && self.reach(number, *other)).collect();
        for _ in 0..NEIGHBOURS.min(up.len()) {
            let at = self.link.below(up.len() as u64) as usize;
            if let Some(other) = up.get(at).filter(|other| !others.contains(other)) {
                others.push(*other);
            }
        }
        for other in others {
            if other != number && self.reach(number, other) {
                self.meet(number, other);
                self.meet(other, number);
            }
        }
    }

    fn meet(&mut self, number: usize, other: usize) {
        let Some(key) = self.machines.get(other).map(|machine| machine.key) else { return };
        let Some(machine) = self.machines.get_mut(number) else { return };
        if !machine.neighbours.contains(&other) {
            machine.neighbours.push(other);
        }
        match number {
            COORDINATOR => self.coordinator(CoordinatorEvent::PeerSeen(key)),
            _ => self.volunteer(number, VolunteerEvent::PeerSeen(key)),
        }
    }

    /// Its neighbours see that a machine is gone.
    fn part(&mut self, number: usize) {
        let Some(machine) = self.machines.get_mut(number) else { return };
        let key = machine.key;
        for other in std::mem::take(&mut machine.neighbours) {
            if let Some(other) = self.machines.get_mut(other) {
                other.neighbours.retain(|neighbour| *neighbour != number);
            }
            match other {
                COORDINATOR => self.coordinator(CoordinatorEvent::PeerGone(key)),
                _ => self.volunteer(other, VolunteerEvent::PeerGone(key)),
            }
        }
    }

    fn stop(&mut self, number: usize) {
        self.part(number);
        let Some(machine) = self.machines.get_mut(number) else { return };
        machine.mind = Mind::Gone;
        machine.life += 1;
        machine.training.clear();
        machine.shards.clear();
        machine.ahead = None;
        if number == COORDINATOR {
            for ((_, unit), (from, life)) in std::mem::take(&mut self.offers) {
                self.after(1, Event::Answered(from, life, unit, OfferAnswer::Unreachable));
            }
        }
    }

    fn tick(&mut self, number: usize, life: u32) {
        let Some(machine) = self.machines.get(number).filter(|machine| machine.life == life) else { return };
        if machine.asleep || matches!(machine.mind, Mind::Gone) {
            return;
        }
        if machine.neighbours.is_empty() {
            self.meet_some(number);
        }
        match number {
            COORDINATOR => self.coordinator(CoordinatorEvent::Tick),
            _ => {
                let reached =
                    self.machines.get(number).is_some_and(|it| it.neighbours.contains(&COORDINATOR));
                if !reached && self.reach(number, COORDINATOR) {
                    self.meet(number, COORDINATOR);
                    self.meet(COORDINATOR, number);
                }
                self.volunteer(number, VolunteerEvent::Tick);
            }
        }
        if self.machines.get(number).is_some_and(|machine| !machine.ended) {
            self.after(self.scenario.tick_ms, Event::Tick(number, life));
        }
    }

    fn trained(&mut self, number: usize, life: u32, unit: Unit) {
        let Some(machine) = self.machines.get_mut(number).filter(|machine| machine.life == life) else {
            return;
        };
        let Some(training) = machine.training.get_mut(&unit) else { return };
        let slept = machine.slept_ms - training.slept_ms;
        if slept > 0 || machine.asleep {
            // It stood still meanwhile; while it sleeps nobody knows for how long.
            training.slept_ms = machine.slept_ms;
            let wait = slept.max(if machine.asleep { self.scenario.tick_ms } else { 0 });
            self.after(wait, Event::Trained(number, life, unit));
            return;
        }
        machine.training.remove(&unit);
        self.measure.trained += 1;
        self.measure.duplicated += usize::from(!self.trained.insert(unit));
        let done = VolunteerEvent::TrainingDone { unit, content: content(&unit), bytes: 100 };
        self.volunteer(number, done);
    }

    fn header(&mut self, from: usize, life: u32, unit: Unit, content: ContentHash) {
        if !self.reach(from, COORDINATOR) {
            self.after(1, Event::Answered(from, life, unit, OfferAnswer::Unreachable));
            return;
        }
        let Some(key) = self.machines.get(from).map(|machine| machine.key) else { return };
        self.offers.insert((key, unit), (from, life));
        self.coordinator(CoordinatorEvent::HeaderArrived { from: key, unit, content, length: 100 });
    }

    /// The volunteer that has been there longest goes without a word, and a new one comes.
    fn replace(&mut self) {
        let oldest = self.oldest;
        if oldest < self.machines.len() {
            self.oldest += 1;
            self.stop(oldest);
            let new = self.add();
            self.after(0, Event::Start(new));
        }
        let wait = self.until_replaced();
        self.after(wait, Event::Replace);
    }

    fn after_awake(&mut self, number: usize) {
        let Some(sleepers) = self.scenario.sleepers else { return };
        let wait = sleepers.every_s * 500 + self.link.below(sleepers.every_s * 1_000 + 1);
        self.after(wait, Event::Sleep(number));
    }

    fn sleep(&mut self, number: usize) {
        let Some(sleepers) = self.scenario.sleepers else { return };
        if !self.machines.get(number).is_some_and(|machine| machine.is_up() && !machine.ended) {
            return;
        }
        // A machine that sleeps says nothing; others find out.
        self.part(number);
        if let Some(machine) = self.machines.get_mut(number) {
            machine.asleep = true;
            machine.fell_asleep_ms = self.now;
        }
        let wait = sleepers.for_s * 500 + self.link.below(sleepers.for_s * 1_000 + 1);
        self.after(wait, Event::Wake(number));
    }

    fn wake(&mut self, number: usize) {
        let now = self.now;
        let Some(machine) = self.machines.get_mut(number).filter(|machine| machine.asleep) else { return };
        machine.asleep = false;
        machine.slept_ms += now.saturating_sub(machine.fell_asleep_ms);
        let life = machine.life;
        self.volunteer(number, VolunteerEvent::Awake);
        self.meet_some(number);
        self.after(1, Event::Tick(number, life));
        self.after_awake(number);
    }

    pub(super) fn volunteer(&mut self, number: usize, event: VolunteerEvent) {
        let now = self.now;
        let mut effects = Vec::new();
        let Some(machine) = self.machines.get_mut(number).filter(|machine| !machine.asleep) else { return };
        let moment = Moment(now);
        match &mut machine.mind {
            Mind::Volunteer(volunteer) => volunteer.handle(moment, event, &mut effects),
            Mind::Coordinator(_) | Mind::Gone => return,
        }
        for effect in effects {
            self.volunteer_effect(number, effect);
        }
    }

    pub(super) fn coordinator(&mut self, event: CoordinatorEvent) {
        let now = self.now;
        let mut effects: Vec<CoordinatorEffect> = Vec::new();
        let Some(machine) = self.machines.get_mut(COORDINATOR) else { return };
        let moment = Moment(now);
        match &mut machine.mind {
            Mind::Coordinator(coordinator) => coordinator.handle(moment, event, &mut effects),
            Mind::Volunteer(_) | Mind::Gone => return,
        }
        self.coordinator_effects(effects);
    }
}
