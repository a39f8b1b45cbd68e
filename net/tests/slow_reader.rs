//! A reader of events that doesn't read: nothing grows, nothing stops, no connection event is lost.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests, helpers too")]

mod common;

use common::{Node, TCP, soon};
use net::{EVENT_CAPACITY, NetEvent, Verdict};
use protocol::PeerKey;

const TOPIC: &str = "opendipaco/flood/1";

#[tokio::test]
async fn a_flood_loses_gossip_but_no_connection_event() {
    let mut slow = Node::start(1, TCP).await;
    let mut loud = Node::start(2, TCP).await;
    slow.net.subscribe(TOPIC).await.unwrap();
    loud.connect(&mut slow).await;
    let mut said = 0_u32;
    // More than there is room for; nobody reads at the slow node.
    soon("drops", async {
        while slow.net.drops().gossip_in < 50 {
            for _ in 0..32 {
                loud.net.gossip(TOPIC, said.to_be_bytes().to_vec()).await.unwrap();
                said += 1;
            }
            while slow.events.len() as u64 + slow.net.drops().gossip_in < u64::from(said) {
                tokio::task::yield_now().await;
            }
        }
    })
    .await;
    assert_eq!(slow.events.len(), EVENT_CAPACITY, "the channel is full and no fuller");

    // Peers come and go; some stay.
    let mut staying: Vec<Node> = Vec::new();
    for seed in 10..14 {
        let node = Node::start(seed, TCP).await;
        soon("a dial", node.net.dial(slow.address())).await.unwrap();
        if seed % 2 == 0 {
            node.net.shutdown().await;
        } else {
            staying.push(node);
        }
    }
    let left = loud.key();
    loud.net.shutdown().await;
    soon("the slow node knows", async {
        while slow.net.connected().len() != staying.len() {
            tokio::task::yield_now().await;
        }
    })
    .await;

    // Now it reads: everything said of connections must add up to what is.
    let mut connected = vec![left];
    let mut gossip = 0;
    let mut order: Vec<PeerKey> = Vec::new();
    soon("all events", async {
        while connected.len() != staying.len() || connected.contains(&left) {
            match slow.events.recv().await.unwrap() {
                NetEvent::Connected { key, .. } => {
                    assert!(!connected.contains(&key));
                    connected.push(key);
                    order.push(key);
                }
                NetEvent::Disconnected { key } => {
                    let at = connected.iter().position(|one| *one == key).expect("connected before");
                    connected.remove(at);
                }
                NetEvent::Gossip { id, from, .. } => {
                    gossip += 1;
                    slow.net.verdict(id, from, Verdict::Ignore).await.unwrap();
                }
                _ => {}
            }
        }
    })
    .await;
    let mut stayed: Vec<_> = staying.iter().map(Node::key).collect();
    stayed.sort();
    connected.sort();
    assert_eq!(connected, stayed);
    assert!(gossip > 0 && gossip <= EVENT_CAPACITY, "{gossip} of {said} were read");

    // And it works as before.
    staying[0].net.gossip(TOPIC, b"still there".to_vec()).await.unwrap();
    soon("gossip", async { while slow.expect_gossip().await.bytes != b"still there" {} }).await;
}

#[tokio::test]
async fn without_a_reader_requests_are_refused_and_nothing_stops() {
    let mut deaf = Node::start(1, TCP).await;
    let asking = Node::start(2, TCP).await;
    let address = deaf.address();
    deaf.events.close();
    drop(deaf.events);
    soon("a dial", asking.net.dial(address)).await.unwrap();
    for _ in 0..3 {
        let error = soon("an answer", asking.net.request(deaf.net.key(), vec![1])).await.unwrap_err();
        assert_eq!(error, net::RequestError::Refused { key: deaf.net.key() });
    }
    assert_eq!(deaf.net.drops().requests_in, 3);
}
