//! The volunteer as a state machine.

mod reports;
mod taking;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::event::{RunComplete, VolunteerEffect, VolunteerEvent, VolunteerNote};
use super::outbox::{Outbox, OutboxItem};
use super::pick::Role;
use super::settings::VolunteerSettings;
use crate::ids::{ContentHash, PeerKey, RunId};
use crate::lease::{
    Change, Ignored, LeaseTable, Moment, Outcome, Says, Statement, UnitIndex, UnitState, Units,
    rendezvous_hash,
};
use crate::records::{Claim, Heartbeat, Release};
use crate::unit::Unit;

/// After a shard failed: the first wait and the longest, in milliseconds.
const FAILED: (u64, u64) = (5_000, 600_000);

/// How many paths are told ahead.
const SOON: usize = 16;

/// What a volunteer starts from.
#[derive(Debug, Clone)]
pub struct VolunteerStart {
    /// Its key.
    pub me: PeerKey,
    /// The run.
    pub run: RunId,
    /// Who signed the run's manifest, and so may delegate.
    pub operator: PeerKey,
    /// The run's units.
    pub units: Arc<Units>,
    /// The last counter it used, or one that is certainly not below: the larger of what is remembered and the clock.
    pub counter: u64,
    /// Spreads its waits from those of others.
    pub seed: u64,
    /// The reports that lie on its disk.
    pub outbox: Vec<OutboxItem>,
    /// Its limits and times.
    pub settings: VolunteerSettings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waits for a neighbour's table before it takes anything.
    Joining,
    Working,
    Leaving,
    Complete,
}

#[derive(Debug, Clone, Copy)]
struct Job {
    role: Role,
    /// The how many-th it was to be taken up.
    turn: u64,
    /// When its training began; `None`: it is held for later.
    began: Option<Moment>,
    /// Whether it is trained, and its report is still being put away.
    trained: bool,
    /// Of its claim, if it could make one.
    epoch: Option<u32>,
    standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// As the table says.
    Listed,
    /// The table has no room for the claim: others have better ones.
    Crowded,
}

#[derive(Debug, Clone, Copy)]
struct Failure {
    tries: u32,
    /// When the last one was.
    at: Moment,
    until: Moment,
}

/// A volunteer in one run. See the module.
#[derive(Debug, Clone)]
pub struct Volunteer {
    me: PeerKey,
    settings: VolunteerSettings,
    table: LeaseTable,
    /// The upper halves of the rendezvous hashes of all units.
    order: Vec<u32>,
    counter: u64,
    seed: u64,
    phase: Phase,
    start: Moment,
    /// When it last woke from a sleep.
    woke: Option<Moment>,
    jobs: BTreeMap<UnitIndex, Job>,
    turns: u64,
    /// When the last training ended, or was given up.
    free_since: Moment,
    /// What a unit takes here, measured.
    pace: Option<Duration>,
    outbox: Outbox,
    memory: BTreeSet<u32>,
    disk: BTreeSet<u32>,
    /// Paths that failed.
    failures: BTreeMap<u32, Failure>,
    /// Units of which the coordinator refused our report: training again gives the same.
    refused: BTreeSet<UnitIndex>,
    peers: BTreeSet<PeerKey>,
    coordinator: Option<PeerKey>,
    spoke: Moment,
    synced: Moment,
    syncs: usize,
    next_idle_look: Moment,
    /// No unit is leased since before this, as far as it was looked.
    no_lease_before: Moment,
}

type Effects = Vec<VolunteerEffect>;

impl Volunteer {
    /// A volunteer that has just started. Items of the outbox that are none of the run's units are left alone.
    #[must_use]
    pub fn new(now: Moment, start: VolunteerStart) -> Self {
        let VolunteerStart { me, run, operator, units, counter, seed, outbox: items, settings } = start;
        let order = |unit| (rendezvous_hash(&run, &units.unit(unit), &me) >> 32) as u32;
        let order = units.indices().map(order).collect();
        let mut outbox = Outbox::new(seed);
        for item in items {
            if let Some(unit) = units.index(&item.unit) {
                outbox.add(now, unit, item.content, item.bytes);
            }
        }
        Self {
            me,
            table: LeaseTable::new(now, units, operator, settings.lease),
            order,
            counter,
            seed,
            phase: Phase::Joining,
            start: now,
            woke: None,
            jobs: BTreeMap::new(),
            turns: 0,
            free_since: now,
            pace: None,
            outbox,
            memory: BTreeSet::new(),
            disk: BTreeSet::new(),
            failures: BTreeMap::new(),
            refused: BTreeSet::new(),
            peers: BTreeSet::new(),
            coordinator: None,
            spoke: now,
            synced: now,
            syncs: 0,
            next_idle_look: now,
            no_lease_before: now,
            settings,
        }
    }

    /// Takes an event and writes down what is to be done, in this order.
    pub fn handle(&mut self, now: Moment, event: VolunteerEvent, effects: &mut Effects) {
        match event {
            VolunteerEvent::Heard(statement) => {
                self.hear(now, &statement, effects);
                return;
            }
            VolunteerEvent::PeerSeen(peer) => self.peer_seen(now, peer, effects),
            VolunteerEvent::PeerGone(peer) => drop(self.peers.remove(&peer)),
            VolunteerEvent::Synced(peer) => self.synced_with(now, peer, effects),
            VolunteerEvent::ShardsInMemory(paths) => self.memory = paths,
            VolunteerEvent::ShardsOnDisk(paths) => self.disk = paths,
            VolunteerEvent::TrainingOver { unit } => self.training_over(now, unit),
            VolunteerEvent::TrainingDone { unit, content, bytes } => {
                self.training_done(now, unit, content, bytes, effects);
            }
            VolunteerEvent::TrainingFailed { unit, why } => self.training_failed(now, unit, why, effects),
            VolunteerEvent::OfferAnswered { unit, answer } => self.offer_answered(now, unit, answer, effects),
            VolunteerEvent::Tick => self.tick(now, effects),
            VolunteerEvent::Awake => self.awake(now, effects),
            VolunteerEvent::Leave => self.leave(now, effects),
        }
        self.work(now, effects);
    }

    /// Takes up a statement, as [`VolunteerEvent::Heard`] does, and says what it was worth: what is applied is worth
    /// passing on, what is invalid speaks against whoever passed it on.
    pub fn hear(&mut self, now: Moment, statement: &Arc<Statement>, effects: &mut Effects) -> Outcome {
        let outcome = self.table.merge(now, statement);
        if statement.signer() == self.me {
            self.hear_own(now, statement, outcome, effects);
        }
        match outcome {
            Outcome::Applied(Change::Claims(unit) | Change::Finished(unit)) => {
                self.review(now, unit, effects)
            }
            Outcome::Applied(Change::Word(unit)) => {
                self.word(now, unit, effects);
                self.work(now, effects);
            }
            Outcome::Applied(Change::Delegation) => {
                self.delegated(now, effects);
                self.work(now, effects);
            }
            Outcome::Applied(Change::Complete) => self.complete(now, effects),
            _ => {}
        }
        outcome
    }

    /// The lease table.
    #[must_use]
    pub fn table(&self) -> &LeaseTable {
        &self.table
    }

    /// The last counter used: to be remembered for the next start.
    #[must_use]
    pub fn counter(&self) -> u64 {
        self.counter
    }

    /// The units that are being trained here.
    pub fn training(&self) -> impl Iterator<Item = Unit> {
        let training = self.jobs.iter().filter(|(_, job)| job.began.is_some() && !job.trained);
        training.map(|(unit, _)| self.table.units().unit(*unit))
    }

    /// How many units are claimed here: those in training, those whose report is being put away, and those held for later.
    #[must_use]
    pub fn held(&self) -> usize {
        self.jobs.len()
    }

    /// What a unit takes here, as measured so far.
    #[must_use]
    pub fn pace(&self) -> Option<Duration> {
        self.pace
    }

    /// How many reports wait for a receipt. A volunteer that leaves does well to wait a moment for them.
    #[must_use]
    pub fn unreceipted(&self) -> usize {
        self.outbox.waiting()
    }

    /// Whether a report is kept until the run is complete.
    #[must_use]
    pub fn keeps(&self, unit: &Unit, content: ContentHash) -> bool {
        let index = self.table.units().index(unit);
        index.is_some_and(|index| self.outbox.content(index) == Some(content))
    }

    /// The bytes of all reports that are kept.
    #[must_use]
    pub fn outbox_bytes(&self) -> u64 {
        self.outbox.bytes()
    }

    /// Who coordinates, once that is known.
    #[must_use]
    pub fn coordinator(&self) -> Option<PeerKey> {
        self.coordinator
    }

    fn peer_seen(&mut self, now: Moment, peer: PeerKey, effects: &mut Effects) {
        if self.peers.insert(peer) {
            effects.push(VolunteerEffect::SyncWith(peer));
        }
        if self.coordinator == Some(peer) {
            self.outbox.hurry(now);
        }
    }

    fn synced_with(&mut self, now: Moment, peer: PeerKey, effects: &mut Effects) {
        // A connection may have died in its sleep: then the exchange told nothing.
        if self.woke.is_none() || self.peers.contains(&peer) {
            self.settle(now, effects);
        }
    }

    fn settle(&mut self, now: Moment, effects: &mut Effects) {
        if self.phase != Phase::Joining {
            return;
        }
        self.phase = Phase::Working;
        if self.woke.is_none() {
            return;
        }
        // Its claims died of silence. What nobody took meanwhile it holds on to.
        let jobs: Vec<_> = self.jobs.keys().copied().collect();
        for unit in jobs {
            self.review(now, unit, effects);
            if self.jobs.contains_key(&unit) && !self.table.claimants(unit).contains(&self.me) {
                self.claim(now, unit, effects);
            }
        }
    }

    /// All that the table says is from before the sleep: it takes nothing up before it has heard what happened meanwhile. What
    /// is in hand goes on until then.
    fn awake(&mut self, now: Moment, effects: &mut Effects) {
        self.table.advance(now);
        if matches!(self.phase, Phase::Leaving | Phase::Complete) {
            return;
        }
        (self.phase, self.start, self.woke) = (Phase::Joining, now, Some(now));
        self.outbox.hurry(now);
        for _ in 0..self.peers.len().min(2) {
            self.sync_with_next(now, effects);
        }
    }

    /// Whether a job is from before a sleep, whose end is not long ago.
    fn is_doubted(&self, now: Moment, job: Job) -> bool {
        let before = |woke| job.began.is_none_or(|began| began <= woke);
        self.woke.is_some_and(|woke| before(woke) && now.since(woke) < self.lease())
    }

    /// Own statements come back as everybody else's. Some are from before a restart.
    fn hear_own(&mut self, now: Moment, statement: &Arc<Statement>, outcome: Outcome, effects: &mut Effects) {
        let Some(counter) = statement.says().counter() else { return };
        if counter > self.counter {
            self.counter = counter;
            let jobs: Vec<_> = self.jobs.keys().copied().collect();
            for unit in jobs {
                self.claim(now, unit, effects);
            }
        }
        if let Some(unit) = statement.says().unit().and_then(|unit| self.table.units().index(&unit))
            && matches!(outcome, Outcome::Applied(_))
        {
            self.insist(now, unit, effects);
        }
        let Says::Claim(claim) = statement.says() else { return };
        let Some(unit) = self.table.units().index(&claim.unit) else { return };
        match self.jobs.get_mut(&unit) {
            Some(job) if outcome == Outcome::Ignored(Ignored::Crowded) => {
                job.standing = Standing::Crowded;
                self.review(now, unit, effects);
            }
            Some(_) => {}
            None if matches!(outcome, Outcome::Applied(_)) && !self.outbox.contains(unit) => {
                self.release(now, unit, claim.epoch, effects);
            }
            None => {}
        }
    }

    fn delegated(&mut self, now: Moment, effects: &mut Effects) {
        let coordinator = self.table.records().delegation().map(|delegation| delegation.coordinator);
        if coordinator == self.coordinator {
            return;
        }
        self.coordinator = coordinator;
        // What one refused another may take.
        self.refused.clear();
        self.outbox.hurry(now);
        if let Some(key) = coordinator {
            effects.push(VolunteerEffect::Note(VolunteerNote::Coordinator(key)));
        }
    }

    fn complete(&mut self, now: Moment, effects: &mut Effects) {
        let Some(model) = self.table.records().complete() else { return };
        if self.phase == Phase::Complete {
            return;
        }
        self.phase = Phase::Complete;
        while let Some(unit) = self.jobs.first_key_value().map(|(unit, _)| *unit) {
            self.drop_job(now, unit, effects);
        }
        for (unit, content) in self.outbox.take_all() {
            effects.push(VolunteerEffect::Forget { unit: self.table.units().unit(unit), content });
        }
        effects.push(VolunteerEffect::Finished(RunComplete { model }));
    }

    fn tick(&mut self, now: Moment, effects: &mut Effects) {
        self.table.advance(now);
        // After a sleep the network may take a while to come back.
        let patience = if self.woke.is_some() { self.lease() / 2 } else { self.settings.settle };
        if now.since(self.start) >= patience {
            self.settle(now, effects);
        }
        let jobs: Vec<_> = self.jobs.keys().copied().collect();
        for unit in jobs {
            self.review(now, unit, effects);
        }
        let holds = !self.jobs.is_empty() || self.outbox.waiting() > 0;
        if holds && self.phase != Phase::Complete && now.since(self.spoke) >= self.table.view().lease() / 3 {
            let counter = self.count();
            self.say(now, Says::Heartbeat(Heartbeat { counter }), effects);
        }
        let pause = if holds { self.settings.sync_every } else { self.settings.idle_sync_every };
        if now.since(self.synced) >= pause && self.phase != Phase::Complete {
            self.sync_with_next(now, effects);
        }
    }

    fn sync_with_next(&mut self, now: Moment, effects: &mut Effects) {
        self.synced = now;
        let turn = self.syncs.checked_rem(self.peers.len()).unwrap_or(0);
        if let Some(peer) = self.peers.iter().nth(turn) {
            effects.push(VolunteerEffect::SyncWith(*peer));
        }
        self.syncs = self.syncs.wrapping_add(1);
    }

    fn leave(&mut self, now: Moment, effects: &mut Effects) {
        if self.phase != Phase::Complete {
            self.phase = Phase::Leaving;
        }
        while let Some(unit) = self.jobs.first_key_value().map(|(unit, _)| *unit) {
            let epoch = self.drop_job(now, unit, effects).and_then(|job| job.epoch);
            if let Some(epoch) = epoch {
                self.release(now, unit, epoch, effects);
            }
        }
    }

    /// Whether to go on with a unit that is being trained here.
    fn review(&mut self, now: Moment, unit: UnitIndex, effects: &mut Effects) {
        let Some(job) = self.jobs.get(&unit).copied() else { return };
        let name = self.table.units().unit(unit);
        let state = self.table.state(unit);
        if let UnitState::Done { .. } = state {
            self.drop_job(now, unit, effects);
            effects.push(VolunteerEffect::Note(VolunteerNote::NoLongerNeeded { unit: name }));
            return;
        }
        // One that was asleep does not insist: whoever took the unit meanwhile has it.
        let doubted = self.is_doubted(now, job);
        let taken = || self.table.claimants(unit).iter().any(|peer| *peer != self.me);
        let lost = self.has_lost(unit, job, state) || (doubted && job.role == Role::Lease && taken());
        // Work that was put into it is not thrown away, else, and what is trained already never.
        let late = job.began.is_some_and(|began| now.since(began) >= self.settings.contest);
        if !lost || job.trained || (late && !doubted) {
            return;
        }
        self.drop_job(now, unit, effects);
        effects.push(VolunteerEffect::Note(VolunteerNote::Yielded { unit: name }));
        if let Some(epoch) = job.epoch {
            self.release(now, unit, epoch, effects);
        }
    }

    /// Lets go of a unit, and of its training if that has begun.
    fn drop_job(&mut self, now: Moment, unit: UnitIndex, effects: &mut Effects) -> Option<Job> {
        let job = self.jobs.remove(&unit)?;
        if job.began.is_some() {
            if !job.trained {
                self.free_since = now;
            }
            effects.push(VolunteerEffect::Abandon { unit: self.table.units().unit(unit) });
        }
        Some(job)
    }

    fn has_lost(&self, unit: UnitIndex, job: Job, state: UnitState) -> bool {
        if job.standing == Standing::Crowded {
            return true;
        }
        if job.role == Role::Lease && matches!(state, UnitState::Finished { by } if by != self.me) {
            return true;
        }
        let claimants = self.table.claimants(unit);
        // One who doubles stands behind the holder from the start.
        let wins = if job.role == Role::Double { 2 } else { 1 };
        claimants.iter().position(|peer| *peer == self.me).is_some_and(|place| place >= wins)
    }

    /// Takes up and offers what there is.
    fn work(&mut self, now: Moment, effects: &mut Effects) {
        while self.phase == Phase::Working && self.training().count() < self.settings.parallel {
            let next = self.next_held().or_else(|| {
                let (unit, role) = self.pick(now)?;
                self.take(now, unit, role, effects);
                Some(unit)
            });
            let Some(unit) = next else { break };
            self.begin(now, unit, effects);
        }
        self.hold(now, effects);
        if let Some(to) = self.coordinator.filter(|_| self.phase != Phase::Complete) {
            for (unit, content) in self.outbox.due(now, self.settings.offers) {
                effects.push(VolunteerEffect::Offer { unit: self.table.units().unit(unit), content, to });
            }
        }
    }

    fn claim(&mut self, now: Moment, unit: UnitIndex, effects: &mut Effects) {
        let epoch = self.table.next_epoch(unit, &self.me);
        if let Some(job) = self.jobs.get_mut(&unit) {
            job.epoch = epoch;
        }
        if let Some(epoch) = epoch {
            let unit = self.table.units().unit(unit);
            let counter = self.count();
            self.say(now, Says::Claim(Claim { unit, epoch, counter }), effects);
        }
    }

    fn release(&mut self, now: Moment, unit: UnitIndex, epoch: u32, effects: &mut Effects) {
        let unit = self.table.units().unit(unit);
        let counter = self.count();
        self.say(now, Says::Release(Release { unit, epoch, counter }), effects);
    }

    fn say(&mut self, now: Moment, says: Says, effects: &mut Effects) {
        self.spoke = now;
        effects.push(VolunteerEffect::Say(says));
    }

    fn count(&mut self) -> u64 {
        self.counter = self.counter.saturating_add(1);
        self.counter
    }

    /// How long a lease lasts now: heartbeats are a third of it apart.
    #[must_use]
    pub fn lease(&self) -> Duration {
        self.table.view().lease()
    }
}
