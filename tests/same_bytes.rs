//! The model's bytes are the same, however many volunteers there are and whatever they keep in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "rig/mod.rs"]
mod rig;

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use rig::{Run, succeed};

const FOUR_PATHS: &str = "holdout = 0.1\n[routing]\npaths = 4\n[training]\nlayers = 3\nbucket = 40\n";

/// `run` with so many volunteers, each a process, writes what `train` writes.
fn run_writes_what_train_writes(run: &Run, volunteers: &[&str]) {
    let alone = run.trained_alone();
    for count in volunteers {
        let out = format!("with-{count}.json");
        succeed(&["run", "run.toml", "--volunteers", count, "--out", &out], run.folder.path());
        let together = fs::read(run.path(&out)).unwrap();
        assert!(
            together == alone,
            "{}: the model of {count} volunteers differs from the one trained alone",
            run.name
        );
    }
}

#[test]
fn one_two_or_five_volunteers_and_four_paths() {
    let run = Run::new("four-paths", &rig::table(1_000, 6, 7), FOUR_PATHS);
    run_writes_what_train_writes(&run, &["1", "2", "5"]);
}

#[test]
fn one_two_or_five_volunteers_and_rows_in_turns() {
    let settings = "[routing]\nkind = \"round_robin\"\npaths = 3\n[training]\nlayers = 2\nbucket = 60\n";
    let run = Run::new("in-turns", &rig::table(900, 5, 11), settings);
    run_writes_what_train_writes(&run, &["1", "2", "5"]);
}

#[test]
fn one_two_or_five_volunteers_and_one_path() {
    let settings = "[routing]\npaths = 1\n[training]\nlayers = 4\nbucket = 80\n";
    let run = Run::new("one-path", &rig::table(500, 5, 13), settings);
    run_writes_what_train_writes(&run, &["1", "2", "5"]);
}

#[test]
fn a_number_to_be_predicted() {
    let settings = "holdout = 0.1\n[routing]\npaths = 2\n[training]\nlayers = 2\nbucket = 60\n";
    let run = Run::new("numbers", &rig::numbers(600, 5, 17), settings);
    run_writes_what_train_writes(&run, &["2"]);
    let model: serde_json::Value = serde_json::from_slice(&run.trained_alone()).unwrap();
    assert!(model.to_string().len() > 1_000, "the model says something");
}

#[test]
fn any_number_of_threads() {
    let settings = format!("{FOUR_PATHS}slice = 200\n");
    let run = Run::new("threads", &rig::table(1_500, 6, 19), &settings);
    let alone = run.trained_alone();
    for threads in ["1", "2", "7"] {
        succeed(&["train", "run.toml", "--threads", threads, "--out", "again.json"], run.folder.path());
        assert!(fs::read(run.path("again.json")).unwrap() == alone, "{threads} threads write another model");
    }
}

#[test]
fn a_compressed_source() {
    let data = rig::table(800, 5, 23);
    let run = Run::new("packed", &data, FOUR_PATHS);
    let alone = run.trained_alone();
    run.publish();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(data.as_bytes()).unwrap();
    fs::write(run.path("data.csv.gz"), packed.finish().unwrap()).unwrap();
    let text = fs::read_to_string(run.path("run.toml")).unwrap().replace("data.csv", "data.csv.gz");
    fs::write(run.path("packed.toml"), text).unwrap();
    succeed(&["train", "packed.toml", "--out", "packed.json"], run.folder.path());
    assert!(fs::read(run.path("packed.json")).unwrap() == alone, "the compressed source gives another model");
    // Published from the plain file, trained from the packed one.
    let (mut coordinator, address) = run.coordinator(&["--source", "data.csv.gz"]);
    let mut volunteer = run.volunteer(1, &address, &["--source", "data.csv.gz", "--verify-routing"]);
    let written = coordinator.expect("model_written");
    assert!(run.model(&written) == alone, "the network's model differs from the one trained alone");
    volunteer.succeed();
    coordinator.succeed();
}

#[test]
fn any_number_of_shards_in_a_pass() {
    let settings = "holdout = 0.1\n[routing]\npaths = 5\n[training]\nlayers = 2\nbucket = 40\n";
    let run = Run::new("passes", &rig::table(1_000, 5, 37), settings);
    let text = fs::read_to_string(run.path("run.toml")).unwrap();
    let mut models = Vec::new();
    for (limits, passes) in
        [("max_shards = 1", 5), ("", 2), ("max_shards = 5", 1), ("max_shards = 5\nmax_shard_memory = 1", 5)]
    {
        fs::write(run.path("limited.toml"), format!("{text}[volunteer]\n{limits}\n")).unwrap();
        let args = ["train", "limited.toml", "--out", "limited.json", "--timings"];
        let output = rig::output(&args, run.folder.path());
        assert!(output.status.success());
        let timings = String::from_utf8(output.stderr).unwrap();
        let timings: serde_json::Value = serde_json::from_str(timings.lines().last().unwrap()).unwrap();
        assert_eq!(timings["passes"], passes, "{limits}: {timings}");
        models.push(fs::read(run.path("limited.json")).unwrap());
    }
    assert!(models.windows(2).all(|pair| pair[0] == pair[1]), "the same bytes, however many in a pass");
}

/// The model that one volunteer with so many shards in memory makes, and its last word on its cache.
fn with_shards_in_memory(run: &Run, most: &str) -> (Vec<u8>, serde_json::Value) {
    run.publish();
    let (mut coordinator, address) = run.coordinator_with_source();
    let mut volunteer = run.volunteer(1, &address, &["--max-shards", most]);
    let written = coordinator.expect("model_written");
    volunteer.succeed();
    coordinator.succeed();
    let most: u64 = most.parse().unwrap();
    let counted = volunteer.seen("cache");
    assert!(
        counted.iter().all(|cache| cache["held"].as_u64().unwrap() <= most),
        "more than {most} shards: {counted:?}"
    );
    (run.model(&written), (*counted.last().unwrap()).clone())
}

#[test]
fn one_shard_in_memory_or_four() {
    let data = rig::table(1_200, 6, 29);
    let small = Run::new("shards", &data, FOUR_PATHS);
    let large = Run::new("shards", &data, FOUR_PATHS);
    let alone = small.trained_alone();
    let (model, cache) = with_shards_in_memory(&small, "1");
    assert!(model == alone, "with one shard in memory the model differs");
    assert!(cache["evictions"].as_u64().unwrap() >= 3, "four shards went through one place: {cache}");
    assert_eq!(
        (&cache["rebuilds"], &cache["passes"]),
        (&4.into(), &4.into()),
        "one shard at a time: {cache}"
    );
    let (model, cache) = with_shards_in_memory(&large, "4");
    assert!(model == alone, "with four shards in memory the model differs");
    assert_eq!(cache["evictions"], 0, "all four shards fit: {cache}");
    assert_eq!((&cache["rebuilds"], &cache["passes"]), (&4.into(), &1.into()), "all from one pass: {cache}");
}
