//! What can go wrong, one enum per operation. The texts are for people: what, where, what to do.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use libp2p::core::transport::TransportError;
use libp2p::{Multiaddr, dns};
use protocol::PeerKey;

pub use crate::keys::BadKey;
use crate::limits::{GOSSIP_BYTES_MAX, REQUEST_BYTES_MAX, REQUESTS_OUT_MAX, TOPIC_BYTES_MAX};

/// The network of this node has ended: it was shut down, or its task failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this node's network has been shut down")]
pub struct Closed;

/// Why the network could not be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// The seed makes no key.
    #[error("the node's key can't be used: its secret is no Ed25519 seed of 32 bytes")]
    Secret,
    /// Something else has the port.
    #[error(
        "cannot listen on {address}: the port is in use; stop the program that has it, or choose another port \
         (port 0 lets the system choose)"
    )]
    PortInUse {
        /// The address that was asked for.
        address: Multiaddr,
    },
    /// The address is of a kind that can't be listened on.
    #[error(
        "cannot listen on {address}: addresses look like /ip4/0.0.0.0/tcp/4001 or /ip4/0.0.0.0/udp/4001/quic-v1"
    )]
    Unsupported {
        /// The address that was asked for.
        address: Multiaddr,
    },
    /// The system refused to listen.
    #[error(
        "cannot listen on {address}: {reason}; check that this machine has the address and may use the port"
    )]
    Listen {
        /// The address that was asked for.
        address: Multiaddr,
        /// What the system says.
        reason: String,
    },
    /// A part could not be set up.
    #[error("the network's {what} could not be set up: {reason}")]
    Setup {
        /// Which part.
        what: &'static str,
        /// What it says.
        reason: String,
    },
}

/// One address that was tried, and why it didn't work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The address.
    pub address: Multiaddr,
    /// Why not.
    pub reason: String,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.address, self.reason)
    }
}

/// Why no connection came about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// It is this node.
    #[error("{address} is this node itself; dial another peer")]
    Itself {
        /// The address that was asked for.
        address: String,
    },
    /// Somebody else answers there.
    #[error(
        "{address} is peer {found}, not {expected}; the address is out of date, or its part after /p2p/ is wrong"
    )]
    WrongPeer {
        /// The address that was dialed.
        address: Multiaddr,
        /// Whom the caller wanted.
        expected: String,
        /// Who answers.
        found: String,
    },
    /// Nobody told where this peer is.
    #[error("no address of peer {key} is known; give one, or wait until a neighbour tells it")]
    NoAddress {
        /// The peer.
        key: PeerKey,
    },
    /// The address is of a kind that can't be dialed.
    #[error(
        "{address} can't be dialed: addresses look like /ip4/192.0.2.7/tcp/4001, /dns4/example.org/tcp/4001 or \
         /ip4/192.0.2.7/udp/4001/quic-v1"
    )]
    Unsupported {
        /// The address that was asked for.
        address: Multiaddr,
    },
    /// No address of the peer works.
    #[error(
        "could not connect: {}; check that the peer is running and can be reached from here",
        tried.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    Unreachable {
        /// Every address and its reason.
        tried: Vec<Tried>,
    },
    /// A limit of this node forbids one more connection, or the connection was given up.
    #[error("the connection was not made: {reason}; try again later")]
    Refused {
        /// Which limit, or why.
        reason: String,
    },
    /// Not a key.
    #[error(transparent)]
    BadKey(#[from] BadKey),
    /// The network has ended.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Why a message could not be gossiped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GossipError {
    /// Too many bytes.
    #[error(
        "a gossip message of {size} bytes is too large ({GOSSIP_BYTES_MAX} are allowed); announce it and let others ask"
    )]
    TooLarge {
        /// Its size.
        size: usize,
    },
    /// The topic's name is too long, or empty.
    #[error("a topic's name has 1 to {TOPIC_BYTES_MAX} bytes; this one has {size}")]
    Topic {
        /// Its size.
        size: usize,
    },
    /// The library refused it.
    #[error("the message could not be gossiped: {reason}")]
    Failed {
        /// What it says.
        reason: String,
    },
    /// The network has ended.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Why a request has no answer. Apart from the first three it is not known whether the peer saw it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Too many bytes.
    #[error("a request of {size} bytes is too large ({REQUEST_BYTES_MAX} are allowed); use a stream")]
    TooLarge {
        /// Its size.
        size: usize,
    },
    /// Too many requests wait for answers.
    #[error("{REQUESTS_OUT_MAX} requests wait for their answers already; try again later")]
    Busy,
    /// The peer could not be reached.
    #[error("peer {key} was not asked: {reason}")]
    NotConnected {
        /// The peer.
        key: PeerKey,
        /// Why there is no connection.
        reason: String,
    },
    /// The peer did not answer in time.
    #[error("peer {key} did not answer within {after:?}; it may be busy: try again, or ask another peer")]
    TimedOut {
        /// The peer.
        key: PeerKey,
        /// How long it had.
        after: Duration,
    },
    /// The peer closed the request unanswered.
    #[error(
        "peer {key} did not answer the request; it may be busy or not know it: try again later, or ask another peer"
    )]
    Refused {
        /// The peer.
        key: PeerKey,
    },
    /// The connection ended first.
    #[error("the connection to peer {key} ended before the answer came; try again")]
    Disconnected {
        /// The peer.
        key: PeerKey,
    },
    /// The peer speaks another protocol.
    #[error("peer {key} takes no requests of this kind; its version may be another one")]
    Unsupported {
        /// The peer.
        key: PeerKey,
    },
    /// The answer can't be read.
    #[error("the answer of peer {key} could not be read: {reason}")]
    Broken {
        /// The peer.
        key: PeerKey,
        /// What was wrong.
        reason: String,
    },
    /// Not a key.
    #[error(transparent)]
    BadKey(#[from] BadKey),
    /// The network has ended.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Why an answer was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// Too many bytes. The asking peer sees its request refused.
    #[error("an answer of {size} bytes is too large ({REQUEST_BYTES_MAX} are allowed); use a stream")]
    TooLarge {
        /// Its size.
        size: usize,
    },
    /// Nobody waits any more.
    #[error("peer {key} no longer waits for this answer: its time ran out, or its connection ended")]
    Gone {
        /// Who asked.
        key: PeerKey,
    },
    /// The network has ended.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Why a stream could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// There is no connection and none could be made.
    #[error("no stream to peer {key}: {reason}")]
    NotConnected {
        /// The peer.
        key: PeerKey,
        /// Why there is no connection.
        reason: String,
    },
    /// The peer did not take it in time.
    #[error("peer {key} did not take a stream within {after:?}; try again, or another peer")]
    TimedOut {
        /// The peer.
        key: PeerKey,
        /// How long it had.
        after: Duration,
    },
    /// The peer has no room for one more stream.
    #[error("peer {key} has no room for one more stream now; try again later")]
    Busy {
        /// The peer.
        key: PeerKey,
    },
    /// The peer takes no streams of this kind.
    #[error("peer {key} takes no streams of this kind; its version may be another one")]
    Unsupported {
        /// The peer.
        key: PeerKey,
    },
    /// It broke while opening.
    #[error("the stream to peer {key} broke while it was opened: {reason}; try again")]
    Broken {
        /// The peer.
        key: PeerKey,
        /// What was wrong.
        reason: String,
    },
    /// Not a key.
    #[error(transparent)]
    BadKey(#[from] BadKey),
    /// The network has ended.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// An error and all that caused it, outermost first.
fn chain(error: &io::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    std::iter::successors(Some(first), |&error| {
        // An io::Error around another error hands out that one's source: look at the inner one first.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match inner {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

/// The kind of the innermost input/output error, and the innermost text.
pub(crate) fn innermost(error: &io::Error) -> (io::ErrorKind, String) {
    let mut innermost = (error.kind(), error.to_string());
    for cause in chain(error) {
        innermost.1 = cause.to_string();
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            innermost.0 = error.kind();
        }
    }
    innermost
}

/// Whether no transport knows this kind of address.
pub(crate) fn is_unsupported(error: &TransportError<io::Error>) -> bool {
    let error = match error {
        TransportError::MultiaddrNotSupported(_) => return true,
        TransportError::Other(error) => error,
    };
    chain(error).any(|cause| match cause.downcast_ref::<dns::Error<io::Error>>() {
        Some(dns::Error::MultiaddrNotSupported(_)) => true,
        Some(dns::Error::Dial(all)) => {
            all.iter().all(|one| matches!(one, dns::Error::MultiaddrNotSupported(_)))
        }
        _ => false,
    })
}

/// Why one address didn't work, in few words.
pub(crate) fn dial_reason(error: &TransportError<io::Error>) -> String {
    if is_unsupported(error) {
        return "this kind of address can't be dialed, or it names another peer".to_owned();
    }
    match error {
        TransportError::MultiaddrNotSupported(address) => address.to_string(),
        TransportError::Other(error) => {
            let (kind, text) = innermost(error);
            match kind {
                io::ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
                io::ErrorKind::TimedOut => "no answer in time".to_owned(),
                io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                    "there is no way to that network from here".to_owned()
                }
                io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => {
                    "it hung up during the handshake".to_owned()
                }
                _ if text.to_lowercase().contains("timeout") || text.to_lowercase().contains("timed out") => {
                    "no answer in time".to_owned()
                }
                _ => text,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_error_is_what_people_see() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let wrapped = io::Error::other(io::Error::other(refused));
        assert_eq!(innermost(&wrapped).0, io::ErrorKind::ConnectionRefused);
        assert_eq!(dial_reason(&TransportError::Other(wrapped)), "nobody listens there");
        let odd = io::Error::other("the moon is in the way");
        assert_eq!(dial_reason(&TransportError::Other(odd)), "the moon is in the way");
    }
}
