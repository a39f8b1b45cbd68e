//! How a report travels over a stream of its own.
//!
//! ```text
//! reporter                                coordinator
//!   ReportOffer                      ->
//!                                    <-   ReportReply: send | have it | busy | no
//!   chunks of the (packed) report    ->
//!                                    <-   ReportAck: stored, with the receipt | no
//! ```
//!
//! Everything is a frame: its length as 4 bytes, big endian, then that many bytes, at most [`FRAME_BYTES`]. Offer, reply
//! and ack are canonical CBOR; chunks are the bytes as they are, and end when the announced packed length has come.

use serde::{Deserialize, Serialize};

use crate::limits::{FRAME_BYTES, REASON_BYTES, REPORT_BYTES, SMALL_RECORD_BYTES};
use crate::message::{MessageError, RecordBytes, decode, encode};

/// Bytes of an offer, a reply or an ack: a record and a reason at most.
const CONTROL_BYTES: usize = SMALL_RECORD_BYTES + REASON_BYTES + 128;

/// How a report is packed for travelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// Not at all.
    None,
}

/// The first frame: what is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportOffer {
    /// A signed [`ReportHeader`](crate::ReportHeader).
    #[serde(rename = "h")]
    pub header: RecordBytes,
    /// How the chunks are packed.
    #[serde(rename = "k")]
    pub codec: Codec,
    /// How many bytes of chunks follow.
    #[serde(rename = "n")]
    pub packed: u64,
}

/// The answer to an offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportReply {
    /// Send the chunks.
    Send,
    /// This very content is stored already; with the signed [`Receipt`](crate::Receipt).
    Have(RecordBytes),
    /// Not now: offer it again after so many seconds.
    Busy(u32),
    /// Never: why.
    No(String),
}

/// The end: what became of the chunks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportAck {
    /// On disk; with the signed [`Receipt`](crate::Receipt).
    Stored(RecordBytes),
    /// On disk, not accepted yet: replicas are awaited, or another content was there first.
    Kept,
    /// Not stored for now: offer it again after so many seconds.
    Busy(u32),
    /// Refused: why.
    No(String),
}

/// A frame that can't be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame has 1 to {FRAME_BYTES} bytes; this one has {0}")]
pub struct FrameError(pub usize);

/// A frame's head: the length of what follows.
///
/// # Errors
/// [`FrameError`] for nothing, or more than [`FRAME_BYTES`].
pub fn frame_head(length: usize) -> Result<[u8; 4], FrameError> {
    match u32::try_from(length) {
        Ok(short) if (1..=FRAME_BYTES).contains(&length) => Ok(short.to_be_bytes()),
        _ => Err(FrameError(length)),
    }
}

/// How many bytes follow a frame's head.
///
/// # Errors
/// [`FrameError`] for nothing, or more than [`FRAME_BYTES`].
pub fn frame_length(head: [u8; 4]) -> Result<usize, FrameError> {
    let length = usize::try_from(u32::from_be_bytes(head)).unwrap_or(usize::MAX);
    if (1..=FRAME_BYTES).contains(&length) { Ok(length) } else { Err(FrameError(length)) }
}

macro_rules! control {
    ($name:ident, $what:literal, $check:expr) => {
        impl $name {
            /// The frame's bytes.
            ///
            /// # Errors
            /// [`MessageError`] when it is larger than a reader would take.
            pub fn encode(&self) -> Result<Vec<u8>, MessageError> {
                encode(self, $what, CONTROL_BYTES, $check)
            }

            /// Reads a frame's bytes.
            ///
            /// # Errors
            /// [`MessageError`]: size, form, counts.
            pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
                decode(bytes, $what, CONTROL_BYTES, $check)
            }
        }
    };
}

control!(ReportOffer, "report offer", |offer: &ReportOffer| {
    if offer.packed > REPORT_BYTES {
        return Err("it announces more than 256 MiB");
    }
    offer.header.check(SMALL_RECORD_BYTES)
});
control!(ReportReply, "reply to a report", |reply: &ReportReply| match reply {
    ReportReply::Have(receipt) => receipt.check(SMALL_RECORD_BYTES),
    ReportReply::No(reason) => short(reason),
    ReportReply::Send | ReportReply::Busy(_) => Ok(()),
});
control!(ReportAck, "report ack", |ack: &ReportAck| match ack {
    ReportAck::Stored(receipt) => receipt.check(SMALL_RECORD_BYTES),
    ReportAck::No(reason) => short(reason),
    ReportAck::Kept | ReportAck::Busy(_) => Ok(()),
});

pub(crate) fn short(reason: &str) -> Result<(), &'static str> {
    if reason.len() > REASON_BYTES { Err("its reason has more than 512 bytes") } else { Ok(()) }
}
