//! What a node's network is started with.

use std::fmt;
use std::time::Duration;

use libp2p::Multiaddr;

/// Settings of [`crate::Net::start`].
#[derive(Clone)]
pub struct NetConfig {
    /// Seed of the node's Ed25519 key (RFC 8032, 32 bytes). The key is the node's name in the network.
    pub secret: [u8; 32],
    /// Where to listen: `/ip4/A/tcp/P` and `/ip4/A/udp/P/quic-v1`, also with `ip6`. Port 0 lets the
    /// system choose. Empty: the node dials, nobody dials it.
    pub listen: Vec<Multiaddr>,
    /// Whether to look for peers on the local network (multicast DNS).
    pub mdns: bool,
    /// How long a connection that carries nothing stays open.
    pub idle_timeout: Duration,
    /// How long one address may take until a connection stands.
    pub dial_timeout: Duration,
    /// How long a request may take until its answer is there, also the time to answer one.
    pub request_timeout: Duration,
    /// How long opening a stream may take, once connected.
    pub stream_timeout: Duration,
    /// Connections in all, both ways. One in eight is kept for peers that this node dials itself.
    pub connections_max: u32,
}

impl NetConfig {
    /// Settings for a node with this key that listens here; no local discovery, usual times.
    #[must_use]
    pub fn new(secret: [u8; 32], listen: Vec<Multiaddr>) -> Self {
        Self {
            secret,
            listen,
            mdns: false,
            // A peer that trains for hours says little and is still wanted.
            idle_timeout: Duration::from_secs(24 * 60 * 60),
            dial_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(20),
            stream_timeout: Duration::from_secs(10),
            connections_max: 512,
        }
    }
}

impl fmt::Debug for NetConfig {
    /// Everything but the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetConfig")
            .field("listen", &self.listen)
            .field("mdns", &self.mdns)
            .field("idle_timeout", &self.idle_timeout)
            .field("dial_timeout", &self.dial_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("stream_timeout", &self.stream_timeout)
            .field("connections_max", &self.connections_max)
            .finish_non_exhaustive()
    }
}
