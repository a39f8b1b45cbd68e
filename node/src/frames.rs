//! Frames on a stream: a length of four bytes, then that many bytes, each with a time limit.

use std::io;
use std::time::Duration;

use futures::io::{AsyncReadExt, AsyncWriteExt};
use net::Stream;
use protocol::{FRAME_BYTES, frame_head, frame_length};
use tokio::time::timeout;

/// A stream that carries frames.
pub(crate) struct Frames {
    stream: Stream,
    patience: Duration,
}

impl Frames {
    /// `patience`: how long one frame may take.
    pub(crate) fn new(stream: Stream, patience: Duration) -> Self {
        Self { stream, patience }
    }

    /// Sends one frame.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let head = frame_head(bytes.len()).map_err(io::Error::other)?;
        let stream = &mut self.stream;
        in_time(self.patience, async {
            stream.write_all(&head).await?;
            stream.write_all(bytes).await?;
            stream.flush().await
        })
        .await
    }

    /// Sends a long payload as frames of the largest size.
    pub(crate) async fn send_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        for chunk in bytes.chunks(FRAME_BYTES) {
            self.send(chunk).await?;
        }
        Ok(())
    }

    /// Receives one frame.
    pub(crate) async fn receive(&mut self) -> io::Result<Vec<u8>> {
        let stream = &mut self.stream;
        in_time(self.patience, async {
            let mut head = [0; 4];
            stream.read_exact(&mut head).await?;
            let length = frame_length(head).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
            let mut bytes = vec![0; length];
            stream.read_exact(&mut bytes).await?;
            Ok(bytes)
        })
        .await
    }

    /// Receives frames until `length` bytes have come, no more.
    pub(crate) async fn receive_all(&mut self, length: u64) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while (all.len() as u64) < length {
            let frame = self.receive().await?;
            if all.len() as u64 + frame.len() as u64 > length {
                let reason = "more bytes came than were announced";
                return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
            }
            all.extend_from_slice(&frame);
        }
        Ok(all)
    }

    /// Says that nothing more is coming, and waits until the other side has it.
    pub(crate) async fn close(mut self) -> io::Result<()> {
        in_time(self.patience, async { self.stream.close().await }).await
    }
}

async fn in_time<T>(patience: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match timeout(patience, work).await {
        Ok(done) => done,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the other side took too long")),
    }
}
