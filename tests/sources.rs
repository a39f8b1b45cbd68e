//! `run` writes what `train` writes, whatever format the table is in and wherever it lies; and a volunteer's machine is reached by no
//! manifest.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "../spec/tests/support/formats.rs"]
mod formats;
#[path = "../spec/tests/support/http_server.rs"]
mod http_server;
#[path = "rig/mod.rs"]
mod rig;
#[path = "../spec/tests/support/s3_server.rs"]
mod s3_server;

use std::fs;
use std::process::Stdio;

use http_server::{Body, Fault, HttpServer, Times};
use rig::{Run, fail, program, repository, succeed};
use s3_server::S3Server;

const SETTINGS: &str = "holdout = 0.1\n[routing]\npaths = 3\n[training]\nlayers = 2\nbucket = 60\n";

/// The same run with its rows elsewhere: writes the run file anew.
fn move_to(run: &Run, format: &str, locations: &[String]) {
    let name = &run.name;
    let text = format!(
        "name = \"{name}\"\n[source]\nformat = \"{format}\"\nlocations = {locations:?}\ntarget = \"class\"\n{SETTINGS}"
    );
    fs::write(run.path("run.toml"), text).unwrap();
}

/// A run over a table in a CSV file, the table, and the model that one machine trains from it.
fn table(name: &str) -> (Run, Vec<&'static str>, Vec<Vec<String>>, Vec<u8>) {
    let text = rig::table(700, 3, 5);
    let run = Run::new(name, &text, SETTINGS);
    let alone = run.trained_alone();
    let rows = text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect();
    (run, vec!["word", "f0", "f1", "f2", "class"], rows, alone)
}

/// `train` and `run` with two volunteers both write `expected`.
fn all_write(run: &Run, expected: &[u8], what: &str) {
    assert!(run.trained_alone() == expected, "train: {what} gives another model");
    succeed(&["run", "run.toml", "--out", "together.json"], run.folder.path());
    assert!(fs::read(run.path("together.json")).unwrap() == expected, "run: {what} gives another model");
}

#[test]
fn files_of_every_format() {
    let (run, header, rows, alone) = table("formats");
    let (first, second) = rows.split_at(300);
    for (format, name, bytes) in [
        ("jsonl", "rows.jsonl.gz", formats::gzip(&formats::json_lines(&header, &rows))),
        ("parquet", "rows.parquet", formats::parquet(&header, &rows)),
        ("csv", "rows.csv.zst", formats::zst(&formats::csv(&header, &rows))),
    ] {
        fs::write(run.path(name), bytes).unwrap();
        move_to(&run, format, &[name.to_owned()]);
        all_write(&run, &alone, name);
    }
    fs::write(run.path("a.jsonl"), formats::json_lines(&header, first)).unwrap();
    fs::write(run.path("b.jsonl"), formats::gzip(&formats::json_lines(&header, second))).unwrap();
    move_to(&run, "jsonl", &[format!("file://{}", run.path("a.jsonl").display()), "b.jsonl".to_owned()]);
    all_write(&run, &alone, "two parts");
}

#[test]
fn addresses() {
    let (run, header, rows, alone) = table("addresses");
    let server = HttpServer::start();
    let csv = formats::csv(&header, &rows);
    server.put("/rows.csv.gz", Body::new(formats::gzip(&csv)));
    server.put("/rows.parquet", Body::new(formats::parquet(&header, &rows)));
    server
        .put("/moved", Body::new("").fault(Fault::Redirect("/rows.csv.gz?download=1".into()), Times::Always));
    server.put("/weak", Body::new(csv.clone()).fault(Fault::BreakAfter(csv.len() * 2 / 3), Times::First(3)));
    for (format, path) in [
        ("csv", "/rows.csv.gz?download=1"),
        ("parquet", "/rows.parquet"),
        ("csv", "/moved"),
        ("csv", "/weak"),
    ] {
        move_to(&run, format, &[server.url(path)]);
        all_write(&run, &alone, path);
    }
}

#[test]
fn mirrors() {
    let (run, header, rows, alone) = table("mirrors");
    let server = HttpServer::start();
    server.put("/mirror", Body::new(formats::gzip(&formats::csv(&header, &rows))));
    server.put("/gone", Body::new("").fault(Fault::Status(404), Times::Always));
    server.put("/page", Body::new("<!doctype html>\n<p>it has moved</p>\n"));
    let mirror = format!("mirrors = [[{:?}, {:?}]]\n", server.url("/page"), server.url("/mirror"));
    for first in [server.url("/gone"), server.url("/page"), "missing.csv".to_owned()] {
        move_to(&run, "csv", std::slice::from_ref(&first));
        let text = fs::read_to_string(run.path("run.toml")).unwrap();
        fs::write(run.path("run.toml"), text.replace("target = ", &format!("{mirror}target = "))).unwrap();
        all_write(&run, &alone, &first);
    }
}

#[test]
fn a_bucket() {
    let Some(server) = S3Server::start(&repository(""), true) else { return };
    let (run, header, rows, alone) = table("bucket");
    server.place("tables", "folder/rows.csv", &formats::csv(&header, &rows));
    move_to(&run, "csv", &["s3://tables/folder/rows.csv".to_owned()]);
    let ends = |args: &[&str], secret: &str| {
        let mut command = program();
        command.args(args).current_dir(run.folder.path()).env("XDG_DATA_HOME", run.path("home"));
        command.env("AWS_ENDPOINT_URL", server.origin()).env("AWS_ACCESS_KEY_ID", s3_server::KEY);
        let output = command.env("AWS_SECRET_ACCESS_KEY", secret).stdout(Stdio::null()).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!error.contains(secret), "{error}");
        (output.status.success(), error)
    };
    let (done, error) = ends(&["run", "run.toml", "--out", "together.json"], s3_server::SECRET);
    assert!(done, "{error}");
    assert!(fs::read(run.path("together.json")).unwrap() == alone);
    let (done, error) = ends(&["train", "run.toml", "--out", "alone.json"], "another-secret");
    assert!(!done && error.contains("403"), "{error}");
}

#[test]
fn made_up_rows() {
    let run = Run::new("made-up", "", SETTINGS);
    let text = "name = \"made-up\"\n[source]\nformat = \"synthetic\"\n\
        locations = [\"synthetic://mixed?rows=400&seed=1\", \"synthetic://mixed?rows=300&seed=2\"]\ntarget = \"y\"\n\
        holdout = 0.2\n[routing]\npaths = 2\n[training]\nlayers = 2\nbucket = 60\n";
    fs::write(run.path("run.toml"), text).unwrap();
    let alone = run.trained_alone();
    let said = succeed(&["run", "run.toml", "--out", "together.json"], run.folder.path());
    assert!(fs::read(run.path("together.json")).unwrap() == alone);
    assert!(said.contains("held out"), "{said}");
}

#[test]
fn a_manifest_does_not_reach_the_machine_of_who_joins() {
    let (run, header, rows, alone) = table("hostile");
    let server = HttpServer::start();
    server.put("/rows.csv", Body::new(formats::csv(&header, &rows)));
    move_to(&run, "csv", &[server.url("/rows.csv")]);
    run.publish();
    let asked = server.requests().len();
    let manifest = run.manifest().display().to_string();
    for command in
        [["verify", &manifest].as_slice(), &["materialise", &manifest, "--path", "0", "--out", "shard.csv"]]
    {
        let error = fail(1, command, run.folder.path());
        assert!(error.contains("--allow-local"), "{error}");
    }
    let (mut coordinator, address) = run.coordinator_with_source();
    let mut refused = run.volunteer(1, &address, &["--source-is-the-manifests"]);
    let (code, error) = refused.wait();
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("127.0.0.1") && error.contains("--allow-local"), "{error}");
    assert_eq!(server.requests().len(), asked, "nothing was asked of the server");
    let mut volunteer =
        run.volunteer(2, &address, &["--source-is-the-manifests", "--allow-local", "--verify-routing"]);
    let written = coordinator.expect("model_written");
    assert!(run.model(&written) == alone);
    volunteer.succeed();
    coordinator.succeed();
}
