//! The recipe of every shard of a run, as it is published, and its fingerprint.

use serde::{Deserialize, Serialize};
use snake::{Feature, FeatureKind, Literal, Schema, Test, TextTest, Training};

use crate::error::SpecError;
use crate::routing::Routing;

/// The feature that a model of several k-means paths has besides those of the source.
pub const PATH_FEATURE: &str = "__path";

/// Everything that the shards and the model depend on. No name, place, mirror, key or date is in here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// Columns, kinds and classes, over the whole source.
    pub schema: Schema,
    /// The share of rows never trained on, 0 up to but not including 1.
    pub holdout: f64,
    /// How rows are routed, with the whole fit.
    pub routing: Routing,
    /// How to train.
    pub training: Training,
    /// Per path, what its shard must be.
    pub shards: Vec<Shard>,
}

impl DataSpec {
    /// BLAKE3 of the spec's canonical CBOR.
    ///
    /// # Errors
    /// [`SpecError`] when a number is not finite; never for a spec that passed [`check`](Self::check).
    pub fn fingerprint(&self) -> Result<Fingerprint, SpecError> {
        let bytes = serde_cbor::to_vec(self)
            .map_err(|error| SpecError::field("encoding", format!("no canonical CBOR: {error}")))?;
        Ok(Fingerprint(*blake3::hash(&bytes).as_bytes()))
    }

    /// How many paths there are.
    #[must_use]
    pub fn paths(&self) -> u32 {
        self.routing.paths()
    }

    /// Whether the model has the feature `__path`: k-means with several paths.
    #[must_use]
    pub fn has_path_feature(&self) -> bool {
        matches!(&self.routing, Routing::Kmeans(fit) if fit.settings.paths > 1)
    }

    /// The schema of the model: the spec's, and with several k-means paths the text feature `__path` at its end.
    #[must_use]
    pub fn routed_schema(&self) -> Schema {
        let mut schema = self.schema.clone();
        if self.has_path_feature() {
            schema.features.push(Feature { name: PATH_FEATURE.into(), kind: FeatureKind::Text });
        }
        schema
    }

    /// The literal that starts every bucket of `path`: `__path` TEQ "path". `None` where the model has no `__path`.
    #[must_use]
    pub fn path_literal(&self, path: u32) -> Option<Literal> {
        let column = u32::try_from(self.schema.features.len() + 1).ok()?;
        self.has_path_feature().then(|| Literal {
            column,
            negated: false,
            test: Test::Text(TextTest::Equals, path.to_string().into()),
        })
    }
}

/// What a path's shard must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// How many rows, after holdout and duplicates.
    pub rows: u64,
    /// BLAKE3 over its canonical rows.
    pub hash: ShardHash,
}

/// BLAKE3 over a shard's canonical rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShardHash(#[serde(with = "serde_bytes")] [u8; 32]);

/// BLAKE3 of a [`DataSpec`]'s canonical CBOR: the same data, routing and training have the same fingerprint,
/// whoever publishes them from wherever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fingerprint(#[serde(with = "serde_bytes")] [u8; 32]);

macro_rules! hash_text {
    ($name:ident) => {
        impl $name {
            /// Takes the 32 bytes as they are.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
            }
        }
    };
}
hash_text!(ShardHash);
hash_text!(Fingerprint);
