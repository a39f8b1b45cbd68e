//! The recipe of every shard of a run, as it is published, and its fingerprint.

use serde::{Deserialize, Serialize};
use snake::{Schema, Training};

use crate::routing::Routing;

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
