//! The two hashes by which peers agree without talking: who wins a tie, and who looks where first.

use crate::ids::{PeerKey, RunId};
use crate::unit::Unit;

const TIE: &[u8] = b"opendipaco lease tie v1";
const RENDEZVOUS: &[u8] = b"opendipaco rendezvous v1";

/// Breaks ties between claims of one unit and epoch: the smaller hash wins.
///
/// The first 8 bytes, little endian, of BLAKE3 over `opendipaco lease tie v1`, path, layer, part, replica, epoch (4
/// bytes each, little endian) and the peer's key.
#[must_use]
pub fn tie_hash(unit: &Unit, epoch: u32, peer: &PeerKey) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(TIE);
    feed_unit(&mut hasher, unit);
    hasher.update(&epoch.to_le_bytes());
    hasher.update(peer.as_bytes());
    first_8(&hasher)
}

/// In which order a peer looks at units when it has no better reason: the smaller hash first. Every peer has another
/// order, so that peers spread over the units by themselves.
///
/// As [`tie_hash`], over `opendipaco rendezvous v1`, the run's id, the unit (4 times 4 bytes) and the peer's key.
#[must_use]
pub fn rendezvous_hash(run: &RunId, unit: &Unit, peer: &PeerKey) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(RENDEZVOUS);
    hasher.update(run.as_bytes());
    feed_unit(&mut hasher, unit);
    hasher.update(peer.as_bytes());
    first_8(&hasher)
}

fn feed_unit(hasher: &mut blake3::Hasher, unit: &Unit) {
    for part in [unit.path, unit.layer, unit.part, unit.replica] {
        hasher.update(&part.to_le_bytes());
    }
}

fn first_8(hasher: &blake3::Hasher) -> u64 {
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_values() {
        let peer = PeerKey::from_bytes([7; 32]);
        let run = RunId::from_bytes([9; 32]);
        assert_eq!(tie_hash(&Unit::new(3, 1), 0, &peer), 16_190_396_518_975_015_860);
        assert_eq!(tie_hash(&Unit::new(3, 1), 1, &peer), 17_126_608_529_259_042_404);
        assert_eq!(rendezvous_hash(&run, &Unit::new(3, 1), &peer), 13_954_850_802_155_545_123);
    }
}
