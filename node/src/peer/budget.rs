//! How many exchanges of records a peer may ask for: each may go through the whole table.

use std::collections::BTreeMap;

use protocol::PeerKey;
use protocol::lease::Moment;

/// So many questions in a row: a newcomer's whole exchange, and more.
const IN_A_ROW: u64 = 512;
/// And one more in so many milliseconds.
const EVERY: u64 = 50;

/// What connected peers have left.
#[derive(Debug, Default)]
pub(super) struct Budgets(BTreeMap<PeerKey, Budget>);

#[derive(Debug)]
struct Budget {
    left: u64,
    /// Until when it was reckoned.
    at: u64,
}

impl Budgets {
    /// Whether a peer may ask once more.
    pub(super) fn spend(&mut self, now: Moment, peer: PeerKey) -> bool {
        let budget = self.0.entry(peer).or_insert(Budget { left: IN_A_ROW, at: now.0 });
        let more = now.0.saturating_sub(budget.at) / EVERY;
        budget.at = budget.at.saturating_add(more.saturating_mul(EVERY));
        budget.left = budget.left.saturating_add(more).min(IN_A_ROW);
        let may = budget.left > 0;
        budget.left = budget.left.saturating_sub(1);
        may
    }

    /// A peer is connected no more. Whoever comes back has a new one: connections are limited as well.
    pub(super) fn forget(&mut self, peer: &PeerKey) {
        self.0.remove(peer);
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
        assert_eq!(in_a_second as u64, 1_000 / EVERY - 1);
        // Rest makes up for it, up to the whole.
        let later = (0..10_000).filter(|_| budgets.spend(Moment(u64::MAX), eager)).count();
        assert_eq!(later as u64, IN_A_ROW);
        budgets.forget(&eager);
        assert!(budgets.spend(Moment(0), eager));
    }
}
