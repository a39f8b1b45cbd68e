//! The envelope: how a record travels with its signature.
//!
//! An envelope is a canonical CBOR map with the keys `g` signature (64 bytes), `k` kind, `p` payload (bytes: the
//! record's own canonical CBOR), `r` run (32 bytes), `s` signer (32 bytes), `v` version. The signature is over
//! domain, kind, run, payload, each preceded by its length as 8 bytes, little endian. The domain names the version.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::identity::{Identity, verify};
use crate::ids::{PeerKey, RunId};

/// What every signature covers first: nothing that is signed elsewhere can be taken for one of our records.
pub const DOMAIN: &str = "opendipaco signed record v1";

/// The version of envelope and records that this program writes and reads.
pub const VERSION: u32 = 1;

/// Something that a peer can sign.
///
/// Decoding must accept exactly what encoding writes; [`Signed::open`] checks that by encoding again.
pub trait Record: Serialize + DeserializeOwned {
    /// The record's name within the envelope, at most 16 ASCII characters.
    const KIND: &'static str;
    /// Whether the record is about a run.
    const SCOPE: Scope;
    /// The largest envelope of this kind, in bytes. Checked before decoding.
    const MAX_BYTES: usize;

    /// What the types do not say by themselves, such as counts. Checked when signing and when opening.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence.
    fn check(&self) -> Result<(), &'static str> {
        Ok(())
    }
}

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One run, which the envelope names.
    Run,
    /// No run: the envelope names [`RunId::NONE`].
    Network,
}

/// Bytes that are no acceptable record, or a record that can't be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// More bytes than a record of this kind has.
    #[error("a {kind} record has at most {limit} bytes; this one has {bytes}")]
    TooLarge {
        /// The kind that was expected.
        kind: &'static str,
        /// How many bytes it has.
        bytes: usize,
        /// How many it may have.
        limit: usize,
    },
    /// The bytes are no envelope, or not its canonical form.
    #[error("these bytes are no signed {kind} record in canonical CBOR")]
    Malformed {
        /// The kind that was expected.
        kind: &'static str,
    },
    /// Written by a later version.
    #[error("this record has version {found} and this program knows {VERSION}: it needs a newer version")]
    Version {
        /// The record's version.
        found: u32,
    },
    /// Another kind of record.
    #[error("expected a {expected} record, found one of kind {found:?}")]
    Kind {
        /// The kind that was expected.
        expected: &'static str,
        /// The kind it has.
        found: String,
    },
    /// About another run, or about none where one is needed, or the other way round.
    #[error("this {kind} record is about {}, not about {}", told(Some(found)), told(expected.as_ref()))]
    Run {
        /// The kind.
        kind: &'static str,
        /// The run that was expected; `None`: any run.
        expected: Option<RunId>,
        /// The run it names.
        found: RunId,
    },
    /// The signature is not its signer's over these bytes.
    #[error("the signature of this {kind} record is not by {signer}: it was changed, or is somebody else's")]
    Signature {
        /// The kind.
        kind: &'static str,
        /// Whom the envelope names.
        signer: PeerKey,
    },
    /// The record's own rule is broken.
    #[error("this {kind} record is refused: {reason}")]
    Refused {
        /// The kind.
        kind: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// Signed by somebody who may not say this.
    #[error("this {kind} record is signed by {found}; only {expected} may say this")]
    Signer {
        /// The kind.
        kind: &'static str,
        /// Who may.
        expected: PeerKey,
        /// Who did.
        found: PeerKey,
    },
}

impl EnvelopeError {
    /// Whether the sender may just be newer than this program: such a record is left alone, every other error is the
    /// sender's fault.
    #[must_use]
    pub fn needs_newer_version(&self) -> bool {
        matches!(self, Self::Version { found } if *found > VERSION)
    }
}

/// A signed record as it travels, before anything about it is known to be true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Envelope {
    #[serde(rename = "v")]
    pub(crate) version: u32,
    #[serde(rename = "k")]
    pub(crate) kind: String,
    #[serde(rename = "r")]
    pub(crate) run: RunId,
    #[serde(rename = "s")]
    pub(crate) signer: PeerKey,
    #[serde(rename = "p", with = "serde_bytes")]
    pub(crate) payload: Vec<u8>,
    #[serde(rename = "g", with = "serde_bytes")]
    pub(crate) signature: [u8; 64],
}

impl Envelope {
    pub(crate) fn sign(identity: &Identity, kind: &str, run: RunId, payload: Vec<u8>) -> Self {
        let signature = identity.sign(&signed_bytes(kind, run, &payload));
        Self { version: VERSION, kind: kind.to_owned(), run, signer: identity.key(), payload, signature }
    }

    /// The bytes that travel, if they are not more than `limit`.
    pub(crate) fn encode(&self, kind: &'static str, limit: usize) -> Result<Vec<u8>, EnvelopeError> {
        let bytes = serde_cbor::to_vec(self).map_err(|_| EnvelopeError::Malformed { kind })?;
        check_size(kind, limit, &bytes)?;
        Ok(bytes)
    }

    /// Checks size, form and version; nothing is known about signer and kind yet. `kind` is for the errors.
    pub(crate) fn decode(bytes: &[u8], kind: &'static str, limit: usize) -> Result<Self, EnvelopeError> {
        check_size(kind, limit, bytes)?;
        // A later version may have other keys: its number is read first.
        let malformed = || EnvelopeError::Malformed { kind };
        let Version { version } = serde_cbor::from_slice(bytes).map_err(|_| malformed())?;
        if version != VERSION {
            return Err(EnvelopeError::Version { found: version });
        }
        canonical(bytes).ok_or_else(malformed)
    }

    pub(crate) fn check_kind(&self, expected: &'static str) -> Result<(), EnvelopeError> {
        if self.kind == expected {
            return Ok(());
        }
        Err(EnvelopeError::Kind { expected, found: self.kind.chars().take(32).collect() })
    }

    pub(crate) fn verify(&self, kind: &'static str) -> Result<(), EnvelopeError> {
        let message = signed_bytes(&self.kind, self.run, &self.payload);
        if verify(&self.signer, &message, &self.signature) {
            return Ok(());
        }
        Err(EnvelopeError::Signature { kind, signer: self.signer })
    }
}

/// The version alone; everything else is passed over.
#[derive(Deserialize)]
struct Version {
    #[serde(rename = "v")]
    version: u32,
}

/// Decodes, and encodes again to be certain that there is one form only.
pub(crate) fn canonical<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let value: T = serde_cbor::from_slice(bytes).ok()?;
    (serde_cbor::to_vec(&value).ok()? == bytes).then_some(value)
}

/// A record of which it is certain that `signer` signed it: opened and verified, or signed here.
///
/// Whether the signer *may* say this is for the reader: [`Signed::signed_by`], and each record's own words.
pub struct Signed<T> {
    signer: PeerKey,
    run: RunId,
    value: T,
    bytes: Arc<[u8]>,
}

impl<T: Record> Signed<T> {
    /// Signs a record. `run` is [`RunId::NONE`] for a record about no run.
    ///
    /// # Errors
    /// [`EnvelopeError`] when nobody would accept the record: too large, no run, its own rule broken.
    pub fn sign(identity: &Identity, run: RunId, value: T) -> Result<Self, EnvelopeError> {
        check_scope::<T>(run, None)?;
        value.check().map_err(|reason| EnvelopeError::Refused { kind: T::KIND, reason })?;
        let payload = serde_cbor::to_vec(&value).map_err(|_| EnvelopeError::Malformed { kind: T::KIND })?;
        let envelope = Envelope::sign(identity, T::KIND, run, payload);
        let bytes = envelope.encode(T::KIND, T::MAX_BYTES)?;
        Ok(Self { signer: envelope.signer, run, value, bytes: bytes.into() })
    }

    /// Opens bytes from the network. With `run`, a record about another run is refused; a record about no run is not
    /// affected by it.
    ///
    /// # Errors
    /// [`EnvelopeError`]: size, form, version, kind, run, signature, form of the record, the record's own rule, in
    /// this order.
    pub fn open(bytes: &[u8], run: Option<RunId>) -> Result<Self, EnvelopeError> {
        let envelope = Envelope::decode(bytes, T::KIND, T::MAX_BYTES)?;
        Self::from_envelope(envelope, bytes, run)
    }

    /// The rest of [`open`](Self::open), for an envelope that was decoded from `bytes`.
    pub(crate) fn from_envelope(
        envelope: Envelope,
        bytes: &[u8],
        run: Option<RunId>,
    ) -> Result<Self, EnvelopeError> {
        check_size(T::KIND, T::MAX_BYTES, bytes)?;
        envelope.check_kind(T::KIND)?;
        check_scope::<T>(envelope.run, run)?;
        envelope.verify(T::KIND)?;
        let value: T = canonical(&envelope.payload).ok_or(EnvelopeError::Malformed { kind: T::KIND })?;
        value.check().map_err(|reason| EnvelopeError::Refused { kind: T::KIND, reason })?;
        Ok(Self { signer: envelope.signer, run: envelope.run, value, bytes: bytes.into() })
    }

    /// Checks that `key` is who signed: the operator of a delegation, the coordinator of a receipt.
    ///
    /// # Errors
    /// [`EnvelopeError::Signer`] with both keys.
    pub fn signed_by(&self, key: PeerKey) -> Result<(), EnvelopeError> {
        if self.signer == key {
            return Ok(());
        }
        Err(EnvelopeError::Signer { kind: T::KIND, expected: key, found: self.signer })
    }
}

impl<T> Signed<T> {
    /// Who signed.
    #[must_use]
    pub fn signer(&self) -> PeerKey {
        self.signer
    }

    /// The run that this is about; [`RunId::NONE`] for a record about none.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// What was said.
    #[must_use]
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The envelope as it travels: pass on these bytes, never encode again.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same without copying.
    #[must_use]
    pub fn shared_bytes(&self) -> Arc<[u8]> {
        Arc::clone(&self.bytes)
    }

    /// BLAKE3 of the envelope: names this very record in digests.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        *blake3::hash(&self.bytes).as_bytes()
    }
}

impl<T: Clone> Clone for Signed<T> {
    fn clone(&self) -> Self {
        Self { signer: self.signer, run: self.run, value: self.value.clone(), bytes: Arc::clone(&self.bytes) }
    }
}

impl<T> PartialEq for Signed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<T> Eq for Signed<T> {}

impl<T: fmt::Debug> fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed")
            .field("signer", &self.signer)
            .field("run", &self.run)
            .field("value", &self.value)
            .finish_non_exhaustive()
    }
}

/// What the signature is over.
fn signed_bytes(kind: &str, run: RunId, payload: &[u8]) -> Vec<u8> {
    let parts = [DOMAIN.as_bytes(), kind.as_bytes(), run.as_bytes(), payload];
    let mut message = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        message.extend_from_slice(&(part.len() as u64).to_le_bytes());
        message.extend_from_slice(part);
    }
    message
}

fn check_size(kind: &'static str, limit: usize, bytes: &[u8]) -> Result<(), EnvelopeError> {
    if bytes.len() <= limit {
        return Ok(());
    }
    Err(EnvelopeError::TooLarge { kind, bytes: bytes.len(), limit })
}

fn check_scope<T: Record>(found: RunId, expected: Option<RunId>) -> Result<(), EnvelopeError> {
    let (fits, expected) = match T::SCOPE {
        Scope::Network => (found == RunId::NONE, Some(RunId::NONE)),
        Scope::Run => (found != RunId::NONE && expected.is_none_or(|run| run == found), expected),
    };
    if fits { Ok(()) } else { Err(EnvelopeError::Run { kind: T::KIND, expected, found }) }
}

/// A run as an error names it.
fn told(run: Option<&RunId>) -> String {
    match run {
        None => "a run".to_owned(),
        Some(&RunId::NONE) => "no run".to_owned(),
        Some(run) => format!("run {}", run.short()),
    }
}
