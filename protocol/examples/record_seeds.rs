//! Writes the seeds of the fuzz targets that concern records: `cargo run -p protocol --example record_seeds`.
#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub, dead_code)] // also in what the targets share

use std::fs;

use protocol::{
    Address, Answer, Ask, Claim, Counts, Delegation, ExchangeRequest, Held, Hello, HelloRun, Identity,
    Manifest, ManifestBody, Offer, PathStatus, PeerStatus, Prints, RangeIds, RecordBytes, Request, RunId,
    RunStatus, StageCounts, Unit, encode_report,
};
use serde::Serialize;
use snake::{Bucket, Literal, Measure, Origin, TargetKind, Test, TextTest};
use spec::{Format, OnError, PublicSource};

#[path = "../../fuzz/src/manifests.rs"]
mod manifests;
#[path = "../../fuzz/src/small.rs"]
mod small;

use manifests::signed;
use small::{kmeans, round_robin};

fn main() {
    write_manifests();
    messages();
    reports();
}

fn seed(target: &str, name: &str, start: &[u8], bytes: &[u8]) {
    let folder = format!("{}/../fuzz/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(format!("{folder}/{name}"), [start, bytes].concat()).unwrap();
}

fn cbor(value: &impl Serialize) -> Vec<u8> {
    serde_cbor::to_vec(value).unwrap()
}

fn body() -> ManifestBody {
    ManifestBody {
        version: 1,
        name: "small".into(),
        operator: Identity::from_seed(&[1; 32]).key(),
        published: 1_700_000_000,
        source: PublicSource {
            format: Format::Csv,
            locations: vec!["small.csv.gz".into(), "https://example.org/more.csv".into()],
            mirrors: vec![vec!["s3://bucket/small.csv.gz".into()], vec![]],
            target: "kind".into(),
            target_type: None,
            exclude: vec!["id".into()],
            on_error: OnError::Refuse,
        },
        spec: kmeans(),
        counts: Counts { records: 9, duplicates: 1, bytes: 321, ..Counts::default() },
    }
}

fn manifest() -> Manifest {
    Manifest::sign(&Identity::from_seed(&[1; 32]), body()).unwrap()
}

fn write_manifests() {
    seed("manifest", "envelope", b"0", manifest().bytes());
    seed("manifest", "body", b"1", &cbor(&body()));
    let plain = ManifestBody { spec: round_robin(TargetKind::Number, vec![]), ..body() };
    seed("manifest", "body_round_robin", b"1", &cbor(&plain));
}

fn messages() {
    let run = RunId::from_bytes([0xaa; 32]);
    let unit = Unit { path: 3, layer: 1, part: 0, replica: 0 };
    let claim = cbor(&Claim { unit, epoch: 2, counter: 1_700_000_000_000 });
    let address: Address = "/ip4/192.0.2.7/tcp/4001".parse().unwrap();
    let delegation = cbor(&Delegation {
        coordinator: Identity::from_seed(&[1; 32]).key(),
        addresses: vec![address],
        number: 1,
    });
    let record = |payload: &[u8], kind| RecordBytes(signed(payload, kind, run));
    let hello = Hello {
        runs: vec![HelloRun {
            run,
            name: "small".into(),
            operator: Identity::from_seed(&[1; 32]).key(),
            delegation: Some(record(&delegation, "delegation")),
            peers: vec![],
        }],
    };
    let offer = Offer {
        manifest: RecordBytes(manifest().bytes().to_vec()),
        delegation: record(&delegation, "delegation"),
    };
    seed("messages", "hello", &[0], &Request::Hello(hello.clone()).encode().unwrap());
    seed("messages", "offer", &[0], &Request::Offer(offer).encode().unwrap());
    for (name, ask) in [
        ("exchange-from", Ask::From(7)),
        ("exchange-compare", Ask::Compare(Prints { salt: [7; 32], prints: vec![1; 64] })),
        ("exchange-fetch", Ask::Fetch(vec![RangeIds { range: 3, ids: vec![5; 16] }])),
    ] {
        let asked = ExchangeRequest { run, ask };
        seed("messages", name, &[0], &Request::Exchange(asked).encode().unwrap());
    }
    seed("messages", "status", &[0], &Request::Status(run).encode().unwrap());
    seed("messages", "run_status", &[1], &Answer::Status(Box::new(status(run))).encode().unwrap());
    seed("messages", "answer", &[1], &Answer::Hello(hello).encode().unwrap());
    seed("messages", "no", &[1], &Answer::No("not here".into()).encode().unwrap());
    seed("messages", "gossip", &[5], &signed(&claim, "claim", run));
    seed("messages", "claim", &[6], &claim);
    seed("messages", "delegation", &[13], &delegation);
}

fn status(run: RunId) -> RunStatus {
    let peer = Identity::from_seed(&[1; 32]).key();
    let counts = StageCounts { open: 2, leased: 1, finished: 0, done: 2 };
    RunStatus {
        run,
        coordinator: Some(peer),
        model: None,
        watched: 25_000,
        counts,
        layers: 5,
        paths: vec![PathStatus { path: 3, counts }],
        paths_left_out: 0,
        stages: Some(vec![0b0100_1111, 0]),
        held: vec![Held { unit: Unit::new(3, 3), peer, epoch: 1, seconds: 12 }],
        held_left_out: 0,
        heard: 1,
        peers: vec![PeerStatus { peer, heard: true, held: 1, finished: 2, millis_per_unit: Some(4_000) }],
        peers_left_out: 0,
        allowed: 250_000,
        allowed_at_peak: 300_000,
        windows: vec![0, 1, 1],
    }
}

fn reports() {
    let number =
        |threshold, negated| Literal { column: 1, negated, test: Test::Threshold(Measure::N, threshold) };
    let word =
        |text: &str| Literal { column: 2, negated: true, test: Test::Text(TextTest::Equals, text.into()) };
    let buckets = vec![
        Bucket {
            condition: Some(vec![number(1.5, true)]),
            members: vec![1, 3],
            origins: vec![Origin::Core, Origin::Core],
            clauses: vec![],
            lookalikes: [(0, vec![vec![]]), (1, vec![])].into_iter().collect(),
        },
        Bucket {
            condition: None,
            members: vec![0, 4, 7, 3],
            origins: vec![Origin::Core, Origin::Core, Origin::Core, Origin::Noise],
            clauses: vec![vec![number(1.5, true), word("x")], vec![word("y")], vec![number(2.25, false)]],
            lookalikes: [
                (0, vec![vec![1], vec![2]]),
                (1, vec![vec![0]]),
                (2, vec![vec![2]]),
                (3, vec![vec![0, 1]]),
            ]
            .into_iter()
            .collect(),
        },
    ];
    seed("report", "two_buckets", &[], &encode_report(&buckets).unwrap());
}
