//! Requests of ours that wait for their answers.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use libp2p::request_response::{OutboundFailure, OutboundRequestId};
use protocol::PeerKey;
use tokio::sync::oneshot;

use crate::error::RequestError;
use crate::limits::REQUESTS_OUT_MAX;

type Answer = oneshot::Sender<Result<Vec<u8>, RequestError>>;

/// The waiting callers, by request.
#[derive(Debug)]
pub(crate) struct Requests {
    waiting: BTreeMap<OutboundRequestId, (PeerKey, Answer)>,
    /// How long a request may take; only named in errors, the protocol keeps the time.
    timeout: Duration,
}

impl Requests {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { waiting: BTreeMap::new(), timeout }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= REQUESTS_OUT_MAX
    }

    pub(crate) fn sent(&mut self, id: OutboundRequestId, key: PeerKey, answer: Answer) {
        self.waiting.insert(id, (key, answer));
    }

    pub(crate) fn answered(&mut self, id: OutboundRequestId, bytes: Vec<u8>) {
        if let Some((_, answer)) = self.waiting.remove(&id) {
            // The caller may have stopped waiting.
            let _ = answer.send(Ok(bytes));
        }
    }

    pub(crate) fn failed(&mut self, id: OutboundRequestId, failure: &OutboundFailure) {
        if let Some((key, answer)) = self.waiting.remove(&id) {
            let _ = answer.send(Err(explain(key, failure, self.timeout)));
        }
    }
}

fn explain(key: PeerKey, failure: &OutboundFailure, after: Duration) -> RequestError {
    match failure {
        OutboundFailure::DialFailure => {
            let reason = "the connection was lost and could not be made again".to_owned();
            RequestError::NotConnected { key, reason }
        }
        OutboundFailure::Timeout => RequestError::TimedOut { key, after },
        OutboundFailure::ConnectionClosed => RequestError::Disconnected { key },
        OutboundFailure::UnsupportedProtocols => RequestError::Unsupported { key },
        OutboundFailure::Io(error) => match error.kind() {
            // What closing a request unanswered looks like from here: the end of a stream, or its reset.
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::WriteZero => RequestError::Refused { key },
            _ => RequestError::Broken { key, reason: error.to_string() },
        },
    }
}
