//! What every handle may read without asking the task: who is connected, where we listen, what was dropped.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use libp2p::Multiaddr;
use protocol::PeerKey;

use crate::traffic::Meter;

/// What was dropped since the start because a bound was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drops {
    /// Gossip of others that the reader of events had no room for.
    pub gossip_in: u64,
    /// Gossip of our own that found nobody in time, or no room.
    pub gossip_out: u64,
    /// Requests of others, because of no room or too many in hand.
    pub requests_in: u64,
    /// Streams of others, because of no room or too many in hand.
    pub streams_in: u64,
    /// News about addresses that the reader of events had no room for.
    pub hearsay: u64,
}

/// Counters behind [`Drops`].
#[derive(Debug, Default)]
pub(crate) struct DropCounters {
    pub(crate) gossip_in: AtomicU64,
    pub(crate) gossip_out: AtomicU64,
    pub(crate) requests_in: AtomicU64,
    pub(crate) streams_in: AtomicU64,
    pub(crate) hearsay: AtomicU64,
}

impl DropCounters {
    pub(crate) fn read(&self) -> Drops {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Drops {
            gossip_in: read(&self.gossip_in),
            gossip_out: read(&self.gossip_out),
            requests_in: read(&self.requests_in),
            streams_in: read(&self.streams_in),
            hearsay: read(&self.hearsay),
        }
    }
}

/// Adds to a counter.
pub(crate) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

/// Written by the task, read by the handles.
#[derive(Debug, Default)]
pub(crate) struct State {
    connected: RwLock<BTreeSet<PeerKey>>,
    listening: RwLock<Vec<Multiaddr>>,
    pub(crate) drops: DropCounters,
    pub(crate) meter: Arc<Meter>,
}

impl State {
    pub(crate) fn connected(&self) -> Vec<PeerKey> {
        self.connected.read().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    pub(crate) fn set_connected(&self, key: PeerKey, connected: bool) {
        let mut all = self.connected.write().unwrap_or_else(PoisonError::into_inner);
        if connected {
            all.insert(key);
        } else {
            all.remove(&key);
        }
    }

    pub(crate) fn forget_connections(&self) {
        self.connected.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn listening(&self) -> Vec<Multiaddr> {
        self.listening.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_listening(&self, addresses: Vec<Multiaddr>) {
        *self.listening.write().unwrap_or_else(PoisonError::into_inner) = addresses;
    }
}
