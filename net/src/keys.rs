//! Between the project's name of a peer, its Ed25519 key, and libp2p's, a multihash of that key.

use libp2p::PeerId;
use libp2p::identity::{Keypair, PublicKey, ed25519};
use protocol::PeerKey;

/// A [`PeerKey`] that no Ed25519 key has: its 32 bytes are no point of the curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not an Ed25519 public key; check that it was copied completely")]
pub struct BadKey(pub PeerKey);

/// The multihash code of "the digest is the data itself", which small keys use (multihash table).
const IDENTITY: u64 = 0;

/// The key pair of a seed.
pub(crate) fn keypair(mut secret: [u8; 32]) -> Option<Keypair> {
    Keypair::ed25519_from_bytes(&mut secret).ok()
}

/// The name of a key pair's owner; `None` for other kinds of keys.
pub(crate) fn key_of(public: PublicKey) -> Option<PeerKey> {
    Some(PeerKey::from_bytes(public.try_into_ed25519().ok()?.to_bytes()))
}

/// The key inside a peer id; `None` for kinds of keys that this network doesn't know.
pub(crate) fn to_key(peer: &PeerId) -> Option<PeerKey> {
    let hash = peer.as_ref();
    if hash.code() != IDENTITY {
        return None;
    }
    key_of(PublicKey::try_decode_protobuf(hash.digest()).ok()?)
}

/// libp2p's name of a key.
pub(crate) fn to_peer(key: &PeerKey) -> Result<PeerId, BadKey> {
    let public = ed25519::PublicKey::try_from_bytes(key.as_bytes()).map_err(|_| BadKey(*key))?;
    Ok(PublicKey::from(public).to_peer_id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_has_the_key_of_rfc_8032() {
        let pair = keypair([
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
            0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
        ])
        .unwrap();
        let key = key_of(pair.public()).unwrap();
        assert_eq!(key.to_string(), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        assert_eq!(to_peer(&key), Ok(pair.public().to_peer_id()));
        assert_eq!(to_key(&pair.public().to_peer_id()), Some(key));
    }

    #[test]
    fn other_peer_ids_have_no_key() {
        assert_eq!(to_key(&"QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N".parse().unwrap()), None);
        assert_eq!(to_key(&PeerId::random()), None);
    }

    #[test]
    fn bytes_that_are_no_point_are_refused() {
        let bad = PeerKey::from_bytes([2; 32]);
        assert_eq!(to_peer(&bad), Err(BadKey(bad)));
    }
}
