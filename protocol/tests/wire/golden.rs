//! The bytes of every record, pinned, in `golden/*.hex`: hexadecimal, with what it means behind `#`.

use protocol::{
    Claim, Complete, Delegation, EnvelopeError, Finished, Heartbeat, Manifest, PeerRecord, Receipt, Record,
    Release, Reopen, ReportHeader, RunId, Signed, content_hash, decode_report, encode_report,
};

use crate::samples;

/// The bytes of an annotated dump.
pub fn bytes(text: &str) -> Vec<u8> {
    let hex: String = text.lines().filter_map(|line| line.split('#').next()).collect();
    let hex: String = hex.split_whitespace().collect();
    data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap()
}

fn pinned<T>(text: &str, run: RunId, value: T)
where
    T: Record + Clone + PartialEq + std::fmt::Debug,
{
    let expected = bytes(text);
    let signed = Signed::sign(&samples::peer(), run, value.clone()).unwrap();
    assert_eq!(
        data_encoding::HEXLOWER.encode(signed.bytes()),
        data_encoding::HEXLOWER.encode(&expected),
        "{} as it is written",
        T::KIND
    );
    let opened = Signed::<T>::open(&expected, Some(samples::run())).unwrap();
    assert_eq!(opened.value(), &value);
    assert_eq!(opened.signer(), samples::peer().key());
    assert_eq!(opened.run(), run);
    assert_eq!(opened.bytes(), expected);
    assert_eq!(opened, signed);
    assert!(opened.signed_by(samples::peer().key()).is_ok());
    assert!(matches!(opened.signed_by(samples::other().key()), Err(EnvelopeError::Signer { .. })));
    // Room in each kind's limit, so that larger numbers fit too.
    assert!(expected.len() + 64 <= T::MAX_BYTES);
}

#[test]
fn records_have_these_bytes() {
    pinned::<Claim>(include_str!("golden/claim.hex"), samples::run(), samples::claim());
    pinned::<Release>(include_str!("golden/release.hex"), samples::run(), samples::release());
    pinned::<Heartbeat>(include_str!("golden/heartbeat.hex"), samples::run(), samples::heartbeat());
    pinned::<Finished>(include_str!("golden/finished.hex"), samples::run(), samples::finished());
    pinned::<Receipt>(include_str!("golden/receipt.hex"), samples::run(), samples::receipt());
    pinned::<Reopen>(include_str!("golden/reopen.hex"), samples::run(), samples::reopen());
    pinned::<Complete>(include_str!("golden/complete.hex"), samples::run(), samples::complete());
    pinned::<Delegation>(include_str!("golden/delegation.hex"), samples::run(), samples::delegation());
    pinned::<PeerRecord>(include_str!("golden/peer.hex"), RunId::NONE, samples::peer_record());
    pinned::<ReportHeader>(include_str!("golden/report.hex"), samples::run(), samples::report_header());
}

#[test]
fn a_manifest_has_these_bytes_and_this_run() {
    let expected = bytes(include_str!("golden/manifest.hex"));
    let manifest = Manifest::sign(&samples::peer(), samples::manifest_body()).unwrap();
    assert_eq!(manifest.bytes(), expected);
    assert_eq!(
        manifest.run().to_string(),
        "ca506ad0d9e159f823efa2862481297867cf4edacd47f0f96c5e31336965550f"
    );
    assert_eq!(manifest.title(), "small@8a88e3dd");
    assert_eq!(Manifest::open(&expected).unwrap(), manifest);
}

#[test]
fn a_report_has_these_bytes_and_this_hash() {
    let expected = bytes(include_str!("golden/buckets.hex"));
    assert_eq!(encode_report(&samples::buckets()).unwrap(), expected);
    let spec = samples::spec();
    let limits = protocol::ReportLimits::for_path(&spec.schema, 5);
    assert_eq!(decode_report(&expected, limits).unwrap(), samples::buckets());
    assert_eq!(
        content_hash(&spec.fingerprint().unwrap(), samples::UNIT, &expected).to_string(),
        "b0126f3cf60c2d12ee11785dda8019453b882326a4218d22d9fd85f57b618697"
    );
}

/// What `docs/wire.md` says a signature covers, put together by hand.
#[test]
fn a_signature_covers_domain_kind_run_and_payload() {
    use ed25519_dalek::{Signature, VerifyingKey};

    let dump = bytes(include_str!("golden/heartbeat.hex"));
    let payload = b"\xa1\x61c\x08";
    let mut message = Vec::new();
    for part in [&b"opendipaco signed record v1"[..], b"heartbeat", &[0xaa; 32], payload] {
        message.extend_from_slice(&(part.len() as u64).to_le_bytes());
        message.extend_from_slice(part);
    }
    // The signature is the first value of the map, behind its key and head.
    let signature: [u8; 64] = dump[5..69].try_into().unwrap();
    let key = VerifyingKey::from_bytes(samples::peer().key().as_bytes()).unwrap();
    key.verify_strict(&message, &Signature::from_bytes(&signature)).unwrap();
}
