//! `certify`, `--stripped`, `strip` and packed models, with the real program.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "rig/mod.rs"]
mod rig;

use std::fs;
use std::path::Path;

use rig::{Run, fail, repository, succeed};
use serde_json::{Value, json};

fn read(run: &Run, name: &str) -> Value {
    serde_json::from_slice(&fs::read(run.path(name)).unwrap()).unwrap()
}

fn write(run: &Run, name: &str, model: &Value) {
    fs::write(run.path(name), model.to_string()).unwrap();
}

/// What `certify --json` says, with its exit code.
fn certify(folder: &Path, args: &[&str]) -> (Option<i32>, Value) {
    let mut all = vec!["certify", "--json"];
    all.extend(args);
    let output = rig::output(&all, folder);
    let said = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    let found = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}\n{error}"));
    (output.status.code(), found)
}

/// Data with duplicates, and a fifth of its rows held out.
fn run_of(routing: &str, holdout: &str) -> Run {
    let mut data = rig::table(900, 3, 8);
    let again: Vec<String> = data.lines().skip(1).step_by(40).map(str::to_owned).collect();
    data += &(again.join("\n") + "\n");
    let settings = format!(
        "holdout = {holdout}\n[routing]\n{routing}\n[training]\nlayers = 2\nbucket = 40\nnoise = 0.5\n"
    );
    let run = Run::new("certified", &data, &settings);
    run.trained_alone();
    run
}

const ROUTINGS: [&str; 3] =
    ["paths = 1", "kind = \"kmeans\"\npaths = 3", "kind = \"round_robin\"\npaths = 3"];

#[test]
fn what_was_trained_is_certified_whatever_the_routing() {
    for routing in ROUTINGS {
        let run = run_of(routing, "0.2");
        let folder = run.folder.path();
        let (code, found) = certify(folder, &["alone.json", "data.csv"]);
        assert_eq!((code, &found["certified"]), (Some(0), &true.into()), "{routing}: {found}");
        let layers = found["layers"].as_array().unwrap();
        assert_eq!(layers.len(), if routing.contains("robin") { 6 } else { 2 });
        let rows = found["rows"].as_u64().unwrap();
        let core: u64 = layers.iter().map(|layer| layer["core"].as_u64().unwrap()).sum();
        assert_eq!(core, 2 * rows, "every row once a layer");
        assert!(found["matched"].as_str().unwrap().contains("0.2 held out"), "{found}");
        assert!(succeed(&["certify", "alone.json", "data.csv"], folder).ends_with("certified\n"));
        // Alone, and with rows in another order, where only their content tells.
        assert!(succeed(&["certify", "alone.json"], folder).ends_with("certified\n"));
        let data = fs::read_to_string(run.path("data.csv")).unwrap();
        let (header, rest) = data.split_once('\n').unwrap();
        let mut lines: Vec<&str> = rest.lines().collect();
        lines.reverse();
        fs::write(run.path("turned.csv"), format!("{header}\n{}\n", lines.join("\n"))).unwrap();
        let (code, found) = certify(folder, &["alone.json", "turned.csv"]);
        assert_eq!((code, &found["certified"]), (Some(0), &true.into()), "{routing}: {found}");
        assert!(found["matched"].as_str().unwrap().contains("one by one"), "{found}");
        // Without the rows, the data gives them.
        succeed(&["strip", "alone.json", "stripped.json.gz"], folder);
        let (code, found) = certify(folder, &["stripped.json.gz", "data.csv"]);
        assert_eq!((code, &found["certified"]), (Some(0), &true.into()), "{routing}: {found}");
        let usage = fail(2, &["certify", "stripped.json.gz"], folder);
        assert!(usage.contains("stripped"), "{usage}");
        let (code, found) = certify(folder, &["stripped.json.gz", "turned.csv"]);
        assert_eq!((code, &found["certified"]), (Some(3), &false.into()), "{found}");
    }
}

#[test]
fn malformed_rows_that_a_run_skips_are_skipped_by_what_measures_it() {
    let mut lines: Vec<String> = rig::table(400, 3, 8).lines().map(str::to_owned).collect();
    for at in [300, 100, 7] {
        lines.insert(at, "1,2".into());
    }
    let settings = "on_error = \"skip\"\nholdout = 0.2\n[training]\nlayers = 2\nbucket = 40\n";
    let run = Run::new("ragged", &(lines.join("\n") + "\n"), settings);
    let folder = run.folder.path();
    let said = succeed(&["run", "run.toml", "--volunteers", "1", "--out", "alone.json"], folder);
    let held_out = succeed(&["evaluate", "alone.json", "data.csv", "--held-out", "run.toml"], folder);
    let accuracy = |text: &str| text.lines().find(|line| line.starts_with("accuracy")).map(str::to_owned);
    assert!(accuracy(&held_out).is_some() && said.contains("accuracy"), "{said}\n{held_out}");
    let (code, found) = certify(folder, &["alone.json", "data.csv"]);
    assert_eq!((code, &found["certified"]), (Some(0), &true.into()), "{found}");
    // With no run to say so, nobody skips; and no message names its settings.
    for command in ["predict", "evaluate", "audit"] {
        let message = fail(1, &[command, "alone.json", "data.csv"], folder);
        assert!(message.trim_end().ends_with("the header has 5; correct the row"), "{message}");
    }
}

#[test]
fn an_unusual_share_is_named_by_the_run_file() {
    let run = run_of(ROUTINGS[0], "0.12345");
    let folder = run.folder.path();
    succeed(&["strip", "alone.json", "stripped.json"], folder);
    let (code, found) = certify(folder, &["stripped.json", "data.csv"]);
    assert_eq!(code, Some(3), "{found}");
    assert!(found.to_string().contains("--held-out"), "{found}");
    let (code, found) = certify(folder, &["stripped.json", "data.csv", "--held-out", "run.toml"]);
    assert_eq!((code, &found["certified"]), (Some(0), &true.into()), "{found}");
}

#[test]
fn what_is_broken_is_named_with_its_place() {
    let run = run_of(ROUTINGS[0], "0.0");
    let folder = run.folder.path();
    let sound = read(&run, "alone.json");
    let refused = |model: &Value| -> Value {
        write(&run, "broken.json", model);
        let (code, found) = certify(folder, &["broken.json", "data.csv"]);
        assert_eq!((code, &found["certified"]), (Some(3), &false.into()), "{found}");
        found
    };
    // A literal of a clause turned round.
    let place =
        sound["layers"][1].as_array().unwrap().iter().position(|b| b["clauses"] != json!([])).unwrap();
    let mut model = sound.clone();
    let negated = model["layers"][1][place]["clauses"][0][0][2].as_bool().unwrap();
    model["layers"][1][place]["clauses"][0][0][2] = (!negated).into();
    let found = refused(&model);
    assert_eq!(found["layers"][0]["sound"], true);
    let breach = &found["layers"][1]["breaches"][0];
    assert_eq!(
        (&breach["invariant"], &breach["bucket"], &breach["clause"]),
        (&4.into(), &place.into(), &0.into()),
        "{found}"
    );
    assert!(breach["row"].is_u64() && breach["data_row"].is_u64(), "{found}");
    let said = fail(3, &["certify", "broken.json", "data.csv"], folder);
    assert!(said.contains("not certified: 1 of 2 layers break"), "{said}");
    // A row that was changed afterwards, and a target.
    let mut model = sound.clone();
    model["population"][5]["f0"] = json!(123.5);
    let found = refused(&model);
    assert_eq!(found["misfits_named"][0]["row"], 5, "{found}");
    let mut model = sound.clone();
    model["targets"][7] = if model["targets"][7] == "a" { "b".into() } else { "a".into() };
    let found = refused(&model);
    assert_eq!(found["misfits_named"][0]["row"], 7, "{found}");
    let mut model = sound.clone();
    model["population"][7]["class"] = if model["targets"][7] == "a" { "b".into() } else { "a".into() };
    let found = refused(&model);
    assert_eq!((&found["misfits"], &found["misfits_named"][0]["row"]), (&1.into(), &7.into()), "{found}");
    // More noise than the run adds.
    let mut model = sound.clone();
    model["config"]["noise"] = 0.1.into();
    let found = refused(&model);
    let breaches = found["layers"][0]["breaches"].as_array().unwrap();
    assert!(breaches.iter().any(|breach| breach["invariant"] == 3), "{found}");
    // What points to nothing is the layer's fault, and the others are looked at all the same.
    let mut model = sound.clone();
    model["layers"][1][place]["clauses"].as_array_mut().unwrap().pop();
    let found = refused(&model);
    let breaches = &found["layers"][1]["breaches"];
    assert_eq!(
        (&found["layers"][0]["sound"], &breaches[0]["bucket"]),
        (&true.into(), &place.into()),
        "{found}"
    );
    // What is no bucket at all, and a document that contradicts itself.
    let mut model = sound.clone();
    model["layers"][1][0]["members"][0] = json!(-1);
    assert!(refused(&model)["model"][0].as_str().unwrap().contains("layer 1, bucket 0"));
    let mut model = sound.clone();
    model["targets"].as_array_mut().unwrap().pop();
    assert!(refused(&model)["model"][0].as_str().unwrap().contains("899 targets"));
    let mut model = sound.clone();
    model["stripped"] = true.into();
    assert!(refused(&model)["model"][0].as_str().unwrap().contains("stripped"));
    let mut model = sound.clone();
    model["opendipaco"].as_object_mut().unwrap().remove("spec");
    assert!(refused(&model)["model"][0].as_str().unwrap().contains("`spec`"));
    // A layer less than the run trained.
    let mut model = sound.clone();
    model["layers"].as_array_mut().unwrap().pop();
    assert!(refused(&model)["model"][0].as_str().unwrap().contains("1 layers"));
    // Another table altogether.
    fs::write(run.path("other.csv"), rig::table(900, 3, 9)).unwrap();
    let (code, found) = certify(folder, &["alone.json", "other.csv"]);
    assert_eq!((code, &found["misfits"]), (Some(3), &found["rows"]), "{found}");
}

/// Ten buckets under one condition, as a published implementation wrote them: only the first of them ever votes.
#[test]
fn the_published_broken_layer_is_refused() {
    let run = Run::new("ten", "x,class\n1,a\n2,b\n", "");
    let bucket = |part: u32| {
        let members: Vec<u32> = (part * 4..part * 4 + 4).collect();
        let clauses: Vec<Value> = members
            .iter()
            .map(|row| json!([[1, f64::from(*row), false, "N"], [1, f64::from(*row) + 1.0, true, "N"]]))
            .collect();
        let lookalikes: serde_json::Map<String, Value> =
            (0..4).map(|clause| (clause.to_string(), json!([[clause]]))).collect();
        json!({ "condition": [[1, 0.0, true, "N"]], "members": members, "origins": ["c", "c", "c", "c"],
            "clauses": clauses, "lookalikes": lookalikes })
    };
    let rows = 0..40;
    let class = |row: usize| if row.is_multiple_of(2) { "a" } else { "b" };
    let model = json!({
        "version": "5.4.8", "stripped": false,
        "population": rows.clone().map(|row| json!({"class": class(row), "x": row as f64})).collect::<Vec<_>>(),
        "header": ["class", "x"], "target": "class",
        "targets": rows.clone().map(class).collect::<Vec<_>>(),
        "datatypes": ["T", "N"], "config": {"n_layers": 1},
        "layers": [(0..10).map(bucket).collect::<Vec<_>>()], "log": ""
    });
    write(&run, "ten.json", &model);
    let csv: String = rows.map(|row| format!("{row},{}\n", class(row))).collect();
    fs::write(run.path("data.csv"), format!("x,class\n{csv}")).unwrap();
    for data in [&["ten.json", "data.csv"][..], &["ten.json"][..]] {
        let (code, found) = certify(run.folder.path(), data);
        assert_eq!(code, Some(3), "{found}");
        let breaches = found["layers"][0]["breaches"].as_array().unwrap();
        let what = breaches[0]["what"].as_str().unwrap();
        assert!(
            what.contains("bucket 1 has the condition of bucket 0") && what.contains("never vote"),
            "{what}"
        );
        assert_eq!(breaches.iter().filter(|breach| breach["invariant"] == 1).count(), 9, "{found}");
    }
}

#[test]
fn models_of_other_writers_are_checked_as_far_as_they_say() {
    let run = Run::new("tiny", "x,class\n1,a\n2,b\n", "");
    let tiny = repository("snake/testdata/tiny.json");
    let (code, found) = certify(run.folder.path(), &[tiny.to_str().unwrap()]);
    // It was made to try out a reader, with clauses that say nothing of its rows.
    assert_eq!((code, &found["misfits"]), (Some(3), &0.into()), "{found}");
    assert_eq!(found["layers"].as_array().unwrap().len(), 3);
}

#[test]
fn stripped_and_packed_models_do_what_the_whole_one_does() {
    let run = run_of(ROUTINGS[1], "0.2");
    let folder = run.folder.path();
    succeed(&["train", "run.toml", "--stripped", "--out", "stripped.json"], folder);
    succeed(&["train", "run.toml", "--out", "whole.json.gz"], folder);
    succeed(&["strip", "whole.json.gz", "again.json"], folder);
    let lost = fail(1, &["strip", "whole.json.gz", "whole.json.gz"], folder);
    assert!(lost.contains("is the model itself"), "{lost}");
    let audit = |model: &str| succeed(&["audit", model, "data.csv", "--rows", "0..3", "--json"], folder);
    assert_eq!(audit("whole.json.gz"), audit("alone.json"));
    let (whole, stripped) = (read(&run, "alone.json"), read(&run, "stripped.json"));
    assert_eq!(fs::read(run.path("again.json")).unwrap(), fs::read(run.path("stripped.json")).unwrap());
    assert_eq!((&stripped["stripped"], &stripped["population"]), (&true.into(), &json!([])));
    for key in ["targets", "layers", "opendipaco", "config", "header"] {
        assert_eq!(whole[key], stripped[key], "{key} is the same");
    }
    for command in ["predict", "evaluate"] {
        let of = |model: &str| succeed(&[command, model, "data.csv"], folder);
        let expected = of("alone.json");
        assert_eq!(of("stripped.json"), expected);
        assert_eq!(of("whole.json.gz"), expected);
    }
    let packed = fs::read(run.path("whole.json.gz")).unwrap();
    assert!(packed.len() * 3 < fs::metadata(run.path("alone.json")).unwrap().len() as usize);
    succeed(&["train", "run.toml", "--out", "whole.json.gz"], folder);
    assert_eq!(fs::read(run.path("whole.json.gz")).unwrap(), packed, "packed bytes are the same again");
    assert!(succeed(&["inspect", "stripped.json", "--json"], folder).contains("\"stripped\":true"));
    // What is cut off is named with its place.
    fs::write(run.path("half.json"), &fs::read(run.path("alone.json")).unwrap()[..50_000]).unwrap();
    let said = fail(1, &["inspect", "half.json"], folder);
    assert!(
        said.contains("half.json") && said.contains("line 1, column") && said.contains("ends within"),
        "{said}"
    );
}

#[test]
fn a_whole_network_writes_stripped_models_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = repository("manifests/breast-cancer.toml");
    let file = file.to_str().unwrap();
    succeed(&["run", file, "--volunteers", "1", "--stripped", "--out", "run.json.gz"], folder.path());
    succeed(&["train", file, "--stripped", "--out", "train.json.gz"], folder.path());
    let of = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert!(of("run.json.gz") == of("train.json.gz"));
}
