//! Numbers for people.

use super::state::Stage;

/// How many units are in which stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Nobody holds them.
    pub open: usize,
    /// Somebody trains them.
    pub leased: usize,
    /// Trained, not acknowledged yet.
    pub finished: usize,
    /// Acknowledged by the coordinator.
    pub done: usize,
}

impl Progress {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> usize {
        self.open + self.leased + self.finished + self.done
    }
}

/// One path's layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathProgress {
    /// The path.
    pub path: u32,
    /// The stage of each layer, in order.
    pub layers: Vec<Stage>,
}
