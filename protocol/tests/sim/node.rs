//! A node of the simulated world: a machine and what its shell would keep.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::coordinator::{
    Coordinator, CoordinatorEffect, CoordinatorEvent, CoordinatorSettings, CoordinatorStart,
};
use protocol::lease::{LeaseTable, Statement};
use protocol::volunteer::{
    OutboxItem, Volunteer, VolunteerEffect, VolunteerEvent, VolunteerSettings, VolunteerStart,
};
use protocol::{RunId, Unit};

use super::{COORDINATOR, Event, World, delegation, key, operator};

/// How many shards a simulated volunteer keeps in memory.
const SHARDS: usize = 2;

enum Machine {
    Volunteer(Box<Volunteer>),
    Coordinator(Box<Coordinator>),
}

pub(crate) struct Node {
    life: u64,
    machine: Machine,
    training: BTreeSet<Unit>,
    shards: Vec<u32>,
}

impl Node {
    pub(crate) fn life(&self) -> u64 {
        self.life
    }

    pub(crate) fn table(&self) -> &LeaseTable {
        match &self.machine {
            Machine::Volunteer(volunteer) => volunteer.table(),
            Machine::Coordinator(coordinator) => coordinator.table(),
        }
    }

    pub(crate) fn receipt(&self, unit: &Unit) -> Option<Arc<Statement>> {
        match &self.machine {
            Machine::Volunteer(_) => None,
            Machine::Coordinator(coordinator) => coordinator.receipt(unit).cloned(),
        }
    }

    pub(crate) fn stop_training(&mut self, unit: &Unit) -> bool {
        self.training.remove(unit)
    }

    fn touch(&mut self, path: u32) -> BTreeSet<u32> {
        self.shards.retain(|shard| *shard != path);
        self.shards.push(path);
        if self.shards.len() > SHARDS {
            self.shards.remove(0);
        }
        self.shards.iter().copied().collect()
    }
}

impl World {
    pub(super) fn make_volunteer(&mut self, node: usize, life: u64) -> Node {
        let outbox = self.outboxes.get(&node).into_iter().flatten();
        let outbox = outbox.map(|(unit, content)| OutboxItem { unit: *unit, content: *content, bytes: 100 });
        let start = VolunteerStart {
            me: key(node),
            run: RunId::from_bytes([5; 32]),
            operator: operator(),
            units: Arc::clone(self.units()),
            counter: self.moment().0 * 1000,
            seed: self.scenario.seed ^ node as u64,
            outbox: outbox.collect(),
            settings: VolunteerSettings { lease: self.scenario.lease, ..VolunteerSettings::default() },
        };
        let volunteer = Volunteer::new(self.moment(), start);
        Node {
            life,
            machine: Machine::Volunteer(Box::new(volunteer)),
            training: BTreeSet::new(),
            shards: Vec::new(),
        }
    }

    pub(super) fn make_coordinator(&mut self, life: u64) -> Node {
        let start = CoordinatorStart {
            me: key(COORDINATOR),
            operator: operator(),
            delegation: delegation(),
            units: Arc::clone(self.units()),
            report_limits: vec![1000; self.scenario.rows.len()],
            stored: self.store.clone(),
            settings: CoordinatorSettings { lease: self.scenario.lease, ..CoordinatorSettings::default() },
        };
        let mut effects = Vec::new();
        let coordinator = Coordinator::new(self.moment(), start, &mut effects).unwrap();
        self.pending.extend(effects);
        Node {
            life,
            machine: Machine::Coordinator(Box::new(coordinator)),
            training: BTreeSet::new(),
            shards: Vec::new(),
        }
    }

    /// Does what a coordinator asked for before it was part of the world.
    pub(super) fn act(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        self.coordinator_effects(pending);
    }

    pub(super) fn volunteer(&mut self, node: usize, event: VolunteerEvent) {
        let now = self.moment();
        let mut effects = Vec::new();
        match self.nodes.get_mut(&node).map(|node| &mut node.machine) {
            Some(Machine::Volunteer(volunteer)) => volunteer.handle(now, event, &mut effects),
            _ => return,
        }
        for effect in effects {
            self.volunteer_effect(node, effect);
        }
    }

    fn volunteer_effect(&mut self, node: usize, effect: VolunteerEffect) {
        match effect {
            VolunteerEffect::Say(says) => self.say(node, says),
            VolunteerEffect::Train { unit, .. } => {
                let (least, most) = self.scenario.training_ms;
                let wait = least + self.below(most - least + 1);
                let life = self.life(node);
                let Some(trainer) = self.nodes.get_mut(&node) else { return };
                assert!(trainer.training.insert(unit), "asked twice to train {unit}");
                let shards = trainer.touch(unit.path);
                self.after(wait, Event::Trained(node, life, unit));
                self.volunteer(node, VolunteerEvent::ShardsInMemory(shards));
            }
            VolunteerEffect::Abandon { unit } => {
                if self.nodes.get_mut(&node).is_some_and(|node| node.stop_training(&unit)) {
                    self.metrics.abandoned += 1;
                }
            }
            VolunteerEffect::Keep { unit, content } => {
                self.outboxes.entry(node).or_default().insert(unit, content);
            }
            VolunteerEffect::Forget { unit, .. } => {
                self.outboxes.entry(node).or_default().remove(&unit);
            }
            VolunteerEffect::Offer { unit, content, .. } => self.offer(node, unit, content),
            VolunteerEffect::SyncWith(peer) => self.sync(node, peer),
            VolunteerEffect::Note(_) => {}
            VolunteerEffect::Finished(_) => {
                self.ended.insert(node);
            }
        }
    }

    pub(super) fn coordinator(&mut self, event: CoordinatorEvent) {
        let now = self.moment();
        let mut effects = Vec::new();
        match self.nodes.get_mut(&COORDINATOR).map(|node| &mut node.machine) {
            Some(Machine::Coordinator(coordinator)) => coordinator.handle(now, event, &mut effects),
            _ => return,
        }
        self.coordinator_effects(effects);
    }

    fn coordinator_effects(&mut self, effects: Vec<CoordinatorEffect>) {
        for effect in effects {
            match effect {
                CoordinatorEffect::Say(says) => self.say(COORDINATOR, says),
                CoordinatorEffect::Answer { to, unit, content, answer } => {
                    self.answer(to, unit, content, answer);
                }
                CoordinatorEffect::End { to, unit, end, .. } => self.end(to, unit, end),
                CoordinatorEffect::Store { unit, content } => {
                    let life = self.life(COORDINATOR);
                    self.after(9, Event::Written { unit, content, life });
                }
                CoordinatorEffect::Drop { unit, content } => {
                    self.store.retain(|stored| *stored != (unit, content));
                }
                CoordinatorEffect::Assemble { round } => {
                    let life = self.life(COORDINATOR);
                    self.after(20, Event::Assembled(round, life));
                }
                CoordinatorEffect::SyncWith(peer) => self.sync(COORDINATOR, peer),
                CoordinatorEffect::Note(_) | CoordinatorEffect::Exit => {}
            }
        }
    }

    fn sync(&mut self, node: usize, peer: protocol::PeerKey) {
        let with = self.nodes.keys().copied().find(|other| key(*other) == peer);
        let latency = 2 * self.latency();
        if let Some(with) = with {
            self.after(latency, Event::Exchange(node, with));
        }
    }
}
