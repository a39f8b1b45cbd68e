//! A rig of real nodes on loopback, so that tests read as a conversation. Every wait is for an event and has a limit.

#![allow(dead_code, reason = "every test file uses another part")]

use std::time::Duration;

use net::{Direction, GossipId, Multiaddr, Net, NetConfig, NetEvent, Reply, Stream, Verdict};
use protocol::PeerKey;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long anything may take before a test fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

pub(crate) const TCP: &str = "/ip4/127.0.0.1/tcp/0";
pub(crate) const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

/// Waits for something, not for ever.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(LIMIT, future).await.unwrap_or_else(|_| panic!("nothing within {LIMIT:?}: {what}"))
}

/// A node and its events.
pub(crate) struct Node {
    pub(crate) net: Net,
    pub(crate) events: mpsc::Receiver<NetEvent>,
}

/// A gossip message as it arrived.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) topic: String,
    pub(crate) id: GossipId,
    pub(crate) source: PeerKey,
    pub(crate) from: PeerKey,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn config(seed: u8, listen: &str) -> NetConfig {
    NetConfig::new([seed; 32], vec![listen.parse().unwrap()])
}

impl Node {
    pub(crate) async fn start(seed: u8, listen: &str) -> Self {
        Self::start_with(config(seed, listen)).await
    }

    pub(crate) async fn start_with(config: NetConfig) -> Self {
        let (net, events) = soon("a node starts", Net::start(config)).await.unwrap();
        Self { net, events }
    }

    pub(crate) fn key(&self) -> PeerKey {
        self.net.key()
    }

    pub(crate) fn address(&self) -> Multiaddr {
        self.net.listening()[0].clone()
    }

    /// Dials another node and waits until both know.
    pub(crate) async fn connect(&mut self, other: &mut Self) {
        assert_eq!(soon("a dial", self.net.dial(other.address())).await, Ok(other.key()));
        self.expect_connected(other.key(), Direction::Dialed).await;
        other.expect_connected(self.key(), Direction::Accepted).await;
    }

    /// The next event that `pick` wants; others are passed over.
    pub(crate) async fn expect<T>(&mut self, what: &str, mut pick: impl FnMut(NetEvent) -> Option<T>) -> T {
        soon(what, async {
            loop {
                let event = self.events.recv().await.expect("the network ended");
                if let Some(found) = pick(event) {
                    return found;
                }
            }
        })
        .await
    }

    pub(crate) async fn expect_connected(&mut self, key: PeerKey, direction: Direction) {
        let found = self
            .expect("a connection", |event| match event {
                NetEvent::Connected { key: of, direction, .. } if of == key => Some(direction),
                _ => None,
            })
            .await;
        assert_eq!(found, direction);
    }

    pub(crate) async fn expect_disconnected(&mut self, key: PeerKey) {
        self.expect("the end of a connection", |event| match event {
            NetEvent::Disconnected { key: of } if of == key => Some(()),
            _ => None,
        })
        .await;
    }

    pub(crate) async fn expect_gossip(&mut self) -> Heard {
        self.expect("gossip", |event| match event {
            NetEvent::Gossip { topic, id, source, from, bytes } => {
                Some(Heard { topic, id, source, from, bytes })
            }
            _ => None,
        })
        .await
    }

    pub(crate) async fn expect_request(&mut self) -> (PeerKey, Vec<u8>, Reply) {
        self.expect("a request", |event| match event {
            NetEvent::Request { from, bytes, reply } => Some((from, bytes, reply)),
            _ => None,
        })
        .await
    }

    pub(crate) async fn expect_stream(&mut self) -> (PeerKey, Stream) {
        self.expect("a stream", |event| match event {
            NetEvent::Stream { from, stream } => Some((from, stream)),
            _ => None,
        })
        .await
    }

    pub(crate) async fn judge(&self, heard: &Heard, verdict: Verdict) {
        self.net.verdict(heard.id, heard.from, verdict).await.unwrap();
    }
}
