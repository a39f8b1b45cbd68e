//! Questions and answers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests, helpers too")]

mod common;

use std::time::Duration;

use common::{Node, QUIC, TCP, config, soon};
use net::{REQUEST_BYTES_MAX, REQUESTS_IN_PER_PEER_MAX, ReplyError, RequestError};

#[tokio::test]
async fn a_question_is_answered_up_to_the_largest_size() {
    for kind in [TCP, QUIC] {
        let mut a = Node::start(1, kind).await;
        let mut b = Node::start(2, kind).await;
        a.connect(&mut b).await;
        for size in [0, 5, REQUEST_BYTES_MAX] {
            let asked = tokio::spawn({
                let (net, key) = (a.net.clone(), b.key());
                async move { net.request(key, vec![3; size]).await }
            });
            let (from, bytes, reply) = b.expect_request().await;
            assert_eq!((from, bytes.len()), (a.key(), size));
            assert!(reply.is_awaited());
            reply.send(vec![4; size]).await.unwrap();
            assert_eq!(soon("an answer", asked).await.unwrap(), Ok(vec![4; size]));
        }
    }
}

#[tokio::test]
async fn too_large_is_refused_before_sending_on_both_sides() {
    let mut a = Node::start(1, TCP).await;
    let mut b = Node::start(2, TCP).await;
    a.connect(&mut b).await;
    let size = REQUEST_BYTES_MAX + 1;
    let error = a.net.request(b.key(), vec![0; size]).await.unwrap_err();
    assert_eq!(error, RequestError::TooLarge { size });
    let asked = tokio::spawn({
        let (net, key) = (a.net.clone(), b.key());
        async move { net.request(key, vec![1]).await }
    });
    let (_, bytes, reply) = b.expect_request().await;
    assert_eq!(bytes, [1], "the large request never arrived");
    assert_eq!(reply.send(vec![0; size]).await, Err(ReplyError::TooLarge { size }));
    assert_eq!(soon("an answer", asked).await.unwrap(), Err(RequestError::Refused { key: b.key() }));
}

#[tokio::test]
async fn a_dropped_reply_is_an_error_for_the_asking_side() {
    for kind in [TCP, QUIC] {
        let mut a = Node::start(1, kind).await;
        let mut b = Node::start(2, kind).await;
        a.connect(&mut b).await;
        let asked = tokio::spawn({
            let (net, key) = (a.net.clone(), b.key());
            async move { net.request(key, vec![1]).await }
        });
        drop(b.expect_request().await);
        let error = soon("an answer", asked).await.unwrap().unwrap_err();
        assert_eq!(error, RequestError::Refused { key: b.key() });
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_an_error() {
    let mut hasty = config(1, TCP);
    hasty.request_timeout = Duration::from_millis(300);
    let mut a = Node::start_with(hasty).await;
    let mut b = Node::start(2, TCP).await;
    a.connect(&mut b).await;
    let error = soon("an answer", a.net.request(b.key(), vec![1])).await.unwrap_err();
    assert_eq!(error, RequestError::TimedOut { key: b.key(), after: Duration::from_millis(300) });
    let (_, _, _held) = b.expect_request().await;
}

#[tokio::test]
async fn asking_a_stranger_or_a_peer_that_leaves_is_an_error() {
    let mut a = Node::start(1, TCP).await;
    let mut b = Node::start(2, TCP).await;
    let error = soon("an answer", a.net.request(b.key(), vec![1])).await.unwrap_err();
    assert!(matches!(&error, RequestError::NotConnected { .. }), "{error}");
    a.connect(&mut b).await;
    let asked = tokio::spawn({
        let (net, key) = (a.net.clone(), b.key());
        async move { net.request(key, vec![1]).await }
    });
    let (_, _, reply) = b.expect_request().await;
    b.net.shutdown().await;
    assert!(reply.send(vec![1]).await.is_err());
    let error = soon("an answer", asked).await.unwrap().unwrap_err();
    assert!(matches!(error, RequestError::Disconnected { .. } | RequestError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn one_peer_takes_only_its_share_of_the_requests_in_hand() {
    let mut a = Node::start(1, TCP).await;
    let mut b = Node::start(2, TCP).await;
    a.connect(&mut b).await;
    let to = b.key();
    let ask = || {
        let (net, key) = (a.net.clone(), to);
        tokio::spawn(async move { net.request(key, vec![1]).await })
    };
    let mut asked = Vec::new();
    let mut held = Vec::new();
    for _ in 0..REQUESTS_IN_PER_PEER_MAX {
        asked.push(ask());
        held.push(b.expect_request().await.2);
    }
    let error = soon("an answer", ask()).await.unwrap().unwrap_err();
    assert_eq!(error, RequestError::Refused { key: b.key() });
    assert_eq!(b.net.drops().requests_in, 1);
    for reply in held {
        reply.send(vec![2]).await.unwrap();
    }
    for one in asked {
        assert_eq!(soon("an answer", one).await.unwrap(), Ok(vec![2]));
    }
}
