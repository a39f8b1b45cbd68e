//! How long a lease lasts.

use std::time::Duration;

use super::moment::Moment;

/// The times and limits that a [`View`](super::View) applies. They are the peer's own: no record carries any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTimes {
    /// A lease lasts at least this long after its holder was last heard.
    pub least: Duration,
    /// And at least this long for every peer that speaks, since all of them share the gossip.
    pub per_peer: Duration,
    /// A claim ends this long after it was first seen, however often it is renewed; its signer can't hold the unit
    /// again. No lease is longer either.
    pub max_lease: Duration,
    /// How many units one peer can hold at once; its further claims wait. The oldest count.
    pub share: usize,
}

impl Default for LeaseTimes {
    /// 20 s, 0.6 s per peer, half an hour, 64 units.
    fn default() -> Self {
        Self {
            least: Duration::from_secs(20),
            per_peer: Duration::from_millis(600),
            max_lease: Duration::from_secs(1800),
            share: 64,
        }
    }
}

impl LeaseTimes {
    /// The default with another shortest lease, for networks that are meant to notice a loss sooner.
    #[must_use]
    pub fn with_least(least: Duration) -> Self {
        Self { least, ..Self::default() }
    }

    /// How long a lease lasts without a word from its holder when `peers` peers speak.
    #[must_use]
    pub fn lease(&self, peers: usize) -> Duration {
        let peers = u32::try_from(peers).unwrap_or(u32::MAX);
        self.least.max(self.per_peer.saturating_mul(peers)).min(self.max_lease)
    }

    /// When a peer that was last heard at `heard` falls silent.
    pub(crate) fn silent_at(&self, heard: Moment, peers: usize) -> Moment {
        heard.after(self.lease(peers))
    }
}
