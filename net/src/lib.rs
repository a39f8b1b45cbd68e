//! The room that owns libp2p: a swarm behind a channel.
//!
//! [`Net::start`] starts one task that alone owns the swarm. [`Net`] is a cheap handle that sends it commands
//! and awaits their answers; one bounded receiver brings [`NetEvent`]s. Peers are named by their Ed25519
//! keys. The room knows nothing of runs, leases or reports: what is gossiped, asked, answered and streamed
//! are bytes.
//!
//! | way | for | limit |
//! |---|---|---|
//! | [`Net::gossip`] | small announcements to everyone on a topic; may be lost, repeated, reordered | [`GOSSIP_BYTES_MAX`] |
//! | [`Net::request`] | one question to one peer, one answer | [`REQUEST_BYTES_MAX`] each way |
//! | [`Net::open_stream`] | long payloads with back-pressure | none here |
//!
//! **Nothing waits for the reader of events.** The channel holds [`EVENT_CAPACITY`] events. When it is full, connection
//! events wait in their own bounded queue and are never lost; gossip is ignored, requests and streams are
//! closed, which their senders see, and everything dropped is counted in [`Drops`].
//!
//! **Everything is bounded**: sizes before reading, queues, requests and streams in hand in all and per peer, connections,
//! subscriptions, and every wait has a time. The bounds are the constants of this page.
//!
//! **Transports**: QUIC (`/udp/P/quic-v1`), and TCP with Noise and Yamux (`/tcp/P`); names through DNS. All streams of all
//! connections are counted ([`Net::traffic`]).
//!
//! **End**: [`Net::shutdown`], or dropping every handle.

mod behaviour;
mod closing;
mod codec;
mod command;
mod config;
mod delivery;
mod dials;
mod error;
mod event;
mod event_loop;
mod handle;
mod keys;
mod limits;
mod listen;
mod outbox;
mod requests;
mod slots;
mod state;
mod stream;
mod traffic;
mod transport;

pub use config::NetConfig;
pub use error::{
    BadKey, Closed, DialError, GossipError, NetError, ReplyError, RequestError, StreamError, Tried,
};
pub use event::{Direction, GossipId, NetEvent, Reply, Verdict};
pub use handle::Net;
pub use libp2p::Multiaddr;
pub use libp2p::multiaddr::Protocol;
pub use limits::{
    DIAL_ADDRESSES_MAX, EVENT_CAPACITY, GOSSIP_BYTES_MAX, GOSSIP_DUPLICATE_TIME, IDENTIFIED_ADDRESSES_MAX,
    OUTBOX_AGE_MAX, OUTBOX_BYTES_MAX, OUTBOX_MESSAGES_MAX, REQUEST_BYTES_MAX, REQUESTS_IN_MAX,
    REQUESTS_IN_PER_PEER_MAX, REQUESTS_OUT_MAX, STREAMS_IN_MAX, STREAMS_IN_PER_PEER_MAX, TOPIC_BYTES_MAX,
};
pub use state::Drops;
pub use stream::Stream;
pub use traffic::Traffic;
