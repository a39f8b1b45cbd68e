//! What a manifest and the server it names can cost a volunteer's machine: each limit, reached.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "support/formats.rs"]
mod formats;
#[path = "support/http_server.rs"]
mod http_server;
#[path = "support/store_rig.rs"]
mod store_rig;
mod support;

use std::time::{Duration, Instant};

use formats::{csv, gzip, parquet, zst};
use http_server::{Body, Fault, HttpServer, Times};
use snake::Cancel;
use spec::{
    DataSpec, FetchLimits, Format, PublicSource, RoutingCheck, RoutingSettings, ShardError, SourceLimits,
    SourcePlaces, TableSource, materialise, publish, verify_routing,
};
use store_rig::Rig;
use support::{kmeans, people, settings};

const HEADER: [&str; 4] = ["age", "job", "income", "class"];

/// A run that was published honestly.
fn published(format: Format, rows: usize) -> (DataSpec, PublicSource) {
    let mut settings = settings("class", RoutingSettings::KMeans(kmeans(3)));
    settings.source.format = format;
    (publish(&settings, &people(rows), &mut |_| {}).unwrap().spec, settings.source)
}

/// The source of the manifest, at an address of a server that sends `body`.
fn source(server: &HttpServer, spec: &DataSpec, description: &PublicSource, body: Body) -> TableSource {
    server.put("/rows", body);
    let places = SourcePlaces {
        overrides: vec![server.url("/rows")],
        fetch: FetchLimits { first_wait: Duration::from_millis(1), ..FetchLimits::default() },
        ..SourcePlaces::default()
    };
    places.of_manifest(description, &spec.schema).unwrap()
}

fn error(spec: &DataSpec, description: &PublicSource, source: &TableSource) -> spec::MaterialiseError {
    materialise(spec, description, source, &[0, 1, 2], &Cancel::new()).unwrap_err()
}

#[test]
fn no_source_costs_more_than_the_limits_allow() {
    let rows = people(600).records().to_vec();
    // Rows that are there already are in no shard twice: these go on and on, and no shard grows too large.
    let many = vec![rows[0].clone(); 20_000];
    let head = HEADER.join(",");
    let cell = |bytes: usize| format!("{head}\n1,{},2,yes\n", "x".repeat(bytes)).into_bytes();
    let columns = format!("{head},{}\n", (0..70_000).map(|c| format!("c{c}")).collect::<Vec<_>>().join(","));
    let none = SourceLimits::default;
    let tight = SourceLimits { packed_bytes: 20_000, ..none() };
    let narrow = SourceLimits { unpacked_bytes: 100_000, ..none() };
    let tiny = SourceLimits { unpacked_bytes: 1_000, ..none() };
    let ratio = SourceLimits { free_bytes: 50_000, ratio: 20, ..none() };
    let few = SourceLimits { rows: 1_000, ..none() };
    let copied = SourceLimits { copied_bytes: 1_000, ..none() };
    let (as_csv, as_parquet) = (Format::Csv, Format::Parquet);
    let whole = |bytes: Vec<u8>| Body::new(bytes).fault(Fault::IgnoreRanges, Times::Always);
    for (name, format, body, limits, expected, refused) in [
        ("bytes", as_csv, Body::new(csv(&HEADER, &many)), &tight, "more than 20000 bytes", false),
        ("gz", as_csv, Body::new(gzip(&csv(&HEADER, &many))), &narrow, "more than 100000 bytes", false),
        (
            "ratio",
            as_csv,
            Body::new(gzip(&csv(&HEADER, &many))),
            &ratio,
            "more than 20 bytes for every",
            false,
        ),
        ("zst", as_csv, Body::new(zst(&csv(&HEADER, &many))), &ratio, "more than 20 bytes for every", false),
        ("rows", as_csv, Body::new(csv(&HEADER, &many)), &few, "more than 1000 rows", true),
        ("rows", as_parquet, Body::new(parquet(&HEADER, &many)), &few, "more than 1000 rows", true),
        ("cell", as_csv, Body::new(cell(2 << 20)), &none(), "at most 1048576 are read", false),
        ("record", as_csv, Body::new(cell(9 << 20)), &none(), "larger than 8 MiB", false),
        ("columns", as_csv, Body::new(columns), &none(), "cells", false),
        ("parquet", as_parquet, Body::new(parquet(&HEADER, &rows)), &tiny, "unpacks to more than", false),
        ("copied", as_parquet, whole(parquet(&HEADER, &rows)), &copied, "more than 1000 bytes", false),
    ] {
        let server = HttpServer::start();
        let (spec, description) = published(format, 600);
        let source = source(&server, &spec, &description, body).with_limits(limits.clone());
        let error = error(&spec, &description, &source);
        assert!(error.to_string().contains(expected), "{name}: {error}");
        assert_eq!(error.is_refusal(), refused, "{name}: {error}");
    }
}

#[test]
fn a_slow_source_ends_when_time_is_up_in_every_format() {
    let rows = people(30).records().to_vec();
    for (format, bytes) in [(Format::Csv, csv(&HEADER, &rows)), (Format::Parquet, parquet(&HEADER, &rows))] {
        let server = HttpServer::start();
        let (spec, description) = published(format, 30);
        // Whole it would take several seconds.
        let body = Body::new(bytes).fault(Fault::Drip(Duration::from_millis(3)), Times::Always);
        let limits = SourceLimits { time: Duration::from_millis(300), ..SourceLimits::default() };
        let source = source(&server, &spec, &description, body).with_limits(limits);
        let start = Instant::now();
        let error = error(&spec, &description, &source);
        assert!(error.to_string().contains("takes longer to read than a pass may"), "{format:?}: {error}");
        assert!(!error.is_refusal() && start.elapsed() < Duration::from_secs(60));
        let error = verify_routing(&spec, &description, &source).unwrap_err();
        assert!(error.to_string().contains("takes longer to read than a pass may"), "{format:?}: {error}");
    }
}

#[test]
fn a_shard_that_claims_to_be_huge_is_not_begun() {
    let mut rig = Rig::new();
    rig.check = RoutingCheck::Off;
    rig.spec.shards[0].rows = 1 << 31;
    let store = rig.start();
    match store.shard(0, &Cancel::new()) {
        Err(ShardError::Failed { reason }) => {
            assert!(reason.contains("path 0: its rows take more than 1024 MiB"), "{reason}");
            assert!(reason.contains("--max-shard-memory"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(rig.passes(), 0);
    assert_eq!(store.finding(), None, "no refusal: another machine may have the memory");
    assert!(store.shard(1, &Cancel::new()).is_ok(), "others are made");
}
