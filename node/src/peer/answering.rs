//! Sending answers.

use net::Reply;
use protocol::Answer;

/// Sends an answer; a peer that no longer waits is no concern of ours.
pub(crate) async fn respond(reply: Reply, answer: &Answer) {
    if let Some(bytes) = encoded(answer) {
        send(reply, bytes).await;
    }
}

/// An answer as it travels.
pub(super) fn encoded(answer: &Answer) -> Option<Vec<u8>> {
    answer.encode().inspect_err(|error| tracing::warn!("an answer could not be written: {error}")).ok()
}

/// Sends what was written before.
pub(super) async fn send(reply: Reply, bytes: Vec<u8>) {
    if let Err(error) = reply.send(bytes).await {
        tracing::debug!("an answer was not taken: {error}");
    }
}
