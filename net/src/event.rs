//! What the network tells its owner, and what the owner answers.

use std::fmt;

use libp2p::Multiaddr;
use libp2p::request_response::ResponseChannel;
use protocol::PeerKey;
use tokio::sync::{mpsc, oneshot};

use crate::command::Command;
use crate::error::{Closed, ReplyError};
use crate::limits::REQUEST_BYTES_MAX;
use crate::slots::Slot;
use crate::stream::Stream;

/// Something that happened in the network.
#[derive(Debug)]
pub enum NetEvent {
    /// The first connection with this peer stands. Never lost, and always before anything else of the peer.
    Connected {
        /// The peer.
        key: PeerKey,
        /// Its address as seen from here. Of a peer that dialed, the port is not one to dial back to.
        address: Multiaddr,
        /// Who dialed.
        direction: Direction,
    },
    /// The last connection with this peer ended. Never lost.
    Disconnected {
        /// The peer.
        key: PeerKey,
    },
    /// Peers that the local network shows. Not connected yet.
    Discovered {
        /// The peer.
        key: PeerKey,
        /// Where it says it listens.
        addresses: Vec<Multiaddr>,
    },
    /// What a connected peer says about itself. Hearsay: none of it is checked.
    Identified {
        /// The peer.
        key: PeerKey,
        /// Where it says it listens, at most [`crate::IDENTIFIED_ADDRESSES_MAX`].
        addresses: Vec<Multiaddr>,
        /// Where it says it sees this node.
        observed: Multiaddr,
    },
    /// A gossip message. It goes on to others only after [`crate::Net::verdict`] with [`Verdict::Accept`].
    Gossip {
        /// The topic.
        topic: String,
        /// The message's id: BLAKE3 over the topic, its length first, and the bytes.
        id: GossipId,
        /// Who signed this message's journey. The id doesn't cover it: whoever says the same bytes first is
        /// named here, so who may say something is for a signature inside the bytes to tell.
        source: PeerKey,
        /// The neighbour it came from.
        from: PeerKey,
        /// The message.
        bytes: Vec<u8>,
    },
    /// A request that wants an answer.
    Request {
        /// Who asks.
        from: PeerKey,
        /// The question.
        bytes: Vec<u8>,
        /// The way back.
        reply: Reply,
    },
    /// A stream that a peer opened.
    Stream {
        /// Who opened it.
        from: PeerKey,
        /// The stream; reading and writing belong in separate tasks when both are long.
        stream: Stream,
    },
}

/// Who dialed a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// This node.
    Dialed,
    /// The peer.
    Accepted,
}

/// Names a gossip message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GossipId(pub(crate) [u8; 32]);

impl GossipId {
    /// The id of these bytes on this topic.
    #[must_use]
    pub fn of(topic: &str, bytes: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(topic.len() as u64).to_be_bytes());
        hasher.update(topic.as_bytes());
        hasher.update(bytes);
        Self(*hasher.finalize().as_bytes())
    }
}

impl fmt::Debug for GossipId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GossipId({:02x}{:02x}{:02x}{:02x})", self.0[0], self.0[1], self.0[2], self.0[3])
    }
}

/// What the owner thinks of a gossip message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Good: pass it on.
    Accept,
    /// Provably wrong for everyone: don't pass it on, and lower the standing of the peers that did.
    Reject,
    /// Not for us to judge, or of no use now: don't pass it on.
    Ignore,
}

/// The way back of one request. Dropping it closes the request unanswered, which the asking peer sees at once.
#[must_use = "dropping a reply tells the asking peer that there is no answer"]
pub struct Reply {
    pub(crate) key: PeerKey,
    pub(crate) channel: ResponseChannel<Vec<u8>>,
    /// Weak, so that an unanswered request keeps no network alive.
    pub(crate) commands: mpsc::WeakSender<Command>,
    /// Counts among the requests in hand until answered or dropped.
    pub(crate) slot: Slot,
}

impl Reply {
    /// Whether the peer still waits.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.channel.is_open()
    }

    /// Sends the answer, at most [`crate::REQUEST_BYTES_MAX`] bytes.
    ///
    /// # Errors
    ///
    /// When the answer is too large, when the peer no longer waits, when the network has ended. Either way the
    /// request is over.
    pub async fn send(self, bytes: Vec<u8>) -> Result<(), ReplyError> {
        if bytes.len() > REQUEST_BYTES_MAX {
            return Err(ReplyError::TooLarge { size: bytes.len() });
        }
        let commands = self.commands.upgrade().ok_or(Closed)?;
        let (answer, sent) = oneshot::channel();
        let command = Command::Respond { channel: self.channel, bytes, answer };
        commands.send(command).await.map_err(|_| Closed)?;
        let sent = sent.await.map_err(|_| Closed)?;
        drop(self.slot);
        if sent { Ok(()) } else { Err(ReplyError::Gone { key: self.key }) }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("key", &self.key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gossip_ids_are_pinned_and_tell_topic_from_bytes() {
        assert_ne!(GossipId::of("ab", b"c"), GossipId::of("a", b"bc"));
        let expected = blake3::hash(&[&[0, 0, 0, 0, 0, 0, 0, 2], b"abc".as_slice()].concat());
        assert_eq!(&GossipId::of("ab", b"c").0, expected.as_bytes());
    }
}
