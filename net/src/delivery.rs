//! Hands events to their reader without ever waiting for it.
//!
//! The rule. While the channel has room, everything goes through it in order. When it is full, connection
//! events wait here, and nothing else gets past a waiting one: gossip, requests, streams and hearsay are
//! dropped and counted. A peer that connects and disconnects while both events wait leaves no trace. So per
//! peer at most a `Disconnected` and a `Connected` wait, and all in all at most twice as many events as there
//! may be connections.

use std::collections::VecDeque;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::event::NetEvent;

/// What became of an event that is not about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offered {
    /// The reader will see it.
    Taken,
    /// There is no room, or no reader.
    Dropped,
}

/// The sending side of the events.
#[derive(Debug)]
pub(crate) struct Delivery {
    events: mpsc::Sender<NetEvent>,
    waiting: VecDeque<NetEvent>,
}

impl Delivery {
    pub(crate) fn new(events: mpsc::Sender<NetEvent>) -> Self {
        Self { events, waiting: VecDeque::new() }
    }

    /// A sender to wait for room with, when connection events wait.
    pub(crate) fn blocked(&self) -> Option<mpsc::Sender<NetEvent>> {
        (!self.waiting.is_empty()).then(|| self.events.clone())
    }

    /// Gives an event to the reader, or drops it.
    pub(crate) fn offer(&mut self, event: NetEvent) -> Offered {
        self.flush();
        if self.waiting.is_empty() && self.events.try_send(event).is_ok() {
            Offered::Taken
        } else {
            Offered::Dropped
        }
    }

    /// A place in the channel for an event that is not ready yet; none when there is no room.
    pub(crate) fn reserve(&mut self) -> Option<mpsc::OwnedPermit<NetEvent>> {
        self.flush();
        if self.waiting.is_empty() { self.events.clone().try_reserve_owned().ok() } else { None }
    }

    /// Gives a connection event to the reader, now or later. Without a reader it is forgotten.
    pub(crate) fn announce(&mut self, event: NetEvent) {
        self.flush();
        if let NetEvent::Disconnected { key } = &event {
            let unseen = self
                .waiting
                .iter()
                .position(|one| matches!(one, NetEvent::Connected { key: waiting, .. } if waiting == key));
            if let Some(unseen) = unseen {
                self.waiting.remove(unseen);
                return;
            }
        }
        self.waiting.push_back(event);
        self.flush();
    }

    /// Moves what waits into the channel, as far as it has room.
    pub(crate) fn flush(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.waiting.push_front(event);
                    return;
                }
                Err(TrySendError::Closed(_)) => self.waiting.clear(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use libp2p::Multiaddr;
    use proptest::prelude::*;
    use protocol::PeerKey;

    use super::*;
    use crate::event::Direction;

    fn key(n: u8) -> PeerKey {
        PeerKey::from_bytes([n; 32])
    }

    fn connected(n: u8) -> NetEvent {
        NetEvent::Connected { key: key(n), address: Multiaddr::empty(), direction: Direction::Accepted }
    }

    fn disconnected(n: u8) -> NetEvent {
        NetEvent::Disconnected { key: key(n) }
    }

    fn hearsay(n: u8) -> NetEvent {
        NetEvent::Discovered { key: key(n), addresses: vec![] }
    }

    /// Each event as a sign and its peer: `+` connected, `-` disconnected, `?` the rest.
    fn read(events: &mut mpsc::Receiver<NetEvent>) -> Vec<(char, u8)> {
        let mut seen = Vec::new();
        while let Ok(event) = events.try_recv() {
            seen.push(match event {
                NetEvent::Connected { key, .. } => ('+', key.as_bytes()[0]),
                NetEvent::Disconnected { key } => ('-', key.as_bytes()[0]),
                NetEvent::Discovered { key, .. } => ('?', key.as_bytes()[0]),
                other => panic!("unexpected {other:?}"),
            });
        }
        seen
    }

    #[test]
    fn connection_events_wait_and_nothing_gets_past_them() {
        let (sender, mut events) = mpsc::channel(2);
        let mut delivery = Delivery::new(sender);
        delivery.announce(connected(1));
        assert_eq!(delivery.offer(hearsay(1)), Offered::Taken);
        assert_eq!(delivery.offer(hearsay(2)), Offered::Dropped);
        delivery.announce(connected(2));
        delivery.announce(disconnected(1));
        assert!(delivery.blocked().is_some());
        assert!(matches!(events.try_recv(), Ok(NetEvent::Connected { .. })));
        assert_eq!(delivery.offer(hearsay(3)), Offered::Dropped, "the room belongs to what waits");
        assert_eq!(read(&mut events), [('?', 1), ('+', 2)]);
        delivery.flush();
        assert_eq!(delivery.offer(hearsay(4)), Offered::Taken);
        assert_eq!(read(&mut events), [('-', 1), ('?', 4)]);
        assert!(delivery.blocked().is_none());
    }

    #[test]
    fn a_flapping_peer_leaves_at_most_two_events() {
        let (sender, mut events) = mpsc::channel(1);
        let mut delivery = Delivery::new(sender);
        delivery.announce(connected(1));
        for _ in 0..1000 {
            delivery.announce(disconnected(1));
            delivery.announce(connected(1));
            delivery.announce(connected(2));
            delivery.announce(disconnected(2));
            assert!(delivery.waiting.len() <= 2);
        }
        let mut seen = Vec::new();
        while delivery.blocked().is_some() {
            seen.extend(read(&mut events));
            delivery.flush();
        }
        seen.extend(read(&mut events));
        assert_eq!(seen, [('+', 1), ('-', 1), ('+', 1)]);
    }

    #[test]
    fn without_a_reader_nothing_is_kept() {
        let (sender, events) = mpsc::channel(1);
        drop(events);
        let mut delivery = Delivery::new(sender);
        delivery.announce(connected(1));
        assert!(delivery.blocked().is_none());
        assert_eq!(delivery.offer(hearsay(1)), Offered::Dropped);
    }

    /// What can happen to four peers and a reader.
    #[derive(Debug, Clone, Copy)]
    enum Step {
        /// This peer's connection begins, or ends.
        Toggle(u8),
        /// There is news about this peer.
        News(u8),
        /// The reader takes one event.
        Read,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step =
            prop_oneof![(0..4_u8).prop_map(Step::Toggle), (0..4_u8).prop_map(Step::News), Just(Step::Read)];
        proptest::collection::vec(step, 0..200)
    }

    proptest! {
        /// However slow the reader is: at most two events wait per peer, the reader sees beginnings and ends
        /// in turn, and in the end it believes of every peer what is true.
        #[test]
        fn the_reader_is_never_told_a_lie(capacity in 1..8_usize, steps in steps()) {
            let (sender, mut events) = mpsc::channel(capacity);
            let mut delivery = Delivery::new(sender);
            let mut truth = [false; 4];
            let mut seen = Vec::new();
            for step in steps {
                match step {
                    Step::Toggle(n) => {
                        let now = &mut truth[usize::from(n)];
                        *now = !*now;
                        delivery.announce(if *now { connected(n) } else { disconnected(n) });
                    }
                    Step::News(n) => drop(delivery.offer(hearsay(n))),
                    Step::Read => {
                        if let Ok(event) = events.try_recv() {
                            seen.push(event);
                        }
                        delivery.flush();
                    }
                }
                for n in 0..4 {
                    let of_peer = |event: &&NetEvent| match event {
                        NetEvent::Connected { key: of, .. } | NetEvent::Disconnected { key: of } => *of == key(n),
                        _ => false,
                    };
                    prop_assert!(delivery.waiting.iter().filter(of_peer).count() <= 2);
                }
            }
            loop {
                delivery.flush();
                match events.try_recv() {
                    Ok(event) => seen.push(event),
                    Err(_) => break,
                }
            }
            let mut believed = [false; 4];
            for event in seen {
                let (n, connected) = match event {
                    NetEvent::Connected { key, .. } => (key.as_bytes()[0], true),
                    NetEvent::Disconnected { key } => (key.as_bytes()[0], false),
                    _ => continue,
                };
                let before = &mut believed[usize::from(n)];
                prop_assert_ne!(*before, connected, "told twice");
                *before = connected;
            }
            prop_assert_eq!(believed, truth);
        }
    }
}
