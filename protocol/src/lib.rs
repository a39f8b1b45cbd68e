//! What peers say to each other: the records they sign, the messages they exchange, the reports they send, and every
//! limit on them. The bytes are described in `docs/wire.md`.
//!
//! A pure library: no sockets, no disk, no clock, no randomness. Keys are made from seeds, times and counters are passed
//! in, and everything that came from somewhere else is bytes until it was opened.
//!
//! # How to read what a stranger sent
//!
//! 1. **Open.** [`Signed::open`], [`GossipRecord::open`], [`Manifest::open`], [`Request::decode`], [`decode_report`]: each
//!    checks the size first, then form, version, kind, run and signature. There is one form only: what would be written
//!    in another way is refused, so the same thing always has the same hash.
//! 2. **May the signer say this?** [`Signed::signed_by`], by the rule that stands at each record:
//!
//!    | record | who may say it |
//!    |---|---|
//!    | [`Claim`], [`Release`], [`Heartbeat`], [`Finished`], [`ReportHeader`], [`PeerRecord`] | any peer, about itself |
//!    | [`Delegation`] | the run's operator ([`Manifest::operator`]) |
//!    | [`Receipt`], [`Reopen`], [`Complete`] | the coordinator of the delegation that they number |
//!    | [`Manifest`] | its operator; checked by `open` |
//!
//! 3. **Does it hold?** A report: [`content_hash`] against its header, then [`check_report`]. Whether its literals are true
//!    of the rows is the audit's to find out.
//!
//! What was opened is passed on as the bytes that came ([`Signed::bytes`]), never encoded again.
//!
//! # Counters
//!
//! Claims, releases, finished and heartbeats of one signer in one run carry one counter that only grows, also over a
//! restart: a node starts it at the larger of what it remembers and the clock in Unix milliseconds. Peer records have a
//! counter of their own.
//!
//! # Errors
//!
//! An error is the sender's fault unless it [needs a newer version](EnvelopeError::needs_newer_version).

mod address;
mod cbor;
mod check;
pub mod coordinator;
mod envelope;
mod exchange;
mod gossip;
mod identity;
mod ids;
pub mod lease;
pub mod limits;
mod manifest;
mod message;
mod pace;
mod records;
mod report;
mod report_header;
mod status;
mod transfer;
mod unit;
pub mod volunteer;
mod windows;

pub use address::{Address, AddressError};
pub use check::{Place, ReportFault, ReportRules, UnitError, check_report};
pub use envelope::{DOMAIN, EnvelopeError, Record, Scope, Signed, VERSION};
pub use exchange::{Ask, ExchangeRequest, Prints, RangeIds, RecordId, Records, Told};
pub use gossip::{GossipRecord, topic};
pub use identity::{Identity, ParseKeyError, WriteKeyError};
pub use ids::{ContentHash, ModelHash, ParseIdError, PeerKey, RunId};
pub use limits::ReportLimits;
pub use manifest::{Counts, MANIFEST_VERSION, Manifest, ManifestBody, ManifestError};
pub use message::{Answer, Hello, HelloRun, MessageError, Offer, RecordBytes, Request};
pub use pace::{PACE_PEERS, Pace, PeerPace, Way};
pub use records::{Claim, Complete, Delegation, Finished, Heartbeat, PeerRecord, Receipt, Release, Reopen};
pub use report::{ReportDecodeError, ReportEncodeError, content_hash, decode_report, encode_report};
pub use report_header::ReportHeader;
pub use status::{Held, PathStatus, PeerStatus, RunStatus, StageCounts};
pub use transfer::{Codec, FrameError, ReportAck, ReportOffer, ReportReply, frame_head, frame_length};
pub use unit::Unit;
pub use windows::{Recent, WINDOW, WINDOWS, Windows, time_left};
