//! What can be set about a coordinator.

use std::time::Duration;

use crate::lease::LeaseTimes;

/// What a coordinator does when the model is written and announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterRun {
    /// Goes.
    Exit,
    /// Stays, for peers that come late.
    Stay,
}

/// A coordinator's limits and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoordinatorSettings {
    /// How long leases last: only what it shows depends on it.
    pub lease: LeaseTimes,
    /// Reports received, checked and stored at once: as many as let the store's commits be shared.
    pub receptions: usize,
    /// And the bytes that they announce, in all; one alone may have more.
    pub reception_bytes: u64,
    /// Of these, from one peer.
    pub receptions_per_peer: usize,
    /// A reception that nothing was heard of for this long is given up.
    pub reception_time: Duration,
    /// Reports kept beside the accepted one, of one unit.
    pub disputes_per_unit: usize,
    /// And of all units.
    pub disputes: usize,
    /// After a store failed, nothing is taken for this long.
    pub full_pause: Duration,
    /// How often it compares tables with a peer: it may have lost what it said itself.
    pub sync_every: Duration,
    /// Receipts said again per tick after a start.
    pub receipts_per_tick: usize,
    /// How long the end of the run is announced.
    pub farewell: Duration,
    /// And how often.
    pub farewell_every: Duration,
    /// What comes then.
    pub after_run: AfterRun,
}

impl Default for CoordinatorSettings {
    fn default() -> Self {
        Self {
            lease: LeaseTimes::default(),
            receptions: 64,
            reception_bytes: 1 << 30,
            receptions_per_peer: 4,
            reception_time: Duration::from_secs(600),
            disputes_per_unit: 2,
            disputes: 64,
            full_pause: Duration::from_secs(5),
            sync_every: Duration::from_secs(10),
            receipts_per_tick: 64,
            farewell: Duration::from_secs(5),
            farewell_every: Duration::from_secs(1),
            after_run: AfterRun::Exit,
        }
    }
}
