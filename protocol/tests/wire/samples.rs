//! One of everything, from fixed keys.

use protocol::{
    Address, Claim, Complete, ContentHash, Counts, Delegation, Finished, Heartbeat, Held, Identity,
    ManifestBody, ModelHash, PathStatus, PeerRecord, PeerStatus, Receipt, Release, Reopen, ReportHeader,
    RunId, RunStatus, StageCounts, Unit,
};
use snake::{
    Bucket, Feature, FeatureKind, Label, Literal, Measure, Origin, Profile, Schema, TargetKind, Test,
    TextTest, Training,
};
use spec::{
    ColumnStatistic, DataSpec, Format, KMeansFit, KMeansSettings, OnError, PublicSource, Routing, Sampling,
    Shard, ShardHash,
};

pub fn peer() -> Identity {
    Identity::from_seed(&[1; 32])
}

pub fn other() -> Identity {
    Identity::from_seed(&[2; 32])
}

pub fn run() -> RunId {
    RunId::from_bytes([0xaa; 32])
}

pub const UNIT: Unit = Unit { path: 3, layer: 1, part: 0, replica: 0 };

pub fn content() -> ContentHash {
    ContentHash::from_bytes([0xcc; 32])
}

pub fn addresses() -> Vec<Address> {
    vec!["/ip4/192.0.2.7/tcp/4001".parse().unwrap()]
}

pub fn claim() -> Claim {
    Claim { unit: UNIT, epoch: 2, counter: 1_700_000_000_000 }
}

pub fn release() -> Release {
    Release { unit: UNIT, epoch: 2, counter: 7 }
}

pub fn heartbeat() -> Heartbeat {
    Heartbeat { counter: 8 }
}

pub fn finished() -> Finished {
    Finished { unit: UNIT, epoch: 0, counter: 9, generation: 0 }
}

pub fn receipt() -> Receipt {
    Receipt { delegation: 1, unit: UNIT, generation: 0, content: content() }
}

pub fn reopen() -> Reopen {
    Reopen { delegation: 1, unit: UNIT, generation: 1 }
}

pub fn complete() -> Complete {
    Complete { delegation: 1, model: ModelHash::from_bytes([0xdd; 32]) }
}

pub fn delegation() -> Delegation {
    Delegation { coordinator: other().key(), addresses: addresses(), number: 1 }
}

pub fn peer_record() -> PeerRecord {
    PeerRecord { addresses: addresses(), counter: 10 }
}

pub fn report_header() -> ReportHeader {
    ReportHeader { unit: UNIT, content: content(), length: 1234, claim: 6, finished: 1_700_000_000_000 }
}

/// Two k-means paths over a number and a text column, 5 and 3 rows.
pub fn spec() -> DataSpec {
    let feature = |name: &str, kind| Feature { name: name.into(), kind };
    DataSpec {
        schema: Schema {
            target: "kind".into(),
            target_kind: TargetKind::Text,
            classes: vec![Label::Text("a".into()), Label::Text("b".into())],
            features: vec![feature("size", FeatureKind::Number), feature("word", FeatureKind::Text)],
        },
        holdout: 0.0,
        routing: Routing::Kmeans(KMeansFit {
            settings: KMeansSettings {
                paths: 2,
                sample: 0,
                sampling: Sampling::Prefix,
                dimensions: 2,
                seed: 0,
                featurizer_seed: 0,
            },
            featurizer: "signed-hash-1".into(),
            rows: 8,
            statistics: vec![
                ColumnStatistic { mean: 1.5, deviation: 0.5 },
                ColumnStatistic { mean: 0.0, deviation: 0.0 },
            ],
            centroids: vec![vec![-3, 4], vec![5, 0]],
        }),
        training: Training {
            layers: 2,
            bucket: 2,
            slice: 1000,
            noise: 1.0,
            profile: Profile::Balanced,
            lookahead: 5,
            seed: 0,
        },
        shards: vec![
            Shard { rows: 5, hash: ShardHash::from_bytes([1; 32]) },
            Shard { rows: 3, hash: ShardHash::from_bytes([2; 32]) },
        ],
    }
}

pub fn manifest_body() -> ManifestBody {
    ManifestBody {
        version: protocol::MANIFEST_VERSION,
        name: "small".into(),
        operator: peer().key(),
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
        spec: spec(),
        counts: Counts { records: 9, duplicates: 1, bytes: 321, ..Counts::default() },
    }
}

pub fn number(column: u32, threshold: f64, negated: bool) -> Literal {
    Literal { column, negated, test: Test::Threshold(Measure::N, threshold) }
}

pub fn word(text: &str, negated: bool) -> Literal {
    Literal { column: 2, negated, test: Test::Text(TextTest::Equals, text.into()) }
}

/// The kept rows of path 0, and their classes.
pub const ORDINALS: [u64; 5] = [0, 1, 3, 4, 7];
pub const CLASSES: [u32; 5] = [0, 0, 0, 1, 0];

/// An honest report of path 0: a bucket of one class, then the rest, with a row of the first as noise.
pub fn buckets() -> Vec<Bucket<u64>> {
    let path = Literal { column: 3, negated: false, test: Test::Text(TextTest::Equals, "0".into()) };
    vec![
        Bucket {
            condition: Some(vec![path.clone(), number(1, 1.5, true)]),
            members: vec![1, 3],
            origins: vec![Origin::Core, Origin::Core],
            clauses: vec![],
            lookalikes: [(0, vec![vec![]]), (1, vec![])].into_iter().collect(),
        },
        Bucket {
            condition: Some(vec![path]),
            members: vec![0, 4, 7, 3],
            origins: vec![Origin::Core, Origin::Core, Origin::Core, Origin::Noise],
            clauses: vec![
                vec![number(1, 1.5, true), word("x", false)],
                vec![word("y", true)],
                vec![number(1, 2.25, false)],
            ],
            lookalikes: [
                (0, vec![vec![1], vec![2]]),
                (1, vec![vec![0]]),
                (2, vec![vec![2]]),
                (3, vec![vec![1]]),
            ]
            .into_iter()
            .collect(),
        },
    ]
}

/// Two paths of two layers: one unit of each stage.
pub fn status() -> RunStatus {
    let (a, b) = (peer().key(), other().key());
    let path = |path, leased, finished, done| PathStatus {
        path,
        counts: StageCounts { open: 2 - leased - finished - done, leased, finished, done },
    };
    RunStatus {
        run: run(),
        coordinator: Some(b),
        model: None,
        watched: 25_000,
        counts: StageCounts { open: 1, leased: 1, finished: 1, done: 1 },
        layers: 2,
        paths: vec![path(0, 0, 1, 1), path(3, 1, 0, 0)],
        paths_left_out: 0,
        stages: Some(vec![0b0001_1011]),
        held: vec![Held { unit: Unit::new(3, 0), peer: a, epoch: 1, seconds: 12 }],
        held_left_out: 0,
        heard: 1,
        peers: vec![PeerStatus { peer: a, heard: true, held: 1, finished: 2, millis_per_unit: Some(4_000) }],
        peers_left_out: 0,
        allowed: 250_000,
        allowed_at_peak: 300_000,
        windows: vec![0, 1, 1],
    }
}
