//! Every bound of the room in one place. Each queue here says what happens when it is full.

use std::time::Duration;

/// Largest gossip message, in bytes. Gossip announces; larger things are fetched by request or stream.
pub const GOSSIP_BYTES_MAX: usize = 60 * 1024;

/// Longest name of a topic, in bytes.
pub const TOPIC_BYTES_MAX: usize = 256;

/// Largest gossip frame on the wire: the message, and room for its topic, author, signature and framing.
pub(crate) const GOSSIP_FRAME_MAX: usize = 64 * 1024;

/// Largest request and largest answer, in bytes. Checked before sending and again before reading.
pub const REQUEST_BYTES_MAX: usize = 256 * 1024;

/// Events that wait for the reader. When full: connection events wait in their own bounded queue,
/// everything else is dropped and counted ([`crate::Drops`]).
pub const EVENT_CAPACITY: usize = 512;

/// Commands that wait for the swarm. When full, the caller waits.
pub(crate) const COMMAND_CAPACITY: usize = 256;

/// Gossip that nobody could take yet. When full, the oldest message goes and is counted.
pub const OUTBOX_MESSAGES_MAX: usize = 256;

/// Bytes of gossip that nobody could take yet. When full, the oldest message goes and is counted.
pub const OUTBOX_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long gossip waits for somebody who takes it, before it is dropped and counted.
pub const OUTBOX_AGE_MAX: Duration = Duration::from_secs(30);

/// How often waiting gossip is tried again (besides at once, when a peer subscribes to its topic).
pub(crate) const OUTBOX_TICK: Duration = Duration::from_millis(250);

/// Requests of ours without an answer yet. One more is refused with [`crate::RequestError::Busy`].
pub const REQUESTS_OUT_MAX: usize = 1024;

/// Requests of others that were handed out and not answered yet, in all. One more is dropped: its
/// sender sees an error and may try again.
pub const REQUESTS_IN_MAX: usize = 128;

/// As [`REQUESTS_IN_MAX`], from one peer.
pub const REQUESTS_IN_PER_PEER_MAX: usize = 16;

/// Streams opened by others that are not dropped yet, in all. One more is closed at once.
pub const STREAMS_IN_MAX: usize = 64;

/// As [`STREAMS_IN_MAX`], from one peer.
pub const STREAMS_IN_PER_PEER_MAX: usize = 8;

/// How long the word that a stream is taken may take to leave.
pub(crate) const STREAM_TAKE_TIME: Duration = Duration::from_secs(10);

/// How often opening a stream is tried when the other side closes it untaken. The library there holds one
/// arriving stream at a time and drops others of the same instant, so the first refusals say little.
pub(crate) const STREAM_TRIES: u32 = 6;

/// The unit of the pauses between these tries: 16 to 271 of it after the first, twice as many each time, 0.1
/// to 1.7 s in all.
pub(crate) const STREAM_PAUSE: Duration = Duration::from_micros(100);

/// Connections that are being made, each way.
pub(crate) const PENDING_CONNECTIONS_MAX: u32 = 64;

/// Connections to one peer: two that dialed each other at once, and what a restart leaves behind.
pub(crate) const CONNECTIONS_PER_PEER_MAX: u32 = 4;

/// Addresses of one peer that are tried in one dial; more are left out.
pub const DIAL_ADDRESSES_MAX: usize = 16;

/// Addresses that are taken from what a peer says about itself; more are left out.
pub const IDENTIFIED_ADDRESSES_MAX: usize = 32;

/// Topics that one peer may be subscribed to, as far as we remember them.
pub(crate) const TOPICS_PER_PEER_MAX: usize = 256;

/// Streams inside one connection, each way.
pub(crate) const STREAMS_PER_CONNECTION_MAX: usize = 256;

/// How often gossip keeps its mesh. Short, so that a small network meshes at once.
pub(crate) const GOSSIP_HEARTBEAT: Duration = Duration::from_millis(500);

/// Heartbeats for which a message is kept while its verdict is awaited: 12 s.
pub(crate) const GOSSIP_HISTORY: usize = 24;

/// How long the same bytes on the same topic count as said already. Below the 60 s after which standing
/// announcements are repeated.
pub const GOSSIP_DUPLICATE_TIME: Duration = Duration::from_secs(45);

/// How long a listener may take to report its address.
pub(crate) const LISTEN_TIME: Duration = Duration::from_secs(10);

/// How long a connection that is being closed may take to send what still waits.
pub(crate) const CLOSE_TIME: Duration = Duration::from_secs(3);

/// How long a shutdown waits for waiting gossip, and again for connections to close.
pub(crate) const SHUTDOWN_TIME: Duration = Duration::from_secs(1);

/// How long after they were last handed something a shutdown lets the connections empty their queues.
pub(crate) const SHUTDOWN_LINGER: Duration = Duration::from_millis(150);
