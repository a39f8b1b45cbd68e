//! Statements that reach their peers.

use std::sync::Arc;

use protocol::lease::{Moment, Outcome, Stage, Statement};
use protocol::volunteer::VolunteerEffect;

use super::{COORDINATOR, World};
use crate::machine::{Machine, Mind};

/// Fewer peers than this are told one after the other.
const MANY: usize = 96;
/// What so many of them need is read ahead.
const AT_ONCE: usize = 16;

/// What some peers made of a statement.
#[derive(Default)]
struct Heard {
    delivered: u64,
    known: u64,
    applied: u64,
    effects: Vec<(usize, Vec<VolunteerEffect>)>,
}

impl Heard {
    fn count(&mut self, outcome: Outcome) {
        self.delivered += 1;
        self.known += u64::from(outcome == Outcome::Known);
        self.applied += u64::from(matches!(outcome, Outcome::Applied(_)));
    }
}

impl World {
    /// Gives a statement to peers, whose numbers ascend. On several threads where it has them: peers don't see each other,
    /// and what they want done is done in their order, so nothing depends on how many there are.
    pub(super) fn deliver_all(&mut self, peers: &[u32], statement: &Arc<Statement>) {
        let Some(pool) = self.pool.clone().filter(|_| peers.len() >= MANY) else {
            for peer in peers {
                self.deliver(*peer as usize, statement);
            }
            return;
        };
        let volunteers = match peers {
            [first, volunteers @ ..] if *first as usize == COORDINATOR => {
                self.deliver(COORDINATOR, statement);
                volunteers
            }
            volunteers => volunteers,
        };
        let now = Moment(self.now);
        let mut wanted = volunteers.iter().map(|peer| *peer as usize).peekable();
        let mut listeners: Vec<(usize, &mut Machine)> = Vec::with_capacity(volunteers.len());
        for (number, machine) in self.machines.iter_mut().enumerate() {
            if wanted.next_if_eq(&number).is_some() {
                listeners.push((number, machine));
            }
        }
        // This thread takes a part as well: it is awake.
        let share = listeners.len().div_ceil(pool.current_num_threads() + 1).max(1);
        let mut shares: Vec<(&mut [_], Heard)> =
            listeners.chunks_mut(share).map(|listeners| (listeners, Heard::default())).collect();
        pool.in_place_scope(|scope| {
            let mut shares = shares.iter_mut();
            let own = shares.next();
            for (listeners, heard) in shares {
                scope.spawn(move |_| *heard = hear_all(now, listeners, statement));
            }
            if let Some((listeners, heard)) = own {
                *heard = hear_all(now, listeners, statement);
            }
        });
        let heard: Vec<Heard> = shares.into_iter().map(|(_, heard)| heard).collect();
        for heard in heard {
            self.measure.delivered += heard.delivered;
            self.measure.known += heard.known;
            self.measure.applied += heard.applied;
            for (number, effects) in heard.effects {
                for effect in effects {
                    self.volunteer_effect(number, effect);
                }
            }
        }
    }

    /// Gives a statement to one peer.
    pub(super) fn deliver(&mut self, number: usize, statement: &Arc<Statement>) {
        let Some(machine) = self.machines.get_mut(number).filter(|machine| machine.is_up()) else { return };
        let now = Moment(self.now);
        let mut heard = Heard::default();
        match &mut machine.mind {
            Mind::Gone => return,
            Mind::Volunteer(volunteer) => {
                let mut effects = Vec::new();
                heard.count(volunteer.hear(now, statement, &mut effects));
                for effect in effects {
                    self.volunteer_effect(number, effect);
                }
            }
            Mind::Coordinator(coordinator) => {
                let mut effects = Vec::new();
                heard.count(coordinator.hear(now, statement, &mut effects));
                self.coordinator_effects(effects);
            }
        }
        self.measure.delivered += heard.delivered;
        self.measure.known += heard.known;
        self.measure.applied += heard.applied;
    }
}

/// Some volunteers hear a statement.
fn hear_all(now: Moment, listeners: &mut [(usize, &mut Machine)], statement: &Arc<Statement>) -> Heard {
    let mut heard = Heard::default();
    for few in listeners.chunks_mut(AT_ONCE) {
        look_ahead(few, statement);
        for (number, machine) in few {
            if !machine.is_up() {
                continue;
            }
            let Mind::Volunteer(volunteer) = &mut machine.mind else { continue };
            let mut effects = Vec::new();
            heard.count(volunteer.hear(now, statement, &mut effects));
            if !effects.is_empty() {
                heard.effects.push((*number, effects));
            }
        }
    }
    heard
}

/// Reads what some volunteers will need to hear a statement. Thousands of tables are in no cache: reading one after the other
/// waits for memory each time, and reads that don't depend on each other are served side by side.
fn look_ahead(listeners: &[(usize, &mut Machine)], statement: &Statement) {
    let tables = || listeners.iter().filter_map(|(_, machine)| machine.table());
    let mut seen: usize = tables().map(|table| table.view().done()).sum();
    let unit = statement.says().unit();
    if let Some(unit) = unit.and_then(|unit| tables().next()?.units().index(&unit)) {
        for table in tables() {
            seen += usize::from(table.records().word(unit).is_some());
            seen += usize::from(table.view().stage(unit) == Stage::Open);
        }
    }
    std::hint::black_box(seen);
}
