//! Why a model says what it says, and how good it is: `audit`, `inspect` and `evaluate`, as text and as JSON.

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
use std::path::{Path, PathBuf};

use rig::{Run, fail, repository, shared, succeed};
use serde_json::{Value, json};
use snake::Literal;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

/// Whether a literal, as the file has it, holds on a row given as an object.
fn holds(literal: &Value, header: &Value, row: &Value) -> bool {
    let literal: Literal = serde_json::from_value(literal.clone()).unwrap();
    let value = &row[header[literal.column as usize].as_str().unwrap()];
    literal.holds(match value {
        Value::String(text) => snake::Value::Text(text),
        Value::Number(number) => snake::Value::number(number.as_f64().unwrap()),
        _ => snake::Value::Missing,
    })
}

/// A trained model of one path over made-up rows, in `alone.json`.
fn trained() -> (Run, PathBuf) {
    let settings = "[routing]\npaths = 1\n[training]\nlayers = 2\nbucket = 40\nslice = 300\n";
    let run = Run::new("why", &rig::table(600, 3, 5), settings);
    run.trained_alone();
    let model = run.path("alone.json");
    (run, model)
}

#[test]
fn an_audit_says_what_the_prediction_counted() {
    let (run, model) = trained();
    let folder = run.folder.path();
    let head = read(&model);
    let said = json_lines(&succeed(&["predict", text(&model), "data.csv"], folder));
    let audits =
        json_lines(&succeed(&["audit", text(&model), "data.csv", "--rows", "10..40", "--json"], folder));
    assert_eq!(audits.len(), 30);
    let (mut rules, mut repeated) = (0, 0);
    for (audit, said) in audits.iter().zip(&said[10..]) {
        for key in ["row", "prediction", "probability", "votes"] {
            assert_eq!(audit[key], said[key], "{key}");
        }
        let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
        assert_eq!(list(&audit["layers"]).len(), 2);
        for layer in list(&audit["layers"]) {
            let buckets = list(&head["layers"][layer["layer"].as_u64().unwrap() as usize]);
            let bucket = &buckets[layer["bucket"].as_u64().unwrap() as usize];
            let (last, skipped) = list(&layer["routing"]).split_last().unwrap();
            assert_eq!(last["bucket"], layer["bucket"]);
            for step in skipped {
                // The opposite of a literal of the skipped bucket's condition, and true of the row.
                assert_eq!((&step["step"], &step["because"]["is"]), (&json!("skipped"), &json!("holds")));
                let literal = &step["because"]["literal"];
                assert!(holds(literal, &head["header"], &audit["values"]), "{literal}");
                let mut opposite = literal.clone();
                opposite[2] = json!(!literal[2].as_bool().unwrap());
                let condition = &buckets[step["bucket"].as_u64().unwrap() as usize]["condition"];
                assert!(list(condition).contains(&opposite), "{opposite} is not in {condition}");
            }
            assert_eq!(last["step"], "matched");
            let votes = |vote: &Value| vote["votes"].as_u64().unwrap();
            assert_eq!(list(&layer["lookalikes"]).iter().map(votes).sum::<u64>(), layer["votes"]);
            let who: BTreeSet<(u64, u64)> = list(&layer["lookalikes"])
                .iter()
                .map(|vote| (vote["row"].as_u64().unwrap(), vote["rule"].as_u64().unwrap()))
                .collect();
            assert_eq!(who.len(), list(&layer["lookalikes"]).len(), "named once per rule");
            for vote in list(&layer["lookalikes"]) {
                repeated += u64::from(votes(vote) > 1);
                let rule = &layer["rules"][vote["rule"].as_u64().unwrap() as usize];
                let training_row = &audit["training_rows"][vote["row"].to_string()];
                let population = &head["population"][vote["row"].as_u64().unwrap() as usize];
                assert_eq!(training_row["target"], population["class"]);
                for (name, value) in training_row["values"].as_object().unwrap() {
                    assert_eq!(value, &population[name]);
                }
                for fact in list(&last["condition"]).iter().chain(list(&rule["facts"])) {
                    assert!(holds(&fact["literal"], &head["header"], &audit["values"]), "{fact}");
                    assert!(holds(&fact["literal"], &head["header"], population), "{fact} on {population}");
                }
                for clause in list(&rule["clauses"]) {
                    let clause = list(&bucket["clauses"][clause.as_u64().unwrap() as usize]);
                    assert!(!clause.iter().any(|literal| holds(literal, &head["header"], population)));
                }
                *counted.entry(population["class"].as_str().unwrap()).or_default() += votes(vote);
            }
            rules += list(&layer["rules"]).len();
        }
        let total: u64 = counted.values().sum();
        assert_eq!(audit["votes"], total);
        for (class, share) in audit["probability"].as_object().unwrap() {
            let votes = counted.get(class.as_str()).copied().unwrap_or(0);
            assert_eq!(share.as_f64().unwrap(), votes as f64 / total as f64);
        }
    }
    assert!(rules > 100, "only {rules} rules");
    assert!(repeated > 0, "nobody votes twice under a rule");

    // Limits leave out the weaker rules and the later votes, never the counts.
    let limited =
        ["audit", text(&model), "data.csv", "--rows", "10", "--json", "--rules", "1", "--lookalikes", "2"];
    let limited = &json_lines(&succeed(&limited, folder))[0];
    assert_eq!((&limited["row"], &limited["votes"]), (&json!(10), &audits[0]["votes"]));
    for (few, all) in list(&limited["layers"]).iter().zip(list(&audits[0]["layers"])) {
        assert_eq!((few["votes"].as_u64(), &few["routing"]), (all["votes"].as_u64(), &all["routing"]));
        let most = list(&all["rules"]).iter().map(|rule| rule["votes"].as_u64()).max().unwrap();
        assert_eq!((list(&few["rules"]).len(), few["rules"][0]["votes"].as_u64()), (1, most));
        // The first two training rows under that rule, each with all its votes.
        let same = |rule: &Value| rule["clauses"] == few["rules"][0]["clauses"];
        let strongest = list(&all["rules"]).iter().position(same).unwrap();
        let under = |vote: &&Value| vote["rule"] == strongest;
        let expected: Vec<_> = list(&all["lookalikes"]).iter().filter(under).take(2).collect();
        assert_eq!(list(&few["lookalikes"]).len(), expected.len());
        for (few, all) in list(&few["lookalikes"]).iter().zip(expected) {
            assert_eq!((&few["row"], &few["votes"], few["rule"] == 0), (&all["row"], &all["votes"], true));
        }
    }
}

#[test]
fn an_audit_reads_well() {
    let model = repository("snake/testdata/tiny.json");
    let folder = tempfile::tempdir().unwrap();
    let row = |row: &str, more: &[&str]| {
        succeed(&[&["audit", text(&model), "--row", row], more].concat(), folder.path())
    };
    let said = row(r#"{"size": 1, "name": ""}"#, &[]);
    let expected = "\
row 0: blue with probability 0.7143, 7 votes
  votes    blue 5, red 2
  values   size 1, name \"\"
  layer 0: bucket 0 of 3, 2 votes
    matched  size < 2.5 and name does not contain \"zz\"
";
    assert!(said.starts_with(expected), "{said}");
    assert!(said.contains("  layer 2: bucket 1 of 2, "), "{said}");
    assert!(said.contains("    skipped  1 bucket: size >= 0\n    matched  size < 100\n"), "{said}");
    assert!(
        said.contains("    2 votes for blue: size < 2.5\n      training row 0: blue; size 1, .. 1 more\n"),
        "{said}"
    );
    assert!(said.contains("      training row 3 (2 votes): red; "), "{said}");

    // Numbers may be typed as text, the target may stand there, and missing values are said.
    assert_eq!(row(r#"{"size": " 1", "name": "", "y": "red"}"#, &[]), said);
    let missing = row(r#"{"size": null, "name": "q"}"#, &[]);
    assert!(missing.contains("values   size missing, name \"q\""), "{missing}");
    assert!(missing.contains("skipped  2 buckets: length(name) < 3 and missing(size)"), "{missing}");
    assert!(missing.contains("matched  else"), "{missing}");
    assert!(missing.contains("matched  nothing, so the last bucket answers"), "{missing}");
    assert!(missing.contains("for green: every row of this bucket"), "{missing}");

    let short = row(r#"{"size": 1, "name": ""}"#, &["--rules", "1", "--lookalikes", "0"]);
    assert!(short.contains("more rule") && !short.contains("training row"), "{short}");
    let long = row(r#"{"size": 1, "name": ""}"#, &["--all"]);
    assert!(!long.contains(" more"), "{long}");

    // Of numbers: the estimate, and what the votes are for.
    let model = repository("snake/testdata/tiny_number.json");
    let args = ["audit", text(&model), "--row", r#"{"size": 1, "name": ""}"#];
    let said = succeed(&args, folder.path());
    let expected =
        "row 0: 1.5, 7 votes: low -2, q1 -0.25, median 1.5, q3 1.5, high 1.5\n  values   size 1, name \"\"\n";
    assert!(said.starts_with(expected), "{said}");
    assert!(said.contains(" votes for 1.5: "), "{said}");
    let object = &json_lines(&succeed(&[&args[..], &["--json"]].concat(), folder.path()))[0];
    assert_eq!(
        (&object["prediction"], &object["mode"], &object["candle"]["n"]),
        (&json!(1.5), &json!(1.5), &json!(7))
    );
}

/// The audit of every query of the shared models names the lookalikes that another reader names.
#[test]
fn audits_agree_with_another_reader() {
    let Some(folder) = shared("vectors/models") else { return };
    let here = tempfile::tempdir().unwrap();
    for name in ["random_T", "sparse_I", "random_N"] {
        let model = folder.join(name).with_extension("json").canonicalize().unwrap();
        let expected = json_lines(&fs::read_to_string(model.with_extension("expected.jsonl")).unwrap());
        for query in expected.iter().take(6) {
            if query["row"].as_object().unwrap().keys().all(|name| read(&model)["target"] == **name) {
                continue;
            }
            let row = query["row"].to_string();
            let audit =
                &json_lines(&succeed(&["audit", text(&model), "--row", &row, "--json"], here.path()))[0];
            let mut found = Vec::new();
            for layer in list(&audit["layers"]) {
                for vote in list(&layer["lookalikes"]) {
                    let rule = &layer["rules"][vote["rule"].as_u64().unwrap() as usize];
                    let lookalike = json!([vote["row"], rule["clauses"], vote["origin"]]);
                    for _ in 0..vote["votes"].as_u64().unwrap() {
                        found.push(lookalike.clone());
                    }
                }
            }
            // A row's votes under one rule stand together, also where others come between them in vote order.
            let in_order = |mut votes: Vec<Value>| {
                votes.sort_by_key(Value::to_string);
                votes
            };
            assert_eq!(in_order(found), in_order(list(&query["lookalikes"]).clone()), "{name}: {row}");
        }
    }
}

#[test]
fn a_row_or_a_range_that_can_not_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let model = repository("snake/testdata/tiny.json");
    let model = text(&model);
    let refused = |row: &str, says: &[&str]| {
        let message = fail(2, &["audit", model, "--row", row], folder.path());
        assert!(message.starts_with("opendipaco: --row: "), "{message}");
        says.iter().for_each(|word| assert!(message.contains(word), "{row} does not say {word}: {message}"));
    };
    refused("size=1", &["no JSON object", r#"{"size":1.5,"name":"abc"}"#]);
    refused("[1, 2]", &["no JSON object"]);
    refused(r#"{"size": 1"#, &["no JSON object"]);
    refused(r#"{"size": 1, "colour": "red"}"#, &["no column \"colour\"", "size, name"]);
    refused(r#"{"size": "many"}"#, &["\"size\" is a number", "\"many\"", "null"]);
    refused(r#"{"size": ""}"#, &["\"size\" is a number"]);
    refused(r#"{"name": [1]}"#, &["\"name\" is a text", "[1]"]);
    refused("{}", &["names none of the model's columns", "size, name"]);
    // Null is missing, also where there is nothing else.
    let all_null = succeed(&["audit", model, "--row", r#"{"size": null}"#, "--json"], folder.path());
    assert_eq!(json_lines(&all_null)[0]["values"], json!({ "size": null, "name": null }));
    fs::write(folder.path().join("twice.csv"), "size,name,size\n1,a,2\n").unwrap();
    for command in ["predict", "audit"] {
        let message = fail(1, &[command, model, "twice.csv"], folder.path());
        assert!(message.contains("twice.csv: has two columns \"size\""), "{message}");
    }

    fs::write(folder.path().join("rows.csv"), "size,name\n1,\n2,ab\n").unwrap();
    let message = fail(1, &["audit", model, "rows.csv", "--rows", "2..9"], folder.path());
    assert!(message.contains("rows.csv: has no row 2; rows are counted from 0"), "{message}");
    assert_eq!(
        json_lines(&succeed(&["audit", model, "rows.csv", "--rows", "1..9", "--json"], folder.path())).len(),
        1
    );
    // What comes after the range is not read.
    fs::write(folder.path().join("ragged.csv"), "size,name\n1,\n2\n").unwrap();
    succeed(&["audit", model, "ragged.csv", "--rows", "0"], folder.path());
    assert!(fail(1, &["audit", model, "ragged.csv"], folder.path()).contains("ragged.csv, line 3"));
    for args in [
        &["audit", model][..],
        &["audit", model, "rows.csv", "--row", "{}"],
        &["audit", model, "rows.csv", "--rows", "2..1"],
        &["audit", model, "--row", "{}", "--rows", "1"],
        &["audit", model, "rows.csv", "--all", "--rules", "1"],
    ] {
        assert!(fail(2, args, folder.path()).contains("error: "));
    }
    fail(1, &["audit", "gone.json", "rows.csv"], folder.path());
}

#[test]
fn a_stripped_model_names_positions() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = read(&repository("snake/testdata/tiny.json"));
    model["stripped"] = json!(true);
    model["population"] = json!([]);
    fs::write(folder.path().join("model.json"), model.to_string()).unwrap();
    let args = ["audit", "model.json", "--row", r#"{"size": 1, "name": ""}"#];
    let said = succeed(&args, folder.path());
    assert!(said.contains("      training row 0: blue\n"), "{said}");
    let object = &json_lines(&succeed(&[&args[..], &["--json"]].concat(), folder.path()))[0];
    assert_eq!(object["votes"], 7);
    assert_eq!(object["training_rows"]["0"], json!({ "target": "blue" }));
    assert!(succeed(&["inspect", "model.json"], folder.path()).contains("rows        6, not in the file\n"));
}

#[test]
fn a_model_is_shown_with_its_rules() {
    let (run, model) = trained();
    let folder = run.folder.path();
    let head = read(&model);
    let shown: Value = serde_json::from_str(&succeed(&["inspect", text(&model), "--json"], folder)).unwrap();
    assert_eq!((&shown["rows"], &shown["classes"]), (&json!(list(&head["population"]).len()), &json!(3)));
    let mut literals: BTreeMap<String, u64> = BTreeMap::new();
    for (layer, found) in list(&head["layers"]).iter().zip(list(&shown["layers"])) {
        let buckets = list(layer);
        let mut members: Vec<usize> = buckets.iter().map(|bucket| list(&bucket["members"]).len()).collect();
        members.sort_unstable();
        assert_eq!(found["buckets"], buckets.len());
        assert_eq!(found["core"], head["population"].as_array().unwrap().len());
        assert_eq!(found["members"], members.iter().sum::<usize>());
        let spread = json!({ "min": members[0], "median": members[(members.len() - 1) / 2], "max": members[members.len() - 1] });
        assert_eq!(found["members_per_bucket"], spread);
        for bucket in buckets {
            let condition = bucket["condition"].as_array().cloned().unwrap_or_default();
            let clauses = list(&bucket["clauses"]).iter().flat_map(|clause| list(clause).clone());
            for literal in condition.into_iter().chain(clauses) {
                *literals.entry(literal[3].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
    }
    assert_eq!(shown["literals"], json!(literals));
    // Largest first; each rule is of one class, and its members are those that list the clause.
    let largest = list(&shown["largest_clauses"]);
    assert!((3..=10).contains(&largest.len()), "{largest:?}");
    assert!(largest.windows(2).all(|pair| pair[0]["members"].as_u64() >= pair[1]["members"].as_u64()));
    for clause in largest {
        let at = |key: &str| clause[key].as_u64().unwrap() as usize;
        let bucket = &head["layers"][at("layer")][at("bucket")];
        assert_eq!(clause["literals"], bucket["clauses"][at("clause")]);
        let lists = |conditions: &Value| {
            list(conditions).iter().any(|condition| list(condition).contains(&clause["clause"]))
        };
        let members =
            bucket["lookalikes"].as_object().unwrap().values().filter(|conditions| lists(conditions));
        assert_eq!(members.count() as u64, clause["members"].as_u64().unwrap());
        let [target] = &list(&clause["targets"])[..] else { panic!("{clause}") };
        let end = format!(" THEN class = {}", target["target"]);
        assert!(clause["rule"].as_str().unwrap().ends_with(&end), "{clause}");
    }
    let strength = list(&shown["features"]).iter().map(|feature| feature["strength"].as_u64().unwrap());
    assert!(strength.sum::<u64>() > 0);

    let said = succeed(&["inspect", text(&model), "--rules", "1"], folder);
    for line in [
        "target      class (T), 3 classes: a, b, c",
        "members per bucket",
        "strongest features",
        "(text)",
        "largest clauses",
    ] {
        assert!(said.contains(line), "no {line}:\n{said}");
    }
    let rule = format!("{}: {}", largest[0]["members"], largest[0]["rule"].as_str().unwrap());
    assert!(said.contains(&rule), "{rule}:\n{said}");
    assert_eq!(said.matches("IF ").count(), 1);
    assert!(!succeed(&["inspect", text(&model), "--rules", "0"], folder).contains("IF "));
}

#[test]
fn figures_are_told_in_full() {
    let folder = tempfile::tempdir().unwrap();
    let model = repository("snake/testdata/tiny.json");
    fs::write(folder.path().join("rows.csv"), "size,name,y\n1,,blue\n2,ab,red\n5,é,green\n3,abc,violet\n")
        .unwrap();
    let figures: Value =
        serde_json::from_str(&succeed(&["evaluate", text(&model), "rows.csv", "--json"], folder.path()))
            .unwrap();
    let said = json_lines(&succeed(&["predict", text(&model), "rows.csv"], folder.path()));
    assert_eq!(figures["rows"], 4);
    let confusion = list(&figures["confusion"]);
    assert_eq!(confusion.iter().map(|cell| cell["rows"].as_u64().unwrap()).sum::<u64>(), 4);
    let unknown = json!({ "truth": null, "predicted": said[3]["prediction"], "rows": 1 });
    assert!(confusion.contains(&unknown), "{figures}");
    let bins = list(&figures["calibration"]);
    assert_eq!(bins.len(), 10);
    assert_eq!(bins.iter().map(|bin| bin["rows"].as_u64().unwrap()).sum::<u64>(), 4);
    for bin in bins {
        assert_eq!(bin["rows"] == 0, bin["mean_predicted"].is_null() && bin["share_right"].is_null());
    }
    let right =
        said.iter().zip(["blue", "red", "green"]).filter(|(said, truth)| said["prediction"] == *truth);
    assert_eq!(figures["accuracy"], right.count() as f64 / 4.0);

    let shown = succeed(&["evaluate", text(&model), "rows.csv"], folder.path());
    for line in [
        "rows               4\n",
        "truth \\ predicted        blue      green        red\n",
        "(not known)",
        "probability ",
    ] {
        assert!(shown.contains(line), "no {line}:\n{shown}");
    }

    // A number to be estimated, and a row that nobody votes on.
    let model = r#"{"header": ["y", "x"], "target": "y", "datatypes": ["N", "N"], "targets": [1.0, 3.0],
        "layers": [[{"condition": [[1, 5, false, "N"]], "members": [0, 1], "clauses": [],
                     "lookalikes": {"0": [[]], "1": [[]]}},
                    {"condition": null, "members": [], "clauses": [], "lookalikes": {}}]]}"#;
    fs::write(folder.path().join("number.json"), model).unwrap();
    fs::write(folder.path().join("numbers.csv"), "x,y\n1,1\n2,4\n9,7\n").unwrap();
    let figures: Value =
        serde_json::from_str(&succeed(&["evaluate", "number.json", "numbers.csv", "--json"], folder.path()))
            .unwrap();
    // Estimates are 2 and 2; the truth's deviations from 2.5 are 1.5 each.
    let r2 = 1.0 - 5.0 / 4.5;
    assert_eq!((&figures["rows"], &figures["rows_without_votes"]), (&json!(2), &json!(1)));
    assert_eq!((&figures["mae"], &figures["rmse"]), (&json!(1.5), &json!(2.5_f64.sqrt())));
    assert!((figures["r2"].as_f64().unwrap() - r2).abs() < 1e-12);
    fs::write(folder.path().join("none.csv"), "x,y\n9,7\n").unwrap();
    let message = fail(1, &["evaluate", "number.json", "none.csv"], folder.path());
    assert!(message.contains("none.csv: has no rows to evaluate on, or none with a vote"), "{message}");
}
