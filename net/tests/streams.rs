//! Long payloads, and what is counted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests, helpers too")]

mod common;

use std::task::Poll;

use common::{Node, QUIC, TCP, soon};
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use net::{NetEvent, STREAMS_IN_PER_PEER_MAX, StreamError};

const LENGTH: usize = 3 * 1024 * 1024;

fn payload() -> Vec<u8> {
    (0..LENGTH).map(|n| (n % 251) as u8).collect()
}

#[tokio::test]
async fn three_mebibytes_there_and_a_word_back_and_all_of_it_is_counted() {
    for kind in [TCP, QUIC] {
        let mut a = Node::start(1, kind).await;
        let mut b = Node::start(2, kind).await;
        a.connect(&mut b).await;
        let mut sending = soon("a stream", a.net.open_stream(b.key())).await.unwrap();
        let sent = tokio::spawn(async move {
            for chunk in payload().chunks(64 * 1024) {
                sending.write_all(chunk).await.unwrap();
            }
            sending.close().await.unwrap();
            let mut word = Vec::new();
            sending.read_to_end(&mut word).await.unwrap();
            word
        });
        let (from, mut receiving) = b.expect_stream().await;
        assert_eq!(from, a.key());
        let mut got = Vec::new();
        soon("the payload", receiving.read_to_end(&mut got)).await.unwrap();
        assert!(got == payload(), "{} bytes arrived, or others", got.len());
        receiving.write_all(b"thanks").await.unwrap();
        receiving.close().await.unwrap();
        assert_eq!(soon("a word back", sent).await.unwrap(), b"thanks");
        let (a, b) = (a.net.traffic(), b.net.traffic());
        for (counted, payload) in [
            (a.bytes_sent, LENGTH),
            (b.bytes_received, LENGTH),
            (a.bytes_received, b"thanks".len()),
            (b.bytes_sent, b"thanks".len()),
        ] {
            let counted = usize::try_from(counted).unwrap();
            assert!(counted >= payload && counted < payload + 64 * 1024, "{counted} counted of {payload}");
        }
    }
}

#[tokio::test]
async fn a_writer_waits_for_a_slow_reader() {
    for kind in [TCP, QUIC] {
        let mut a = Node::start(1, kind).await;
        let mut b = Node::start(2, kind).await;
        a.connect(&mut b).await;
        let mut sending = soon("a stream", a.net.open_stream(b.key())).await.unwrap();
        let (_, mut receiving) = b.expect_stream().await;
        let (told, mut stuck) = tokio::sync::mpsc::channel(1);
        let writer = tokio::spawn(async move {
            let mut written = 0_usize;
            let chunk = vec![9; 64 * 1024];
            // Until the first write that has to wait: nobody reads, so there must be one.
            while let Poll::Ready(wrote) = futures::poll!(std::pin::pin!(sending.write(&chunk))) {
                written += wrote.unwrap();
                assert!(written < 64 * 1024 * 1024, "everything is taken and nobody reads");
                tokio::task::yield_now().await;
            }
            told.send(written).await.unwrap();
            sending.close().await.unwrap();
            written
        });
        soon("a writer that waits", stuck.recv()).await.unwrap();
        let mut read = 0;
        let mut buffer = vec![0; 16 * 1024];
        loop {
            match soon("more", receiving.read(&mut buffer)).await.unwrap() {
                0 => break,
                n => read += n,
            }
        }
        assert_eq!(soon("the writer", writer).await.unwrap(), read);
    }
}

#[tokio::test]
async fn no_stream_to_a_stranger() {
    let a = Node::start(1, TCP).await;
    let b = Node::start(2, TCP).await;
    let error = soon("a stream", a.net.open_stream(b.key())).await.unwrap_err();
    assert!(matches!(&error, StreamError::NotConnected { .. }), "{error}");
}

#[tokio::test]
async fn surplus_streams_are_closed_and_dropped_ones_make_room() {
    let mut a = Node::start(1, TCP).await;
    let mut b = Node::start(2, TCP).await;
    a.connect(&mut b).await;
    let mut mine = Vec::new();
    let mut theirs = Vec::new();
    for _ in 0..STREAMS_IN_PER_PEER_MAX {
        mine.push(soon("a stream", a.net.open_stream(b.key())).await.unwrap());
        theirs.push(b.expect_stream().await.1);
    }
    let error = soon("a stream", a.net.open_stream(b.key())).await.unwrap_err();
    assert_eq!(error, StreamError::Busy { key: b.key() });
    assert!(b.net.drops().streams_in > 0);
    theirs.pop();
    let mut byte = [0];
    let mut again = soon("a stream", a.net.open_stream(b.key())).await.unwrap();
    again.write_all(b"x").await.unwrap();
    again.flush().await.unwrap();
    let (_, mut stream) = b.expect_stream().await;
    soon("a byte", stream.read_exact(&mut byte)).await.unwrap();
    assert_eq!(&byte, b"x");
}

#[tokio::test]
async fn streams_of_many_peers_in_the_same_instant_are_all_taken() {
    let mut taker = Node::start(1, QUIC).await;
    let mut openers = Vec::new();
    for seed in 2..14 {
        let mut node = Node::start(seed, QUIC).await;
        node.connect(&mut taker).await;
        openers.push(node);
    }
    let all = futures::future::join_all(openers.iter().map(|node| node.net.open_stream(taker.net.key())));
    for opened in soon("all streams", all).await {
        opened.unwrap();
    }
    let mut from = Vec::new();
    for _ in &openers {
        from.push(taker.expect_stream().await.0);
    }
    from.sort();
    let mut keys: Vec<_> = openers.iter().map(Node::key).collect();
    keys.sort();
    assert_eq!(from, keys);
}

#[tokio::test]
async fn a_peer_that_told_its_address_is_dialed_again_by_itself() {
    let mut a = Node::start(1, TCP).await;
    let mut b = Node::start(2, TCP).await;
    a.connect(&mut b).await;
    for _ in 0..2 {
        a.expect("what b says of itself", |event| match event {
            NetEvent::Identified { key, .. } if key == b.key() => Some(()),
            _ => None,
        })
        .await;
        a.net.disconnect(b.key()).await.unwrap();
        a.expect_disconnected(b.key()).await;
        b.expect_disconnected(a.key()).await;
        soon("a stream", a.net.open_stream(b.key())).await.unwrap();
        assert_eq!(b.expect_stream().await.0, a.key());
    }
}
