//! Who connects to whom, and what is said when it doesn't work.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests, helpers too")]

mod common;

use common::{Node, QUIC, TCP, config, soon};
use net::{DialError, Direction, Multiaddr, Net, NetConfig, NetError, NetEvent};
use protocol::PeerKey;

fn with_peer(address: &Multiaddr, key: PeerKey) -> Multiaddr {
    let key = libp2p::identity::ed25519::PublicKey::try_from_bytes(key.as_bytes()).unwrap();
    let peer = libp2p::identity::PublicKey::from(key).to_peer_id();
    address.clone().with(libp2p::multiaddr::Protocol::P2p(peer))
}

#[tokio::test]
async fn two_nodes_connect_over_tcp_and_quic_and_part() {
    for kind in [TCP, QUIC] {
        let mut a = Node::start(1, kind).await;
        let mut b = Node::start(2, kind).await;
        a.connect(&mut b).await;
        assert_eq!((a.net.connected(), b.net.connected()), (vec![b.key()], vec![a.key()]));
        let seen = b
            .expect("what a says of itself", |event| match event {
                NetEvent::Identified { key, addresses, .. } => Some((key, addresses)),
                _ => None,
            })
            .await;
        assert_eq!(seen, (a.key(), vec![a.address()]));
        assert_eq!(soon("a second dial", b.net.dial_peer(a.key(), vec![])).await, Ok(()));
        a.net.disconnect(b.key()).await.unwrap();
        a.expect_disconnected(b.key()).await;
        b.expect_disconnected(a.key()).await;
        assert!(a.net.connected().is_empty());
    }
}

#[tokio::test]
async fn dialing_each_other_at_once_is_one_connection_to_the_owner() {
    let mut a = Node::start(1, TCP).await;
    let mut b = Node::start(2, TCP).await;
    let (to_b, to_a) =
        soon("both dials", async { tokio::join!(a.net.dial(b.address()), b.net.dial(a.address())) }).await;
    assert_eq!((to_b, to_a), (Ok(b.key()), Ok(a.key())));
    a.net.shutdown().await;
    let (key_a, key_b) = (a.key(), b.key());
    for (node, other) in [(&mut a, key_b), (&mut b, key_a)] {
        let mut seen = Vec::new();
        node.expect("the end", |event| match event {
            NetEvent::Connected { key, .. } => {
                assert_eq!(key, other);
                seen.push('+');
                None
            }
            NetEvent::Disconnected { .. } => {
                seen.push('-');
                Some(())
            }
            _ => None,
        })
        .await;
        assert_eq!(seen, ['+', '-']);
    }
}

#[tokio::test]
async fn a_port_in_use_is_named_with_what_to_do() {
    let node = Node::start(1, TCP).await;
    let quic = Node::start(2, QUIC).await;
    for taken in [node.address(), quic.address()] {
        let error = Net::start(NetConfig::new([3; 32], vec![taken.clone()])).await.unwrap_err();
        assert_eq!(error, NetError::PortInUse { address: taken.clone() });
        let text = error.to_string();
        assert!(text.contains(&taken.to_string()) && text.contains("choose another port"), "{text}");
    }
}

#[tokio::test]
async fn listening_everywhere_names_addresses_that_others_can_dial() {
    let mut everywhere = Node::start(1, "/ip4/0.0.0.0/tcp/0").await;
    let mut other = Node::start(2, TCP).await;
    let listening = everywhere.net.listening();
    let local = |address: &Multiaddr| address.to_string().starts_with("/ip4/127.");
    assert!(!listening.is_empty());
    assert!(listening.iter().all(local) || !listening.iter().any(local), "{listening:?}");
    other.connect(&mut everywhere).await;
}

#[tokio::test]
async fn addresses_that_cannot_be_listened_on_are_named() {
    for odd in ["/ip4/127.0.0.1/udp/4001", "/dns4/example.org/tcp/4001"] {
        let error = Net::start(config(1, odd)).await.unwrap_err();
        assert_eq!(error, NetError::Unsupported { address: odd.parse().unwrap() });
    }
    // An address of the documentation range (RFC 5737): no machine has it.
    let error = Net::start(config(1, "/ip4/192.0.2.1/tcp/4001")).await.unwrap_err();
    assert!(matches!(&error, NetError::Listen { .. }), "{error}");
}

#[tokio::test]
async fn dialing_where_nobody_listens_says_so() {
    let gone = Node::start(1, TCP).await;
    let address = gone.address();
    gone.net.shutdown().await;
    let node = Node::start(2, TCP).await;
    let error = soon("a dial", node.net.dial(address.clone())).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "could not connect: {address} (nobody listens there); check that the peer is running and can be reached \
             from here"
        )
    );
}

#[tokio::test]
async fn dialing_quic_where_nobody_listens_ends_in_time() {
    let gone = Node::start(1, QUIC).await;
    let address = gone.address();
    gone.net.shutdown().await;
    let mut quick = config(2, QUIC);
    quick.dial_timeout = std::time::Duration::from_secs(1);
    let node = Node::start_with(quick).await;
    let error = soon("a dial", node.net.dial(address.clone())).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "could not connect: {address} (no answer in time); check that the peer is running and can be reached from \
             here"
        )
    );
}

#[tokio::test]
async fn another_peer_than_the_wanted_one_is_told_apart() {
    for kind in [TCP, QUIC] {
        let a = Node::start(1, kind).await;
        let b = Node::start(2, kind).await;
        let c = Node::start(3, kind).await;
        let error = soon("a dial", a.net.dial(with_peer(&b.address(), c.key()))).await.unwrap_err();
        assert_eq!(
            error,
            DialError::WrongPeer {
                address: b.address(),
                expected: c.key().to_string(),
                found: b.key().to_string()
            }
        );
        // An old address beside a good one does no harm.
        let addresses = vec![b.address(), c.address()];
        assert_eq!(soon("a dial", a.net.dial_peer(c.key(), addresses)).await, Ok(()));
        let both = soon("a dial", a.net.dial(with_peer(&b.address(), b.key()))).await;
        assert_eq!(both, Ok(b.key()));
    }
}

#[tokio::test]
async fn a_node_does_not_dial_itself() {
    let node = Node::start(1, TCP).await;
    for address in [node.address(), with_peer(&node.address(), node.key())] {
        let error = soon("a dial", node.net.dial(address)).await.unwrap_err();
        assert!(matches!(&error, DialError::Itself { .. }), "{error}");
    }
    let error = soon("a dial", node.net.dial_peer(node.key(), vec![])).await.unwrap_err();
    assert!(error.to_string().contains("this node itself"), "{error}");
}

#[tokio::test]
async fn odd_addresses_and_unknown_peers_are_errors() {
    let a = Node::start(1, TCP).await;
    let b = Node::start(2, TCP).await;
    let odd: Multiaddr = "/ip4/127.0.0.1/tcp/4001/ws".parse().unwrap();
    let error = soon("a dial", a.net.dial(odd.clone())).await.unwrap_err();
    assert_eq!(error, DialError::Unsupported { address: odd });
    let error = soon("a dial", a.net.dial_peer(b.key(), vec![])).await.unwrap_err();
    assert_eq!(error, DialError::NoAddress { key: b.key() });
    let error = a.net.dial_peer(PeerKey::from_bytes([2; 32]), vec![]).await.unwrap_err();
    assert!(matches!(error, DialError::BadKey(_)), "{error}");
}

#[tokio::test]
async fn a_peer_that_restarts_with_its_key_and_port_is_reached_again() {
    for kind in [TCP, QUIC] {
        let mut a = Node::start(1, kind).await;
        let mut b = Node::start(2, kind).await;
        let address = b.address();
        a.connect(&mut b).await;
        for _ in 0..3 {
            b.net.shutdown().await;
            a.expect_disconnected(b.key()).await;
            b = Node::start(2, &address.to_string()).await;
            assert_eq!(b.address(), address);
            assert_eq!(soon("a dial", a.net.dial_peer(b.key(), vec![address.clone()])).await, Ok(()));
            a.expect_connected(b.key(), Direction::Dialed).await;
            b.expect_connected(a.key(), Direction::Accepted).await;
        }
    }
}

#[tokio::test]
async fn after_the_end_everything_is_an_error_and_nothing_hangs() {
    let a = Node::start(1, TCP).await;
    let mut b = Node::start(2, TCP).await;
    let address = a.address();
    a.net.shutdown().await;
    a.net.shutdown().await;
    assert!(a.net.listening().is_empty());
    assert!(matches!(a.net.dial(address).await, Err(DialError::Closed(_))));
    assert!(a.net.gossip("t", vec![1]).await.is_err());
    let Node { net, mut events } = a;
    soon("the end of the events", async { while events.recv().await.is_some() {} }).await;
    drop(net);
    // Without any handle a node ends by itself.
    drop(b.net);
    soon("the end of the events", async { while b.events.recv().await.is_some() {} }).await;
}
