//! What peers say to each other.

mod address;
mod cbor;
mod check;
pub mod coordinator;
mod digests;
mod envelope;
mod gossip;
mod identity;
mod ids;
pub mod lease;
pub mod limits;
mod manifest;
mod message;
mod records;
mod report;
mod report_header;
mod transfer;
mod unit;
pub mod volunteer;

pub use address::{Address, AddressError};
pub use check::{Place, ReportFault, ReportRules, UnitError, check_report};
pub use digests::{RANGES, RecordDigests};
pub use envelope::{DOMAIN, EnvelopeError, Record, Scope, Signed, VERSION};
pub use gossip::{GossipRecord, topic};
pub use identity::{Identity, ParseKeyError, WriteKeyError};
pub use ids::{ContentHash, ModelHash, ParseIdError, PeerKey, RunId};
pub use limits::ReportLimits;
pub use manifest::{Counts, MANIFEST_VERSION, Manifest, ManifestBody, ManifestError};
pub use message::{
    Answer, Hello, HelloRun, MessageError, Offer, RecordBytes, Records, RecordsRequest, Request,
};
pub use records::{Claim, Complete, Delegation, Finished, Heartbeat, PeerRecord, Receipt, Release, Reopen};
pub use report::{ReportDecodeError, ReportEncodeError, content_hash, decode_report, encode_report};
pub use report_header::ReportHeader;
pub use transfer::{Codec, FrameError, ReportAck, ReportOffer, ReportReply, frame_head, frame_length};
pub use unit::Unit;
