//! Small specs that fit each other.

use snake::{Feature, FeatureKind, Label, Profile, Schema, TargetKind, Training};
use spec::{ColumnStatistic, DataSpec, KMeansFit, KMeansSettings, Routing, Sampling, Shard, ShardHash};

/// Two k-means paths over a number and a text.
pub fn kmeans() -> DataSpec {
    let feature = |name: &str, kind| Feature { name: name.into(), kind };
    DataSpec {
        schema: Schema {
            target: "kind".into(),
            target_kind: TargetKind::Text,
            classes: vec![Label::Text("a".into()), Label::Text("b".into())],
            features: vec![feature("size", FeatureKind::Number), feature("word", FeatureKind::Text)],
        },
        holdout: 0.1,
        routing: Routing::Kmeans(KMeansFit {
            settings: KMeansSettings {
                paths: 2,
                sample: 10,
                sampling: Sampling::Reservoir,
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

/// Two paths in turn.
pub fn round_robin(target_kind: TargetKind, classes: Vec<Label>) -> DataSpec {
    let mut spec = kmeans();
    spec.routing = Routing::RoundRobin { paths: 2 };
    (spec.schema.target_kind, spec.schema.classes) = (target_kind, classes);
    spec
}
