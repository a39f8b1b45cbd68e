//! What the program says of models: ours and others of the format, through `predict` and `evaluate`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "rig/mod.rs"]
mod rig;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Stdio;

use rig::{Run, repository, shared, succeed};
use serde_json::Value;

/// One line of CSV, every cell quoted.
fn csv_line<'c>(cells: impl IntoIterator<Item = &'c str>) -> String {
    let quoted: Vec<String> =
        cells.into_iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
    quoted.join(",") + "\n"
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `predict`'s lines for the rows of a CSV file.
fn predict(model: &Path, csv: &str, folder: &Path) -> Vec<Value> {
    json_lines(&succeed(&["predict", text(model), csv], folder))
}

/// Predicts the expected queries of a model, those that lack the same keys in one file, and compares what is said.
fn check_model(model: &Path) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let head: Value = serde_json::from_slice(&fs::read(model).unwrap()).unwrap();
    let features: Vec<&str> =
        head["header"].as_array().unwrap().iter().skip(1).map(|name| name.as_str().unwrap()).collect();
    let number = head["datatypes"][0] == "N";
    let expected = json_lines(&fs::read_to_string(model.with_extension("expected.jsonl")).unwrap());
    let mut groups: BTreeMap<Vec<&str>, Vec<&Value>> = BTreeMap::new();
    for query in &expected {
        let keys = features.iter().copied().filter(|name| query["row"].get(name).is_some()).collect();
        groups.entry(keys).or_default().push(query);
    }
    let mut compared = 0;
    for (keys, queries) in groups {
        if keys.is_empty() {
            // A file without any column of the model is taken for a mistake.
            fs::write(folder.path().join("rows.csv"), "unknown\n1\n").unwrap();
            let message = rig::fail(1, &["predict", text(model), "rows.csv"], folder.path());
            assert!(message.contains("none of the model's features"), "{message}");
            continue;
        }
        compared += queries.len();
        let mut csv = csv_line(keys.iter().copied());
        for query in &queries {
            let cells: Vec<String> = keys
                .iter()
                .map(|key| &query["row"][key])
                .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                .collect();
            csv += &csv_line(cells.iter().map(String::as_str));
        }
        fs::write(folder.path().join("rows.csv"), csv).unwrap();
        let found = predict(model, "rows.csv", folder.path());
        assert_eq!(found.len(), queries.len());
        for (row, (found, query)) in found.iter().zip(queries).enumerate() {
            compare(found, query, row, number);
        }
    }
    compared
}

fn compare(found: &Value, query: &Value, row: usize, number: bool) {
    let place = format!("{} gave {found}", query["row"]);
    let votes = query["lookalikes"].as_array().unwrap().len();
    assert_eq!(found["row"], row, "{place}");
    assert_eq!(found["votes"], votes, "{place}");
    if !number {
        assert_eq!(found["prediction"], query["prediction"], "{place}");
        let shares: Vec<(String, &Value)> = query["probability"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| (pair[0].as_str().map_or_else(|| pair[0].to_string(), str::to_owned), &pair[1]))
            .collect();
        let said: Vec<(String, &Value)> = found["probability"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(class, share)| (class.clone(), share))
            .collect();
        assert_eq!(said, shares, "{place}");
        return;
    }
    let candle = &query["candle"];
    if votes == 0 {
        assert!(
            found["prediction"].is_null() && found["mode"].is_null() && found["candle"].is_null(),
            "{place}"
        );
        return;
    }
    assert_eq!(found["mode"], query["prediction"], "{place}");
    assert_eq!(found["prediction"], candle["iqr_mean"], "{place}");
    assert_eq!(found["candle"]["n"], candle["n"], "{place}");
    for key in ["low", "q1", "median", "q3", "high", "iqr_mean"] {
        assert_eq!(found["candle"][key], candle[key], "{key} of {place}");
    }
    for key in ["mean", "std"] {
        let (said, right) = (found["candle"][key].as_f64().unwrap(), candle[key].as_f64().unwrap());
        assert!((said - right).abs() <= 1e-12 * right.abs().max(1e-300), "{key} of {place}");
    }
}

#[test]
fn own_models_predict_what_their_format_says() {
    for name in ["tiny", "tiny_number"] {
        assert!(check_model(&repository("snake/testdata").join(name).with_extension("json")) >= 10);
    }
}

#[test]
fn shared_models_predict_what_another_reader_says() {
    let Some(folder) = shared("vectors/models") else { return };
    let mut models = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "json") {
            assert_eq!(check_model(&path), 40, "{}", path.display());
            models += 1;
        }
    }
    assert_eq!(models, 8);
}

#[test]
fn predictions_come_as_csv_too() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rows.csv"), "size,name\n1,\n2,ab\n").unwrap();
    let of = |name: &str| {
        let model = repository("snake/testdata").join(name);
        succeed(&["predict", text(&model), "rows.csv", "--format", "csv"], folder.path())
    };
    let classes = "row,prediction,probability blue,probability green,probability red,votes\n\
                   0,blue,0.7142857142857143,0,0.2857142857142857,7\n1,blue,1,0,0,2\n";
    assert_eq!(of("tiny.json"), classes);
    let numbers = "row,prediction,mode,low,q1,median,q3,high,mean,std,votes\n\
                   0,1.5,1.5,-2,-0.25,1.5,1.5,1.5,0.5,1.5811388300841898,7\n\
                   1,-0.25,-2.0,-2,-1.125,-0.25,0.625,1.5,-0.25,1.75,2\n";
    assert_eq!(of("tiny_number.json"), numbers);
}

/// A trained run of four k-means paths over 2,000 rows, its model in `alone.json`.
fn four_paths() -> Run {
    let settings = "[routing]\npaths = 4\n[training]\nlayers = 2\nbucket = 60\n";
    let run = Run::new("four", &rig::table(2_000, 4, 3), settings);
    run.trained_alone();
    run
}

#[test]
fn a_model_with_paths_routes_rows_by_itself() {
    let run = four_paths();
    let (folder, model) = (run.folder.path(), run.path("alone.json"));
    let data = fs::read_to_string(run.path("data.csv")).unwrap();
    let by_itself = predict(&model, "data.csv", folder);

    // Only buckets of its own path vote on a row, so every training row is predicted as it is.
    let head: Value = serde_json::from_slice(&fs::read(&model).unwrap()).unwrap();
    let population = head["population"].as_array().unwrap();
    assert_eq!(population.len(), data.lines().count() - 1, "no two rows are alike");
    let paths: BTreeSet<&str> = population.iter().map(|row| row["__path"].as_str().unwrap()).collect();
    assert_eq!(paths.len(), 4);
    for (found, row) in by_itself.iter().zip(population) {
        assert_eq!(found["prediction"], row["class"]);
        assert_eq!(found["probability"][row["class"].as_str().unwrap()], 1.0);
    }

    let with = |column: &dyn Fn(usize) -> String| {
        let mut lines = data.lines();
        let mut csv = format!("{},__path\n", lines.next().unwrap());
        lines.enumerate().for_each(|(row, line)| csv += &format!("{line},{}\n", column(row)));
        fs::write(run.path("with.csv"), csv).unwrap();
        predict(&model, "with.csv", folder)
    };
    let given = with(&|row| population[row]["__path"].as_str().unwrap().to_owned());
    assert!(given == by_itself, "the column says what the router says");
    assert!(with(&|_| "2".to_owned()) != by_itself, "the column is used where it is there");

    // The router needs every column: without one it says so, and the model answers as well as it can.
    let mut csv = String::new();
    for line in data.lines() {
        let mut cells: Vec<&str> = line.split(',').collect();
        cells.remove(1);
        csv += &format!("{}\n", cells.join(","));
    }
    fs::write(run.path("less.csv"), csv).unwrap();
    let output = rig::output(&["predict", text(&model), "less.csv"], folder);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("less.csv") && said.contains("can't be routed") && said.contains("no column \"f0\""),
        "{said}"
    );
    assert_eq!(json_lines(&String::from_utf8_lossy(&output.stdout)).len(), 2_000);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let run = four_paths();
    let mut command = rig::program();
    command.args(["predict", "alone.json", "data.csv"]).current_dir(run.folder.path());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    // The reader is dropped after one line, with most of the output unread.
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&first).unwrap()["row"], 0);
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!((child.wait().unwrap().code(), errors.as_str()), (Some(0), ""));
}

#[test]
fn what_phases_took_is_told_beside_the_same_output() {
    let run = four_paths();
    let timed = |args: &[&str]| -> (Vec<u8>, Value) {
        let output = rig::output(args, run.folder.path());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {errors}");
        (output.stdout, serde_json::from_str(errors.lines().last().unwrap()).unwrap())
    };
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let (_, told) = timed(&["train", "run.toml", "--out", "timed.json", "--threads", "1", "--timings"]);
    assert_eq!(keys(&told["seconds"]), ["publishing", "reading", "training", "writing", "whole"]);
    assert_eq!((&told["rows"], &told["threads"]), (&2_000.into(), &1.into()));
    assert!(fs::read(run.path("timed.json")).unwrap() == fs::read(run.path("alone.json")).unwrap());
    let (lines, told) = timed(&["predict", "alone.json", "data.csv", "--timings"]);
    assert_eq!(keys(&told["seconds"]), ["reading_model", "compiling", "predicting", "whole"]);
    assert_eq!(told["rows"], 2_000);
    assert_eq!(lines, succeed(&["predict", "alone.json", "data.csv"], run.folder.path()).into_bytes());
}

#[test]
fn a_model_is_measured_by_classes_or_by_numbers() {
    let run = four_paths();
    let figures = |model: &str, csv: &str| -> Value {
        serde_json::from_str(&succeed(&["evaluate", model, csv, "--json"], run.folder.path())).unwrap()
    };
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let classes = figures("alone.json", "data.csv");
    let names =
        ["rows", "rows_without_votes", "accuracy", "auroc", "log_loss", "brier", "confusion", "calibration"];
    assert_eq!(keys(&classes), names);
    assert_eq!(
        (&classes["rows"], &classes["accuracy"], &classes["auroc"]),
        (&2_000.into(), &1.0.into(), &1.0.into())
    );
    let model = repository("snake/testdata/tiny_number.json");
    fs::write(run.path("numbers.csv"), "size,name,y\n1,,1.5\n2,ab,0.75\n").unwrap();
    let numbers = figures(text(&model), "numbers.csv");
    assert_eq!(keys(&numbers), ["rows", "rows_without_votes", "r2", "rmse", "mae"]);
    // Estimates are 1.5 and -0.25.
    assert_eq!((&numbers["rows"], &numbers["mae"]), (&2.into(), &0.5.into()));
}

#[test]
fn adult_is_learnt_by_heart_and_generalises() {
    let (Some(train), Some(test)) = (shared("data/adult_train.csv.gz"), shared("data/adult_test.csv")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    // The settings of the repository's run file, and the place of the data on this machine.
    let settings = fs::read_to_string(repository("manifests/adult.toml")).unwrap();
    let settings = settings.replace("adult_train.csv.gz", text(&train.canonicalize().unwrap()));
    assert!(settings.contains("paths = 1") && settings.contains("layers = 5"));
    fs::write(folder.path().join("adult.toml"), settings).unwrap();
    succeed(&["train", "adult.toml"], folder.path());
    let model = folder.path().join("model.json");

    let mut rows = String::new();
    flate2::read::GzDecoder::new(fs::File::open(&train).unwrap()).read_to_string(&mut rows).unwrap();
    let rows: Vec<(&str, &str)> = rows.lines().skip(1).map(|line| line.rsplit_once(',').unwrap()).collect();
    let mut labels: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (features, label) in &rows {
        labels.entry(features).or_default().insert(label);
    }
    let found = predict(&model, text(&train), folder.path());
    assert_eq!((found.len(), rows.len()), (32_561, 32_561));
    let mut certain = 0;
    for (found, (features, label)) in found.iter().zip(&rows) {
        if labels[features].len() == 1 {
            assert_eq!(found["prediction"], *label, "{features}");
            assert_eq!(found["probability"][label], 1.0, "{features}");
            certain += 1;
        }
    }
    assert!(certain > 32_000, "only {certain} rows are no conflicts");

    let stripped: String = fs::read_to_string(test)
        .unwrap()
        .lines()
        .map(|line| format!("{}\n", line.strip_suffix('.').unwrap_or(line)))
        .collect();
    fs::write(folder.path().join("test.csv"), stripped).unwrap();
    let figures = succeed(&["evaluate", "model.json", "test.csv", "--json"], folder.path());
    let figures: Value = serde_json::from_str(&figures).unwrap();
    assert_eq!(figures["rows"], 16_281);
    let of = |key: &str| figures[key].as_f64().unwrap();
    assert!(of("accuracy") >= 0.84 && of("auroc") >= 0.84, "{figures}");
}

#[test]
fn the_quickstart_ends_with_a_model_that_predicts() {
    let folder = tempfile::tempdir().unwrap();
    let file = repository("manifests/breast-cancer.toml");
    let csv = repository("manifests/breast-cancer.csv");
    let said = succeed(&["run", text(&file), "--volunteers", "2"], folder.path());
    for line in ["model", "accuracy", "rows", "units", "seconds", "sent"] {
        assert!(said.contains(line), "no {line} in the summary:\n{said}");
    }
    let found = predict(&folder.path().join("model.json"), text(&csv), folder.path());
    assert_eq!(found.len(), 569);
    let held_out = ["evaluate", "model.json", text(&csv), "--held-out", text(&file), "--json"];
    let figures: Value = serde_json::from_str(&succeed(&held_out, folder.path())).unwrap();
    let rows = figures["rows"].as_u64().unwrap();
    assert!((80..150).contains(&rows), "a fifth of the rows is held out: {figures}");
    assert!(figures["accuracy"].as_f64().unwrap() > 0.85, "{figures}");
    // What the summary says is what evaluate says.
    assert!(said.contains(&format!("{:.4}", figures["accuracy"].as_f64().unwrap())), "{figures}\n{said}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "only the model is left behind");
}
