//! Connections that are being made, and who waits for them.

use std::collections::BTreeMap;

use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError as SwarmDialError};
use libp2p::{Multiaddr, PeerId, connection_limits};
use protocol::PeerKey;
use tokio::sync::oneshot;

use crate::error::{DialError, Tried, dial_reason, is_unsupported};
use crate::keys::{to_key, to_peer};

pub(crate) type Answer = oneshot::Sender<Result<PeerKey, DialError>>;

/// One dial and its callers.
#[derive(Debug)]
pub(crate) struct Dial {
    /// Whom they want; none when whoever answers is right.
    pub(crate) wanted: Option<PeerKey>,
    /// Where it is tried.
    pub(crate) addresses: Vec<Multiaddr>,
    /// What failed in earlier rounds.
    pub(crate) tried: Vec<Tried>,
    /// Who waits.
    pub(crate) answers: Vec<Answer>,
}

impl Dial {
    /// How it is put to the swarm; none when it has neither an address nor a peer.
    pub(crate) fn options(&self) -> Option<DialOpts> {
        // TCP from the port that also listens can meet the other side's dial half-way, or a connection that
        // has just ended; QUIC has one socket for everything.
        let tcp = |part: Protocol<'_>| matches!(part, Protocol::Tcp(_));
        let new_port = self.addresses.is_empty() || self.addresses.iter().any(|one| one.iter().any(tcp));
        let Some(key) = self.wanted else {
            let options = DialOpts::unknown_peer_id().address(self.addresses.first()?.clone());
            return Some(if new_port { options.allocate_new_port().build() } else { options.build() });
        };
        let options = DialOpts::peer_id(to_peer(&key).ok()?)
            .condition(PeerCondition::Always)
            .addresses(self.addresses.clone())
            .extend_addresses_through_behaviour();
        Some(if new_port { options.allocate_new_port().build() } else { options.build() })
    }

    /// Tells everyone how it ended.
    pub(crate) fn finish(self, result: &Result<PeerKey, DialError>) {
        for answer in self.answers {
            // A caller may have stopped waiting.
            let _ = answer.send(result.clone());
        }
    }
}

/// All dials under way.
#[derive(Debug, Default)]
pub(crate) struct Dials {
    under_way: BTreeMap<ConnectionId, Dial>,
}

impl Dials {
    pub(crate) fn began(&mut self, id: ConnectionId, dial: Dial) {
        self.under_way.insert(id, dial);
    }

    /// Waits with those who want the same peer already; gives the answer back when nobody does.
    pub(crate) fn join(&mut self, key: PeerKey, answer: Answer) -> Option<Answer> {
        match self.under_way.values_mut().find(|dial| dial.wanted == Some(key)) {
            Some(dial) => {
                dial.answers.push(answer);
                None
            }
            None => Some(answer),
        }
    }

    /// A connection stands: answers those who dialed it, and everyone who wants this peer, whoever dialed.
    pub(crate) fn established(&mut self, id: ConnectionId, key: PeerKey) {
        let mut done: Vec<ConnectionId> = vec![id];
        done.extend(self.under_way.iter().filter(|(_, dial)| dial.wanted == Some(key)).map(|(id, _)| *id));
        for id in done {
            if let Some(dial) = self.under_way.remove(&id) {
                dial.finish(&Ok(key));
            }
        }
    }

    /// Takes a dial that failed, if somebody still waits for it.
    pub(crate) fn take(&mut self, id: ConnectionId) -> Option<Dial> {
        self.under_way.remove(&id)
    }
}

/// An address without the peer at its end, and that peer.
pub(crate) fn split(address: &Multiaddr) -> (Multiaddr, Option<PeerId>) {
    let mut bare = address.clone();
    match bare.pop() {
        Some(Protocol::P2p(peer)) => (bare, Some(peer)),
        _ => (address.clone(), None),
    }
}

/// A peer for people: its key, or libp2p's name of another kind of key.
fn name(peer: &PeerId) -> String {
    to_key(peer).map_or_else(|| peer.to_string(), |key| key.to_string())
}

/// Why a dial failed. `wanted` is the peer that was to be reached.
pub(crate) fn explain(error: SwarmDialError, wanted: Option<PeerKey>, mut tried: Vec<Tried>) -> DialError {
    match error {
        SwarmDialError::LocalPeerId { address } => DialError::Itself { address: address.to_string() },
        SwarmDialError::NoAddresses => match wanted {
            Some(key) => DialError::NoAddress { key },
            None => DialError::Refused { reason: "there was no address".to_owned() },
        },
        SwarmDialError::DialPeerConditionFalse(_) => {
            DialError::Refused { reason: "it is being made already".to_owned() }
        }
        SwarmDialError::Aborted => DialError::Refused { reason: "it was given up".to_owned() },
        SwarmDialError::WrongPeerId { obtained, address } => DialError::WrongPeer {
            address: split(&address).0,
            expected: wanted.map_or_else(|| "anyone else".to_owned(), |key| key.to_string()),
            found: name(&obtained),
        },
        SwarmDialError::Denied { cause } => DialError::Refused {
            reason: match cause.downcast_ref::<connection_limits::Exceeded>() {
                Some(exceeded) => exceeded.to_string(),
                None => "this node does not want it".to_owned(),
            },
        },
        SwarmDialError::Transport(errors) => {
            if let [(address, error)] = errors.as_slice()
                && tried.is_empty()
                && is_unsupported(error)
            {
                return DialError::Unsupported { address: split(address).0 };
            }
            tried.extend(
                errors
                    .iter()
                    .map(|(address, error)| Tried { address: split(address).0, reason: dial_reason(error) }),
            );
            DialError::Unreachable { tried }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peer_at_the_end_of_an_address_is_split_off() {
        let peer = PeerId::random();
        let bare: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
        assert_eq!(split(&bare), (bare.clone(), None));
        assert_eq!(split(&bare.clone().with(Protocol::P2p(peer))), (bare, Some(peer)));
    }

    #[test]
    fn callers_who_want_the_same_peer_share_a_dial() {
        let key = PeerKey::from_bytes([1; 32]);
        let mut dials = Dials::default();
        let (first, mut first_result) = oneshot::channel();
        let (second, mut second_result) = oneshot::channel();
        assert!(dials.join(key, first).is_some_and(|first| {
            let dial = Dial { wanted: Some(key), addresses: vec![], tried: vec![], answers: vec![first] };
            dials.began(ConnectionId::new_unchecked(1), dial);
            true
        }));
        assert!(dials.join(key, second).is_none());
        // The peer's own dial comes first: that is a connection as well.
        dials.established(ConnectionId::new_unchecked(2), key);
        assert_eq!(first_result.try_recv().unwrap(), Ok(key));
        assert_eq!(second_result.try_recv().unwrap(), Ok(key));
        assert!(dials.take(ConnectionId::new_unchecked(1)).is_none());
    }
}
