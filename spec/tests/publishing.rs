//! From settings and a source to a spec: what is found, what is refused, what the bytes are.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use snake::{FeatureKind, Label, Profile, TargetKind};
use spec::{
    DataSpec, KMeansSettings, OnError, Routing, RoutingSettings, RunSettings, Sampling, Shard, Stage,
    TargetType, VecSource, publish,
};
use support::{kmeans, people, published, settings, source, texts};

fn error_of(settings: &RunSettings, source: &VecSource) -> String {
    publish(settings, source, &mut |_| {}).unwrap_err().to_string()
}

#[test]
fn a_source_becomes_a_spec() {
    let mut settings = settings("class", RoutingSettings::KMeans(kmeans(3)));
    settings.holdout = 0.2;
    let mut stages = Vec::new();
    let found = publish(&settings, &people(400), &mut |progress| stages.push(progress.stage)).unwrap();
    stages.dedup();
    assert_eq!(stages, [Stage::Reading, Stage::Fitting, Stage::Sharding]);

    let spec = &found.spec;
    assert_eq!(spec.check(), Ok(()));
    assert_eq!(spec.schema.target_kind, TargetKind::Text);
    assert_eq!(spec.schema.classes, [Label::Text("no".into()), Label::Text("yes".into())]);
    let kinds: Vec<FeatureKind> = spec.schema.features.iter().map(|feature| feature.kind).collect();
    assert_eq!(kinds, [FeatureKind::Number, FeatureKind::Text, FeatureKind::Number]);
    assert_eq!(spec.training.profile, Profile::Balanced);
    assert_eq!(spec.routed_schema().features.last().unwrap().name, "__path");
    assert_eq!(spec.path_literal(2).unwrap().column, 4);

    let summary = &found.summary;
    let kept: u64 = summary.paths.iter().map(|path| path.rows).sum();
    let duplicates: u64 = summary.paths.iter().map(|path| path.duplicates).sum();
    assert_eq!(kept + duplicates + summary.held_out, 400);
    assert!(summary.held_out > 50 && duplicates > 10);
    assert!(summary.paths.iter().any(|path| path.conflicts > 0 && path.conflicts < path.duplicates));
    assert_eq!(summary.degraded, None);
}

#[test]
fn one_path_and_round_robin_have_no_path_feature() {
    for routing in [RoutingSettings::KMeans(kmeans(1)), RoutingSettings::RoundRobin { paths: 3 }] {
        let spec = published(&settings("class", routing), &people(50)).spec;
        assert_eq!(spec.routed_schema(), spec.schema);
        assert_eq!(spec.path_literal(0), None);
    }
}

#[test]
fn two_small_tables_have_pinned_centroids_and_fingerprints() {
    let centroids = |spec: &DataSpec| match &spec.routing {
        Routing::Kmeans(fit) => fit.centroids.clone(),
        other => panic!("{other:?}"),
    };
    let small = KMeansSettings { dimensions: 4, ..kmeans(2) };
    let numbers = source(
        &["a", "b", "y"],
        &[&["1", "2", "0"], &["1.5", "2", "1"], &["9", "-3", "0"], &["10", "-3.5", "1"], &["", "1e1", "1"]],
    );
    let spec = published(&settings("y", RoutingSettings::KMeans(small)), &numbers).spec;
    assert_eq!(centroids(&spec), [[561, 61, -61, 61], [-374, -40, 40, -40]]);
    assert_eq!(
        spec.fingerprint().unwrap().to_string(),
        "633ccc77f64ec8c62bcbae8c48b38e35b5d4961b5f71b4ae12d874482ed5028f"
    );

    let mixed = source(
        &["n", "text", "y"],
        &[
            &["1", "red apple", "fruit"],
            &["2", "Green Apple", "fruit"],
            &["1", "grey stone", "thing"],
            &["30", "red house", "thing"],
        ],
    );
    let spec = published(&settings("y", RoutingSettings::KMeans(small)), &mixed).spec;
    assert_eq!(centroids(&spec), [[148, 23, -193, 489], [69, 955, -955, -443]]);
    assert_eq!(
        spec.fingerprint().unwrap().to_string(),
        "a55f1264798116c707cabd3269e04f60a06b07b60f89bf0c9ce9dd983b413e2e"
    );
    let bytes = serde_cbor::to_vec(&spec).unwrap();
    assert_eq!(serde_cbor::from_slice::<DataSpec>(&bytes).unwrap(), spec);
}

#[test]
fn the_fingerprint_is_of_the_data_and_not_of_its_place() {
    let settings = settings("class", RoutingSettings::KMeans(kmeans(2)));
    let here = published(&settings, &people(100)).spec.fingerprint().unwrap();
    let people = people(100);
    let records =
        people.records().iter().map(|row| texts(&["x", &row[3], &row[0], &row[1], &row[2]])).collect();
    let moved = VecSource::new("elsewhere.csv", texts(&["no", "class", "age", "job", "income"]), records);
    let mut other = settings.clone();
    other.name = "another".into();
    other.source.locations = vec!["elsewhere.csv".into()];
    other.source.exclude = vec!["no".into()];
    assert_eq!(published(&other, &moved).spec.fingerprint().unwrap(), here);
    other.training.seed = 1;
    assert_ne!(published(&other, &moved).spec.fingerprint().unwrap(), here);
}

#[test]
fn settings_and_tables_that_cannot_be_used_are_refused() {
    let good = settings("class", RoutingSettings::KMeans(kmeans(2)));
    let people = people(40);
    let with = |change: &dyn Fn(&mut RunSettings)| {
        let mut settings = good.clone();
        change(&mut settings);
        error_of(&settings, &people)
    };
    let cases: &[(String, &str)] = &[
        (with(&|s| s.training.layers = 0), "training.layers"),
        (with(&|s| s.training.bucket = 0), "training.bucket"),
        (with(&|s| s.training.slice = 0), "training.slice"),
        (with(&|s| s.training.lookahead = 0), "training.lookahead"),
        (with(&|s| s.training.noise = f64::NAN), "training.noise"),
        (with(&|s| s.holdout = 1.0), "holdout"),
        (with(&|s| s.holdout = -0.1), "holdout"),
        (with(&|s| s.routing = RoutingSettings::RoundRobin { paths: 0 }), "routing.paths"),
        (with(&|s| s.routing = RoutingSettings::KMeans(kmeans(70_000))), "routing.paths"),
        (
            with(&|s| s.routing = RoutingSettings::KMeans(KMeansSettings { dimensions: 0, ..kmeans(2) })),
            "dimensions",
        ),
        (
            with(&|s| s.routing = RoutingSettings::KMeans(KMeansSettings { dimensions: 4_097, ..kmeans(2) })),
            "dimensions",
        ),
        (with(&|s| s.source.target = "klass".into()), "\"age\", \"job\", \"income\", \"class\""),
        (with(&|s| s.source.target_type = Some(TargetType::Number)), "people.csv, line 2: the value \"no\""),
        (with(&|s| s.routing = RoutingSettings::KMeans(kmeans(41))), "at most 40"),
        (with(&|s| s.routing = RoutingSettings::RoundRobin { paths: 41 }), "at most 40"),
        (error_of(&good, &source(&["a", "class"], &[])), "no rows"),
        (
            error_of(&good, &source(&["a", "class"], &[&["1", "x"], &["2", "x"]])),
            "every row has the target \"x\"",
        ),
        (error_of(&good, &source(&["a", "class"], &[&["1", "x"], &["2"]])), "rows.csv, line 3: 1 cells"),
        (
            error_of(&good, &source(&["a", "class"], &[&["1", "x"], &["2", ""]])),
            "line 3: the target \"class\" is empty",
        ),
    ];
    for (error, expected) in cases {
        assert!(error.contains(expected), "{error:?} should say {expected:?}");
    }
}

#[test]
fn skipped_rows_are_counted_and_use_up_their_ordinals() {
    let mut settings = settings("y", RoutingSettings::RoundRobin { paths: 2 });
    settings.source.on_error = OnError::Skip;
    let rows: &[&[&str]] = &[&["1", "a"], &["2"], &["3", "b"], &["4", ""], &["5", "a"], &["6", "b", "c"]];
    let found = published(&settings, &source(&["x", "y"], rows));
    assert_eq!((found.summary.rows, found.summary.skipped), (3, 3));
    assert_eq!(
        found.spec.shards.iter().map(|shard| shard.rows).collect::<Vec<_>>(),
        [3, 0],
        "ordinals 0, 2, 4"
    );
    assert_eq!(found.spec.check(), Ok(()));
}

#[test]
fn a_sample_smaller_than_the_paths_degrades_to_round_robin() {
    let small = KMeansSettings { sample: 2, ..kmeans(3) };
    let found = published(&settings("class", RoutingSettings::KMeans(small)), &people(40));
    assert_eq!(found.spec.routing, Routing::RoundRobin { paths: 3 });
    assert!(found.summary.degraded.unwrap().contains("at least 3"));
}

#[test]
fn everything_held_out_is_an_error() {
    let mut settings = settings("y", RoutingSettings::RoundRobin { paths: 1 });
    settings.holdout = 0.999_999;
    let error = error_of(&settings, &source(&["x", "y"], &[&["1", "a"], &["2", "b"]]));
    assert!(error.contains("lower `holdout`"), "{error}");
}

#[test]
fn samplings_see_different_rows_and_stay_the_same() {
    let people = people(300);
    let mut seen = Vec::new();
    for (sample, sampling) in [
        (0, Sampling::Prefix),
        (0, Sampling::Reservoir),
        (1_000, Sampling::Reservoir),
        (50, Sampling::Prefix),
        (50, Sampling::Reservoir),
    ] {
        let settings =
            settings("class", RoutingSettings::KMeans(KMeansSettings { sample, sampling, ..kmeans(3) }));
        let spec = published(&settings, &people).spec;
        assert_eq!(published(&settings, &people).spec, spec);
        let Routing::Kmeans(fit) = spec.routing else { panic!("no k-means") };
        assert_eq!(fit.rows, if sample == 50 { 50 } else { 300 });
        seen.push(fit.centroids);
    }
    assert!(seen[0] == seen[1] && seen[1] == seen[2]);
    assert!(seen[3] != seen[4] && seen[3] != seen[0] && seen[4] != seen[0]);
}

#[test]
fn extreme_numbers_are_routed() {
    let rows: Vec<[&str; 3]> = ["1e308", "-1e308", "1e308", "5e-324", "0", "-0"]
        .iter()
        .enumerate()
        .map(|(i, value)| [*value, if i % 2 == 0 { "a" } else { "b" }, if i < 3 { "x" } else { "y" }])
        .collect();
    let rows: Vec<&[&str]> = rows.iter().map(|row| row.as_slice()).collect();
    let found =
        published(&settings("y", RoutingSettings::KMeans(kmeans(2))), &source(&["n", "t", "y"], &rows));
    assert_eq!(
        found.spec.shards.iter().map(|shard: &Shard| shard.rows).sum::<u64>(),
        5,
        "rows 0 and 2 are equal"
    );
    let Routing::Kmeans(fit) = &found.spec.routing else { panic!("no k-means") };
    assert_eq!((fit.statistics[0].mean, fit.statistics[0].deviation), (0.0, 0.0), "the sums overflow");
}
