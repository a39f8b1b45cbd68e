//! What can be set about a volunteer. All of it is the volunteer's own business.

use std::time::Duration;

use crate::lease::LeaseTimes;

/// A volunteer's limits and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VolunteerSettings {
    /// How long leases last.
    pub lease: LeaseTimes,
    /// How many units it trains at once. One unit already uses all cores.
    pub parallel: usize,
    /// It claims as many units beside those in training as it will come to within this time...
    pub ahead: Duration,
    /// ... and never more than so many.
    pub held: usize,
    /// Without an answer from a neighbour it starts to work after this long.
    pub settle: Duration,
    /// Who loses a unit lets go of it if it began less than this ago.
    pub contest: Duration,
    /// How many reports it offers at once.
    pub offers: usize,
    /// How often it compares tables with a neighbour.
    pub sync_every: Duration,
    /// The same while it has nothing to do: what it waits for may have got lost.
    pub idle_sync_every: Duration,
    /// How often an idle volunteer looks whether there is something to repeat or to double.
    pub idle_look: Duration,
}

impl Default for VolunteerSettings {
    fn default() -> Self {
        Self {
            lease: LeaseTimes::default(),
            parallel: 1,
            ahead: Duration::from_secs(1),
            held: 8,
            settle: Duration::from_secs(1),
            contest: Duration::from_secs(2),
            offers: 4,
            sync_every: Duration::from_secs(30),
            idle_sync_every: Duration::from_secs(5),
            idle_look: Duration::from_millis(250),
        }
    }
}
