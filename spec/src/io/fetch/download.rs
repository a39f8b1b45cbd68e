//! Reading a whole object, on the thread that parses it.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::error::FetchError;
use super::exchange::Link;
use super::transfer::{CHUNKS, Message, Transfer};
use super::worker::{Worker, wait};

/// A whole object from its first byte. Breaks are mended behind it; an error that it returns is a [`FetchError`] within an
/// I/O error ([`FetchError::within`]), and comes again at each further read.
///
/// Dropping it ends the transfer, also one that waits.
#[derive(Debug)]
pub struct Download {
    messages: mpsc::Receiver<Result<Message, FetchError>>,
    transfer: AbortHandle,
    chunk: Bytes,
    length: Option<u64>,
    /// Set once nothing more comes.
    ended: Option<Result<(), FetchError>>,
    #[cfg(test)]
    gone: mpsc::Sender<()>,
    /// Lives as long as this does.
    _worker: Arc<Worker>,
}

impl Download {
    /// Begins, and waits for the first good answer.
    pub(super) fn begin(worker: Arc<Worker>, link: Link) -> Result<Self, FetchError> {
        let (sender, messages) = mpsc::channel(CHUNKS);
        let transfer = Transfer::new(link, sender).run();
        #[cfg(test)]
        let (gone, within) = mpsc::channel(1);
        #[cfg(test)]
        let transfer = async move {
            let _within: mpsc::Receiver<()> = within;
            transfer.await;
        };
        let transfer = worker.handle().spawn(transfer).abort_handle();
        let mut download = Self {
            messages,
            transfer,
            chunk: Bytes::new(),
            length: None,
            ended: None,
            #[cfg(test)]
            gone,
            _worker: worker,
        };
        match wait(download.messages.recv()) {
            Some(Ok(Message::Opened(length))) => download.length = length,
            Some(Err(error)) => return Err(error),
            Some(Ok(Message::Piece(_) | Message::End)) | None => return Err(FetchError::Stopped),
        }
        Ok(download)
    }

    /// How many bytes the server says the object has, where it says so. Only good for showing progress.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.length
    }
}

#[cfg(test)]
impl Download {
    /// Waits until the transfer's task is gone.
    pub(super) fn until_gone(&self) -> impl Future<Output = ()> + use<> {
        let gone = self.gone.clone();
        async move { gone.closed().await }
    }
}

impl Read for Download {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() && !out.is_empty() {
            match &self.ended {
                Some(Ok(())) => return Ok(0),
                Some(Err(error)) => return Err(error.clone().into()),
                None => {}
            }
            match wait(self.messages.recv()) {
                Some(Ok(Message::Piece(chunk))) => self.chunk = chunk,
                Some(Ok(Message::Opened(_))) => {}
                Some(Ok(Message::End)) => self.ended = Some(Ok(())),
                Some(Err(error)) => self.ended = Some(Err(error)),
                None => self.ended = Some(Err(FetchError::Stopped)),
            }
        }
        let bytes = out.len().min(self.chunk.len());
        out[..bytes].copy_from_slice(&self.chunk[..bytes]);
        self.chunk.advance(bytes);
        Ok(bytes)
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.transfer.abort();
    }
}
