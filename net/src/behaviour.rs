//! The protocols a node speaks, and their settings.

use std::time::Duration;

use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::gossipsub::{
    self, AllowAllSubscriptionFilter, IdentTopic, IdentityTransform, MaxCountSubscriptionFilter,
    MessageAuthenticity, MessageId, PeerScoreParams, PeerScoreThresholds, TopicScoreParams, ValidationMode,
};
use libp2p::identity::Keypair;
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{StreamProtocol, identify, mdns, ping};
use tracing::warn;

use crate::codec::FrameCodec;
use crate::config::NetConfig;
use crate::error::NetError;
use crate::event::GossipId;
use crate::limits::{
    CONNECTIONS_PER_PEER_MAX, GOSSIP_DUPLICATE_TIME, GOSSIP_FRAME_MAX, GOSSIP_HEARTBEAT, GOSSIP_HISTORY,
    PENDING_CONNECTIONS_MAX, TOPICS_PER_PEER_MAX,
};

/// The protocol of streams.
pub(crate) const STREAM_PROTOCOL: StreamProtocol = StreamProtocol::new("/opendipaco/report/1");
/// The protocol of requests.
const REQUEST_PROTOCOL: StreamProtocol = StreamProtocol::new("/opendipaco/request/1");
/// The family of protocols, as peers tell each other.
const FAMILY: &str = "/opendipaco/1";

/// Requests that one connection may have under way at once, each way.
const REQUESTS_PER_CONNECTION: usize = 32;
/// A peer that trains on all its cores may be slow to answer a ping, but not that slow.
const PING_TIMEOUT: Duration = Duration::from_secs(30);

type Gossip = gossipsub::Behaviour<IdentityTransform, MaxCountSubscriptionFilter<AllowAllSubscriptionFilter>>;

/// Everything the swarm does.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    // First: what it refuses must not reach the others.
    pub(crate) limits: connection_limits::Behaviour,
    /// Tells both sides who they are and where they listen.
    pub(crate) identify: identify::Behaviour,
    /// Finds connections whose other end is gone.
    pub(crate) ping: ping::Behaviour,
    /// Small signed records to everyone on a topic.
    pub(crate) gossip: Gossip,
    /// One question, one answer.
    pub(crate) requests: request_response::Behaviour<FrameCodec>,
    /// Long payloads.
    pub(crate) streams: libp2p_stream::Behaviour,
    /// Peers on the local network.
    pub(crate) mdns: Toggle<mdns::tokio::Behaviour>,
}

impl Behaviour {
    /// Sets everything up for a node with this key.
    pub(crate) fn new(keypair: &Keypair, config: &NetConfig) -> Result<Self, NetError> {
        let identify = identify::Config::new(FAMILY.to_owned(), keypair.public())
            .with_agent_version(concat!("opendipaco/", env!("CARGO_PKG_VERSION")).to_owned())
            .with_push_listen_addr_updates(true)
            .with_cache_size(config.connections_max as usize);
        let requests = request_response::Config::default()
            .with_request_timeout(config.request_timeout)
            .with_max_concurrent_streams(REQUESTS_PER_CONNECTION);
        Ok(Self {
            limits: connection_limits::Behaviour::new(limits(config.connections_max)),
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::new(ping::Config::new().with_timeout(PING_TIMEOUT)),
            gossip: gossip(keypair)?,
            requests: request_response::Behaviour::with_codec(
                FrameCodec,
                [(REQUEST_PROTOCOL, ProtocolSupport::Full)],
                requests,
            ),
            streams: libp2p_stream::Behaviour::new(),
            mdns: config.mdns.then(|| local_discovery(keypair)).flatten().into(),
        })
    }

    /// Listens to a topic, with standing counted. `Ok(false)`: it did already.
    pub(crate) fn subscribe(&mut self, topic: &str) -> Result<bool, String> {
        let topic = IdentTopic::new(topic);
        let new = self.gossip.subscribe(&topic).map_err(|error| error.to_string())?;
        if new {
            self.gossip.set_topic_params(topic, topic_standing()).map_err(str::to_owned)?;
        }
        Ok(new)
    }

    /// Whether a connected peer listens to a topic.
    pub(crate) fn has_listener(&self, topic: &str) -> bool {
        self.gossip.all_peers().any(|(_, topics)| topics.iter().any(|one| one.as_str() == topic))
    }
}

/// Accepted connections leave room for those this node wants itself.
fn limits(connections_max: u32) -> ConnectionLimits {
    ConnectionLimits::default()
        .with_max_pending_incoming(Some(PENDING_CONNECTIONS_MAX))
        .with_max_pending_outgoing(Some(PENDING_CONNECTIONS_MAX))
        .with_max_established_incoming(Some(connections_max - connections_max / 8))
        .with_max_established(Some(connections_max))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER_MAX))
}

/// Local discovery is a comfort: a machine without it still works.
fn local_discovery(keypair: &Keypair) -> Option<mdns::tokio::Behaviour> {
    mdns::tokio::Behaviour::new(mdns::Config::default(), keypair.public().to_peer_id())
        .inspect_err(|error| warn!(%error, "peers on the local network can't be looked for"))
        .ok()
}

fn gossip(keypair: &Keypair) -> Result<Gossip, NetError> {
    let failed = |reason: String| NetError::Setup { what: "gossip", reason };
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(ValidationMode::Strict)
        .validate_messages()
        .message_id_fn(|message| MessageId::new(&GossipId::of(message.topic.as_str(), &message.data).0))
        .max_transmit_size(GOSSIP_FRAME_MAX)
        .duplicate_cache_time(GOSSIP_DUPLICATE_TIME)
        .heartbeat_interval(GOSSIP_HEARTBEAT)
        .heartbeat_initial_delay(GOSSIP_HEARTBEAT / 4)
        // Kept long enough for a slow verdict; offered to others for 3 s.
        .history_length(GOSSIP_HISTORY)
        .history_gossip(6)
        // Usual mesh sizes: fewer peers than the lower bound simply all belong to the mesh.
        .mesh_n_low(4)
        .mesh_n(6)
        .mesh_n_high(12)
        .mesh_outbound_min(2)
        .flood_publish(true)
        // Messages are small, queues per peer needn't be deep.
        .connection_handler_queue_len(1024)
        .build()
        .map_err(|error| failed(error.to_string()))?;
    let filter = MaxCountSubscriptionFilter {
        filter: AllowAllSubscriptionFilter {},
        max_subscribed_topics: TOPICS_PER_PEER_MAX,
        max_subscriptions_per_request: TOPICS_PER_PEER_MAX,
    };
    let signed = MessageAuthenticity::Signed(keypair.clone());
    let mut gossip = Gossip::new_with_subscription_filter(signed, config, filter)
        .map_err(|error| failed(error.to_owned()))?;
    let (standing, thresholds) = standing();
    gossip.with_peer_score(standing, thresholds).map_err(failed)?;
    Ok(gossip)
}

/// What counts for and against a neighbour, besides what it does on a topic.
fn standing() -> (PeerScoreParams, PeerScoreThresholds) {
    let params = PeerScoreParams {
        // Whole labs sit behind one address, and tests on one loopback: an address says nothing about a peer.
        ip_colocation_factor_weight: 0.0,
        // A restarted peer doesn't know of its old prunes: a few breaches are forgiven.
        behaviour_penalty_weight: -10.0,
        behaviour_penalty_threshold: 6.0,
        behaviour_penalty_decay: 0.9,
        // Being slow for a moment is what volunteers are.
        slow_peer_weight: -0.2,
        slow_peer_threshold: 100.0,
        retain_score: Duration::from_secs(600),
        ..PeerScoreParams::default()
    };
    let thresholds = PeerScoreThresholds {
        gossip_threshold: -20.0,
        publish_threshold: -40.0,
        graylist_threshold: -80.0,
        accept_px_threshold: 10.0,
        opportunistic_graft_threshold: 1.0,
    };
    (params, thresholds)
}

/// Standing on one topic. Saying little is no fault (a quiet network has nothing to deliver); passing on
/// rejected messages is: the first takes a peer out of the mesh for some minutes, three at once silence it,
/// and half is forgotten after 10 min.
fn topic_standing() -> TopicScoreParams {
    TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: 0.01,
        time_in_mesh_quantum: Duration::from_secs(1),
        time_in_mesh_cap: 300.0,
        first_message_deliveries_weight: 0.1,
        first_message_deliveries_decay: 0.97,
        first_message_deliveries_cap: 50.0,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: -10.0,
        invalid_message_deliveries_decay: 0.9988,
        ..TopicScoreParams::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_are_consistent() {
        let keypair = Keypair::ed25519_from_bytes([3; 32]).unwrap();
        gossip(&keypair).unwrap();
        topic_standing().validate().unwrap();
    }
}
