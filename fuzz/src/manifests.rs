//! A manifest: as bytes, and as a body that whoever made it up has signed.

use ed25519_dalek::{Signer, SigningKey};
use protocol::{Identity, Manifest, ManifestBody, PeerKey, RunId};
use serde::Serialize;

const SEED: [u8; 32] = [1; 32];

/// A manifest. An even first byte: the rest is the envelope; an odd one: the rest is the body, and gets a good signature, so that
/// what is behind the signature is reached.
pub fn manifest(input: &[u8]) {
    let Some((how, bytes)) = input.split_first() else { return };
    if how % 2 == 0 {
        open(bytes);
        return;
    }
    open(&signed(bytes, "manifest", run_of(bytes)));
    // What can be read has its operator put right, so that the checks behind that are reached.
    if let Ok(mut body) = serde_cbor::from_slice::<ManifestBody>(bytes) {
        body.operator = Identity::from_seed(&SEED).key();
        let Ok(again) = serde_cbor::to_vec(&body) else { return };
        let opened = open(&signed(&again, "manifest", run_of(&again)));
        let signed = Manifest::sign(&Identity::from_seed(&SEED), body);
        assert_eq!(signed.ok(), opened, "what is opened could be signed, and the other way round");
    }
}

fn open(bytes: &[u8]) -> Option<Manifest> {
    let manifest = match Manifest::open(bytes) {
        Ok(manifest) => manifest,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            let _ = error.needs_newer_version();
            return None;
        }
    };
    assert_eq!(manifest.bytes(), bytes);
    assert_eq!(manifest.spec().check(), Ok(()));
    assert_eq!(manifest.run(), run_of(&serde_cbor::to_vec(manifest.body()).unwrap()));
    assert!(!manifest.title().contains(char::is_control));
    for location in &manifest.body().source.locations {
        assert!(location.contains("://") || !location.contains(['/', '\\']), "{location:?} in a manifest");
    }
    Some(manifest)
}

fn run_of(payload: &[u8]) -> RunId {
    RunId::from_bytes(*blake3::hash(payload).as_bytes())
}

/// Any payload in an envelope with a good signature, as anybody can make it.
pub fn signed(payload: &[u8], kind: &str, run: RunId) -> Vec<u8> {
    #[derive(Serialize)]
    struct Envelope<'a> {
        v: u32,
        k: &'a str,
        r: RunId,
        s: PeerKey,
        #[serde(with = "serde_bytes")]
        p: &'a [u8],
        #[serde(with = "serde_bytes")]
        g: &'a [u8],
    }
    let mut message = Vec::new();
    for part in [protocol::DOMAIN.as_bytes(), kind.as_bytes(), run.as_bytes(), payload] {
        message.extend_from_slice(&(part.len() as u64).to_le_bytes());
        message.extend_from_slice(part);
    }
    let key = SigningKey::from_bytes(&SEED);
    let signer = PeerKey::from_bytes(key.verifying_key().to_bytes());
    let signature = key.sign(&message).to_bytes();
    serde_cbor::to_vec(&Envelope { v: 1, k: kind, r: run, s: signer, p: payload, g: &signature }).unwrap()
}
