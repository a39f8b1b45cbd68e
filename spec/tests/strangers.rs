//! A spec from a stranger: what `check` refuses, and what it says.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use snake::{Feature, FeatureKind, Label, TargetKind};
use spec::{DataSpec, KMeansFit, Routing, RoutingSettings, SpecError};
use support::{kmeans, people, published, settings};

fn honest() -> DataSpec {
    published(&settings("class", RoutingSettings::KMeans(kmeans(3))), &people(100)).spec
}

fn fit(spec: &mut DataSpec) -> &mut KMeansFit {
    match &mut spec.routing {
        Routing::Kmeans(fit) => fit,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_field_out_of_range_is_named() {
    type Change = fn(&mut DataSpec);
    let cases: &[(Change, &str)] = &[
        (|s| s.holdout = 1.0, "holdout"),
        (|s| s.holdout = f64::NAN, "holdout"),
        (|s| s.training.layers = 0, "training.layers"),
        (|s| s.training.layers = u32::MAX, "training.layers"),
        (|s| s.training.bucket = 0, "training.bucket"),
        (|s| s.training.slice = 0, "training.slice"),
        (|s| s.training.lookahead = 0, "training.lookahead"),
        (|s| s.training.noise = 101.0, "training.noise"),
        (|s| s.training.noise = f64::INFINITY, "training.noise"),
        (|s| s.routing = Routing::RoundRobin { paths: 0 }, "routing.paths"),
        (|s| s.routing = Routing::RoundRobin { paths: 2 }, "shards"),
        (|s| fit(s).settings.paths = 65_537, "routing.paths"),
        (|s| fit(s).settings.paths = 2, "routing.centroids"),
        (|s| fit(s).settings.dimensions = 4_097, "routing.dimensions"),
        (|s| (fit(s).settings.dimensions, fit(s).settings.paths) = (4_096, 65_536), "routing.dimensions"),
        (|s| fit(s).settings.dimensions = 15, "routing.centroids"),
        (|s| fit(s).centroids[1][0] = 1 << 40, "routing.centroids"),
        (|s| fit(s).statistics.clear(), "routing.statistics"),
        (|s| fit(s).statistics[0].deviation = -1.0, "routing.statistics"),
        (|s| fit(s).statistics[0].mean = f64::INFINITY, "routing.statistics"),
        (|s| fit(s).rows = 2, "routing.rows"),
        // What a fit of it would take: 16 dimensions are 72 bytes a row, of 256 MiB.
        (|s| fit(s).settings.sample = 3_728_271, "routing.sample"),
        (|s| fit(s).settings.sample = u64::MAX, "routing.sample"),
        (|s| (fit(s).settings.sample, fit(s).rows) = (0, 3_728_271), "routing.rows"),
        (|s| fit(s).rows = 10_001, "routing.rows"),
        (|s| s.shards.truncate(2), "shards"),
        (|s| s.shards.iter_mut().for_each(|shard| shard.rows = 0), "shards"),
        (|s| s.shards.iter_mut().for_each(|shard| shard.rows = u64::MAX), "shards"),
        (|s| s.schema.features.clear(), "schema.features"),
        (|s| s.schema.features[0].name.clear(), "schema"),
        (|s| s.schema.features[0].name = "job".into(), "schema"),
        (|s| s.schema.features[0].name = "class".into(), "schema"),
        (|s| s.schema.features[0].name = "__path".into(), "schema"),
        (|s| s.schema.features[0].name = "n".repeat(2_000), "schema"),
        (|s| s.schema.target.clear(), "schema"),
        (|s| s.schema.target_kind = TargetKind::Json, "schema.target_kind"),
        (|s| s.schema.target_kind = TargetKind::Number, "schema.classes"),
        (|s| s.schema.target_kind = TargetKind::Binary, "schema.classes"),
        (|s| s.schema.target_kind = TargetKind::Integer, "schema.classes"),
        (|s| s.schema.classes.truncate(1), "schema.classes"),
        (|s| s.schema.classes.reverse(), "schema.classes"),
        (|s| s.schema.classes[1] = s.schema.classes[0].clone(), "schema.classes"),
        (|s| s.schema.classes[0] = Label::Integer(0), "schema.classes"),
    ];
    assert_eq!(honest().check(), Ok(()));
    for (case, (change, expected)) in cases.iter().enumerate() {
        let mut spec = honest();
        change(&mut spec);
        match spec.check() {
            Err(SpecError::Field { field, .. }) => assert_eq!(field, *expected, "case {case}"),
            other => panic!("case {case}, {expected}: {other:?}"),
        }
    }
}

#[test]
fn too_many_columns_are_refused() {
    let mut spec = honest();
    spec.schema.features =
        (0..20_000).map(|i| Feature { name: i.to_string(), kind: FeatureKind::Text }).collect();
    assert!(spec.check().unwrap_err().to_string().starts_with("schema.features"));
}

#[test]
fn unknown_kinds_need_a_newer_version() {
    let mut spec = honest();
    fit(&mut spec).featurizer = "words-9".into();
    let error = spec.check().unwrap_err().to_string();
    assert!(error.contains("\"words-9\"") && error.contains("newer version"), "{error}");

    #[derive(serde::Serialize)]
    struct Later<'a> {
        kind: &'a str,
        trees: u32,
    }
    let bytes = serde_cbor::to_vec(&Later { kind: "forest", trees: 3 }).unwrap();
    let routing: Routing = serde_cbor::from_slice(&bytes).unwrap();
    assert_eq!(routing, Routing::Unknown);
    spec.routing = routing;
    assert!(spec.check().unwrap_err().to_string().contains("newer version"));
}

#[test]
fn a_known_kind_has_no_unknown_fields() {
    #[derive(serde::Serialize)]
    struct More {
        kind: &'static str,
        paths: u32,
        extra: u32,
    }
    let bytes = serde_cbor::to_vec(&More { kind: "round_robin", paths: 3, extra: 3 }).unwrap();
    assert!(serde_cbor::from_slice::<Routing>(&bytes).is_err());
}
