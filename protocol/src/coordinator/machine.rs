//! The coordinator as a state machine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::event::{CoordinatorEffect, CoordinatorEvent, CoordinatorNote, HeaderAnswer, ReportEnd};
use super::reception::Receptions;
use super::settings::{AfterRun, CoordinatorSettings};
use crate::ids::{ContentHash, ModelHash, PeerKey};
use crate::lease::{Change, LeaseTable, Moment, Outcome, Says, Statement, UnitIndex, Units, Word};
use crate::records::{Complete, Receipt, Reopen};
use crate::unit::Unit;

/// Seconds that a busy coordinator asks to wait: a reception takes moments, a full disk longer.
const BUSY_SECONDS: u32 = 0;
const FULL_SECONDS: u32 = 5;
/// And one that keeps as many differing reports as it can.
const DISPUTED_SECONDS: u32 = 300;

/// What a coordinator starts from.
#[derive(Debug, Clone)]
pub struct CoordinatorStart {
    /// Its key.
    pub me: PeerKey,
    /// Who signed the run's manifest.
    pub operator: PeerKey,
    /// The delegation that names it.
    pub delegation: Arc<Statement>,
    /// The run's units.
    pub units: Arc<Units>,
    /// The largest report of each path, in bytes; a path without an entry has none.
    pub report_limits: Vec<u64>,
    /// The reports that lie in its store, in the order in which they were stored: the first of a unit is accepted,
    /// others lie beside it.
    pub stored: Vec<(Unit, ContentHash)>,
    /// Its limits and times.
    pub settings: CoordinatorSettings,
}

/// A delegation that does not name this peer, or is not the operator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the delegation is not the operator's, or names another coordinator: `opendipaco delegate` writes one"
)]
pub struct NotDelegated;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Collecting,
    Assembling,
    /// Until asked to try again.
    Stuck,
    Farewell {
        model: ModelHash,
        until: Moment,
        next: Moment,
    },
    Over,
    /// Another peer coordinates.
    Superseded,
}

/// A coordinator in one run. See the module.
#[derive(Debug, Clone)]
pub struct Coordinator {
    me: PeerKey,
    number: u64,
    settings: CoordinatorSettings,
    table: LeaseTable,
    report_limits: Vec<u64>,
    stored: BTreeMap<UnitIndex, ContentHash>,
    /// Reports beside accepted ones, as they came.
    beside: BTreeMap<UnitIndex, Vec<ContentHash>>,
    receptions: Receptions,
    /// Units whose receipt is to be said.
    unsaid: VecDeque<UnitIndex>,
    peers: BTreeSet<PeerKey>,
    /// When it last compared tables, and how often it did.
    synced: Moment,
    syncs: usize,
    full_until: Moment,
    phase: Phase,
    round: u64,
}

type Effects = Vec<CoordinatorEffect>;

impl Coordinator {
    /// A coordinator that has just started. Reports of none of the run's units are left alone.
    ///
    /// # Errors
    /// [`NotDelegated`].
    pub fn new(now: Moment, start: CoordinatorStart, effects: &mut Effects) -> Result<Self, NotDelegated> {
        let CoordinatorStart { me, operator, delegation, units, report_limits, stored: reports, settings } =
            start;
        let mut stored = BTreeMap::new();
        let mut beside = BTreeMap::new();
        for (unit, content) in reports {
            let Some(index) = units.index(&unit) else { continue };
            if *stored.entry(index).or_insert(content) != content {
                beside.entry(index).or_insert_with(Vec::new).push(content);
            }
        }
        let mut table = LeaseTable::new(now, Arc::clone(&units), operator, settings.lease);
        table.merge(now, &delegation);
        let number = match table.records().delegation() {
            Some(ruling) if ruling.coordinator == me => ruling.number,
            _ => return Err(NotDelegated),
        };
        let mut coordinator = Self {
            me,
            number,
            settings,
            table,
            report_limits,
            unsaid: stored.keys().copied().collect(),
            stored,
            beside,
            receptions: Receptions::default(),
            peers: BTreeSet::new(),
            synced: now,
            syncs: 0,
            full_until: now,
            phase: Phase::Collecting,
            round: 0,
        };
        coordinator.assemble_if_whole(effects);
        Ok(coordinator)
    }

    /// Takes an event and writes down what is to be done, in this order.
    pub fn handle(&mut self, now: Moment, event: CoordinatorEvent, effects: &mut Effects) {
        match event {
            CoordinatorEvent::Heard(statement) => drop(self.hear(now, &statement, effects)),
            CoordinatorEvent::PeerSeen(peer) => {
                if self.peers.insert(peer) {
                    effects.push(CoordinatorEffect::SyncWith(peer));
                }
            }
            CoordinatorEvent::PeerGone(peer) => drop(self.peers.remove(&peer)),
            CoordinatorEvent::HeaderArrived { from, unit, content, length } => {
                let answer = self.header(now, from, unit, content, length, effects);
                if let HeaderAnswer::No(why) = &answer {
                    let note = CoordinatorNote::Refused { from, unit, why: why.clone() };
                    effects.push(CoordinatorEffect::Note(note));
                }
                effects.push(CoordinatorEffect::Answer { to: from, unit, content, answer });
            }
            CoordinatorEvent::ReceptionFailed { from, unit, content } => {
                if let Some(index) = self.index(&unit) {
                    self.receptions.fail(index, content, &from);
                }
            }
            CoordinatorEvent::Checked { from, unit, content, verdict } => {
                self.checked(now, from, unit, content, verdict, effects);
            }
            CoordinatorEvent::Stored { unit, content } => self.report_stored(unit, content, effects),
            CoordinatorEvent::StoreFailed { unit, content, why } => {
                self.store_failed(now, unit, content, why, effects);
            }
            CoordinatorEvent::Assembled { round, model } => self.assembled(now, round, model, effects),
            CoordinatorEvent::AssemblyFailed { round, why } => {
                if round == self.round && self.phase == Phase::Assembling {
                    self.phase = Phase::Stuck;
                    effects.push(CoordinatorEffect::Note(CoordinatorNote::AssemblyFailed { why }));
                }
            }
            CoordinatorEvent::Tick => self.tick(now, effects),
        }
    }

    /// Takes up a statement, as [`CoordinatorEvent::Heard`] does, and says what it was worth.
    pub fn hear(&mut self, now: Moment, statement: &Arc<Statement>, effects: &mut Effects) -> Outcome {
        let outcome = self.table.merge(now, statement);
        match outcome {
            Outcome::Applied(Change::Word(unit)) => self.word(unit, effects),
            Outcome::Applied(Change::Delegation) => self.delegated(effects),
            _ => {}
        }
        outcome
    }

    /// The lease table.
    #[must_use]
    pub fn table(&self) -> &LeaseTable {
        &self.table
    }

    /// Whether the model is written and the end of the run is being announced, or was.
    #[must_use]
    pub fn is_announcing(&self) -> bool {
        matches!(self.phase, Phase::Farewell { .. } | Phase::Over)
    }

    /// The accepted reports, in the order of their units.
    pub fn stored(&self) -> impl Iterator<Item = (Unit, ContentHash)> {
        self.stored.iter().map(|(unit, content)| (self.table.units().unit(*unit), *content))
    }

    /// The reports that lie beside accepted ones.
    pub fn disputed(&self) -> impl Iterator<Item = (Unit, ContentHash)> {
        let unit = |index: &UnitIndex| self.table.units().unit(*index);
        self.beside.iter().flat_map(move |(index, contents)| contents.iter().map(move |c| (unit(index), *c)))
    }

    /// The signed receipt of a unit, if its newest word is one.
    #[must_use]
    pub fn receipt(&self, unit: &Unit) -> Option<&Arc<Statement>> {
        let index = self.index(unit)?;
        let statement = self.table.records().word_statement(index)?;
        matches!(statement.says(), Says::Receipt(_)).then_some(statement)
    }

    /// Opens a unit again: its accepted report was proven wrong and leaves the store. If another report lies beside it,
    /// the oldest of these is accepted in the next generation. Nothing happens to a unit that has none.
    pub fn reopen(&mut self, unit: &Unit, effects: &mut Effects) {
        let Some(index) = self.index(unit) else { return };
        if !self.speaks() {
            return;
        }
        let Some(content) = self.stored.remove(&index) else { return };
        effects.push(CoordinatorEffect::Drop { unit: *unit, content });
        if let Some(others) = self.beside.get_mut(&index).filter(|others| !others.is_empty()) {
            self.stored.insert(index, others.remove(0));
        }
        if self.phase != Phase::Over {
            self.phase = Phase::Collecting;
        }
        // Back as heard, it brings the receipt of what is stored now.
        self.say_reopen(index, effects);
        self.assemble_if_whole(effects);
    }

    /// Tries again to write the model after it failed, for instance because the source is back.
    pub fn assemble_again(&mut self, effects: &mut Effects) {
        if self.phase == Phase::Stuck {
            self.phase = Phase::Collecting;
            self.assemble_if_whole(effects);
        }
    }

    fn index(&self, unit: &Unit) -> Option<UnitIndex> {
        self.table.units().index(unit)
    }

    fn speaks(&self) -> bool {
        self.phase != Phase::Superseded
    }

    fn header(
        &mut self,
        now: Moment,
        from: PeerKey,
        unit: Unit,
        content: ContentHash,
        length: u64,
        effects: &mut Effects,
    ) -> HeaderAnswer {
        let Some(index) = self.index(&unit) else {
            return HeaderAnswer::No(format!("this run has no {unit}"));
        };
        if !self.speaks() {
            return HeaderAnswer::Busy(FULL_SECONDS);
        }
        let limit = self.report_limits.get(unit.path as usize).copied().unwrap_or(0);
        if length > limit {
            return HeaderAnswer::No(format!(
                "it announces {length} bytes, a report of path {} has at most {limit}",
                unit.path
            ));
        }
        let accepted = self.stored.get(&index).copied();
        let beside = self.beside.get(&index).map_or(&[][..], Vec::as_slice);
        if accepted == Some(content) || beside.contains(&content) {
            self.say_receipt(index, effects);
            return HeaderAnswer::Have;
        }
        if self.receptions.contains(index, content)
            || self.receptions.len() >= self.settings.receptions
            || self.receptions.from(&from) >= self.settings.receptions_per_peer
            || self.is_too_much(&from, length)
        {
            return HeaderAnswer::Busy(BUSY_SECONDS);
        }
        if now < self.full_until {
            return HeaderAnswer::Busy(FULL_SECONDS);
        }
        let others = beside.len() + self.receptions.of(index);
        if others > 0 || accepted.is_some() {
            let all: usize = self.beside.values().map(Vec::len).sum();
            if all >= self.settings.disputes || beside.len() >= self.settings.disputes_per_unit {
                // Not a refusal: for that the reporter would let go of what may be the honest one.
                return HeaderAnswer::Busy(DISPUTED_SECONDS);
            }
            if others > self.settings.disputes_per_unit {
                return HeaderAnswer::Busy(BUSY_SECONDS);
            }
        }
        self.receptions.begin(now, index, content, from, length);
        HeaderAnswer::Send
    }

    /// Whether so many bytes more are too many at once: in all, or, beside what it sends already, from one peer, who must not
    /// take up what others need. One report alone may have any size.
    fn is_too_much(&self, from: &PeerKey, length: u64) -> bool {
        let most = self.settings.reception_bytes;
        let over = |others: u64, most: u64| others > 0 && others.saturating_add(length) > most;
        over(self.receptions.bytes(), most) || over(self.receptions.bytes_from(from), most / 4)
    }

    fn checked(
        &mut self,
        now: Moment,
        from: PeerKey,
        unit: Unit,
        content: ContentHash,
        verdict: Result<(), String>,
        effects: &mut Effects,
    ) {
        let Some(index) = self.index(&unit) else { return };
        match verdict {
            Ok(()) if self.receptions.store(now, index, content, &from) => {
                effects.push(CoordinatorEffect::Store { unit, content });
            }
            Err(why) if self.receptions.fail(index, content, &from) => {
                let note = CoordinatorNote::Refused { from, unit, why: why.clone() };
                effects.push(CoordinatorEffect::Note(note));
                effects.push(CoordinatorEffect::End { to: from, unit, content, end: ReportEnd::No(why) });
            }
            // Given up in between: the sender offers it again.
            _ => {
                let end = ReportEnd::Busy(BUSY_SECONDS);
                effects.push(CoordinatorEffect::End { to: from, unit, content, end });
            }
        }
    }

    fn report_stored(&mut self, unit: Unit, content: ContentHash, effects: &mut Effects) {
        let Some(index) = self.index(&unit) else { return };
        let Some(reception) = self.receptions.end(index, content) else { return };
        let end = match self.stored.get(&index).copied() {
            Some(accepted) if accepted != content => {
                self.beside.entry(index).or_default().push(content);
                let note = CoordinatorNote::Disputed { unit, accepted, other: content };
                effects.push(CoordinatorEffect::Note(note));
                ReportEnd::Kept
            }
            _ => {
                self.stored.insert(index, content);
                self.say_receipt(index, effects);
                let (stored, of) = (self.stored.len(), self.table.units().len());
                effects.push(CoordinatorEffect::Note(CoordinatorNote::Accepted { unit, stored, of }));
                ReportEnd::Stored
            }
        };
        effects.push(CoordinatorEffect::End { to: reception.from, unit, content, end });
        self.assemble_if_whole(effects);
    }

    fn store_failed(
        &mut self,
        now: Moment,
        unit: Unit,
        content: ContentHash,
        why: String,
        effects: &mut Effects,
    ) {
        let Some(index) = self.index(&unit) else { return };
        self.full_until = now.after(self.settings.full_pause);
        let Some(reception) = self.receptions.end(index, content) else { return };
        effects.push(CoordinatorEffect::Note(CoordinatorNote::StoreFailed { unit, why }));
        let end = ReportEnd::Busy(FULL_SECONDS);
        effects.push(CoordinatorEffect::End { to: reception.from, unit, content, end });
    }

    fn assemble_if_whole(&mut self, effects: &mut Effects) {
        if self.phase == Phase::Collecting && self.stored.len() == self.table.units().len() {
            self.phase = Phase::Assembling;
            self.round += 1;
            effects.push(CoordinatorEffect::Assemble { round: self.round });
        }
    }

    fn assembled(&mut self, now: Moment, round: u64, model: ModelHash, effects: &mut Effects) {
        // A unit that was opened again in between makes this model an old one.
        if round != self.round || self.phase != Phase::Assembling {
            return;
        }
        self.phase = Phase::Farewell { model, until: now.after(self.settings.farewell), next: now };
        effects.push(CoordinatorEffect::Note(CoordinatorNote::Complete { model }));
        self.tick(now, effects);
    }

    fn tick(&mut self, now: Moment, effects: &mut Effects) {
        self.table.advance(now);
        self.receptions.give_up(now, self.settings.reception_time);
        if self.speaks() {
            for _ in 0..self.settings.receipts_per_tick {
                let Some(unit) = self.unsaid.pop_front() else { break };
                self.say_receipt(unit, effects);
            }
        }
        if now.since(self.synced) >= self.settings.sync_every {
            self.synced = now;
            let turn = self.syncs.checked_rem(self.peers.len()).unwrap_or(0);
            effects.extend(self.peers.iter().nth(turn).map(|peer| CoordinatorEffect::SyncWith(*peer)));
            self.syncs = self.syncs.wrapping_add(1);
        }
        let Phase::Farewell { model, until, next } = self.phase else { return };
        if now >= until {
            self.phase = Phase::Over;
            if self.settings.after_run == AfterRun::Exit {
                effects.push(CoordinatorEffect::Exit);
            }
        } else if now >= next {
            let next = now.after(self.settings.farewell_every);
            self.phase = Phase::Farewell { model, until, next };
            let complete = Complete { delegation: self.number, model };
            effects.push(CoordinatorEffect::Say(Says::Complete(complete)));
        }
    }

    fn delegated(&mut self, effects: &mut Effects) {
        let Some(ruling) = self.table.records().delegation() else { return };
        if ruling.coordinator == self.me {
            // The operator renewed it: from now on words carry the new number.
            self.number = ruling.number;
        } else if self.speaks() {
            let by = ruling.coordinator;
            self.phase = Phase::Superseded;
            effects.push(CoordinatorEffect::Note(CoordinatorNote::Superseded { by }));
        }
    }

    /// A word about a unit came back, perhaps from before a restart, perhaps of an earlier coordinator.
    fn word(&mut self, unit: UnitIndex, effects: &mut Effects) {
        if !self.speaks() {
            return;
        }
        if self.stored.contains_key(&unit) {
            self.say_receipt(unit, effects);
        } else if matches!(self.table.records().word(unit), Some(Word::Receipted { .. })) {
            self.say_reopen(unit, effects);
        }
    }

    /// Says the receipt of a stored unit unless it is the newest word already.
    fn say_receipt(&mut self, index: UnitIndex, effects: &mut Effects) {
        let Some(content) = self.stored.get(&index).copied() else { return };
        let generation = match self.table.records().word(index) {
            None => 0,
            Some(Word::Receipted { delegation, content: said, .. })
                if delegation == self.number && said == content =>
            {
                return;
            }
            Some(Word::Receipted { delegation, generation, .. }) if delegation == self.number => {
                generation.saturating_add(1)
            }
            Some(Word::Receipted { generation, .. } | Word::Reopened { generation, .. }) => generation,
        };
        let unit = self.table.units().unit(index);
        let receipt = Receipt { delegation: self.number, unit, generation, content };
        effects.push(CoordinatorEffect::Say(Says::Receipt(receipt)));
    }

    fn say_reopen(&mut self, index: UnitIndex, effects: &mut Effects) {
        let generation = match self.table.records().word(index) {
            Some(Word::Receipted { generation, .. } | Word::Reopened { generation, .. }) => {
                generation.saturating_add(1)
            }
            None => 1,
        };
        let unit = self.table.units().unit(index);
        effects.push(CoordinatorEffect::Note(CoordinatorNote::Reopened { unit, generation }));
        let reopen = Reopen { delegation: self.number, unit, generation };
        effects.push(CoordinatorEffect::Say(Says::Reopen(reopen)));
    }
}
