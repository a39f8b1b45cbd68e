//! Records and view together, as volunteer and coordinator use them.

use std::sync::Arc;

use super::moment::Moment;
use super::progress::{PathProgress, Progress};
use super::records::{LeaseRecords, Outcome};
use super::statement::Statement;
use super::times::LeaseTimes;
use super::units::Units;
use super::view::View;
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
        let outcome = self.records.merge(statement);
        if let Outcome::Applied(change) = outcome {
            self.view.observe(now, &self.records, statement, change);
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

    /// The epoch in which a peer can claim a unit: [`View::next_epoch`].
    #[must_use]
    pub fn next_epoch(&self, unit: super::units::UnitIndex, peer: &PeerKey) -> Option<u32> {
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
        let mut stages = units.indices().map(|index| self.view.state(index).stage());
        let layers = units.layers() as usize;
        let paths = units.paths().iter();
        paths
            .map(|path| PathProgress { path: *path, layers: stages.by_ref().take(layers).collect() })
            .collect()
    }
}
