//! Counted places: how many things that others started are in our hands, in all and per peer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::PeerKey;

/// A number of places that is shared among peers.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    taken: Arc<Mutex<Taken>>,
    max: usize,
    per_peer: usize,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_peer: BTreeMap<PeerKey, usize>,
}

impl Slots {
    pub(crate) fn new(max: usize, per_peer: usize) -> Self {
        Self { taken: Arc::default(), max, per_peer }
    }

    /// A place for this peer, or none when all places or the peer's share are taken.
    pub(crate) fn take(&self, peer: PeerKey) -> Option<Slot> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_peer = taken.by_peer.get(&peer).copied().unwrap_or(0);
        if taken.all >= self.max || of_peer >= self.per_peer {
            return None;
        }
        taken.all += 1;
        taken.by_peer.insert(peer, of_peer + 1);
        Some(Slot { taken: Arc::clone(&self.taken), peer })
    }
}

/// One taken place; dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct Slot {
    taken: Arc<Mutex<Taken>>,
    peer: PeerKey,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        if let Some(of_peer) = taken.by_peer.get_mut(&self.peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                taken.by_peer.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_in_all_and_per_peer_and_come_back() {
        let [a, b, c] = [1, 2, 3].map(|n| PeerKey::from_bytes([n; 32]));
        let slots = Slots::new(3, 2);
        let first = slots.take(a).unwrap();
        let _second = slots.take(a).unwrap();
        assert!(slots.take(a).is_none(), "its share is taken");
        let third = slots.take(b).unwrap();
        assert!(slots.take(c).is_none(), "all places are taken");
        drop(third);
        let _fourth = slots.take(c).unwrap();
        drop(first);
        assert!(slots.take(a).is_some());
        let taken = slots.taken.lock().unwrap();
        assert_eq!((taken.all, taken.by_peer.len()), (2, 2));
    }
}
