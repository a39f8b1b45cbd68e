//! Names of things: peers, runs, content. Fixed-size newtypes, text for people (lower-case hex), bytes on the wire.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A text that does not name what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is 64 hexadecimal characters; this is not: {text:?}")]
pub struct ParseIdError {
    what: &'static str,
    text: String,
}

macro_rules! id32 {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

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

            /// The first eight hexadecimal characters, for people.
            #[must_use]
            pub fn short(&self) -> String {
                HEXLOWER_PERMISSIVE.encode(&self.0[..4])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&HEXLOWER_PERMISSIVE.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.short())
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let wrong = || ParseIdError { what: $what, text: text.chars().take(80).collect() };
                let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| wrong())?;
                Ok(Self(bytes.try_into().map_err(|_| wrong())?))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Bytes;
                impl Visitor<'_> for Bytes {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("32 bytes")
                    }

                    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<$name, E> {
                        let bytes = bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))?;
                        Ok($name(bytes))
                    }
                }
                deserializer.deserialize_bytes(Bytes)
            }
        }
    };
}

id32!(
    /// A peer: its Ed25519 public key, which is also its identity in the network.
    PeerKey,
    "a key"
);
id32!(
    /// A run: BLAKE3 of the signed body of its manifest.
    RunId,
    "a run id"
);
impl RunId {
    /// No run: 32 zero bytes, in records that are about a peer and not about a run.
    pub const NONE: Self = Self([0; 32]);
}

id32!(
    /// What a unit's buckets are: BLAKE3 over fingerprint, unit and canonical buckets.
    ContentHash,
    "a content hash"
);
id32!(
    /// A finished model: BLAKE3 of the bytes of `model.json`.
    ModelHash,
    "a model hash"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_round_trip() {
        let key = PeerKey::from_bytes([0xab; 32]);
        assert_eq!(key.to_string().parse::<PeerKey>(), Ok(key));
        assert_eq!(key.short(), "abababab");
        let bytes = serde_cbor::to_vec(&key).unwrap();
        assert_eq!(bytes[..2], [0x58, 0x20]);
        assert_eq!(serde_cbor::from_slice::<PeerKey>(&bytes).unwrap(), key);
    }

    #[test]
    fn a_short_text_is_refused_with_what_it_should_be() {
        let error = "abc".parse::<RunId>().unwrap_err();
        assert!(error.to_string().contains("a run id is 64 hexadecimal characters"));
    }
}
