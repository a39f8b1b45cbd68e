//! The manifest: what an operator publishes and signs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use spec::{DataSpec, Format, MAX_MIRRORS, PublicSource, SpecError};

use crate::envelope::{Envelope, EnvelopeError, canonical};
use crate::identity::Identity;
use crate::ids::{PeerKey, RunId};
use crate::limits::{LOCATION_BYTES, LOCATIONS, MANIFEST_BYTES, NAME_CHARS};

/// The version of manifests that this program writes and reads.
pub const MANIFEST_VERSION: u32 = 1;

const KIND: &str = "manifest";

/// What a manifest says. There is no room in it for anything of one machine: no folders, key files, cache or volunteer
/// settings.
///
/// The run's id is BLAKE3 of its canonical CBOR, the very bytes that are signed. Operator and time are part of it: the
/// same data published by somebody else, or once more, is another run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestBody {
    /// [`MANIFEST_VERSION`].
    pub version: u32,
    /// The run's name, for people: 1 to 64 letters, digits, spaces and any of `-`, `_`, `.`.
    pub name: String,
    /// Whose run this is; the signer.
    pub operator: PeerKey,
    /// When it was published, by the operator's clock, in Unix seconds.
    pub published: u64,
    /// Where the rows are.
    pub source: PublicSource,
    /// What the shards and the model depend on.
    pub spec: DataSpec,
    /// What publishing counted.
    pub counts: Counts,
}

/// What the operator counted when it read the source. For people: nothing is checked against it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Records in the source, malformed ones included.
    pub records: u64,
    /// Malformed records that were left out.
    pub malformed: u64,
    /// Rows held out.
    pub held_out: u64,
    /// Rows left out because their shard has the same features already.
    pub duplicates: u64,
    /// Duplicates whose target differed.
    pub conflicts: u64,
    /// Bytes of the source as they were read.
    pub bytes: u64,
}

/// A manifest whose signature and content were checked, or that was signed here.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    body: ManifestBody,
    run: RunId,
    bytes: Arc<[u8]>,
}

/// A manifest that can't be used, or not be signed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ManifestError {
    /// The envelope is wrong.
    #[error("the manifest is refused: {0}")]
    Envelope(#[from] EnvelopeError),
    /// Written by a later version.
    #[error(
        "the manifest has version {found} and this program knows {MANIFEST_VERSION}: it needs a newer version"
    )]
    Version {
        /// The manifest's version.
        found: u32,
    },
    /// It names a run that its body is not.
    #[error("the manifest says it is run {}, but its body is run {}: it was changed", stated.short(), found.short())]
    Run {
        /// What it says.
        stated: RunId,
        /// What it is.
        found: RunId,
    },
    /// It names an operator who did not sign it.
    #[error("the manifest names operator {} and is signed by {}: only the operator may sign it", operator.short(), signer.short())]
    Operator {
        /// Whom it names.
        operator: PeerKey,
        /// Who signed.
        signer: PeerKey,
    },
    /// The name is not usable.
    #[error("the run's name is not usable: {0}")]
    Name(&'static str),
    /// A location is not usable.
    #[error("the manifest's location {location:?} {reason}")]
    Location {
        /// Which one.
        location: String,
        /// What is wrong, and what may stand there.
        reason: &'static str,
    },
    /// Source and spec don't fit each other.
    #[error("the manifest's source is not usable: {0}")]
    Source(&'static str),
    /// The spec is not usable.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// It is too large to be handed around.
    #[error(
        "the manifest has {bytes} bytes and at most {MANIFEST_BYTES} fit a message: choose fewer paths or dimensions, or \
         exclude columns"
    )]
    TooLarge {
        /// How many it has.
        bytes: usize,
    },
}

impl ManifestError {
    /// Whether a newer version of this program may be able to use the manifest.
    #[must_use]
    pub fn needs_newer_version(&self) -> bool {
        match self {
            Self::Version { found } => *found > MANIFEST_VERSION,
            Self::Envelope(error) => error.needs_newer_version(),
            Self::Spec(SpecError::NewerVersion { .. }) => true,
            _ => false,
        }
    }
}

impl Manifest {
    /// Signs a manifest.
    ///
    /// # Errors
    /// [`ManifestError`] when nobody would accept it.
    pub fn sign(identity: &Identity, body: ManifestBody) -> Result<Self, ManifestError> {
        check(&body, identity.key())?;
        let payload = serde_cbor::to_vec(&body).map_err(|_| EnvelopeError::Malformed { kind: KIND })?;
        let run = run_id(&payload);
        let envelope = Envelope::sign(identity, KIND, run, payload);
        let bytes = envelope.encode(KIND, MANIFEST_BYTES).map_err(|error| match error {
            EnvelopeError::TooLarge { bytes, .. } => ManifestError::TooLarge { bytes },
            error => error.into(),
        })?;
        Ok(Self { body, run, bytes: bytes.into() })
    }

    /// Opens a manifest from a file or from the network. Whether its operator is to be trusted is for the reader.
    ///
    /// # Errors
    /// [`ManifestError`]: size, form, version, kind, signature, run; then the body's version, form, operator, name,
    /// locations, source, spec.
    pub fn open(bytes: &[u8]) -> Result<Self, ManifestError> {
        let envelope = Envelope::decode(bytes, KIND, MANIFEST_BYTES)?;
        envelope.check_kind(KIND)?;
        envelope.verify(KIND)?;
        let run = run_id(&envelope.payload);
        if envelope.run != run {
            return Err(ManifestError::Run { stated: envelope.run, found: run });
        }
        let malformed = || EnvelopeError::Malformed { kind: KIND };
        // A later version may have other fields, another kind of router other settings: both are looked at first.
        let Peek { version } = serde_cbor::from_slice(&envelope.payload).map_err(|_| malformed())?;
        if version != MANIFEST_VERSION {
            return Err(ManifestError::Version { found: version });
        }
        let body: ManifestBody = serde_cbor::from_slice(&envelope.payload).map_err(|_| malformed())?;
        check(&body, envelope.signer)?;
        let body = canonical::<ManifestBody>(&envelope.payload).ok_or_else(malformed)?;
        Ok(Self { body, run, bytes: bytes.into() })
    }

    /// What it says.
    #[must_use]
    pub fn body(&self) -> &ManifestBody {
        &self.body
    }

    /// The recipe of the shards.
    #[must_use]
    pub fn spec(&self) -> &DataSpec {
        &self.body.spec
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// Who signed it.
    #[must_use]
    pub fn operator(&self) -> PeerKey {
        self.body.operator
    }

    /// The envelope as it travels and as it is stored.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The run as people are shown it: `name@short-key`. The same name under another key is another run.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}@{}", self.body.name, self.body.operator.short())
    }
}

/// The version alone; everything else is passed over.
#[derive(Deserialize)]
struct Peek {
    version: u32,
}

fn run_id(payload: &[u8]) -> RunId {
    RunId::from_bytes(*blake3::hash(payload).as_bytes())
}

fn check(body: &ManifestBody, signer: PeerKey) -> Result<(), ManifestError> {
    if body.version != MANIFEST_VERSION {
        return Err(ManifestError::Version { found: body.version });
    }
    if body.operator != signer {
        return Err(ManifestError::Operator { operator: body.operator, signer });
    }
    check_name(&body.name).map_err(ManifestError::Name)?;
    check_source(&body.source)?;
    body.spec.check()?;
    if body.source.target != body.spec.schema.target {
        return Err(ManifestError::Source("its target is not the target of the schema"));
    }
    if body.spec.schema.features.iter().any(|feature| body.source.exclude.contains(&feature.name)) {
        return Err(ManifestError::Source("it excludes a column of the schema"));
    }
    Ok(())
}

/// A run's name: what can stand in a line of text without being taken for something else.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    if name.is_empty() || name.chars().count() > NAME_CHARS || !name.chars().all(plain) {
        return Err("it must be 1 to 64 letters, digits, spaces and any of - _ .");
    }
    if !name.starts_with(char::is_alphanumeric) || name.ends_with(' ') {
        return Err("it must begin with a letter or digit and not end with a space");
    }
    Ok(())
}

fn check_source(source: &PublicSource) -> Result<(), ManifestError> {
    if source.locations.is_empty() || source.locations.len() > LOCATIONS {
        return Err(ManifestError::Source("it must have 1 to 4096 locations"));
    }
    if !source.mirrors.is_empty() && source.mirrors.len() != source.locations.len() {
        return Err(ManifestError::Source("it must have one list of mirrors per location, or none at all"));
    }
    if source.mirrors.iter().any(|mirrors| mirrors.len() > MAX_MIRRORS) {
        return Err(ManifestError::Source("a location has more than 16 mirrors"));
    }
    let made_up = |location: &String| location.starts_with("synthetic://");
    if source.locations.iter().any(|location| made_up(location) != (source.format == Format::Synthetic)) {
        return Err(ManifestError::Source("format synthetic and synthetic:// locations only go together"));
    }
    for location in source.locations.iter().chain(source.mirrors.iter().flatten()) {
        check_location(location).map_err(|reason| ManifestError::Location {
            location: location.chars().take(80).collect(),
            reason,
        })?;
    }
    Ok(())
}

/// A web address, a made-up table, or a bare file name: a manifest has no say in where a file lies on anybody's disk.
fn check_location(location: &str) -> Result<(), &'static str> {
    if location.is_empty() || location.len() > LOCATION_BYTES {
        return Err("must have 1 to 2048 bytes");
    }
    if location.chars().any(|c| c.is_control() || c == '\\') {
        return Err("has a backslash or a control character in it");
    }
    if let Some((scheme, rest)) = location.split_once("://") {
        if !["http", "https", "s3", "synthetic"].iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
            return Err(
                "is of a kind that may not be published: use http://, https://, s3:// or a bare file name",
            );
        }
        let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err("names no host");
        }
        if host.contains('@') {
            return Err("has a user or password in it, which would be published: leave it out");
        }
        return Ok(());
    }
    let drive = location.as_bytes().get(1) == Some(&b':');
    if location.contains('/') || location == "." || location == ".." || drive {
        return Err("is a path: only a bare file name or a web address may stand in a manifest");
    }
    Ok(())
}
