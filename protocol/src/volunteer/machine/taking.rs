//! Choosing units, claiming them, beginning with them.

use std::collections::BTreeMap;

use super::{Effects, Job, Phase, SOON, Standing, Volunteer};
use crate::lease::{Moment, UnitIndex};
use crate::volunteer::event::{VolunteerEffect, VolunteerNote};
use crate::volunteer::pick::{Choice, Role};

impl Volunteer {
    fn choice(&self, now: Moment) -> Choice<'_> {
        Choice {
            now,
            me: &self.me,
            table: &self.table,
            memory: &self.memory,
            disk: &self.disk,
            order: &self.order,
            pace: self.pace,
            free_for: now.since(self.free_since),
        }
    }

    /// Whether this peer may train a unit now, and is not at it or through with it.
    fn is_free(&self, now: Moment, unit: UnitIndex) -> bool {
        let path = self.table.units().unit(unit).path;
        !self.jobs.contains_key(&unit)
            && !self.outbox.contains(unit)
            && !self.refused.contains(&unit)
            && self.failures.get(&path).is_none_or(|failure| failure.until <= now)
    }

    /// The paths of the other units in hand, then of those that would be taken up next.
    fn soon(&self, now: Moment, unit: UnitIndex) -> Vec<u32> {
        let path = |unit: UnitIndex| self.table.units().unit(unit).path;
        let mut soon = Vec::new();
        let mut held: Vec<_> = self.jobs.iter().map(|(other, job)| (job.turn, path(*other))).collect();
        held.sort_unstable();
        let held = held.into_iter().map(|(_, path)| path);
        let next = self.choice(now).paths(|unit| self.is_free(now, unit));
        for other in held.chain(next) {
            if other != path(unit) && !soon.contains(&other) && soon.len() < SOON {
                soon.push(other);
            }
        }
        soon
    }

    pub(super) fn pick(&mut self, now: Moment) -> Option<(UnitIndex, Role)> {
        if self.choice(now).is_deferring() {
            return None;
        }
        if let Some(unit) = self.pick_open(now) {
            return Some((unit, Role::Lease));
        }
        if now < self.next_idle_look {
            return None;
        }
        let choice = self.choice(now);
        let free = |unit: UnitIndex| self.is_free(now, unit);
        let reachable = self.coordinator.is_some_and(|coordinator| self.peers.contains(&coordinator));
        let repeat = if reachable { choice.repeat(free) } else { None };
        let mut picked = repeat.map(|unit| (unit, Role::Repeat));
        // Looking through all leases is much for thousands of idle peers, and mostly none can be overdue.
        if picked.is_none() && now.since(self.no_lease_before) >= choice.overdue() {
            picked = choice.double(free).map(|unit| (unit, Role::Double));
            self.no_lease_before = choice.oldest_lease();
        }
        self.next_idle_look = now.after(self.settings.idle_look);
        picked
    }

    fn pick_open(&self, now: Moment) -> Option<UnitIndex> {
        let choice = self.choice(now);
        let free = |unit: UnitIndex| self.is_free(now, unit);
        // A unit that this peer can't hold it still can train, when there is nothing else.
        let holdable = |unit: UnitIndex| free(unit) && self.table.next_epoch(unit, &self.me).is_some();
        choice.open(holdable).or_else(|| choice.open(free))
    }

    /// Claims more than it trains where units are short: as many as it will come to within the time that a claim needs to
    /// get around, so that others know of it before the work begins. Never more than its share of what is open.
    pub(super) fn hold(&mut self, now: Moment, effects: &mut Effects) {
        let Some(pace) = self.pace.filter(|_| self.phase == Phase::Working) else { return };
        let ahead = self.settings.ahead.as_millis() / pace.as_millis().max(1);
        let ahead = usize::try_from(ahead).unwrap_or(usize::MAX).min(self.settings.held);
        let held = |jobs: &BTreeMap<UnitIndex, Job>| jobs.values().filter(|job| job.began.is_none()).count();
        while held(&self.jobs) < ahead {
            let open = self.table.view().open().len();
            if (held(&self.jobs) + 1) * self.table.view().peers_heard().max(1) * 2 > open {
                return;
            }
            let Some(unit) = self.pick_open(now) else { return };
            self.take(now, unit, Role::Lease, effects);
        }
    }

    /// The unit that is held longest.
    pub(super) fn next_held(&self) -> Option<UnitIndex> {
        let held = self.jobs.iter().filter(|(_, job)| job.began.is_none());
        held.min_by_key(|(_, job)| job.turn).map(|(unit, _)| *unit)
    }

    pub(super) fn take(&mut self, now: Moment, unit: UnitIndex, role: Role, effects: &mut Effects) {
        self.turns += 1;
        let job = Job {
            role,
            turn: self.turns,
            began: None,
            trained: false,
            epoch: None,
            standing: Standing::Listed,
        };
        self.jobs.insert(unit, job);
        self.claim(now, unit, effects);
    }

    pub(super) fn begin(&mut self, now: Moment, unit: UnitIndex, effects: &mut Effects) {
        let name = self.table.units().unit(unit);
        let Some(job) = self.jobs.get_mut(&unit) else { return };
        job.began = Some(now);
        let Job { role, epoch, .. } = *job;
        effects.push(VolunteerEffect::Note(match role {
            Role::Lease => VolunteerNote::Took { unit: name, epoch },
            Role::Repeat => VolunteerNote::Repeats { unit: name },
            Role::Double => VolunteerNote::Doubles { unit: name },
        }));
        let soon = self.soon(now, unit);
        effects.push(VolunteerEffect::Train { unit: name, soon });
    }
}
