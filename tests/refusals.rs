//! A manifest that is not what its signer says, or not of the operator who was asked for, is refused.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "rig/evil.rs"]
mod evil;
#[path = "rig/mod.rs"]
mod rig;

use std::fs;
use std::path::Path;

use evil::{Evil, Forged, sign_anyway};
use protocol::{Delegation, Identity, Manifest, ManifestBody, Signed};
use rig::{Peer, Run};
use snake::{FeatureKind, Label};
use spec::{KMeansFit, Routing, ShardHash};

/// A published k-means run of four paths whose router saw the first 500 of 600 rows.
fn published() -> Run {
    let settings = "[routing]\npaths = 4\nsample = 500\n[training]\nlayers = 1\nbucket = 40\n";
    let run = Run::new("honest", &rig::table(600, 4, 11), settings);
    run.publish();
    run
}

fn operator(run: &Run) -> Identity {
    Identity::from_pem(&fs::read_to_string(run.path("operator.pem")).unwrap()).unwrap()
}

fn body(run: &Run) -> ManifestBody {
    Manifest::open(&fs::read(run.manifest()).unwrap()).unwrap().body().clone()
}

fn fit(body: &mut ManifestBody) -> &mut KMeansFit {
    match &mut body.spec.routing {
        Routing::Kmeans(fit) => fit,
        other => panic!("{other:?} is not k-means"),
    }
}

/// Starts a volunteer that is told which run to take.
fn join(run: &Run, name: &str, address: &str, data_dir: &str, more: &[&str]) -> Peer {
    let mut args = vec!["join", "--bootstrap", address, "--run", name, "--data-dir", data_dir];
    args.extend(["--json", "--no-mdns", "--yes", "--threads", "1", "--listen", "/ip4/127.0.0.1/tcp/0"]);
    args.extend(more);
    let args: Vec<String> = args.into_iter().map(str::to_owned).collect();
    Peer::start(name, run.folder.path(), &args)
}

/// Waits for a refusal; gives its message.
fn refusal(name: &str, peer: &mut Peer) -> String {
    let (code, message) = peer.wait();
    assert_eq!(code, Some(3), "{name}: {message}");
    assert!(message.starts_with("opendipaco: ") && message.lines().count() == 1, "{name}: {message}");
    for event in ["trained", "routing_verified", "receipt"] {
        assert!(peer.seen(event).is_empty(), "{name}: {event} although it is refused");
    }
    message
}

/// One thing changed in an honest manifest, and what a volunteer must say of it.
struct Case {
    name: &'static str,
    change: fn(&mut ManifestBody),
    says: &'static str,
}

/// What only the source can show: the manifest by itself is in order. Sixteen: as many as one hello tells of.
const SUBTLE: &[Case] = &[
    Case { name: "centroids", change: |b| fit(b).centroids[2][0] += 1, says: "the centroid of path 2" },
    Case {
        name: "featurizer-seed",
        change: |b| fit(b).settings.featurizer_seed += 1,
        says: "the centroid of path",
    },
    Case { name: "routing-seed", change: |b| fit(b).settings.seed += 1, says: "the centroid of path" },
    Case {
        name: "sample",
        change: |b| {
            fit(b).settings.sample = 100;
            fit(b).rows = 100;
        },
        says: "the statistics of column",
    },
    Case { name: "sample-of-all", change: |b| fit(b).settings.sample = 0, says: "500 recorded, 600 found" },
    Case { name: "rows-of-the-fit", change: |b| fit(b).rows = 499, says: "499 recorded, 500 found" },
    Case {
        name: "dimensions",
        change: |b| {
            fit(b).settings.dimensions = 32;
            fit(b).centroids.iter_mut().for_each(|centroid| centroid.truncate(32));
        },
        says: "the centroid of path",
    },
    Case {
        name: "statistics",
        change: |b| fit(b).statistics[1].mean += 0.5,
        says: "the statistics of column \"f0\"",
    },
    Case {
        name: "kind-to-text",
        change: |b| b.spec.schema.features[1].kind = FeatureKind::Text,
        says: "the statistics of column \"f0\"",
    },
    Case {
        name: "kind-to-number",
        change: |b| b.spec.schema.features[0].kind = FeatureKind::Number,
        says: "column \"word\"",
    },
    Case {
        name: "column-renamed",
        change: |b| b.spec.schema.features[1].name = "g0".into(),
        says: "column \"g0\"",
    },
    Case {
        name: "class-added",
        change: |b| b.spec.schema.classes.push(Label::Text("d".into())),
        says: "class \"d\"",
    },
    Case { name: "class-removed", change: |b| b.spec.schema.classes.truncate(2), says: "column \"class\"" },
    Case {
        name: "shard-hash",
        change: |b| {
            for shard in &mut b.spec.shards {
                let mut hash = *shard.hash.as_bytes();
                hash[31] ^= 1;
                shard.hash = ShardHash::from_bytes(hash);
            }
        },
        says: "the source is not what the operator signed",
    },
    Case {
        name: "shard-rows",
        change: |b| b.spec.shards.iter_mut().for_each(|shard| shard.rows -= 1),
        says: "the source is not what the operator signed",
    },
    Case {
        name: "holdout",
        change: |b| b.spec.holdout = 0.5,
        says: "the source is not what the operator signed",
    },
];

/// Writes a changed manifest, signed again by its operator, with a delegation beside it.
fn sign_again(run: &Run, case: &Case) -> String {
    let operator = operator(run);
    let mut body = body(run);
    body.name = case.name.into();
    (case.change)(&mut body);
    let manifest = Manifest::sign(&operator, body).unwrap_or_else(|e| panic!("{}: {e}", case.name));
    let delegation = Delegation { coordinator: operator.key(), addresses: Vec::new(), number: 1 };
    let delegation = Signed::sign(&operator, manifest.run(), delegation).unwrap();
    let file = format!("{}.manifest", case.name);
    fs::write(run.path(&file), manifest.bytes()).unwrap();
    fs::write(run.path(&format!("{}.delegation", case.name)), delegation.bytes()).unwrap();
    file
}

/// A coordinator without a source: it serves what it is given, and can't look behind it.
fn blind_coordinator(run: &Run, manifests: &[String]) -> (Peer, String) {
    let mut args = vec!["coordinate".to_owned()];
    args.extend(manifests.iter().cloned());
    let more = ["--key", "operator.pem", "--data-dir", "coordinator", "--json", "--no-mdns", "--keep"];
    args.extend(more.into_iter().chain(["--listen", "/ip4/127.0.0.1/tcp/0"]).map(str::to_owned));
    let mut peer = Peer::start("coordinator", run.folder.path(), &args);
    let address = peer.expect("listening")["address"].as_str().unwrap().to_owned();
    (peer, address)
}

#[test]
fn a_changed_manifest_that_was_signed_again_is_refused_and_not_tried_again() {
    let run = published();
    let manifests: Vec<String> = SUBTLE.iter().map(|case| sign_again(&run, case)).collect();
    let (_coordinator, address) = blind_coordinator(&run, &manifests);
    let verify = ["--source", "data.csv", "--verify-routing"];
    let gone = ["--source", "gone.csv", "--verify-routing"];
    for some in SUBTLE.chunks(4) {
        let mut peers: Vec<Peer> =
            some.iter().map(|case| join(&run, case.name, &address, case.name, &verify)).collect();
        for (case, peer) in some.iter().zip(&mut peers) {
            let message = refusal(case.name, peer);
            assert!(message.contains(case.says), "{}: {message}", case.name);
            assert!(message.contains("It is not tried again"), "{}: {message}", case.name);
        }
        // Remembered: nothing of the source, which is not even there, is read.
        let mut peers: Vec<Peer> =
            some.iter().map(|case| join(&run, case.name, &address, case.name, &gone)).collect();
        for (case, peer) in some.iter().zip(&mut peers) {
            let message = refusal(case.name, peer);
            assert!(message.contains(case.says), "{}: {message}", case.name);
        }
    }
}

#[test]
fn a_manifest_that_contradicts_itself_is_refused_when_it_is_loaded() {
    let run = published();
    let operator = operator(&run);
    let cases: &[Case] = &[
        Case {
            name: "sample",
            change: |b| fit(b).settings.sample = 100,
            says: "500 rows in a sample of 100",
        },
        Case {
            name: "dimensions",
            change: |b| fit(b).settings.dimensions = 32,
            says: "64 numbers for 32 dimensions",
        },
        Case {
            name: "centroid-gone",
            change: |b| fit(b).centroids.truncate(3),
            says: "3 centroids for 4 paths",
        },
        Case {
            name: "statistic-gone",
            change: |b| fit(b).statistics.truncate(4),
            says: "routing.statistics",
        },
        Case {
            name: "featurizer",
            change: |b| fit(b).featurizer = "words-2".into(),
            says: "needs a newer version",
        },
        Case {
            name: "column-twice",
            change: |b| b.spec.schema.features[1].name = "word".into(),
            says: "\"word\"",
        },
        Case { name: "classes", change: |b| b.spec.schema.classes.reverse(), says: "ascending order" },
        Case { name: "shard-gone", change: |b| b.spec.shards.truncate(3), says: "3 shards for 4 paths" },
        Case { name: "layers", change: |b| b.spec.training.layers = 0, says: "training.layers" },
    ];
    let mut forged: Vec<Forged> = Vec::new();
    for case in cases {
        let mut body = body(&run);
        body.name = case.name.into();
        (case.change)(&mut body);
        assert!(
            Manifest::sign(&operator, body.clone()).is_err(),
            "{}: an honest program signs it",
            case.name
        );
        forged.push(sign_anyway(&operator, case.name, &serde_cbor::to_vec(&body).unwrap()));
    }
    // A kind of router that a later version may have. Equally long, so that the lengths in the CBOR stay right.
    let mut payload = serde_cbor::to_vec(&body(&run)).unwrap();
    let place = payload.windows(7).position(|bytes| bytes == b"\x66kmeans").unwrap();
    payload[place..place + 7].copy_from_slice(b"\x66forest");
    forged.push(sign_anyway(&operator, "router", &payload));
    let expected = cases.iter().map(|case| case.says).chain(["needs a newer version"]);

    for (forged, says) in forged.into_iter().zip(expected) {
        let name = forged.name.clone();
        fs::write(run.path("bad.manifest"), &forged.bytes).unwrap();
        let args =
            ["coordinate", "bad.manifest", "--key", "operator.pem", "--data-dir", "coordinator", "--no-mdns"];
        let message = rig::fail(3, &args, run.folder.path());
        assert!(message.contains("bad.manifest") && message.contains(says), "{name}: {message}");
        let evil = Evil::show(vec![forged]);
        let mut peer = join(&run, &name, &evil.address, &name, &["--source", "gone.csv", "--verify-routing"]);
        let message = refusal(&name, &mut peer);
        assert!(message.contains(says), "{name}: {message}");
        assert!(peer.seen("run").is_empty(), "{name}: it was offered to the volunteer");
    }
}

#[test]
fn a_broken_signature_is_refused_before_any_data_is_read() {
    let run = published();
    let manifest = Manifest::open(&fs::read(run.manifest()).unwrap()).unwrap();
    let mut bytes = manifest.bytes().to_vec();
    let place = bytes.windows(6).position(|bytes| bytes == b"honest").unwrap();
    bytes[place] = b'H';
    let forged = Forged { run: manifest.run(), name: "honest".into(), operator: manifest.operator(), bytes };
    fs::write(run.path("bad.manifest"), &forged.bytes).unwrap();
    let message = rig::fail(3, &["coordinate", "bad.manifest", "--key", "operator.pem"], run.folder.path());
    assert!(message.contains("bad.manifest") && message.contains("signature"), "{message}");
    let evil = Evil::show(vec![forged]);
    // Reading a folder would fail with another message, and so would a file that is not there.
    for source in [".", "gone.csv"] {
        let message = refusal("broken", &mut join(&run, "honest", &evil.address, "v", &["--source", source]));
        assert!(message.contains("signature") && message.contains("it was changed"), "{message}");
        assert!(!message.contains(source) || source == ".", "{message}");
    }
}

#[test]
fn another_key_than_the_operators_is_refused_before_any_data_is_read() {
    let run = published();
    let (_coordinator, address) = blind_coordinator(&run, &["honest.manifest".to_owned()]);
    let other = Identity::from_seed(&[7; 32]).key().to_string();
    for source in [".", "gone.csv"] {
        let args = ["--operator", &other, "--source", source];
        let message = refusal("other", &mut join(&run, "honest", &address, "v", &args));
        let operator = operator(&run).key().to_string();
        assert!(message.contains(&other) && message.contains(&operator), "both keys are named: {message}");
        assert!(message.contains("signed by") && message.contains("nothing of it was read"), "{message}");
    }
}

#[test]
fn an_honest_manifest_is_verified_and_trained() {
    let run = published();
    let (mut coordinator, address) = run.coordinator_with_source();
    let operator = operator(&run).key().to_string();
    let mut peer = run.volunteer(1, &address, &["--verify-routing", "--operator", &operator]);
    peer.expect("routing_verified");
    let written = coordinator.expect("model_written");
    assert!(run.model(&written) == run.trained_alone());
    peer.succeed();
    coordinator.succeed();
}

#[test]
fn a_source_that_is_not_what_was_signed_is_refused_everywhere() {
    let run = published();
    let data = fs::read_to_string(run.path("data.csv")).unwrap();
    // One digit of one cell, beyond the router's sample: only the shard's hash shows it.
    let last = data.trim_end().rfind('.').unwrap() + 1;
    let mut changed = data.clone().into_bytes();
    changed[last] = if changed[last] == b'1' { b'2' } else { b'1' };
    fs::write(run.path("changed.csv"), changed).unwrap();
    fs::write(run.path("short.csv"), data.lines().take(3).collect::<Vec<_>>().join("\n")).unwrap();
    fs::write(run.path("column.csv"), data.replacen("f1", "g1", 1)).unwrap();

    let (_coordinator, address) = blind_coordinator(&run, &["honest.manifest".to_owned()]);
    for (source, says) in [
        ("changed.csv", "the source is not what the operator signed"),
        ("short.csv", "the source is not what the operator signed"),
        ("column.csv", "\"f1\""),
    ] {
        for verify in [false, true] {
            let more: &[&str] =
                if verify { &["--source", source, "--verify-routing"] } else { &["--source", source] };
            let folder = format!("{source}-{verify}");
            let mut peer = join(&run, "honest", &address, &folder, more);
            // One cell beyond the sample leaves router and other shards as they are: those may be trained before.
            let (code, message) = peer.wait();
            assert_eq!(code, Some(3), "{source}: {message}");
            assert!(message.contains(says), "{source}: {message}");
            assert!(peer.seen("receipt").len() < 4, "{source}: a report of the changed shard was taken");
        }
        let args =
            ["coordinate", "honest.manifest", "--key", "operator.pem", "--data-dir", "other", "--no-mdns"];
        let listen = ["--listen", "/ip4/127.0.0.1/tcp/0", "--source", source];
        let message = rig::fail(3, &[&args[..], &listen].concat(), run.folder.path());
        assert!(message.contains(says), "{source}: {message}");
    }
    assert!(Path::new(&run.path("other")).is_dir());
}

#[test]
fn a_wrong_shard_hash_is_refused_without_any_flag() {
    let run = published();
    let case = SUBTLE.iter().find(|case| case.name == "shard-hash").unwrap();
    let (_coordinator, address) = blind_coordinator(&run, &[sign_again(&run, case)]);
    let message = refusal(case.name, &mut join(&run, case.name, &address, "v", &["--source", "data.csv"]));
    assert!(message.contains(case.says), "{message}");
    let message = refusal(case.name, &mut join(&run, case.name, &address, "v", &["--source", "gone.csv"]));
    assert!(message.contains(case.says), "remembered: {message}");
}

#[test]
fn a_router_that_can_not_be_fitted_again_is_not_called_verified() {
    let run = published();
    let (mut first, address) = run.coordinator(&["--keep"]);
    let mut peer = join(&run, "honest", &address, "v", &["--source", "data.csv"]);
    for _ in 0..4 {
        peer.expect("receipt");
    }
    peer.kill();
    first.kill();
    // The shards are on disk; reports are made again; of the source fewer rows are left than there are paths.
    fs::remove_dir_all(run.path("v/runs")).unwrap();
    fs::remove_dir_all(run.path("coordinator")).unwrap();
    let data = fs::read_to_string(run.path("data.csv")).unwrap();
    fs::write(run.path("short.csv"), data.lines().take(3).collect::<Vec<_>>().join("\n")).unwrap();
    let (_second, address) = run.coordinator(&["--keep"]);
    let mut peer = join(&run, "honest", &address, "v", &["--source", "short.csv", "--verify-routing"]);
    for _ in 0..4 {
        peer.expect("receipt");
    }
    let warnings = peer.seen("warning");
    assert_eq!(warnings.len(), 1, "it is said once: {warnings:?}");
    let text = warnings[0]["text"].as_str().unwrap();
    assert!(
        text.contains("2 rows for a router of 4 paths") && text.contains("hash of each shard decides"),
        "{text}"
    );
    assert!(peer.seen("routing_verified").is_empty());
}
