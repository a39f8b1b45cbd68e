//! The handle: what the rest of the node calls.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use libp2p::swarm::Swarm;
use libp2p::{Multiaddr, PeerId};
use libp2p_stream::OpenStreamError;
use protocol::PeerKey;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use crate::behaviour::{Behaviour, STREAM_PROTOCOL};
use crate::command::Command;
use crate::config::NetConfig;
use crate::error::{Closed, DialError, GossipError, NetError, RequestError, StreamError};
use crate::event::{GossipId, NetEvent, Verdict};
use crate::event_loop::EventLoop;
use crate::keys;
use crate::limits::{
    COMMAND_CAPACITY, EVENT_CAPACITY, GOSSIP_BYTES_MAX, REQUEST_BYTES_MAX, STREAM_PAUSE, STREAM_TRIES,
    STREAMS_PER_CONNECTION_MAX, TOPIC_BYTES_MAX,
};
use crate::listen::listen;
use crate::state::{Drops, State};
use crate::stream::{Stream, wait_taken};
use crate::traffic::Traffic;
use crate::transport;

/// A handle on the network of this node. Cloning is cheap; the network ends with [`Net::shutdown`] or when
/// the last handle is dropped.
#[derive(Clone)]
pub struct Net {
    key: PeerKey,
    commands: mpsc::Sender<Command>,
    streams: libp2p_stream::Control,
    stream_timeout: Duration,
    state: Arc<State>,
}

impl Net {
    /// Starts the network: when this returns, every listener stands. Must be called inside a tokio runtime.
    ///
    /// The receiver brings what happens. Dropping it is allowed: gossip is then ignored and requests and
    /// streams of others are closed.
    ///
    /// # Errors
    ///
    /// When a listener can't be opened, naming its address and what to do, or when a part can't be set up.
    pub async fn start(config: NetConfig) -> Result<(Self, mpsc::Receiver<NetEvent>), NetError> {
        let keypair = keys::keypair(config.secret).ok_or(NetError::Secret)?;
        let key = keys::key_of(keypair.public()).ok_or(NetError::Secret)?;
        let state = Arc::new(State::default());
        let transport = transport::build(&keypair, config.dial_timeout, &state.meter)?;
        let behaviour = Behaviour::new(&keypair, &config)?;
        let swarm_config = libp2p::swarm::Config::with_tokio_executor()
            .with_idle_connection_timeout(config.idle_timeout)
            .with_max_negotiating_inbound_streams(STREAMS_PER_CONNECTION_MAX);
        let mut swarm = Swarm::new(transport, behaviour, keypair.public().to_peer_id(), swarm_config);
        let mut streams = swarm.behaviour().streams.new_control();
        let incoming = streams
            .accept(STREAM_PROTOCOL)
            .map_err(|error| NetError::Setup { what: "streams", reason: error.to_string() })?;
        let (listening, early) = listen(&mut swarm, &config.listen).await?;
        state.set_listening(listening.addresses());

        let (commands, inbox) = mpsc::channel(COMMAND_CAPACITY);
        let (events, outlet) = mpsc::channel(EVENT_CAPACITY);
        let event_loop = EventLoop::new(
            swarm,
            key,
            listening,
            incoming,
            (inbox, commands.downgrade()),
            events,
            Arc::clone(&state),
            config.request_timeout,
        );
        tokio::spawn(event_loop.run(early));
        Ok((Self { key, commands, streams, stream_timeout: config.stream_timeout, state }, outlet))
    }

    /// This node's key.
    #[must_use]
    pub fn key(&self) -> PeerKey {
        self.key
    }

    /// Where this node listens, with the ports the system chose. A loopback address is among them only when
    /// it was asked for, or when the machine has no other.
    #[must_use]
    pub fn listening(&self) -> Vec<Multiaddr> {
        self.state.listening()
    }

    /// The peers that are connected now, in the order of their keys.
    #[must_use]
    pub fn connected(&self) -> Vec<PeerKey> {
        self.state.connected()
    }

    /// Bytes that went through this node.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.state.meter.read()
    }

    /// What was dropped because a bound was reached.
    #[must_use]
    pub fn drops(&self) -> Drops {
        self.state.drops.read()
    }

    /// Connects to whoever is at this address and tells who it is. With `/p2p/..` at its end, only to that
    /// peer. A peer that is connected already is not dialed again.
    ///
    /// # Errors
    ///
    /// When no connection came about within the dial time-out, saying why.
    pub async fn dial(&self, address: Multiaddr) -> Result<PeerKey, DialError> {
        self.ask(|answer| Command::Dial { address, answer }).await?
    }

    /// Connects to this peer at any of these addresses, and at those it told itself earlier; at once when it is
    /// connected already. Of more than [`crate::DIAL_ADDRESSES_MAX`] addresses the first ones are taken.
    ///
    /// # Errors
    ///
    /// As [`Net::dial`], with the reason for every address.
    pub async fn dial_peer(&self, key: PeerKey, addresses: Vec<Multiaddr>) -> Result<(), DialError> {
        keys::to_peer(&key)?;
        self.ask(|answer| Command::DialPeer { key, addresses, answer }).await?.map(|_| ())
    }

    /// Closes all connections with this peer; [`NetEvent::Disconnected`] tells when they are closed. Nothing
    /// happens when there are none.
    ///
    /// # Errors
    ///
    /// When the network has ended.
    pub async fn disconnect(&self, key: PeerKey) -> Result<(), Closed> {
        self.ask(|answer| Command::Disconnect { key, answer }).await
    }

    /// Listens to a topic. Doing so twice is no error.
    ///
    /// # Errors
    ///
    /// When the topic's name is empty or too long.
    pub async fn subscribe(&self, topic: &str) -> Result<(), GossipError> {
        let topic = checked(topic)?;
        self.ask(|answer| Command::Subscribe { topic, answer }).await?
    }

    /// Listens to a topic no more. Not having listened is no error.
    ///
    /// # Errors
    ///
    /// When the topic's name is empty or too long.
    pub async fn unsubscribe(&self, topic: &str) -> Result<(), GossipError> {
        let topic = checked(topic)?;
        Ok(self.ask(|answer| Command::Unsubscribe { topic, answer }).await?)
    }

    /// Says something to everyone who listens to this topic; whether anybody hears it is never known.
    ///
    /// While no connected peer listens, the message is kept: at most [`crate::OUTBOX_MESSAGES_MAX`] messages
    /// and [`crate::OUTBOX_BYTES_MAX`] bytes for at most [`crate::OUTBOX_AGE_MAX`]; beyond that the oldest
    /// are dropped and counted in [`Drops::gossip_out`]. The same bytes on the same topic within
    /// [`crate::GOSSIP_DUPLICATE_TIME`] were said already: nothing is sent and that is no error.
    ///
    /// # Errors
    ///
    /// When the message is larger than [`GOSSIP_BYTES_MAX`] or the topic's name is empty or too long.
    pub async fn gossip(&self, topic: &str, bytes: Vec<u8>) -> Result<(), GossipError> {
        let topic = checked(topic)?;
        if bytes.len() > GOSSIP_BYTES_MAX {
            return Err(GossipError::TooLarge { size: bytes.len() });
        }
        self.ask(|answer| Command::Gossip { topic, bytes, answer }).await?
    }

    /// What is to become of a gossip message. Every [`NetEvent::Gossip`] needs one, within 12 s or so: later
    /// it is too late and the message isn't passed on.
    ///
    /// # Errors
    ///
    /// When the network has ended.
    pub async fn verdict(&self, id: GossipId, from: PeerKey, verdict: Verdict) -> Result<(), Closed> {
        self.commands.send(Command::Verdict { id, from, verdict }).await.map_err(|_| Closed)
    }

    /// Asks a peer something and awaits its answer. A peer that isn't connected is dialed at the addresses it
    /// told earlier.
    ///
    /// # Errors
    ///
    /// When the request or its answer is larger than [`REQUEST_BYTES_MAX`], when the peer can't be reached,
    /// doesn't answer within the request time-out, or closes the request unanswered.
    pub async fn request(&self, key: PeerKey, bytes: Vec<u8>) -> Result<Vec<u8>, RequestError> {
        if bytes.len() > REQUEST_BYTES_MAX {
            return Err(RequestError::TooLarge { size: bytes.len() });
        }
        self.dial_peer(key, Vec::new()).await.map_err(|error| match error {
            DialError::BadKey(bad) => bad.into(),
            DialError::Closed(closed) => closed.into(),
            other => RequestError::NotConnected { key, reason: other.to_string() },
        })?;
        self.ask(|answer| Command::Request { key, bytes, answer }).await?
    }

    /// Opens a stream to a peer: when this returns, the other side has taken it. A peer that isn't connected
    /// is dialed at the addresses it told earlier.
    ///
    /// # Errors
    ///
    /// When the peer can't be reached, has no room for one more stream ([`crate::STREAMS_IN_PER_PEER_MAX`]),
    /// or doesn't take it within the stream time-out.
    pub async fn open_stream(&self, key: PeerKey) -> Result<Stream, StreamError> {
        let peer = keys::to_peer(&key)?;
        self.dial_peer(key, Vec::new()).await.map_err(|error| match error {
            DialError::Closed(closed) => closed.into(),
            other => StreamError::NotConnected { key, reason: other.to_string() },
        })?;
        timeout(self.stream_timeout, self.open_to(key, peer))
            .await
            .unwrap_or(Err(StreamError::TimedOut { key, after: self.stream_timeout }))
    }

    async fn open_to(&self, key: PeerKey, peer: PeerId) -> Result<Stream, StreamError> {
        let mut control = self.streams.clone();
        for attempt in 0..STREAM_TRIES {
            let mut stream =
                control.open_stream(peer, STREAM_PROTOCOL).await.map_err(|error| match error {
                    OpenStreamError::UnsupportedProtocol(_) => StreamError::Unsupported { key },
                    error => StreamError::Broken { key, reason: error.to_string() },
                })?;
            match wait_taken(&mut stream).await {
                Ok(()) => return Ok(Stream::opened(stream)),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Err(StreamError::Broken { key, reason: error.to_string() });
                }
                Err(_) => {
                    // Peers that met once must not meet again: each has its own rhythm, out of its key.
                    let own = self.key.as_bytes().get(attempt as usize).copied().unwrap_or(1);
                    sleep(STREAM_PAUSE * (u32::from(own) + 16) * 2_u32.pow(attempt)).await;
                }
            }
        }
        Err(StreamError::Busy { key })
    }

    /// Ends the network for all handles: gives waiting gossip about a second to leave, closes all connections
    /// and waits until the ports are free again. Doing it twice is no error.
    pub async fn shutdown(&self) {
        // Both errors mean that it has ended already.
        let (answer, ended) = oneshot::channel();
        if self.commands.send(Command::Shutdown { answer }).await.is_ok() {
            let _ = ended.await;
        }
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Closed> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(command(answer)).await.map_err(|_| Closed)?;
        answered.await.map_err(|_| Closed)
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net").field("key", &self.key).finish_non_exhaustive()
    }
}

fn checked(topic: &str) -> Result<String, GossipError> {
    match topic.len() {
        1..=TOPIC_BYTES_MAX => Ok(topic.to_owned()),
        size => Err(GossipError::Topic { size }),
    }
}
