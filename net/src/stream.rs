//! A stream to another peer: bytes both ways, with back-pressure.
//!
//! On the wire, whoever takes a stream first sends one byte, [`TAKEN`]. A peer without room closes the stream
//! instead, so that its opener knows before it sends anything.

use std::fmt;
use std::io;
use std::io::{IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::slots::Slot;

/// The first byte from whoever takes a stream.
const TAKEN: u8 = 1;

/// Tells the opener that its stream is taken.
pub(crate) async fn take(stream: &mut libp2p::Stream) -> io::Result<()> {
    stream.write_all(&[TAKEN]).await?;
    stream.flush().await
}

/// Waits until the other side takes the stream.
pub(crate) async fn wait_taken(stream: &mut libp2p::Stream) -> io::Result<()> {
    let mut first = [0];
    stream.read_exact(&mut first).await?;
    match first {
        [TAKEN] => Ok(()),
        [other] => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("it began with byte {other} where {TAKEN} means that the stream is taken"),
        )),
    }
}

/// A stream. It implements the `AsyncRead` and `AsyncWrite` of `futures`: a writer waits when the reader at
/// the other end does. Close it when done writing; dropping it breaks it off in both directions.
pub struct Stream {
    inner: libp2p::Stream,
    /// Streams that others opened count among those in hand until they are dropped.
    _slot: Option<Slot>,
}

impl Stream {
    pub(crate) fn opened(inner: libp2p::Stream) -> Self {
        Self { inner, _slot: None }
    }

    pub(crate) fn accepted(inner: libp2p::Stream, slot: Slot) -> Self {
        Self { inner, _slot: Some(slot) }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_read_vectored(cx, bufs)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}
