//! No bytes make anything panic, and what opens is what was written.

use proptest::prelude::*;
use protocol::{
    Address, Answer, Claim, Complete, ContentHash, Delegation, Finished, GossipRecord, Heartbeat, Identity,
    Manifest, PeerKey, PeerRecord, Receipt, Record, Release, Reopen, ReportAck, ReportHeader, ReportLimits,
    ReportOffer, ReportReply, ReportRules, Request, RunId, Signed, Unit, check_report, decode_report,
    encode_report,
};

use crate::samples::{self, CLASSES, ORDINALS};

/// Opens bytes as everything there is.
fn open(bytes: &[u8]) {
    let run = samples::run();
    let _ = Signed::<Claim>::open(bytes, None);
    let _ = Signed::<Delegation>::open(bytes, Some(run));
    let _ = Signed::<PeerRecord>::open(bytes, None);
    let _ = Signed::<ReportHeader>::open(bytes, None);
    let _ = GossipRecord::open(bytes, run);
    let _ = Manifest::open(bytes);
    let _ = Request::decode(bytes);
    let _ = Answer::decode(bytes);
    let _ = ReportOffer::decode(bytes);
    let _ = ReportReply::decode(bytes);
    let _ = ReportAck::decode(bytes);
    let spec = samples::spec();
    if let Ok(buckets) = decode_report(bytes, ReportLimits::for_path(&spec.schema, 5)) {
        let rules = ReportRules::new(&spec, Unit::new(0, 0), &ORDINALS, &CLASSES).unwrap();
        let _ = check_report(&rules, &buckets);
    }
}

fn samples() -> Vec<Vec<u8>> {
    let peer = samples::peer();
    let delegation = Signed::sign(&peer, samples::run(), samples::delegation()).unwrap();
    let manifest = Manifest::sign(&peer, samples::manifest_body()).unwrap();
    let offer = protocol::Offer { manifest: manifest.bytes().into(), delegation: delegation.bytes().into() };
    vec![
        Signed::sign(&peer, samples::run(), samples::claim()).unwrap().bytes().to_vec(),
        delegation.bytes().to_vec(),
        manifest.bytes().to_vec(),
        serde_cbor::to_vec(&samples::manifest_body()).unwrap(),
        Request::Offer(offer).encode().unwrap(),
        Answer::Status(Box::new(samples::status())).encode().unwrap(),
        encode_report(&samples::buckets()).unwrap(),
    ]
}

fn unit() -> impl Strategy<Value = Unit> {
    any::<[u32; 4]>().prop_map(|[path, layer, part, replica]| Unit { path, layer, part, replica })
}

fn addresses() -> impl Strategy<Value = Vec<Address>> {
    prop::collection::vec("/[!-~]{0,80}".prop_map(|text| text.parse().unwrap()), 0..4)
}

fn round_trip<T: Record + Clone + PartialEq + std::fmt::Debug>(
    seed: [u8; 32],
    run: RunId,
    value: &T,
) -> Result<(), TestCaseError> {
    let identity = Identity::from_seed(&seed);
    let signed = Signed::sign(&identity, run, value.clone()).unwrap();
    let opened = Signed::<T>::open(signed.bytes(), Some(run)).unwrap();
    prop_assert_eq!(opened.value(), value);
    prop_assert_eq!(opened.signer(), identity.key());
    if T::KIND != ReportHeader::KIND {
        let heard = GossipRecord::open(signed.bytes(), if run == RunId::NONE { samples::run() } else { run });
        prop_assert_eq!(heard.map(|heard| heard.bytes().to_vec()), Ok(signed.bytes().to_vec()));
    }
    Ok(())
}

proptest! {
    #[test]
    fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        open(&bytes);
    }

    #[test]
    fn changed_samples_never_panic(
        which: prop::sample::Index,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..4),
    ) {
        let samples = samples();
        let mut bytes = which.get(&samples).clone();
        for (place, byte, what) in changes {
            let place = place.index(bytes.len().max(1));
            match what {
                0 => bytes.insert(place.min(bytes.len()), byte),
                1 if place < bytes.len() => drop(bytes.remove(place)),
                _ => if let Some(old) = bytes.get_mut(place) { *old = byte },
            }
        }
        open(&bytes);
    }

    #[test]
    fn records_round_trip(
        seed: [u8; 32], run in 1..=u8::MAX, unit in unit(), counter: u64, small: u32, hash: [u8; 32],
        addresses in addresses(),
    ) {
        let run = RunId::from_bytes([run; 32]);
        let content = ContentHash::from_bytes(hash);
        round_trip(seed, run, &Claim { unit, epoch: small, counter })?;
        round_trip(seed, run, &Release { unit, epoch: small, counter })?;
        round_trip(seed, run, &Heartbeat { counter })?;
        round_trip(seed, run, &Finished { unit, epoch: small, counter, generation: small })?;
        round_trip(seed, run, &Receipt { delegation: counter, unit, generation: small, content })?;
        round_trip(seed, run, &Reopen { delegation: counter, unit, generation: small.max(1) })?;
        round_trip(seed, run, &Complete { delegation: counter, model: protocol::ModelHash::from_bytes(hash) })?;
        let coordinator = PeerKey::from_bytes(hash);
        round_trip(seed, run, &Delegation { coordinator, addresses: addresses.clone(), number: counter.max(1) })?;
        round_trip(seed, RunId::NONE, &PeerRecord { addresses, counter })?;
        let length = counter % (256 << 20);
        round_trip(seed, run, &ReportHeader { unit, content, length, claim: counter, finished: counter })?;
    }
}
