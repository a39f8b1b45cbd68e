//! A peer's secret key, and what it can do.

use std::fmt;

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::spki::der::zeroize::Zeroizing;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::ids::PeerKey;

/// A peer's Ed25519 key pair: its identity in the network, and what it signs records with.
///
/// The secret is wiped from memory on drop and never shown by `Debug`.
#[derive(Clone)]
pub struct Identity(SigningKey);

/// A text that holds no usable secret key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no Ed25519 secret key in PKCS#8 PEM (a text that begins with -----BEGIN PRIVATE KEY-----); \
     `opendipaco keygen` writes one"
)]
pub struct ParseKeyError;

/// The secret key could not be written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret key could not be written as PKCS#8 PEM")]
pub struct WriteKeyError;

impl Identity {
    /// The identity of 32 secret random bytes, which the caller draws.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The secret seed, for the network stack's own key pair.
    #[must_use]
    pub fn seed(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The public half.
    #[must_use]
    pub fn key(&self) -> PeerKey {
        PeerKey::from_bytes(self.0.verifying_key().to_bytes())
    }

    /// Reads a PKCS#8 PEM text (RFC 8410), version 1 or 2.
    ///
    /// # Errors
    /// [`ParseKeyError`] when the text is something else, or its public half belongs to another secret.
    pub fn from_pem(text: &str) -> Result<Self, ParseKeyError> {
        SigningKey::from_pkcs8_pem(text).map(Self).map_err(|_| ParseKeyError)
    }

    /// Writes a PKCS#8 PEM text, version 1 (without the public half), which OpenSSL reads too. Wiped on drop; the
    /// file it goes to should be readable by its owner only.
    ///
    /// # Errors
    /// [`WriteKeyError`], in practice never.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, WriteKeyError> {
        // Wiped on drop.
        let bytes = KeypairBytes { secret_key: *self.seed(), public_key: None };
        bytes.to_pkcs8_pem(LineEnding::LF).map_err(|_| WriteKeyError)
    }

    /// Signs bytes as they are. Records are signed through [`Signed`](crate::Signed), which adds domain and kind.
    #[must_use]
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

/// Whether `signature` is `key`'s over `message`: the strict check, which refuses weak keys and every second form of a
/// signature, so that all peers agree on what is valid.
#[must_use]
pub(crate) fn verify(key: &PeerKey, message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(key.as_bytes())
        .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.key().short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_vector_of_rfc_8032_agrees() {
        let seed = data_encoding::HEXLOWER
            .decode(b"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
            .unwrap();
        let identity = Identity::from_seed(&seed.try_into().unwrap());
        assert_eq!(
            identity.key().to_string(),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        let signature = identity.sign(b"");
        assert!(data_encoding::HEXLOWER.encode(&signature).starts_with("e5564300c360ac729086e2cc806e828a"));
        assert!(verify(&identity.key(), b"", &signature));
        assert!(!verify(&identity.key(), b"x", &signature));
        assert!(!verify(&Identity::from_seed(&[1; 32]).key(), b"", &signature));
    }

    #[test]
    fn pem_round_trips_and_is_pinned() {
        let identity = Identity::from_seed(&[7; 32]);
        let pem = identity.to_pem().unwrap();
        assert_eq!(
            pem.as_str(),
            "-----BEGIN PRIVATE KEY-----\n\
             MC4CAQAwBQYDK2VwBCIEIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n\
             -----END PRIVATE KEY-----\n"
        );
        assert_eq!(Identity::from_pem(&pem).unwrap().key(), identity.key());
        assert_eq!(Identity::from_pem("-----BEGIN").unwrap_err(), ParseKeyError);
    }

    #[test]
    fn debug_shows_the_public_key_only() {
        let identity = Identity::from_seed(&[7; 32]);
        assert_eq!(format!("{identity:?}"), format!("Identity({})", identity.key().short()));
    }

    #[test]
    fn a_weak_key_signs_nothing() {
        // The neutral point: under the lax check it would accept one signature for every message.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!verify(&PeerKey::from_bytes(neutral), b"anything", &signature));
    }
}
