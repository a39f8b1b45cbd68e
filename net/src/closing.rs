//! Connections end in bounded time, also those whose other end fell silent.
//!
//! Closing sends what still waits to be sent. To a machine that is cut off, or gone without a word, TCP goes on trying for a
//! quarter of an hour, and as long the peer would be taken for connected: nobody would dial it again.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::FutureExt as _;
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use tokio::time::{Sleep, sleep};

/// A muxer that is closed after a while, whether all was sent or not.
pub(crate) struct ClosesInTime<M> {
    inner: M,
    limit: Duration,
    /// Runs once closing has begun.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<M> ClosesInTime<M> {
    pub(crate) fn new(inner: M, limit: Duration) -> Self {
        Self { inner, limit, timer: None }
    }
}

impl<M: StreamMuxer<Error = io::Error> + Unpin> StreamMuxer for ClosesInTime<M> {
    type Substream = M::Substream;
    type Error = io::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<M::Substream>> {
        Pin::new(&mut self.inner).poll_inbound(cx)
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<M::Substream>> {
        Pin::new(&mut self.inner).poll_outbound(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(closed) = Pin::new(&mut self.inner).poll_close(cx) {
            return Poll::Ready(closed);
        }
        let limit = self.limit;
        ready!(self.timer.get_or_insert_with(|| Box::pin(sleep(limit))).poll_unpin(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        Pin::new(&mut self.inner).poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::poll_fn;
    use futures::io::Cursor;

    /// A connection whose other end takes nothing any more.
    struct Silent;

    impl StreamMuxer for Silent {
        type Substream = Cursor<Vec<u8>>;
        type Error = io::Error;

        fn poll_inbound(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<Self::Substream>> {
            Poll::Pending
        }

        fn poll_outbound(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<Self::Substream>> {
            Poll::Pending
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_connection_ends_also_when_nothing_can_be_sent_any_more() {
        let mut muxer = ClosesInTime::new(Silent, Duration::from_millis(1));
        let closed = poll_fn(|cx| Pin::new(&mut muxer).poll_close(cx)).await;
        assert_eq!(closed.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
