//! Records and view together, as volunteer and coordinator use them.

use std::sync::Arc;

use super::moment::Moment;
use super::outcome::Outcome;
use super::progress::{PathProgress, Progress};
use super::records::LeaseRecords;
use super::state::UnitState;
use super::statement::Statement;
use super::times::LeaseTimes;
use super::units::{UnitIndex, Units};
use super::view::{News, View};
use crate::ids::PeerKey;

/// A peer's lease table: what was said, and what follows from it here and now.
#[derive(Debug, Clone)]
pub struct LeaseTable {
    records: LeaseRecords,
    view: View,
}

impl LeaseTable {
    /// An empty table for a run of this shape and operator.
    #[must_use]
    pub fn new(now: Moment, units: Arc<Units>, operator: PeerKey, times: LeaseTimes) -> Self {
        let view = View::new(now, &units, times);
        Self { records: LeaseRecords::new(units, operator), view }
    }

    /// Takes up a statement that is certain to be its signer's, about this run.
    pub fn merge(&mut self, now: Moment, statement: &Arc<Statement>) -> Outcome {
        let (outcome, dropped) = self.records.replace(statement);
        if let Outcome::Applied(change) = outcome {
            let news = News { statement, dropped: dropped.as_ref() };
            self.view.observe(now, &self.records, &news, change);
        }
        outcome
    }

    /// Lets time pass.
    pub fn advance(&mut self, now: Moment) {
        self.view.advance(now, &self.records);
    }

    /// What was said.
    #[must_use]
    pub fn records(&self) -> &LeaseRecords {
        &self.records
    }

    /// What follows from it.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The run's units.
    #[must_use]
    pub fn units(&self) -> &Arc<Units> {
        self.records.units()
    }

    /// The state of a unit of the run.
    #[must_use]
    pub fn state(&self, unit: UnitIndex) -> UnitState {
        self.view.state(unit, &self.records)
    }

    /// Whose live claims a unit has, the winning one first. A finished unit has a claimant when somebody trains it
    /// again.
    #[must_use]
    pub fn claimants(&self, unit: UnitIndex) -> Vec<PeerKey> {
        self.view.claimants(unit, &self.records)
    }

    /// How many units are leased to a peer.
    #[must_use]
    pub fn leases(&self, peer: &PeerKey) -> usize {
        self.view.leases(peer, &self.records)
    }

    /// The epoch in which a peer can claim a unit: the lowest without a dead claim, not below its own earlier bid, and
    /// such that the claim is kept. `None` when it can't hold this unit (again); it may train it all the same.
    #[must_use]
    pub fn next_epoch(&self, unit: UnitIndex, peer: &PeerKey) -> Option<u32> {
        self.view.next_epoch(&self.records, unit, peer)
    }

    /// How far the run is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let view = &self.view;
        Progress {
            open: view.open().len(),
            leased: view.leased().len(),
            finished: view.finished().len(),
            done: view.done(),
        }
    }

    /// How far every path is, layer by layer.
    #[must_use]
    pub fn grid(&self) -> Vec<PathProgress> {
        let units = self.units();
        let mut stages = units.indices().map(|index| self.view.stage(index));
        let layers = units.layers() as usize;
        let paths = units.paths().iter();
        paths
            .map(|path| PathProgress { path: *path, layers: stages.by_ref().take(layers).collect() })
            .collect()
    }
}
