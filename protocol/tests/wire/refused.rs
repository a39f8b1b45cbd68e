//! Envelopes that must not open.

use protocol::{
    Claim, EnvelopeError, GossipRecord, Heartbeat, PeerRecord, Release, Reopen, RunId, Signed, topic,
};
use serde::{Deserialize, Serialize};

use crate::samples::{claim, delegation, heartbeat, other, peer, peer_record, release, report_header, run};

/// The envelope as an attacker writes it.
#[derive(Clone, Serialize, Deserialize)]
struct Forged {
    v: u32,
    k: String,
    r: RunId,
    s: protocol::PeerKey,
    #[serde(with = "serde_bytes")]
    p: Vec<u8>,
    #[serde(with = "serde_bytes")]
    g: Vec<u8>,
}

fn forge(bytes: &[u8], change: impl FnOnce(&mut Forged)) -> Vec<u8> {
    let mut forged: Forged = serde_cbor::from_slice(bytes).unwrap();
    change(&mut forged);
    serde_cbor::to_vec(&forged).unwrap()
}

fn signed() -> Vec<u8> {
    Signed::sign(&peer(), run(), claim()).unwrap().bytes().to_vec()
}

fn refusal(bytes: &[u8]) -> EnvelopeError {
    Signed::<Claim>::open(bytes, Some(run())).unwrap_err()
}

#[test]
fn every_changed_byte_is_noticed() {
    let good = signed();
    for position in 0..good.len() {
        let mut bytes = good.clone();
        bytes[position] ^= 1;
        refusal(&bytes);
        refusal(&good[..position]);
    }
}

#[test]
fn something_behind_the_record_is_refused() {
    let mut bytes = signed();
    bytes.push(0);
    assert_eq!(refusal(&bytes), EnvelopeError::Malformed { kind: "claim" });
}

#[test]
fn too_large_is_refused_before_anything_else() {
    assert!(matches!(refusal(&[0xff; 513]), EnvelopeError::TooLarge { bytes: 513, limit: 512, .. }));
}

#[test]
fn another_version_says_so() {
    let error = refusal(&forge(&signed(), |forged| forged.v = 2));
    assert_eq!(error, EnvelopeError::Version { found: 2 });
    assert!(error.to_string().contains("needs a newer version"));
    assert!(error.needs_newer_version());
    // Also when its envelope has other keys.
    #[derive(Serialize)]
    struct Later {
        v: u32,
        z: u32,
    }
    let later = serde_cbor::to_vec(&Later { v: 9, z: 1 }).unwrap();
    assert!(refusal(&later).needs_newer_version());
}

#[test]
fn the_same_payload_under_another_kind_does_not_verify() {
    // A release and a claim of the same shape: the kind is signed.
    let release = Signed::sign(&peer(), run(), release()).unwrap();
    assert!(matches!(
        Signed::<Claim>::open(release.bytes(), None),
        Err(EnvelopeError::Kind { expected: "claim", .. })
    ));
    let renamed = forge(release.bytes(), |forged| forged.k = "reopen".into());
    assert!(matches!(Signed::<Reopen>::open(&renamed, None), Err(EnvelopeError::Signature { .. })));
    let renamed = forge(&signed(), |forged| forged.k = "release".into());
    assert!(matches!(Signed::<Release>::open(&renamed, None), Err(EnvelopeError::Signature { .. })));
}

#[test]
fn another_run_is_refused_by_name_and_by_signature() {
    let elsewhere = RunId::from_bytes([0xbb; 32]);
    let error = Signed::<Claim>::open(&signed(), Some(elsewhere)).unwrap_err();
    assert_eq!(error.to_string(), "this claim record is about run aaaaaaaa, not about run bbbbbbbb");
    let moved = forge(&signed(), |forged| forged.r = elsewhere);
    assert!(matches!(Signed::<Claim>::open(&moved, Some(elsewhere)), Err(EnvelopeError::Signature { .. })));
}

#[test]
fn another_signer_is_refused() {
    let taken = forge(&signed(), |forged| forged.s = other().key());
    assert!(matches!(refusal(&taken), EnvelopeError::Signature { .. }));
}

#[test]
fn a_record_is_about_a_run_or_about_none() {
    let about_none = Signed::sign(&peer(), RunId::NONE, claim()).unwrap_err();
    assert_eq!(about_none.to_string(), "this claim record is about no run, not about a run");
    let about_a_run = Signed::sign(&peer(), run(), peer_record()).unwrap_err();
    assert!(matches!(about_a_run, EnvelopeError::Run { expected: Some(RunId::NONE), .. }));
    let record = Signed::sign(&peer(), RunId::NONE, peer_record()).unwrap();
    assert!(Signed::<PeerRecord>::open(record.bytes(), Some(run())).is_ok());
}

#[test]
fn a_payload_in_another_form_is_refused_even_if_signed() {
    use ed25519_dalek::{Signer, SigningKey};

    // 24 as one byte, and a heartbeat with a key too many: both signed properly.
    for payload in [&b"\xa1\x61c\x18\x08"[..], b"\xa2\x61c\x08\x61d\x08", b"\xa1\x61c\x08\x00", b"\xa0"] {
        let mut message = Vec::new();
        for part in [&b"opendipaco signed record v1"[..], b"heartbeat", run().as_bytes(), payload] {
            message.extend_from_slice(&(part.len() as u64).to_le_bytes());
            message.extend_from_slice(part);
        }
        let signature = SigningKey::from_bytes(&[1; 32]).sign(&message).to_bytes();
        let good = Signed::sign(&peer(), run(), heartbeat()).unwrap();
        let bytes = forge(good.bytes(), |forged| {
            forged.p = payload.to_vec();
            forged.g = signature.to_vec();
        });
        assert_eq!(
            Signed::<Heartbeat>::open(&bytes, None).unwrap_err(),
            EnvelopeError::Malformed { kind: "heartbeat" }
        );
    }
}

#[test]
fn records_keep_their_own_rules() {
    let refused = |result: Result<(), EnvelopeError>| {
        assert!(matches!(result, Err(EnvelopeError::Refused { .. })), "{result:?}");
    };
    let reopen = Reopen { generation: 0, ..crate::samples::reopen() };
    refused(Signed::sign(&peer(), run(), reopen).map(drop));
    let unnumbered = protocol::Delegation { number: 0, ..delegation() };
    refused(Signed::sign(&peer(), run(), unnumbered).map(drop));
    let address = delegation().addresses.remove(0);
    let crowded = PeerRecord { addresses: vec![address; 17], counter: 1 };
    refused(Signed::sign(&peer(), RunId::NONE, crowded).map(drop));
    let huge = protocol::ReportHeader { length: u64::MAX, ..report_header() };
    refused(Signed::sign(&peer(), run(), huge).map(drop));
}

#[test]
fn the_largest_address_record_fits_its_limit() {
    let address: protocol::Address = format!("/{}", "a".repeat(255)).parse().unwrap();
    let record = protocol::Delegation {
        coordinator: other().key(),
        addresses: vec![address; protocol::limits::ADDRESSES],
        number: u64::MAX,
    };
    let signed = Signed::sign(&peer(), run(), record).unwrap();
    assert!(GossipRecord::open(signed.bytes(), run()).is_ok());
}

#[test]
fn gossip_opens_what_is_gossiped_and_nothing_else() {
    let open = |bytes: &[u8]| GossipRecord::open(bytes, run());
    let claim = Signed::sign(&peer(), run(), claim()).unwrap();
    assert_eq!(open(claim.bytes()).unwrap(), GossipRecord::Claim(claim.clone()));
    let heard = open(claim.bytes()).unwrap();
    assert_eq!(
        (heard.signer(), heard.bytes(), heard.digest()),
        (peer().key(), claim.bytes(), claim.digest())
    );
    let record = Signed::sign(&peer(), RunId::NONE, peer_record()).unwrap();
    assert_eq!(open(record.bytes()).unwrap(), GossipRecord::Peer(record));
    let header = Signed::sign(&peer(), run(), report_header()).unwrap();
    assert!(matches!(open(header.bytes()), Err(EnvelopeError::Kind { expected: "gossip", .. })));
    assert!(GossipRecord::open(claim.bytes(), RunId::from_bytes([1; 32])).is_err());
    assert_eq!(topic(run()), format!("opendipaco/1/{}", "aa".repeat(32)));
}

#[test]
fn a_kind_keeps_its_own_limit_within_gossip() {
    // A claim with a payload that only an address record may have.
    let fat = forge(&signed(), |forged| forged.p = vec![0; 1000]);
    assert!(matches!(
        GossipRecord::open(&fat, run()),
        Err(EnvelopeError::TooLarge { kind: "claim", limit: 512, .. })
    ));
}
