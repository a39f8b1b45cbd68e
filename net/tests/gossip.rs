//! Gossip: how far it goes, and what stops it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests, helpers too")]

mod common;

use common::{Node, QUIC, TCP, soon};
use net::{GOSSIP_BYTES_MAX, GossipError, GossipId, OUTBOX_MESSAGES_MAX, Verdict};

const TOPIC: &str = "opendipaco/test/1";

/// a - b - c, all listening to the topic.
async fn line(kind: &str) -> [Node; 3] {
    let mut nodes = [Node::start(1, kind).await, Node::start(2, kind).await, Node::start(3, kind).await];
    for node in &nodes {
        node.net.subscribe(TOPIC).await.unwrap();
    }
    let [a, b, c] = &mut nodes;
    a.connect(b).await;
    c.connect(b).await;
    nodes
}

#[tokio::test]
async fn what_is_accepted_reaches_the_end_of_a_line_and_what_is_rejected_or_ignored_does_not() {
    for kind in [TCP, QUIC] {
        let [a, mut b, mut c] = line(kind).await;
        for (bytes, verdict) in
            [(b"bad".as_slice(), Verdict::Reject), (b"odd", Verdict::Ignore), (b"good", Verdict::Accept)]
        {
            a.net.gossip(TOPIC, bytes.to_vec()).await.unwrap();
            let heard = b.expect_gossip().await;
            assert_eq!((heard.topic.as_str(), heard.bytes.as_slice()), (TOPIC, bytes));
            assert_eq!((heard.source, heard.from), (a.key(), a.key()));
            assert_eq!(heard.id, GossipId::of(TOPIC, bytes));
            b.judge(&heard, verdict).await;
        }
        // Messages keep their order on the way, so the first to arrive is the first that was passed on.
        let heard = c.expect_gossip().await;
        assert_eq!(heard.bytes, b"good");
        assert_eq!((heard.source, heard.from), (a.key(), b.key()));
        c.judge(&heard, Verdict::Accept).await;
    }
}

#[tokio::test]
async fn what_is_said_before_anybody_listens_arrives_later() {
    let mut a = Node::start(1, TCP).await;
    let mut b = Node::start(2, TCP).await;
    for n in 0..5 {
        a.net.gossip(TOPIC, vec![n; 3]).await.unwrap();
    }
    a.connect(&mut b).await;
    b.net.subscribe(TOPIC).await.unwrap();
    for n in 0..5 {
        let heard = b.expect_gossip().await;
        assert_eq!(heard.bytes, [n; 3]);
    }
    assert_eq!(a.net.drops().gossip_out, 0);
}

#[tokio::test]
async fn too_much_for_nobody_is_dropped_and_counted() {
    let a = Node::start(1, TCP).await;
    for n in 0..OUTBOX_MESSAGES_MAX as u32 + 7 {
        a.net.gossip(TOPIC, n.to_be_bytes().to_vec()).await.unwrap();
    }
    assert_eq!(a.net.drops().gossip_out, 7);
}

#[tokio::test]
async fn saying_it_twice_is_no_error_and_is_heard_once() {
    let [a, mut b, _c] = line(TCP).await;
    for bytes in [b"one", b"one", b"two"] {
        a.net.gossip(TOPIC, bytes.to_vec()).await.unwrap();
    }
    assert_eq!(b.expect_gossip().await.bytes, b"one");
    assert_eq!(b.expect_gossip().await.bytes, b"two");
}

#[tokio::test]
async fn the_largest_message_passes_and_a_larger_one_is_refused() {
    let [a, mut b, mut c] = line(TCP).await;
    let largest = vec![7; GOSSIP_BYTES_MAX];
    a.net.gossip(TOPIC, largest.clone()).await.unwrap();
    let heard = b.expect_gossip().await;
    b.judge(&heard, Verdict::Accept).await;
    assert_eq!(c.expect_gossip().await.bytes, largest);
    let size = GOSSIP_BYTES_MAX + 1;
    let error = a.net.gossip(TOPIC, vec![7; size]).await.unwrap_err();
    assert_eq!(error, GossipError::TooLarge { size });
    assert_eq!(a.net.gossip("", vec![7]).await, Err(GossipError::Topic { size: 0 }));
}

#[tokio::test]
async fn who_no_longer_listens_hears_nothing() {
    let [a, mut b, c] = line(TCP).await;
    b.net.subscribe("other").await.unwrap();
    b.net.unsubscribe(TOPIC).await.unwrap();
    a.net.gossip(TOPIC, b"for nobody".to_vec()).await.unwrap();
    c.net.gossip("other", b"for b".to_vec()).await.unwrap();
    let heard = b.expect_gossip().await;
    assert_eq!((heard.topic.as_str(), heard.from), ("other", c.key()));
}

#[tokio::test]
async fn a_shutdown_lets_the_last_words_out() {
    let [a, mut b, _c] = line(TCP).await;
    a.net.gossip(TOPIC, b"farewell".to_vec()).await.unwrap();
    soon("the end", a.net.shutdown()).await;
    assert_eq!(b.expect_gossip().await.bytes, b"farewell");
}

#[tokio::test]
async fn a_shutdown_lets_out_what_was_just_passed_on() {
    let [a, mut b, mut c] = line(TCP).await;
    for bytes in [b"who is there".as_slice(), b"the end"] {
        a.net.gossip(TOPIC, bytes.to_vec()).await.unwrap();
        let heard = b.expect_gossip().await;
        b.judge(&heard, Verdict::Accept).await;
        if bytes == b"the end" {
            soon("the end", b.net.shutdown()).await;
        }
        assert_eq!(c.expect_gossip().await.bytes, bytes);
    }
}
