//! What a peer has seen of a run's pace, and its answer to who asks how far the run is.

use std::sync::Arc;

use net::Reply;
use protocol::lease::{LeaseTable, Moment, Outcome, Statement, Units};
use protocol::{Answer, Pace, RunId, RunStatus, Way};

use super::answering::{encoded, send};

/// An answer is given again as it is for so long, in milliseconds: a look through the whole table must not be had for the
/// asking. At least this, and longer with the size of the table: a second for the largest.
const FRESH: usize = 20;
const UNITS_PER_MILLI: usize = 1_000;

/// Looks on while a run goes.
pub(crate) struct Watch {
    pace: Pace,
    answer: Option<(Moment, Vec<u8>)>,
}

impl Watch {
    /// From now on.
    pub(crate) fn new(now: Moment, units: &Arc<Units>) -> Self {
        Self { pace: Pace::new(now, units), answer: None }
    }

    /// Takes note of a statement and of what the table made of it.
    pub(crate) fn observe(&mut self, now: Moment, statement: &Statement, outcome: Outcome, way: Way) {
        self.pace.observe(now, statement, outcome, way);
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, now: Moment, table: &LeaseTable) {
        self.pace.advance(now, table.view());
    }

    /// How fast the run goes.
    pub(crate) fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Tells who asks how far the run is.
    pub(crate) async fn tell(&mut self, now: Moment, run: RunId, table: &LeaseTable, reply: Reply) {
        let fresh = FRESH.max(table.units().len() / UNITS_PER_MILLI) as u128;
        let known = self.answer.as_ref().filter(|(made, _)| now.since(*made).as_millis() < fresh);
        let bytes = match known {
            Some((_, bytes)) => bytes.clone(),
            None => {
                let status = RunStatus::of(now, run, table, &self.pace);
                let Some(bytes) = encoded(&Answer::Status(Box::new(status))) else { return };
                self.answer = Some((now, bytes.clone()));
                bytes
            }
        };
        send(reply, bytes).await;
    }
}
