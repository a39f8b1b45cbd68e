//! The one task that owns the swarm. It never waits for a reader or a caller: commands are answered through
//! oneshots, events go through [`Delivery`].

mod ending;

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use libp2p::gossipsub::{self, IdentTopic, MessageAcceptance, MessageId, PublishError};
use libp2p::request_response::{self, ResponseChannel};
use libp2p::swarm::{ConnectionId, DialError as SwarmDialError, Swarm, SwarmEvent};
use libp2p::{Multiaddr, PeerId, identify, mdns, ping};
use libp2p_stream::IncomingStreams;
use protocol::PeerKey;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tracing::{debug, warn};

use crate::behaviour::{Behaviour, BehaviourEvent};
use crate::command::Command;
use crate::delivery::{Delivery, Offered};
use crate::dials::{Answer, Dial, Dials, explain, split};
use crate::error::{DialError, GossipError, RequestError, Tried};
use crate::event::{Direction, GossipId, NetEvent, Reply, Verdict};
use crate::keys::{to_key, to_peer};
use crate::limits::{
    DIAL_ADDRESSES_MAX, GOSSIP_BYTES_MAX, IDENTIFIED_ADDRESSES_MAX, OUTBOX_TICK, REQUESTS_IN_MAX,
    REQUESTS_IN_PER_PEER_MAX, STREAM_TAKE_TIME, STREAMS_IN_MAX, STREAMS_IN_PER_PEER_MAX,
};
use crate::listen::Listening;
use crate::outbox::{Attempt, Outbox};
use crate::requests::Requests;
use crate::slots::Slots;
use crate::state::{State, count};
use crate::stream::{Stream, take};

/// The task and all it owns.
pub(crate) struct EventLoop {
    swarm: Swarm<Behaviour>,
    key: PeerKey,
    listening: Listening,
    incoming: IncomingStreams,
    commands: mpsc::Receiver<Command>,
    /// For replies, which send their answers back here.
    to_self: mpsc::WeakSender<Command>,
    delivery: Delivery,
    state: Arc<State>,
    dials: Dials,
    /// Addresses that were dialed and stand, so that the same one isn't dialed twice.
    dialed: BTreeMap<ConnectionId, (PeerKey, Multiaddr)>,
    requests: Requests,
    outbox: Outbox,
    /// When the connections were last handed something that must leave before the end.
    handed: Instant,
    requests_in: Slots,
    streams_in: Slots,
}

impl EventLoop {
    #[expect(clippy::too_many_arguments, reason = "called once; every part is another thing")]
    pub(crate) fn new(
        swarm: Swarm<Behaviour>,
        key: PeerKey,
        listening: Listening,
        incoming: IncomingStreams,
        (commands, to_self): (mpsc::Receiver<Command>, mpsc::WeakSender<Command>),
        events: mpsc::Sender<NetEvent>,
        state: Arc<State>,
        request_timeout: Duration,
    ) -> Self {
        Self {
            swarm,
            key,
            listening,
            incoming,
            commands,
            to_self,
            delivery: Delivery::new(events),
            state,
            dials: Dials::default(),
            dialed: BTreeMap::new(),
            requests: Requests::new(request_timeout),
            outbox: Outbox::default(),
            handed: Instant::now(),
            requests_in: Slots::new(REQUESTS_IN_MAX, REQUESTS_IN_PER_PEER_MAX),
            streams_in: Slots::new(STREAMS_IN_MAX, STREAMS_IN_PER_PEER_MAX),
        }
    }

    /// Runs until a shutdown is asked for or every handle is gone. `early` is what the swarm said before.
    pub(crate) async fn run(mut self, early: Vec<SwarmEvent<BehaviourEvent>>) {
        for event in early {
            self.on_swarm_event(event);
        }
        let mut tick = interval(OUTBOX_TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ended = Vec::new();
        loop {
            let blocked = self.delivery.blocked();
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(Command::Shutdown { answer }) => {
                        ended.push(answer);
                        break;
                    }
                    Some(command) => self.on_command(command),
                    None => break,
                },
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                Some((peer, stream)) = self.incoming.next() => self.on_stream(peer, stream),
                _ = tick.tick() => self.on_tick(),
                () = room(blocked) => self.delivery.flush(),
            }
        }
        self.close(ended).await;
    }

    fn on_command(&mut self, command: Command) {
        // Wherever an answer can't be sent, its caller has stopped waiting.
        match command {
            Command::Dial { address, answer } => self.dial(address, answer),
            Command::DialPeer { key, addresses, answer } => self.dial_peer(key, addresses, answer),
            Command::Disconnect { key, answer } => {
                if let Ok(peer) = to_peer(&key) {
                    // An error means that there is no connection.
                    let _ = self.swarm.disconnect_peer_id(peer);
                }
                let _ = answer.send(());
            }
            Command::Subscribe { topic, answer } => {
                let result = self.swarm.behaviour_mut().subscribe(&topic);
                let _ = answer.send(result.map(|_| ()).map_err(|reason| GossipError::Failed { reason }));
            }
            Command::Unsubscribe { topic, answer } => {
                self.swarm.behaviour_mut().gossip.unsubscribe(&IdentTopic::new(topic));
                let _ = answer.send(());
            }
            Command::Gossip { topic, bytes, answer } => {
                let _ = answer.send(self.gossip(topic, bytes));
            }
            Command::Verdict { id, from, verdict } => self.on_verdict(id, from, verdict),
            Command::Request { key, bytes, answer } => self.request(key, bytes, answer),
            Command::Respond { channel, bytes, answer } => {
                self.handed = Instant::now();
                let sent = self.swarm.behaviour_mut().requests.send_response(channel, bytes).is_ok();
                let _ = answer.send(sent);
            }
            // Taken by the loop itself.
            Command::Shutdown { .. } => {}
        }
    }

    // Connections

    fn dial(&mut self, address: Multiaddr, answer: Answer) {
        let (bare, peer) = split(&address);
        let itself = peer == Some(*self.swarm.local_peer_id())
            || self.swarm.listeners().any(|listener| *listener == bare);
        if itself {
            let _ = answer.send(Err(DialError::Itself { address: address.to_string() }));
            return;
        }
        let Some(peer) = peer else {
            let standing = self.dialed.values().find(|(_, dialed)| *dialed == bare).map(|(key, _)| *key);
            match standing {
                Some(key) => drop(answer.send(Ok(key))),
                None => {
                    let dial =
                        Dial { wanted: None, addresses: vec![bare], tried: vec![], answers: vec![answer] };
                    self.start_dial(dial);
                }
            }
            return;
        };
        match to_key(&peer) {
            Some(key) => {
                let addresses = if bare.is_empty() { vec![] } else { vec![bare] };
                self.dial_peer(key, addresses, answer);
            }
            None => {
                let reason = "it names a peer by a kind of key that this network doesn't use".to_owned();
                let tried = vec![Tried { address, reason }];
                let _ = answer.send(Err(DialError::Unreachable { tried }));
            }
        }
    }

    fn dial_peer(&mut self, key: PeerKey, addresses: Vec<Multiaddr>, answer: Answer) {
        if key == self.key {
            let _ = answer.send(Err(DialError::Itself { address: format!("peer {key}") }));
            return;
        }
        if to_peer(&key).is_ok_and(|peer| self.swarm.is_connected(&peer)) {
            let _ = answer.send(Ok(key));
            return;
        }
        // Addresses the dial under way may not have are worth another one.
        let answer = if addresses.is_empty() { self.dials.join(key, answer) } else { Some(answer) };
        let Some(answer) = answer else { return };
        let mut bare: Vec<_> = Vec::new();
        for address in addresses {
            let (address, _) = split(&address);
            if bare.len() < DIAL_ADDRESSES_MAX && !bare.contains(&address) {
                bare.push(address);
            }
        }
        self.start_dial(Dial { wanted: Some(key), addresses: bare, tried: vec![], answers: vec![answer] });
    }

    fn start_dial(&mut self, dial: Dial) {
        let Some(options) = dial.options() else {
            dial.finish(&Err(DialError::Refused { reason: "there was no address".to_owned() }));
            return;
        };
        let id = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => self.dials.began(id, dial),
            Err(error) => {
                let result = Err(explain(error, dial.wanted, dial.tried.clone()));
                dial.finish(&result);
            }
        }
    }

    /// An old address may be another peer's by now: that is no reason to give up the others.
    fn on_dial_failed(&mut self, id: ConnectionId, error: SwarmDialError) {
        let Some(mut dial) = self.dials.take(id) else { return };
        if let SwarmDialError::WrongPeerId { address, .. } = &error {
            let (wrong, _) = split(address);
            let before = dial.addresses.len();
            dial.addresses.retain(|one| *one != wrong);
            if !dial.addresses.is_empty() && dial.addresses.len() < before {
                dial.tried.push(Tried { address: wrong, reason: "another peer answers there".to_owned() });
                return self.start_dial(dial);
            }
        }
        let result = Err(explain(error, dial.wanted, std::mem::take(&mut dial.tried)));
        dial.finish(&result);
    }

    // Gossip

    fn gossip(&mut self, topic: String, bytes: Vec<u8>) -> Result<(), GossipError> {
        if self.swarm.behaviour().has_listener(&topic) {
            self.handed = Instant::now();
            match publish(&mut self.swarm, &topic, &bytes, &self.state) {
                Ok(Attempt::Done) => return Ok(()),
                Ok(Attempt::Later) => {}
                Err(reason) => return Err(GossipError::Failed { reason }),
            }
        }
        count(&self.state.drops.gossip_out, self.outbox.keep(topic, bytes, Instant::now().into_std()));
        Ok(())
    }

    fn on_tick(&mut self) {
        count(&self.state.drops.gossip_out, self.outbox.expire(Instant::now().into_std()));
        self.retry(None);
    }

    fn retry(&mut self, only: Option<&str>) {
        let (swarm, state, handed) = (&mut self.swarm, &self.state, &mut self.handed);
        self.outbox.retry(only, |topic, bytes| {
            if !swarm.behaviour().has_listener(topic) {
                return Attempt::Later;
            }
            *handed = Instant::now();
            publish(swarm, topic, bytes, state).unwrap_or_else(|reason| {
                warn!(topic, reason, "waiting gossip could not be sent");
                count(&state.drops.gossip_out, 1);
                Attempt::Done
            })
        });
    }

    fn on_verdict(&mut self, id: GossipId, from: PeerKey, verdict: Verdict) {
        let Ok(peer) = to_peer(&from) else { return };
        let acceptance = match verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Reject => MessageAcceptance::Reject,
            Verdict::Ignore => MessageAcceptance::Ignore,
        };
        self.judge(&MessageId::new(&id.0), &peer, acceptance);
    }

    fn judge(&mut self, id: &MessageId, from: &PeerId, acceptance: MessageAcceptance) {
        // It goes on to others, never back to whom it came from.
        if matches!(acceptance, MessageAcceptance::Accept) && self.swarm.network_info().num_peers() > 1 {
            self.handed = Instant::now();
        }
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        if !gossip.report_message_validation_result(id, from, acceptance) {
            debug!(%id, "a verdict came too late, or twice");
        }
    }

    fn on_gossip(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message { propagation_source, message_id, message } => {
                let source = message.source.as_ref().and_then(to_key);
                let id = <[u8; 32]>::try_from(message_id.0.as_slice());
                let (Some(from), Some(source), Ok(id)) = (to_key(&propagation_source), source, id) else {
                    return self.judge(&message_id, &propagation_source, MessageAcceptance::Reject);
                };
                if message.data.len() > GOSSIP_BYTES_MAX {
                    return self.judge(&message_id, &propagation_source, MessageAcceptance::Reject);
                }
                let topic = message.topic.into_string();
                let event = NetEvent::Gossip { topic, id: GossipId(id), source, from, bytes: message.data };
                if self.delivery.offer(event) == Offered::Dropped {
                    count(&self.state.drops.gossip_in, 1);
                    self.judge(&message_id, &propagation_source, MessageAcceptance::Ignore);
                }
            }
            gossipsub::Event::Subscribed { topic, .. } => self.retry(Some(topic.as_str())),
            gossipsub::Event::Unsubscribed { .. }
            | gossipsub::Event::GossipsubNotSupported { .. }
            | gossipsub::Event::SlowPeer { .. } => {}
        }
    }

    // Requests and streams

    fn request(
        &mut self,
        key: PeerKey,
        bytes: Vec<u8>,
        answer: oneshot::Sender<Result<Vec<u8>, RequestError>>,
    ) {
        if self.requests.is_full() {
            let _ = answer.send(Err(RequestError::Busy));
            return;
        }
        match to_peer(&key) {
            Ok(peer) => {
                let id = self.swarm.behaviour_mut().requests.send_request(&peer, bytes);
                self.requests.sent(id, key, answer);
            }
            Err(bad) => drop(answer.send(Err(bad.into()))),
        }
    }

    fn on_request_event(&mut self, event: request_response::Event<Vec<u8>, Vec<u8>>) {
        match event {
            request_response::Event::Message { peer, message, .. } => match message {
                request_response::Message::Request { request, channel, .. } => {
                    self.on_request(peer, request, channel);
                }
                request_response::Message::Response { request_id, response } => {
                    self.requests.answered(request_id, response);
                }
            },
            request_response::Event::OutboundFailure { request_id, error, .. } => {
                self.requests.failed(request_id, &error);
            }
            request_response::Event::InboundFailure { peer, error, .. } => {
                debug!(%peer, %error, "a request was not answered");
            }
            request_response::Event::ResponseSent { .. } => {}
        }
    }

    fn on_request(&mut self, peer: PeerId, bytes: Vec<u8>, channel: ResponseChannel<Vec<u8>>) {
        let Some(from) = to_key(&peer) else { return };
        // Dropping the channel is what the asking peer sees.
        let taken = self.requests_in.take(from).map(|slot| {
            let reply = Reply { key: from, channel, commands: self.to_self.clone(), slot };
            self.delivery.offer(NetEvent::Request { from, bytes, reply })
        });
        if taken != Some(Offered::Taken) {
            count(&self.state.drops.requests_in, 1);
        }
    }

    /// The opener waits for a word that its stream is taken. It is written beside the loop, in as many tasks
    /// as there are places, and the event has its place in the channel before.
    fn on_stream(&mut self, peer: PeerId, mut stream: libp2p::Stream) {
        let Some(from) = to_key(&peer) else { return };
        let places = self.streams_in.take(from).and_then(|slot| Some((slot, self.delivery.reserve()?)));
        let Some((slot, place)) = places else {
            count(&self.state.drops.streams_in, 1);
            return;
        };
        tokio::spawn(async move {
            match timeout(STREAM_TAKE_TIME, take(&mut stream)).await {
                Ok(Ok(())) => {
                    drop(place.send(NetEvent::Stream { from, stream: Stream::accepted(stream, slot) }))
                }
                Ok(Err(error)) => debug!(%from, %error, "a stream broke before it was taken"),
                Err(_) => debug!(%from, "a stream was not taken in time"),
            }
        });
    }

    // What the swarm says

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::ConnectionEstablished {
                peer_id, connection_id, endpoint, num_established, ..
            } => {
                let Some(key) = to_key(&peer_id) else {
                    debug!(%peer_id, "a peer with another kind of key is not wanted");
                    self.swarm.close_connection(connection_id);
                    return;
                };
                let direction = if endpoint.is_dialer() { Direction::Dialed } else { Direction::Accepted };
                let (address, _) = split(endpoint.get_remote_address());
                if direction == Direction::Dialed {
                    self.dialed.insert(connection_id, (key, address.clone()));
                }
                if num_established.get() == 1 {
                    self.state.set_connected(key, true);
                    self.delivery.announce(NetEvent::Connected { key, address, direction });
                }
                self.dials.established(connection_id, key);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, num_established, cause, .. } => {
                debug!(%peer_id, ?cause, "a connection ended");
                self.dialed.remove(&connection_id);
                if let Some(key) = to_key(&peer_id).filter(|_| num_established == 0) {
                    self.state.set_connected(key, false);
                    self.delivery.announce(NetEvent::Disconnected { key });
                }
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                self.on_dial_failed(connection_id, error);
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                debug!(from = %send_back_addr, %error, "an incoming connection did not come about");
            }
            SwarmEvent::NewListenAddr { listener_id, address } => {
                self.listening.add(listener_id, address);
                self.state.set_listening(self.listening.addresses());
            }
            SwarmEvent::ExpiredListenAddr { listener_id, address } => {
                self.listening.remove(listener_id, &address);
                self.state.set_listening(self.listening.addresses());
            }
            SwarmEvent::ListenerClosed { listener_id, addresses, reason } => {
                if let Err(error) = reason {
                    warn!(?addresses, %error, "a listener ended; restart the node to listen there again");
                }
                self.listening.close(listener_id);
                self.state.set_listening(self.listening.addresses());
            }
            SwarmEvent::ListenerError { error, .. } => debug!(%error, "a listener had a problem"),
            _ => {}
        }
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Gossip(event) => self.on_gossip(event),
            BehaviourEvent::Requests(event) => self.on_request_event(event),
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                let Some(key) = to_key(&peer_id) else { return };
                let mut addresses: Vec<_> = info.listen_addrs.iter().map(|one| split(one).0).collect();
                addresses.truncate(IDENTIFIED_ADDRESSES_MAX);
                let (observed, _) = split(&info.observed_addr);
                self.hearsay(NetEvent::Identified { key, addresses, observed });
            }
            BehaviourEvent::Ping(ping::Event { peer, connection, result: Err(failure) }) => {
                // A peer that knows no pings is spared; its connection ends by itself some time.
                if !matches!(failure, ping::Failure::Unsupported) {
                    debug!(%peer, %failure, "the other end of a connection is gone");
                    self.swarm.close_connection(connection);
                }
            }
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => {
                let mut by_key: BTreeMap<PeerKey, Vec<Multiaddr>> = BTreeMap::new();
                for (peer, address) in found {
                    if let Some(key) = to_key(&peer) {
                        by_key.entry(key).or_default().push(split(&address).0);
                    }
                }
                for (key, addresses) in by_key {
                    self.hearsay(NetEvent::Discovered { key, addresses });
                }
            }
            BehaviourEvent::Identify(_)
            | BehaviourEvent::Ping(_)
            | BehaviourEvent::Mdns(mdns::Event::Expired(_))
            | BehaviourEvent::Streams(()) => {}
            BehaviourEvent::Limits(never) => match never {},
        }
    }

    fn hearsay(&mut self, event: NetEvent) {
        if self.delivery.offer(event) == Offered::Dropped {
            count(&self.state.drops.hearsay, 1);
        }
    }
}

/// Waits until the reader of events has room again.
async fn room(blocked: Option<mpsc::Sender<NetEvent>>) {
    match blocked {
        // An error means that the reader is gone, which the next flush finds out.
        Some(events) => drop(events.reserve().await),
        None => pending().await,
    }
}

/// One attempt to send gossip. An error is one that no later attempt would mend.
fn publish(
    swarm: &mut Swarm<Behaviour>,
    topic: &str,
    bytes: &[u8],
    state: &State,
) -> Result<Attempt, String> {
    match swarm.behaviour_mut().gossip.publish(IdentTopic::new(topic), bytes) {
        Ok(_) | Err(PublishError::Duplicate) => Ok(Attempt::Done),
        Err(PublishError::NoPeersSubscribedToTopic) => Ok(Attempt::Later),
        Err(PublishError::AllQueuesFull(_)) => {
            // The library counts it as said and would call every later attempt a repetition.
            count(&state.drops.gossip_out, 1);
            Ok(Attempt::Done)
        }
        Err(PublishError::MessageTooLarge) => Err("it is too large".to_owned()),
        Err(PublishError::SigningError(error)) => Err(error.to_string()),
        Err(PublishError::TransformFailed(error)) => Err(error.to_string()),
    }
}
