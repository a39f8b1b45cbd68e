//! How many exchanges of records a peer may ask for: each may go through the whole table.

use std::collections::BTreeMap;

use protocol::PeerKey;
use protocol::lease::Moment;

/// So many questions in a row: a newcomer's whole exchange, and more.
const IN_A_ROW: u64 = 512;
/// And one more in so many milliseconds.
const EVERY: u64 = 50;

/// Peers whose budgets are remembered. Of more, those who asked least of late are forgotten.
const PEERS: usize = 1_024;

/// What peers have left. Whoever goes and comes back has what it had.
#[derive(Debug, Default)]
pub(super) struct Budgets(BTreeMap<PeerKey, Budget>);

#[derive(Debug, Clone, Copy)]
struct Budget {
    left: u64,
    /// Until when it was reckoned.
    at: u64,
}

impl Budget {
    const FULL: Self = Self { left: IN_A_ROW, at: 0 };

    /// What there is of it now.
    fn reckon(&mut self, now: Moment) {
        let more = now.0.saturating_sub(self.at) / EVERY;
        self.at = self.at.saturating_add(more.saturating_mul(EVERY));
        self.left = self.left.saturating_add(more).min(IN_A_ROW);
    }
}

impl Budgets {
    /// Whether a peer may ask once more.
    pub(super) fn spend(&mut self, now: Moment, peer: PeerKey) -> bool {
        if !self.0.contains_key(&peer) && self.0.len() >= PEERS {
            self.make_room(now);
        }
        let budget = self.0.entry(peer).or_insert(Budget::FULL);
        budget.reckon(now);
        let may = budget.left > 0;
        budget.left = budget.left.saturating_sub(1);
        may
    }

    fn make_room(&mut self, now: Moment) {
        self.0.values_mut().for_each(|budget| budget.reckon(now));
        self.0.retain(|_, budget| budget.left < IN_A_ROW);
        let calmest = self.0.iter().max_by_key(|(_, budget)| budget.left).map(|(peer, _)| *peer);
        if let Some(peer) = calmest.filter(|_| self.0.len() >= PEERS) {
            self.0.remove(&peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_asks_as_often_as_it_needs_and_not_for_ever() {
        let (mut budgets, eager, calm) =
            (Budgets::default(), PeerKey::from_bytes([1; 32]), PeerKey::from_bytes([2; 32]));
        let in_a_row = (0..10_000).filter(|_| budgets.spend(Moment(7), eager)).count();
        assert_eq!(in_a_row as u64, IN_A_ROW);
        assert!(budgets.spend(Moment(7), calm), "what one spends is not another's");
        let in_a_second = (7..1_007).filter(|now| budgets.spend(Moment(*now), eager)).count();
        assert_eq!(in_a_second as u64, 1_000 / EVERY);
        // Rest makes up for it, up to the whole.
        let later = (0..10_000).filter(|_| budgets.spend(Moment(u64::MAX), eager)).count();
        assert_eq!(later as u64, IN_A_ROW);
    }
    #[test]
    fn one_who_asked_much_is_remembered_longest() {
        let peer = |number: u32| PeerKey::from_bytes(*blake3::hash(&number.to_le_bytes()).as_bytes());
        let mut budgets = Budgets::default();
        while budgets.spend(Moment(7), peer(0)) {}
        for number in 1..3_000 {
            assert!(budgets.spend(Moment(7), peer(number)));
            assert!(budgets.0.len() <= PEERS);
        }
        assert!(!budgets.spend(Moment(7), peer(0)));
    }
}
