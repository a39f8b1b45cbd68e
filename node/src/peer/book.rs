//! The address book: where peers of a run said they can be reached, and whom to dial next. Pure; the disk is the caller's.

use std::collections::BTreeMap;

use protocol::{Address, PeerKey, PeerRecord, Signed};

/// A peer keeps at least this many connections to members of its run, besides the coordinator's.
pub(crate) const NEIGHBOURS_MIN: usize = 4;
/// It dials no more once it has this many.
pub(crate) const NEIGHBOURS_MAX: usize = 8;
/// Peers remembered; beyond that the ones that failed most, then the largest keys, go first.
const PEERS_MAX: usize = 512;
/// Peers that only others named; the smallest key goes first.
const NAMED_MAX: usize = 16;
/// Waiting between tries with one peer, doubled with every failure up to the maximum.
const RETRY_MS: u64 = 1_000;
const RETRY_MAX_MS: u64 = 60_000;

#[derive(Debug, Clone)]
struct Entry {
    record: Signed<PeerRecord>,
    failures: u32,
    next_try: u64,
}

/// What is known of other peers' addresses.
#[derive(Debug, Default)]
pub(crate) struct AddressBook {
    peers: BTreeMap<PeerKey, Entry>,
    /// When to try again with a peer that somebody else named, a delegation for example, and that said nothing itself yet.
    named: BTreeMap<PeerKey, (u32, u64)>,
}

impl AddressBook {
    /// Takes a peer's own signed word for its addresses; the higher counter rules. Whether it was news.
    pub(crate) fn learn(&mut self, record: Signed<PeerRecord>) -> bool {
        let key = record.signer();
        if let Some(known) = self.peers.get_mut(&key) {
            let newer = record.value().counter > known.record.value().counter;
            if newer {
                *known = Entry { record, failures: 0, next_try: 0 };
            }
            return newer;
        }
        if self.peers.len() >= PEERS_MAX {
            let worst = self.peers.iter().max_by_key(|(_, e)| e.failures).map(|(key, _)| *key);
            if let Some(worst) = worst {
                self.peers.remove(&worst);
            }
        }
        self.peers.insert(key, Entry { record, failures: 0, next_try: 0 });
        true
    }

    /// The addresses of a peer.
    pub(crate) fn addresses(&self, key: PeerKey) -> Vec<Address> {
        self.peers.get(&key).map(|e| e.record.value().addresses.clone()).unwrap_or_default()
    }

    /// At most `most` signed records to hand on, those of connected peers first, then those that failed least.
    pub(crate) fn to_share(&self, connected: &[PeerKey], most: usize) -> Vec<&Signed<PeerRecord>> {
        let mut entries: Vec<_> = self.peers.iter().collect();
        entries.sort_by_key(|(key, entry)| (!connected.contains(key), entry.failures));
        entries.into_iter().take(most).map(|(_, entry)| &entry.record).collect()
    }

    /// Whom to dial now so as to have enough neighbours: not oneself, not who is connected, not who failed just now.
    /// Each is then taken as tried; [`connected`](Self::connected) or [`failed`](Self::failed) says how it went.
    pub(crate) fn dial_now(
        &mut self,
        now: u64,
        me: PeerKey,
        connected: &[PeerKey],
        neighbours: usize,
    ) -> Vec<PeerKey> {
        if neighbours >= NEIGHBOURS_MIN {
            return Vec::new();
        }
        let mut candidates: Vec<(u32, [u8; 32], PeerKey)> = self
            .peers
            .iter()
            .filter(|(key, entry)| **key != me && !connected.contains(key) && entry.next_try <= now)
            .map(|(key, entry)| (entry.failures, spread(me, *key), *key))
            .collect();
        candidates.sort_unstable();
        let chosen: Vec<PeerKey> =
            candidates.into_iter().take(NEIGHBOURS_MAX - neighbours).map(|(_, _, key)| key).collect();
        for key in &chosen {
            if let Some(entry) = self.peers.get_mut(key) {
                entry.next_try = now.saturating_add(RETRY_MS);
            }
        }
        chosen
    }

    /// This one peer, whether it is in the book or not, if a try with it is due now; it is then taken as tried.
    pub(crate) fn due(&mut self, key: PeerKey, now: u64) -> Option<PeerKey> {
        let next_try = match self.peers.get_mut(&key) {
            Some(entry) => &mut entry.next_try,
            None => {
                if self.named.len() >= NAMED_MAX && !self.named.contains_key(&key) {
                    self.named.pop_first();
                }
                &mut self.named.entry(key).or_default().1
            }
        };
        if *next_try > now {
            return None;
        }
        *next_try = now.saturating_add(RETRY_MS);
        Some(key)
    }

    /// The peer was reached.
    pub(crate) fn connected(&mut self, key: PeerKey) {
        if let Some(entry) = self.peers.get_mut(&key) {
            entry.failures = 0;
        }
    }

    /// The peer was not reached: wait longer before the next try.
    pub(crate) fn failed(&mut self, key: PeerKey, now: u64) {
        let tries = match self.peers.get_mut(&key) {
            Some(entry) => Some((&mut entry.failures, &mut entry.next_try)),
            None => self.named.get_mut(&key).map(|(failures, next_try)| (failures, next_try)),
        };
        if let Some((failures, next_try)) = tries {
            *failures = failures.saturating_add(1);
            let wait = RETRY_MS.saturating_mul(1 << (*failures).min(6)).min(RETRY_MAX_MS);
            *next_try = now.saturating_add(wait);
        }
    }

    /// The signed records, to be kept on disk.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Signed<PeerRecord>> {
        self.peers.values().map(|entry| &entry.record)
    }
}

/// Peers dial in different orders, so that connections spread.
fn spread(me: PeerKey, other: PeerKey) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(me.as_bytes());
    hasher.update(other.as_bytes());
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Identity, RunId};

    fn record(seed: u8, counter: u64) -> Signed<PeerRecord> {
        let address = "/ip4/127.0.0.1/tcp/4001".parse().unwrap();
        let record = PeerRecord { addresses: vec![address], counter };
        Signed::sign(&Identity::from_seed(&[seed; 32]), RunId::from_bytes([0; 32]), record).unwrap()
    }

    #[test]
    fn the_newer_record_rules() {
        let mut book = AddressBook::default();
        assert!(book.learn(record(1, 5)));
        assert!(!book.learn(record(1, 4)));
        assert!(!book.learn(record(1, 5)));
        assert!(book.learn(record(1, 6)));
        assert_eq!(book.records().count(), 1);
    }

    #[test]
    fn a_peer_that_failed_waits_longer_each_time() {
        let me = Identity::from_seed(&[9; 32]).key();
        let mut book = AddressBook::default();
        book.learn(record(1, 1));
        let key = record(1, 1).signer();
        assert_eq!(book.dial_now(0, me, &[], 0), [key]);
        book.failed(key, 0);
        assert_eq!(book.dial_now(1_999, me, &[], 0), []);
        assert_eq!(book.dial_now(2_000, me, &[], 0), [key]);
        book.failed(key, 2_000);
        assert_eq!(book.dial_now(5_999, me, &[], 0), []);
        assert_eq!(book.dial_now(6_000, me, &[key], 0), []);
        assert_eq!(book.dial_now(6_000, me, &[], NEIGHBOURS_MIN), []);
    }

    #[test]
    fn a_peer_that_was_only_named_is_tried_now_and_then() {
        let mut book = AddressBook::default();
        let key = record(1, 1).signer();
        assert_eq!(
            (book.due(key, 0), book.due(key, 999), book.due(key, 1_000)),
            (Some(key), None, Some(key))
        );
        book.failed(key, 1_000);
        assert_eq!((book.due(key, 2_999), book.due(key, 3_000)), (None, Some(key)));
        for seed in 0..=255 {
            book.due(record(seed, 1).signer(), 0);
        }
        assert!(book.named.len() <= NAMED_MAX);
    }

    #[test]
    fn the_book_is_bounded() {
        let mut book = AddressBook::default();
        for seed in 0..=255u8 {
            book.learn(record(seed, 1));
        }
        assert!(book.records().count() <= PEERS_MAX);
        assert_eq!(book.to_share(&[], 32).len(), 32);
    }
}
