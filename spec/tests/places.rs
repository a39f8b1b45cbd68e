//! One table from every format and place is one spec; a place that misbehaves gives an error or the same, never something else.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "support/formats.rs"]
mod formats;
#[path = "support/http_server.rs"]
mod http_server;
mod support;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use formats::{csv, gzip, json_lines, parquet, zst};
use http_server::{Body, Fault, HttpServer, Times};
use snake::Cancel;
use spec::{
    DataSpec, FetchLimits, Finding, Format, MemoryLimits, OnError, PublicSource, RecordSource, RoutingCheck,
    RoutingSettings, RunFile, RunSettings, Shard, ShardCache, ShardError, ShardStore, SourcePlaces,
    StoreSettings, TableSource, materialise, publish,
};
use support::{kmeans, people, settings};

const HEADER: [&str; 4] = ["age", "job", "income", "class"];

/// Quick tries, so that the tests wait for nothing; any byte is progress.
fn fetch() -> FetchLimits {
    FetchLimits {
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(1),
        longest_retry_after: Duration::ZERO,
        idle: Duration::from_millis(500),
        progress: 1,
        ..FetchLimits::default()
    }
}

fn rows() -> Vec<Vec<String>> {
    people(600).records().to_vec()
}

fn run_settings(format: Format, locations: &[&str]) -> RunSettings {
    let mut settings = settings("class", RoutingSettings::KMeans(kmeans(3)));
    settings.source.format = format;
    settings.source.locations = locations.iter().map(ToString::to_string).collect();
    settings
}

fn spec_of(settings: &RunSettings, source: &TableSource) -> DataSpec {
    publish(settings, source, &mut |_| {}).unwrap().spec
}

/// The source of a run file.
fn run_source(format: &str, locations: &[String], mirrors: &str) -> TableSource {
    let text = format!(
        "name = \"n\"\n[source]\nformat = \"{format}\"\nlocations = {locations:?}\n{mirrors}\ntarget = \"class\"\n"
    );
    let places = SourcePlaces { fetch: fetch(), ..SourcePlaces::default() };
    places.of_run_file(&RunFile::parse(&text).unwrap(), Path::new("")).unwrap()
}

/// The source of a manifest, as a volunteer opens it who typed `overrides`.
fn volunteer(
    description: &PublicSource,
    spec: &DataSpec,
    overrides: &[String],
    allow_local: bool,
) -> TableSource {
    let places = SourcePlaces {
        overrides: overrides.to_vec(),
        allow_local,
        fetch: fetch(),
        ..SourcePlaces::default()
    };
    places.of_manifest(description, &spec.schema).unwrap()
}

fn shards(spec: &DataSpec, description: &PublicSource, source: &TableSource) -> Result<Vec<Shard>, String> {
    let tables = materialise(spec, description, source, &[0, 1, 2], &Cancel::new());
    tables.map(|tables| tables.iter().map(Shard::of_table).collect()).map_err(|error| error.to_string())
}

#[test]
fn every_format_packing_and_place_is_one_spec() {
    let rows = rows();
    let expected = spec_of(
        &run_settings(Format::Csv, &["x"]),
        &TableSource::of_bytes(Format::Csv, vec![csv(&HEADER, &rows)], OnError::Refuse),
    );
    let server = HttpServer::start();
    let folder = tempfile::tempdir().unwrap();
    for (word, format, write) in [
        ("csv", Format::Csv, csv as fn(&[&str], &[Vec<String>]) -> Vec<u8>),
        ("jsonl", Format::Jsonl, json_lines),
        ("parquet", Format::Parquet, parquet),
    ] {
        for (packing, pack) in
            [("", (|bytes: &[u8]| bytes.to_vec()) as fn(&[u8]) -> Vec<u8>), (".gz", gzip), (".zst", zst)]
        {
            let (first, second) = rows.split_at(250);
            let mut files = Vec::new();
            let mut addresses = Vec::new();
            for (part, rows) in [first, second].into_iter().enumerate() {
                let bytes = pack(&write(&HEADER, rows));
                let name = format!("part{part}.{word}{packing}");
                std::fs::write(folder.path().join(&name), &bytes).unwrap();
                files.push(format!("file://{}/{name}", folder.path().display()));
                server.put(&format!("/{name}"), Body::new(bytes.clone()));
                let odd = format!("/odd-{name}");
                server.put(&odd, Body::new(bytes).fault(Fault::IgnoreRanges, Times::Always));
                addresses.push([server.url(&format!("/{name}")), server.url(&odd)]);
            }
            let places = [
                files,
                addresses.iter().map(|a| a[0].clone()).collect(),
                addresses.iter().map(|a| a[1].clone()).collect(),
            ];
            for locations in places {
                let settings =
                    run_settings(format, &locations.iter().map(String::as_str).collect::<Vec<_>>());
                let source = run_source(word, &locations, "");
                let spec = spec_of(&settings, &source);
                assert_eq!(spec, expected, "{locations:?}");
                assert_eq!(spec.fingerprint().unwrap(), expected.fingerprint().unwrap());
                let source = volunteer(&settings.source, &spec, &locations, false);
                assert_eq!(
                    shards(&spec, &settings.source, &source).unwrap(),
                    expected.shards,
                    "{locations:?}"
                );
            }
        }
    }
}

#[test]
fn transfers_that_break_off_give_the_same_shards() {
    let bytes = csv(&HEADER, &rows());
    let server = HttpServer::start();
    let third = bytes.len() as u64 / 3;
    for (name, body) in [
        ("/breaks", Body::new(bytes.clone()).fault(Fault::BreakAfter(third as usize), Times::First(1_000))),
        ("/stalls", Body::new(bytes.clone()).fault(Fault::StallAfter(third as usize), Times::First(2))),
        ("/busy", Body::new(bytes.clone()).fault(Fault::Status(503), Times::First(3))),
        ("/chunked", Body::new(bytes.clone()).fault(Fault::Chunked, Times::Always)),
        ("/moved", Body::new("").fault(Fault::Redirect(server.url("/chunked")), Times::Always)),
    ] {
        server.put(name, body);
        let locations = [server.url(name)];
        let settings = run_settings(Format::Csv, &[&locations[0]]);
        let source = run_source("csv", &locations, "");
        let spec = spec_of(&settings, &source);
        assert_eq!(shards(&spec, &settings.source, &source).unwrap(), spec.shards, "{name}");
        assert_eq!(spec.shards.iter().map(|shard| shard.rows).sum::<u64>(), 540, "{name}");
    }
}

#[test]
fn a_place_that_lies_gives_an_error_and_nothing_else() {
    let rows = rows();
    let bytes = csv(&HEADER, &rows);
    let mut other = rows.clone();
    other[400][0] = "33".into();
    let other = csv(&HEADER, &other);
    let server = HttpServer::start();
    server.put("/good", Body::new(bytes.clone()));
    let good = [server.url("/good")];
    let settings = run_settings(Format::Csv, &[&good[0]]);
    let spec = spec_of(&settings, &run_source("csv", &good, ""));
    let half = bytes.len() / 2;
    for (name, body, expected) in [
        ("/other", Body::new(other.clone()), "the source is not what the operator signed"),
        (
            "/changes",
            Body::new(bytes.clone())
                .fault(Fault::BreakAfter(half), Times::First(1))
                .then(Body::new(other.clone())),
            "changed while it was read",
        ),
        (
            "/longer",
            Body::new(bytes.clone()).fault(Fault::ClaimLength(bytes.len() as u64 + 10), Times::Always),
            "bytes",
        ),
        ("/shorter", Body::new(bytes.clone()).fault(Fault::ClaimLength(half as u64), Times::Always), ""),
        ("/html", Body::new("<html>\n<body>not here</body>\n</html>"), "is a web page and no table"),
        ("/text", Body::new("not\nhere\n"), "no column \"class\""),
        ("/gone", Body::new("").fault(Fault::Status(404), Times::Always), "404"),
        ("/never", Body::new(bytes.clone()).fault(Fault::StallAfter(0), Times::Always), "sent nothing for"),
        ("/loop", Body::new("").fault(Fault::Redirect(server.url("/loop")), Times::Always), "redirect"),
    ] {
        server.put(name, body);
        let source = volunteer(&settings.source, &spec, &[server.url(name)], false);
        let error = shards(&spec, &settings.source, &source).map(|_| name).unwrap_err();
        assert!(error.contains(expected), "{name}: {error}");
    }
}

#[test]
fn a_mirror_goes_on_where_the_first_place_broke() {
    let bytes = csv(&HEADER, &rows());
    let server = HttpServer::start();
    server.put("/first", Body::new(bytes.clone()).fault(Fault::BreakAfter(1_000), Times::Always));
    server.put("/mirror", Body::new(gzip(&bytes)));
    let locations = [server.url("/first")];
    let impatient = FetchLimits { fruitless_tries: 1, tries: 2, ..fetch() };
    let text = format!(
        "name = \"n\"\n[source]\nlocations = {locations:?}\nmirrors = [[{:?}]]\ntarget = \"class\"\n",
        server.url("/mirror")
    );
    let places = SourcePlaces { fetch: impatient, ..SourcePlaces::default() };
    let run = RunFile::parse(&text).unwrap();
    let source = places.of_run_file(&run, Path::new("")).unwrap();
    let spec = spec_of(&run_settings(Format::Csv, &["x"]), &source);
    let plain = TableSource::of_bytes(Format::Csv, vec![bytes], OnError::Refuse);
    assert_eq!(spec, spec_of(&run_settings(Format::Csv, &["x"]), &plain));
    assert!(!server.requests_for("/mirror").is_empty());
    // A manifest's mirrors are judged like its locations: here they are all of this machine.
    let error = places.of_manifest(&run.settings.source, &spec.schema).unwrap();
    let error = shards(&spec, &run.settings.source, &error).unwrap_err();
    assert_eq!(error.matches("--allow-local").count(), 2, "{error}");
}

#[test]
fn a_stale_mirror_refuses_no_run() {
    let rows = rows();
    let good = csv(&HEADER, &rows);
    let mut stale = rows.clone();
    stale[4][0] = "23".into();
    let mut wide = rows.clone();
    wide[20][3] = "perhaps".into();
    let server = HttpServer::start();
    server.put("/mirror", Body::new(csv(&HEADER, &stale)));
    let settings = run_settings(Format::Csv, &["x"]);
    let spec = spec_of(&settings, &TableSource::of_bytes(Format::Csv, vec![good.clone()], OnError::Refuse));
    let mirrors = format!("mirrors = [[{:?}]]", server.url("/mirror"));
    let source = Arc::new(run_source("csv", &[server.url("/rows")], &mirrors));
    for check in [RoutingCheck::Required, RoutingCheck::Off] {
        server.put("/rows", Body::new("").fault(Fault::Status(500), Times::Always));
        let store = ShardStore::new(StoreSettings {
            spec: Arc::new(spec.clone()),
            description: settings.source.clone(),
            source: source.clone(),
            memory: Arc::new(Mutex::new(ShardCache::new(MemoryLimits { shards: 1, bytes: 1 << 30 }))),
            data_dir: None,
            disk_bytes: 0,
            check,
            run_key: "run".into(),
            warn: Box::new(|_| {}),
        })
        .unwrap();
        let error = store.shard(0, &Cancel::new()).unwrap_err();
        assert!(
            matches!(&error, ShardError::Failed { reason } if reason.contains("A mirror stood in")),
            "{error}"
        );
        assert_eq!(store.finding(), None);
        server.put("/rows", Body::new(good.clone()));
        assert!(store.shard(0, &Cancel::new()).is_ok(), "as soon as the first place is back");
    }
    // What is wrong in a mirror is said of the mirror.
    server.put("/rows", Body::new("").fault(Fault::Status(404), Times::Always));
    server.put("/mirror", Body::new(csv(&HEADER, &wide)));
    let error = shards(&spec, &settings.source, &source).unwrap_err();
    assert!(error.starts_with(&format!("{}, line 22: ", server.url("/mirror"))), "{error}");
}

#[test]
fn a_manifest_reaches_nothing_of_this_machine_or_its_network() {
    let server = HttpServer::start();
    server.put("/rows", Body::new(csv(&HEADER, &rows())));
    let locations = [server.url("/rows")];
    let settings = run_settings(Format::Csv, &[&locations[0]]);
    let spec = spec_of(&settings, &run_source("csv", &locations, ""));
    let asked = server.requests().len();
    let port = server.port();
    for location in [
        server.url("/rows"),
        format!("http://localhost:{port}/rows"),
        format!("http://127.1:{port}/rows"),
        format!("http://0x7f000001:{port}/rows"),
        format!("http://[::ffff:127.0.0.1]:{port}/rows"),
        format!("http://0.0.0.0:{port}/rows"),
        "http://169.254.169.254/latest/meta-data/".into(),
        "http://10.0.0.1/rows".into(),
        "http://192.168.1.1/rows".into(),
        format!("s3://bucket/rows?endpoint=http://127.0.0.1:{port}"),
    ] {
        let description = PublicSource { locations: vec![location.clone()], ..settings.source.clone() };
        let source = volunteer(&description, &spec, &[], false);
        let error = shards(&spec, &description, &source).unwrap_err();
        assert!(error.contains("--allow-local"), "{location}: {error}");
    }
    assert_eq!(server.requests().len(), asked, "nothing was asked of the server");
    let source = volunteer(&settings.source, &spec, &[], true);
    assert_eq!(shards(&spec, &settings.source, &source).unwrap(), spec.shards);
}

#[test]
fn what_was_typed_may_be_read_and_no_more() {
    let (server, other) = (HttpServer::start(), HttpServer::start());
    let bytes = csv(&HEADER, &rows());
    server.put("/rows", Body::new(bytes.clone()));
    other.put("/rows", Body::new(bytes));
    server.put("/away", Body::new("").fault(Fault::Redirect(other.url("/rows")), Times::Always));
    let settings = run_settings(Format::Csv, &["https://example.org/rows.csv"]);
    let spec = spec_of(&settings, &run_source("csv", &[server.url("/rows")], ""));
    let source = volunteer(&settings.source, &spec, &[server.url("/rows")], false);
    assert_eq!(shards(&spec, &settings.source, &source).unwrap(), spec.shards);
    let source = volunteer(&settings.source, &spec, &[server.url("/away")], false);
    let error = shards(&spec, &settings.source, &source).unwrap_err();
    assert!(error.contains("--allow-local"), "{error}");
    assert!(other.requests().is_empty());
}

#[test]
fn a_fit_on_the_first_rows_does_not_read_the_rest() {
    let rows = people(60_000).records().to_vec();
    let bytes = csv(&HEADER, &rows);
    let server = HttpServer::start();
    server.put("/rows", Body::new(bytes));
    let locations = [server.url("/rows")];
    let mut settings = run_settings(Format::Csv, &[&locations[0]]);
    if let RoutingSettings::KMeans(settings) = &mut settings.routing {
        settings.sample = 50;
    }
    let source = run_source("csv", &locations, "");
    let spec = spec_of(&settings, &source);
    server.put("/rows", Body::new(csv(&HEADER, &rows[..2_000])));
    let verdict = spec::verify_routing(&spec, &settings.source, &source).unwrap();
    assert_eq!(verdict, spec::RoutingVerdict::Verified);
    assert_eq!(source.location(0), locations[0]);
}

#[test]
fn the_routing_check_too_looks_only_at_the_columns_of_the_run() {
    let rows = rows();
    let nested: String = String::from_utf8(json_lines(&HEADER, &rows))
        .unwrap()
        .lines()
        .map(|line| format!("{{\"tags\":[1,{{\"a\":2}}],{}\n", &line[1..]))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.jsonl");
    std::fs::write(&path, nested).unwrap();
    let location = path.display().to_string();
    for on_error in [OnError::Refuse, OnError::Skip] {
        let mut settings = run_settings(Format::Jsonl, &["rows.jsonl"]);
        settings.source.exclude = vec!["tags".into()];
        settings.source.on_error = on_error;
        let spec = spec_of(&settings, &TableSource::of_files(vec![path.clone()], on_error));
        let source = volunteer(&settings.source, &spec, std::slice::from_ref(&location), false);
        let store = ShardStore::new(StoreSettings {
            spec: Arc::new(spec.clone()),
            description: settings.source.clone(),
            source: Arc::new(source),
            memory: Arc::new(Mutex::new(ShardCache::new(MemoryLimits { shards: 1, bytes: 1 << 30 }))),
            data_dir: None,
            disk_bytes: 0,
            check: RoutingCheck::Required,
            run_key: "run".into(),
            warn: Box::new(|_| {}),
        })
        .unwrap();
        let table = store.shard(1, &Cancel::new()).unwrap();
        assert_eq!(Shard::of_table(&table), spec.shards[1]);
        assert_eq!(store.finding(), Some(Finding::Verified));
    }
}
