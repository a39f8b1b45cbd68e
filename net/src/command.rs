//! What handles ask of the task that owns the swarm. Answers go back through oneshots.

use libp2p::Multiaddr;
use libp2p::request_response::ResponseChannel;
use protocol::PeerKey;
use tokio::sync::oneshot;

use crate::dials::Answer;
use crate::error::{GossipError, RequestError};
use crate::event::{GossipId, Verdict};

/// One thing to do.
pub(crate) enum Command {
    Dial { address: Multiaddr, answer: Answer },
    DialPeer { key: PeerKey, addresses: Vec<Multiaddr>, answer: Answer },
    Disconnect { key: PeerKey, answer: oneshot::Sender<()> },
    Subscribe { topic: String, answer: oneshot::Sender<Result<(), GossipError>> },
    Unsubscribe { topic: String, answer: oneshot::Sender<()> },
    Gossip { topic: String, bytes: Vec<u8>, answer: oneshot::Sender<Result<(), GossipError>> },
    Verdict { id: GossipId, from: PeerKey, verdict: Verdict },
    Request { key: PeerKey, bytes: Vec<u8>, answer: oneshot::Sender<Result<Vec<u8>, RequestError>> },
    Respond { channel: ResponseChannel<Vec<u8>>, bytes: Vec<u8>, answer: oneshot::Sender<bool> },
    Shutdown { answer: oneshot::Sender<()> },
}
