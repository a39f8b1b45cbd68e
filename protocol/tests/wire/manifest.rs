//! Manifests that must not be signed, and such that must not open.

use protocol::{Manifest, ManifestBody, ManifestError, PeerKey, RunId};
use serde::Serialize;

use crate::samples::{manifest_body, other, peer};

fn refusal(change: impl FnOnce(&mut ManifestBody)) -> ManifestError {
    let mut body = manifest_body();
    change(&mut body);
    let refused = Manifest::sign(&peer(), body.clone()).unwrap_err();
    // The same from somebody who signs it nevertheless.
    let payload = serde_cbor::to_vec(&body).unwrap();
    let run = RunId::from_bytes(*blake3::hash(&payload).as_bytes());
    assert_eq!(Manifest::open(&signed_anyway(&payload, run)).unwrap_err(), refused);
    refused
}

/// Signs any payload as a manifest.
fn signed_anyway(payload: &[u8], run: RunId) -> Vec<u8> {
    use ed25519_dalek::{Signer, SigningKey};

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
    for part in [&b"opendipaco signed record v1"[..], b"manifest", run.as_bytes(), payload] {
        message.extend_from_slice(&(part.len() as u64).to_le_bytes());
        message.extend_from_slice(part);
    }
    let signature = SigningKey::from_bytes(&[1; 32]).sign(&message).to_bytes();
    serde_cbor::to_vec(&Envelope { v: 1, k: "manifest", r: run, s: peer().key(), p: payload, g: &signature })
        .unwrap()
}

#[test]
fn names_are_checked() {
    for name in ["", " a", "a ", "a@b", "a\nb", "a\u{202e}b", &"x".repeat(65), "-a", "a/b"] {
        let error = refusal(|body| body.name = name.into());
        assert!(matches!(error, ManifestError::Name(_)), "{name:?}: {error}");
    }
    for name in ["adult-income", "Zähne 2.0", &"x".repeat(64)] {
        assert!(Manifest::sign(&peer(), ManifestBody { name: name.into(), ..manifest_body() }).is_ok());
    }
}

#[test]
fn a_location_is_a_bare_name_or_a_web_address() {
    let bad = [
        "",
        "/etc/passwd",
        "../rows.csv",
        "data/rows.csv",
        "..",
        "C:rows.csv",
        "a\\b.csv",
        "file:///rows.csv",
        "ftp://example.org/rows.csv",
        "https://",
        "https:///rows.csv",
        "https://me:secret@example.org/rows.csv",
        "a\0b",
    ];
    for location in bad {
        let error = refusal(|body| body.source.locations[0] = location.into());
        assert!(matches!(error, ManifestError::Location { .. }), "{location:?}: {error}");
        let error = refusal(|body| body.source.mirrors[0][0] = location.into());
        assert!(matches!(error, ManifestError::Location { .. }), "{location:?}: {error}");
    }
}

#[test]
fn source_and_spec_fit_each_other() {
    assert!(matches!(refusal(|body| body.source.locations.clear()), ManifestError::Source(_)));
    assert!(matches!(refusal(|body| body.source.mirrors.truncate(1)), ManifestError::Source(_)));
    assert!(matches!(refusal(|body| body.source.target = "size".into()), ManifestError::Source(_)));
    assert!(matches!(refusal(|body| body.source.exclude.push("word".into())), ManifestError::Source(_)));
    let made_up = "synthetic://mixed?rows=5";
    assert!(matches!(refusal(|body| body.source.locations[0] = made_up.into()), ManifestError::Source(_)));
    assert!(matches!(refusal(|body| body.source.format = spec::Format::Synthetic), ManifestError::Source(_)));
    assert!(matches!(refusal(|body| body.spec.training.layers = 0), ManifestError::Spec(_)));
}

#[test]
fn only_the_operator_it_names_may_sign_it() {
    let error = refusal(|body| body.operator = other().key());
    assert_eq!(
        error.to_string(),
        "the manifest names operator 8139770e and is signed by 8a88e3dd: only the operator may sign it"
    );
}

#[test]
fn another_operator_is_another_run() {
    let mine = Manifest::sign(&peer(), manifest_body()).unwrap();
    let body = ManifestBody { operator: other().key(), ..manifest_body() };
    let theirs = Manifest::sign(&other(), body).unwrap();
    assert_ne!(mine.run(), theirs.run());
    assert_ne!(mine.title(), theirs.title());
    assert_eq!(mine.spec().fingerprint().unwrap(), theirs.spec().fingerprint().unwrap());
}

#[test]
fn what_is_newer_says_so() {
    let error = refusal(|body| body.version = 2);
    assert!(error.to_string().contains("needs a newer version") && error.needs_newer_version());
    let error = refusal(|body| {
        if let spec::Routing::Kmeans(fit) = &mut body.spec.routing {
            fit.featurizer = "signed-hash-2".into();
        }
    });
    assert!(error.to_string().contains("needs a newer version") && error.needs_newer_version(), "{error}");

    // Another kind of router, and fields that only a later version has.
    let payload = serde_cbor::to_vec(&manifest_body()).unwrap();
    let text = b"\x64kind\x66kmeans";
    let at = payload.windows(text.len()).position(|window| window == text).unwrap();
    let mut newer = payload.clone();
    newer[at..at + text.len()].copy_from_slice(b"\x64kind\x66forest");
    let run = RunId::from_bytes(*blake3::hash(&newer).as_bytes());
    let error = Manifest::open(&signed_anyway(&newer, run)).unwrap_err();
    assert!(error.needs_newer_version(), "{error}");

    #[derive(Serialize)]
    struct Later {
        version: u32,
        colour: u32,
    }
    let later = serde_cbor::to_vec(&Later { version: 3, colour: 1 }).unwrap();
    let run = RunId::from_bytes(*blake3::hash(&later).as_bytes());
    assert_eq!(Manifest::open(&signed_anyway(&later, run)).unwrap_err(), ManifestError::Version { found: 3 });
}

#[test]
fn a_run_that_is_not_the_hash_of_the_body_is_refused() {
    let payload = serde_cbor::to_vec(&manifest_body()).unwrap();
    let error = Manifest::open(&signed_anyway(&payload, RunId::from_bytes([1; 32]))).unwrap_err();
    assert!(matches!(error, ManifestError::Run { .. }));
}

#[test]
fn every_changed_byte_is_noticed() {
    let good = Manifest::sign(&peer(), manifest_body()).unwrap();
    for position in 0..good.bytes().len() {
        let mut bytes = good.bytes().to_vec();
        bytes[position] ^= 1;
        assert!(Manifest::open(&bytes).is_err(), "byte {position}");
    }
}

#[test]
fn too_large_says_what_to_do() {
    let mut body = manifest_body();
    body.source.exclude = (0..20_000).map(|i| format!("column number {i}")).collect();
    let error = Manifest::sign(&peer(), body).unwrap_err();
    assert!(matches!(error, ManifestError::TooLarge { .. }));
    assert!(error.to_string().contains("choose fewer paths or dimensions"));
}

#[test]
fn sixty_four_paths_of_sixty_four_dimensions_fit_into_64_kib() {
    let mut body = manifest_body();
    let feature = |i: usize| snake::Feature {
        name: format!("a column's name {i:02}"),
        kind: snake::FeatureKind::Number,
    };
    body.spec.schema.features = (0..50).map(feature).collect();
    let spec::Routing::Kmeans(fit) = &mut body.spec.routing else { panic!("the sample is k-means") };
    (fit.settings.paths, fit.settings.dimensions, fit.rows) = (64, 64, 10_000);
    fit.statistics = vec![spec::ColumnStatistic { mean: 1.0 / 3.0, deviation: 2.0 / 3.0 }; 50];
    // The largest coordinates there are: five bytes each. Those of a real fit take two or three.
    fit.centroids =
        (0..64).map(|path| (0..64).map(|i| (1 << 20) * (1 - 2 * ((path + i) % 2))).collect()).collect();
    body.spec.shards = vec![body.spec.shards[0]; 64];
    let manifest = Manifest::sign(&peer(), body).unwrap();
    let bytes = manifest.bytes().len();
    println!("{bytes} bytes");
    assert!(bytes <= 64 << 10, "{bytes} bytes");
    assert_eq!(Manifest::open(manifest.bytes()).unwrap(), manifest);
}

/// Of the sections of a spec, schema and features alone are read leniently; what is read over there is still not canonical.
#[test]
fn a_field_too_many_is_refused_wherever_it_stands() {
    let payload = serde_cbor::to_vec(&manifest_body()).unwrap();
    // A map of two keys, `kind` and `name`, gets a third one that sorts last.
    let two = payload.windows(6).position(|bytes| bytes == b"\xa2\x64kind").unwrap();
    let mut longer = payload.clone();
    longer[two] = 0xa3;
    let name = two + longer[two..].windows(5).position(|bytes| bytes == b"\x64name").unwrap();
    let end = name + 6 + usize::from(longer[name + 5] & 0x1f);
    longer.splice(end..end, *b"\x65later\x01");
    let run = RunId::from_bytes(*blake3::hash(&longer).as_bytes());
    let error = Manifest::open(&signed_anyway(&longer, run)).unwrap_err();
    assert!(error.to_string().contains("canonical"), "{error}");
}
