//! `verify_routing`: every field of the fit that is altered shows.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use snake::{Feature, FeatureKind, Label};
use spec::{
    DataSpec, KMeansFit, KMeansSettings, Record, RecordReader, RecordSource, Routing, RoutingSettings,
    RoutingVerdict, Sampling, SourceError, VecSource, verify_routing,
};
use support::{kmeans, people, published, settings, texts};

fn fit(spec: &mut DataSpec) -> &mut KMeansFit {
    match &mut spec.routing {
        Routing::Kmeans(fit) => fit,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_honest_fit_is_verified() {
    let people = people(200);
    for (sample, sampling) in
        [(0, Sampling::Prefix), (60, Sampling::Prefix), (60, Sampling::Reservoir), (900, Sampling::Reservoir)]
    {
        let settings =
            settings("class", RoutingSettings::KMeans(KMeansSettings { sample, sampling, ..kmeans(4) }));
        let spec = published(&settings, &people).spec;
        assert_eq!(verify_routing(&spec, &settings.source, &people).unwrap(), RoutingVerdict::Verified);
    }
    let settings = settings("class", RoutingSettings::RoundRobin { paths: 4 });
    let spec = published(&settings, &people).spec;
    assert_eq!(verify_routing(&spec, &settings.source, &people).unwrap(), RoutingVerdict::Verified);
}

#[test]
fn every_altered_field_is_a_mismatch_that_says_which() {
    let people = people(200);
    let settings = settings("class", RoutingSettings::KMeans(KMeansSettings { sample: 150, ..kmeans(4) }));
    let honest = published(&settings, &people).spec;
    type Change = fn(&mut DataSpec);
    let cases: &[(&str, Change, &str)] = &[
        ("sample to fewer rows", |s| fit(s).settings.sample = 100, "rows"),
        (
            "sample to fewer rows, rows too",
            |s| (fit(s).settings.sample, fit(s).rows) = (100, 100),
            "statistics",
        ),
        ("sample to all rows", |s| fit(s).settings.sample = 0, "rows the fit saw: 150 recorded, 200 found"),
        ("sampling", |s| fit(s).settings.sampling = Sampling::Reservoir, "statistics"),
        ("seed", |s| fit(s).settings.seed = 1, "centroid"),
        ("featurizer seed", |s| fit(s).settings.featurizer_seed = 1, "centroid"),
        ("featurizer", |s| fit(s).featurizer = "other".into(), "newer version"),
        ("dimensions", |s| fit(s).settings.dimensions = 8, "centroids"),
        (
            "dimensions, centroids too",
            |s| {
                fit(s).settings.dimensions = 8;
                fit(s).centroids.iter_mut().for_each(|centroid| centroid.truncate(8));
            },
            "centroid",
        ),
        ("paths", |s| fit(s).settings.paths = 3, "centroids"),
        (
            "paths, centroids too",
            |s| {
                fit(s).settings.paths = 3;
                fit(s).centroids.truncate(3);
            },
            "centroid",
        ),
        ("rows", |s| fit(s).rows = 149, "149 recorded, 150 found"),
        ("rows below paths", |s| fit(s).rows = 3, "routing.rows"),
        ("mean", |s| fit(s).statistics[0].mean += 1e-9, "\"age\""),
        ("deviation", |s| fit(s).statistics[2].deviation *= 1.000_001, "\"income\""),
        ("no statistic of a column", |s| fit(s).statistics.truncate(2), "statistics"),
        ("no number", |s| fit(s).statistics[0].mean = f64::NAN, "statistics"),
        ("centroid", |s| fit(s).centroids[2][5] += 1, "centroid of path 2"),
        ("order of centroids", |s| fit(s).centroids.swap(0, 1), "centroid of path 0"),
        ("a centroid that is missing", |s| fit(s).centroids.truncate(3), "centroids"),
        ("a centroid beyond the range", |s| fit(s).centroids[0][0] = i64::MIN, "centroids"),
        ("a number pinned as text", |s| s.schema.features[0].kind = FeatureKind::Text, "\"age\""),
        ("a text pinned as number", |s| s.schema.features[1].kind = FeatureKind::Number, "column \"job\""),
        (
            "a feature renamed",
            |s| s.schema.features[0].name = "years".into(),
            "\"years\" is not in the source",
        ),
        (
            "a feature left out",
            |s| {
                s.schema.features.truncate(2);
                fit(s).statistics.truncate(2);
            },
            "\"income\" is neither",
        ),
        (
            "a feature too many",
            |s| {
                s.schema.features.push(Feature { name: "new".into(), kind: FeatureKind::Text });
                let last = fit(s).statistics[1];
                fit(s).statistics.push(last);
            },
            "\"new\" is not in the source",
        ),
        ("features in another order", |s| s.schema.features.swap(0, 2), "statistics"),
        ("a class renamed", |s| s.schema.classes[1] = Label::Text("zes".into()), "no class of the schema"),
        ("target renamed", |s| s.schema.target = "age".into(), "the schema"),
    ];
    assert_eq!(verify_routing(&honest, &settings.source, &people).unwrap(), RoutingVerdict::Verified);
    for (name, change, expected) in cases {
        let mut spec = honest.clone();
        change(&mut spec);
        match verify_routing(&spec, &settings.source, &people).unwrap() {
            RoutingVerdict::Mismatch { differs } => {
                assert!(differs.contains(expected), "{name}: {differs:?} should say {expected:?}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn what_routing_does_not_depend_on_is_left_to_the_shard_hash() {
    let people = people(100);
    let settings = settings("class", RoutingSettings::KMeans(kmeans(2)));
    let mut spec = published(&settings, &people).spec;
    spec.holdout = 0.5;
    spec.training.seed = 9;
    spec.shards.reverse();
    assert_eq!(verify_routing(&spec, &settings.source, &people).unwrap(), RoutingVerdict::Verified);
}

#[test]
fn a_source_with_too_few_rows_is_unverifiable_and_another_one_a_mismatch() {
    let people = people(100);
    let settings = settings("class", RoutingSettings::KMeans(kmeans(4)));
    let spec = published(&settings, &people).spec;
    let cut = |rows: usize| {
        let header = texts(&["age", "job", "income", "class"]);
        VecSource::new("people.csv", header, people.records()[..rows].to_vec())
    };
    let verdict = |rows| verify_routing(&spec, &settings.source, &cut(rows)).unwrap();
    assert!(matches!(verdict(0), RoutingVerdict::Unverifiable { .. }));
    assert!(matches!(verdict(3), RoutingVerdict::Unverifiable { .. }));
    assert!(matches!(verdict(4), RoutingVerdict::Mismatch { .. }));
    assert!(matches!(verdict(99), RoutingVerdict::Mismatch { .. }));
    assert_eq!(verdict(100), RoutingVerdict::Verified);
}

/// Fails at a row.
struct Broken {
    rows: VecSource,
    at: u64,
}

struct BrokenReader<'a> {
    reader: Box<dyn RecordReader + 'a>,
    at: u64,
}

impl RecordSource for Broken {
    fn open(&self) -> Result<Box<dyn RecordReader + '_>, SourceError> {
        Ok(Box::new(BrokenReader { reader: self.rows.open()?, at: self.at }))
    }

    fn location(&self, part: usize) -> String {
        self.rows.location(part)
    }
}

impl RecordReader for BrokenReader<'_> {
    fn header(&self) -> &[String] {
        self.reader.header()
    }

    fn only(&mut self, _columns: &[usize]) {}

    fn next(&mut self, record: &mut Record) -> Result<bool, SourceError> {
        let more = self.reader.next(record)?;
        if record.ordinal == self.at {
            return Err(SourceError::Unreadable { location: "people.csv".into(), reason: "gone".into() });
        }
        Ok(more)
    }
}

#[test]
fn a_source_that_cannot_be_read_is_no_verdict() {
    let settings = settings("class", RoutingSettings::KMeans(KMeansSettings { sample: 50, ..kmeans(4) }));
    let spec = published(&settings, &people(100)).spec;
    let broken = |at| Broken { rows: people(100), at };
    assert!(verify_routing(&spec, &settings.source, &broken(49)).is_err());
    // A sample of the first rows reads no further.
    assert_eq!(verify_routing(&spec, &settings.source, &broken(50)).unwrap(), RoutingVerdict::Verified);
}
