//! Requests and answers. Canonical CBOR, at most [`MESSAGE_BYTES`]; records travel inside as the bytes that were signed,
//! and are opened one by one.
//!
//! A message that can't be decoded is the other side's fault or a later version's: it is answered with
//! [`Answer::No`], and the connection stays.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::envelope::canonical;
use crate::exchange::{ExchangeRequest, Told};
use crate::ids::{PeerKey, RunId};
use crate::limits::{ADDRESS_RECORD_BYTES, HELLO_PEERS, HELLO_RUNS, MANIFEST_BYTES, MESSAGE_BYTES};
use crate::manifest::check_name;
use crate::status::RunStatus;
use crate::transfer::short;

/// A signed record as it travels, not opened yet.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordBytes(#[serde(with = "serde_bytes")] pub Vec<u8>);

/// What peers ask each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Request {
    /// The first on every connection; answered with [`Answer::Hello`].
    Hello(Hello),
    /// For a manifest; answered with [`Answer::Manifest`] or [`Answer::Absent`].
    Manifest(RunId),
    /// Hands over a manifest and its delegation; answered with [`Answer::Accepted`] or [`Answer::No`].
    Offer(Offer),
    /// A step of an exchange of records; answered with [`Answer::Exchange`] or [`Answer::Absent`].
    Exchange(ExchangeRequest),
    /// For how far a run is; answered with [`Answer::Status`] or [`Answer::Absent`].
    Status(RunId),
}

/// What is said to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// What the other side knows.
    Hello(Hello),
    /// A signed manifest.
    Manifest(RecordBytes),
    /// The run is not known here.
    Absent,
    /// Taken, or known already.
    Accepted,
    /// A step of an exchange.
    Exchange(Told),
    /// A run at a glance.
    Status(Box<RunStatus>),
    /// Not now: ask again after so many seconds.
    Busy(u32),
    /// No: why.
    No(String),
}

/// What a peer knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The runs, each once, at most [`HELLO_RUNS`].
    #[serde(rename = "r")]
    pub runs: Vec<HelloRun>,
}

/// A run that a peer knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HelloRun {
    /// The run.
    #[serde(rename = "r")]
    pub run: RunId,
    /// Its name. Hearsay until the manifest is there.
    #[serde(rename = "n")]
    pub name: String,
    /// Its operator. Hearsay until the manifest is there.
    #[serde(rename = "o")]
    pub operator: PeerKey,
    /// The newest signed [`Delegation`](crate::Delegation) that is known.
    #[serde(rename = "d")]
    pub delegation: Option<RecordBytes>,
    /// Signed [`PeerRecord`](crate::PeerRecord)s of members, at most [`HELLO_PEERS`].
    #[serde(rename = "p")]
    pub peers: Vec<RecordBytes>,
}

/// A manifest that is handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// The signed manifest.
    #[serde(rename = "m")]
    pub manifest: RecordBytes,
    /// A signed [`Delegation`](crate::Delegation) of its run.
    #[serde(rename = "d")]
    pub delegation: RecordBytes,
}

/// Bytes that are no message, or a message that nobody would take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Too many bytes.
    #[error("a {what} has at most {limit} bytes; this one has {bytes}")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        limit: usize,
    },
    /// Not this message, not canonical, or of a later version.
    #[error("these bytes are no {what} that this version knows")]
    Malformed {
        /// What was expected.
        what: &'static str,
    },
    /// A count or a length is too large.
    #[error("this {what} is refused: {reason}")]
    Refused {
        /// What it is.
        what: &'static str,
        /// Why.
        reason: &'static str,
    },
}

impl Request {
    /// The bytes to send.
    ///
    /// # Errors
    /// [`MessageError`] when the other side would refuse them.
    pub fn encode(&self) -> Result<Vec<u8>, MessageError> {
        encode(self, "request", MESSAGE_BYTES, Self::check)
    }

    /// Reads a request.
    ///
    /// # Errors
    /// [`MessageError`]: size, form, counts.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        decode(bytes, "request", MESSAGE_BYTES, Self::check)
    }

    fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Hello(hello) => hello.check(),
            Self::Offer(offer) => {
                offer.manifest.check(MANIFEST_BYTES)?;
                offer.delegation.check(ADDRESS_RECORD_BYTES)
            }
            Self::Exchange(request) => request.check(),
            Self::Manifest(_) | Self::Status(_) => Ok(()),
        }
    }
}

impl Answer {
    /// The bytes to send.
    ///
    /// # Errors
    /// [`MessageError`] when the other side would refuse them.
    pub fn encode(&self) -> Result<Vec<u8>, MessageError> {
        encode(self, "answer", MESSAGE_BYTES, Self::check)
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// [`MessageError`]: size, form, counts.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        decode(bytes, "answer", MESSAGE_BYTES, Self::check)
    }

    fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Hello(hello) => hello.check(),
            Self::Manifest(manifest) => manifest.check(MANIFEST_BYTES),
            Self::Exchange(told) => told.check(),
            Self::Status(status) => status.check(),
            Self::No(reason) => short(reason),
            Self::Absent | Self::Accepted | Self::Busy(_) => Ok(()),
        }
    }
}

impl Hello {
    fn check(&self) -> Result<(), &'static str> {
        if self.runs.len() > HELLO_RUNS {
            return Err("it names more than 16 runs");
        }
        for (index, run) in self.runs.iter().enumerate() {
            if run.run == RunId::NONE || self.runs.iter().take(index).any(|other| other.run == run.run) {
                return Err("it names a run twice, or none");
            }
            check_name(&run.name)?;
            if run.peers.len() > HELLO_PEERS {
                return Err("it has more than 32 peer records for a run");
            }
            for record in run.peers.iter().chain(&run.delegation) {
                record.check(ADDRESS_RECORD_BYTES)?;
            }
        }
        Ok(())
    }

    /// Leaves out what is too much: runs and peer records behind the limits, then peer records from the back until
    /// the message is small enough. So the caller puts what matters first.
    pub fn fit(&mut self) {
        self.runs.truncate(HELLO_RUNS);
        for run in &mut self.runs {
            run.peers.truncate(HELLO_PEERS);
        }
        // The heads, names and keys of 16 runs take less than 8 KiB.
        let fixed = |run: &HelloRun| run.delegation.as_ref().map_or(0, |delegation| delegation.0.len());
        let mut left = (MESSAGE_BYTES - 8 * 1024).saturating_sub(self.runs.iter().map(fixed).sum());
        let most = self.runs.iter().map(|run| run.peers.len()).max().unwrap_or(0);
        // One peer of every run in turn, so that a large run does not push out the others.
        let mut kept = vec![0_usize; self.runs.len()];
        'full: for rank in 0..most {
            for (run, kept) in self.runs.iter().zip(&mut kept) {
                let Some(peer) = run.peers.get(rank) else { continue };
                match left.checked_sub(peer.0.len() + 8) {
                    Some(less) => left = less,
                    None => break 'full,
                }
                *kept = rank + 1;
            }
        }
        for (run, kept) in self.runs.iter_mut().zip(kept) {
            run.peers.truncate(kept);
        }
    }
}

impl RecordBytes {
    /// The bytes, as the `open` of a record takes them.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn check(&self, limit: usize) -> Result<(), &'static str> {
        if self.0.len() > limit { Err("a record in it is larger than its kind may be") } else { Ok(()) }
    }
}

impl From<&[u8]> for RecordBytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl std::fmt::Debug for RecordBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RecordBytes({} bytes)", self.0.len())
    }
}

pub(crate) fn encode<T: Serialize>(
    value: &T,
    what: &'static str,
    limit: usize,
    check: impl Fn(&T) -> Result<(), &'static str>,
) -> Result<Vec<u8>, MessageError> {
    check(value).map_err(|reason| MessageError::Refused { what, reason })?;
    let bytes = serde_cbor::to_vec(value).map_err(|_| MessageError::Malformed { what })?;
    if bytes.len() > limit {
        return Err(MessageError::TooLarge { what, bytes: bytes.len(), limit });
    }
    Ok(bytes)
}

pub(crate) fn decode<T: Serialize + DeserializeOwned>(
    bytes: &[u8],
    what: &'static str,
    limit: usize,
    check: impl Fn(&T) -> Result<(), &'static str>,
) -> Result<T, MessageError> {
    if bytes.len() > limit {
        return Err(MessageError::TooLarge { what, bytes: bytes.len(), limit });
    }
    let value: T = canonical(bytes).ok_or(MessageError::Malformed { what })?;
    check(&value).map_err(|reason| MessageError::Refused { what, reason })?;
    Ok(value)
}
