//! The commands around a manifest and its data: `spec`, `verify`, `materialise`, `route`, `publish --dry-run` and `--announce`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "rig/mod.rs"]
mod rig;

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::Path;

use rig::{Run, fail, output, succeed, table};
use serde_json::Value;

const KMEANS: &str = "[routing]\npaths = 3\n[training]\nlayers = 2\nbucket = 60\n";
const IN_TURN: &str = "[routing]\nkind = \"round_robin\"\npaths = 3\n[training]\nlayers = 2\nbucket = 60\n";

fn published(name: &str, settings: &str) -> Run {
    let run = Run::new(name, &table(400, 4, 7), settings);
    run.publish();
    run
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The cells of a table that needs no quotes.
fn cells(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split(',').collect()).collect()
}

#[test]
fn a_manifest_is_shown_without_its_source() {
    let run = published("shown", KMEANS);
    let folder = run.folder.path();
    fs::remove_file(run.path("data.csv")).unwrap();
    let key = succeed(&["keygen", "operator.pem"], folder);
    let text = succeed(&["spec", "shown.manifest"], folder);
    let bytes = fs::metadata(run.manifest()).unwrap().len();
    for says in [
        "name        shown@".to_owned(),
        format!("operator    {}", key.trim()),
        format!("manifest    {bytes} bytes"),
        "location    data.csv".to_owned(),
        "target      class (kind inferred)".to_owned(),
        "rows        400 (0 held out, 0 malformed)".to_owned(),
        "classes     3: a, b, c".to_owned(),
        "numbers     4: f0, f1, f2, f3".to_owned(),
        "texts       1: word".to_owned(),
        "router      k-means over 3 paths".to_owned(),
        "training    2 layers, bucket 60".to_owned(),
        "path 2      ".to_owned(),
    ] {
        assert!(text.lines().any(|line| line.starts_with(&says)), "{says}\n{text}");
    }
    let facts = json(&succeed(&["spec", "shown.manifest", "--json"], folder));
    assert!(text.contains(facts["run"].as_str().unwrap()));
    assert!(text.contains(facts["fingerprint"].as_str().unwrap()));
    assert_eq!(facts["operator"], key.trim());
    assert_eq!(facts["source"]["on_error"], "refuse");
    assert_eq!(facts["counts"]["records"], 400);
    assert_eq!(facts["router"]["rows"], 400);
    assert_eq!(facts["schema"]["features"][0]["name"], "word");
    let rows: u64 = facts["shards"].as_array().unwrap().iter().map(|s| s["rows"].as_u64().unwrap()).sum();
    assert_eq!(rows, 400);
}

#[test]
fn what_is_long_is_shortened_unless_all_is_asked_for() {
    let run = Run::new("long", &table(400, 20, 7), "[routing]\nkind = \"round_robin\"\npaths = 30\n");
    run.publish();
    let folder = run.folder.path();
    let short = succeed(&["spec", "long.manifest"], folder);
    assert!(short.contains("f11 and 8 more\n") && !short.contains(", f12"), "{short}");
    assert!(short.contains("and 22 more between these"), "{short}");
    assert_eq!(short.lines().filter(|line| line.starts_with("path ")).count(), 8);
    let all = succeed(&["spec", "long.manifest", "--all"], folder);
    assert!(all.contains(", f19") && !all.contains("more"), "{all}");
    assert_eq!(all.lines().filter(|line| line.starts_with("path ")).count(), 30);
}

#[test]
fn a_damaged_manifest_is_refused_by_all() {
    let run = published("damaged", KMEANS);
    let folder = run.folder.path();
    let mut bytes = fs::read(run.manifest()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(run.manifest(), bytes).unwrap();
    for args in [
        &["spec", "damaged.manifest"][..],
        &["spec", "damaged.manifest", "--json"],
        &["verify", "damaged.manifest", "--source", "data.csv"],
        &["materialise", "damaged.manifest", "--path", "0", "--out", "out.csv", "--source", "data.csv"],
        &["route", "damaged.manifest", "data.csv"],
    ] {
        let message = fail(3, args, folder);
        assert!(message.contains("damaged.manifest: the manifest"), "{message}");
    }
    let message = fail(1, &["spec", "nowhere.manifest"], folder);
    assert!(message.contains("nowhere.manifest"), "{message}");
    fs::write(run.path("huge.manifest"), vec![0; 1 << 20]).unwrap();
    fail(1, &["spec", "huge.manifest"], folder);
    assert!(!run.path("out.csv").exists());
}

#[test]
fn a_source_is_verified_or_every_difference_is_named() {
    for (name, settings) in [("fitted", KMEANS), ("dealt", IN_TURN)] {
        let run = published(name, settings);
        let folder = run.folder.path();
        let manifest = format!("{name}.manifest");
        let verify = |code: i32, source: &[&str]| {
            let mut args = vec!["verify", manifest.as_str(), "--json"];
            args.extend(source);
            let output = output(&args, folder);
            let error = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(code), "{args:?}: {error}");
            (String::from_utf8(output.stdout).unwrap(), error)
        };
        let well = json(&verify(0, &["--source", "data.csv"]).0);
        assert_eq!(
            (&well["well"], &well["routing"], &well["rows"]),
            (&true.into(), &"verified".into(), &400.into())
        );
        assert_eq!(json(&verify(0, &["--allow-local"]).0), well);
        let text = succeed(&["verify", &manifest, "--source", "data.csv"], folder);
        assert!(text.contains("verdict     what was signed: 3 of 3 shards are the same"), "{text}");

        // A row of the third shard of those that are dealt out, and another one of the first.
        let data = fs::read_to_string(run.path("data.csv")).unwrap();
        let mut lines: Vec<String> = data.lines().map(str::to_owned).collect();
        for row in [2, 300] {
            lines[row + 1] = lines[row + 1].replacen(',', "x,", 1);
        }
        fs::write(run.path("changed.csv"), lines.join("\n")).unwrap();
        let (found, error) = verify(3, &["--source", "changed.csv"]);
        let found = json(&found);
        assert!(error.contains("not what the operator signed"), "{error}");
        let differ: Vec<u64> = found["shards"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|shard| shard["same"] == false)
            .map(|shard| shard["path"].as_u64().unwrap())
            .collect();
        if name == "dealt" {
            assert_eq!((differ, &found["routing"]), (vec![0, 2], &"verified".into()));
            assert_eq!(found["shards"][0]["found"]["rows"], found["shards"][0]["signed"]["rows"]);
        } else {
            assert_eq!(found["routing"], "mismatch");
            assert!(!differ.is_empty());
        }
        let text = output(&["verify", &manifest, "--source", "changed.csv"], folder);
        let text = String::from_utf8(text.stdout).unwrap();
        assert!(text.contains("DIFFERS") && text.contains("NOT what was signed"), "{text}");

        // A class that the schema has not.
        let swapped: Vec<String> = data
            .lines()
            .enumerate()
            .map(|(i, line)| match line.rsplit_once(',') {
                Some((features, _)) if i == 9 => format!("{features},zebra"),
                _ => line.to_owned(),
            })
            .collect();
        fs::write(run.path("zebra.csv"), swapped.join("\n")).unwrap();
        let found = json(&verify(3, &["--source", "zebra.csv"]).0);
        assert!(found["source"].as_str().unwrap().contains("zebra.csv, line 10"), "{found}");
        assert_eq!(found["shards"], Value::Null);

        // One that goes on for much longer than was signed, with the same rows.
        let (header, rows) = data.split_once('\n').unwrap();
        let longer = format!("{header}\n{}", format!("{}\n", rows.trim_end()).repeat(170));
        fs::write(run.path("longer.csv"), longer).unwrap();
        let found = json(&verify(3, &["--source", "longer.csv"]).0);
        let says = found["source"].as_str().unwrap();
        assert!(says.contains("more than 66336 rows"), "{found}");

        // What can't be read says nothing of the run.
        let (_, error) = verify(1, &["--source", "missing.csv"]);
        assert!(error.contains("missing.csv"), "{error}");
        let (_, error) = verify(2, &[]);
        assert!(error.contains("--source"), "{error}");
    }
}

#[test]
fn a_router_that_can_not_be_fitted_again_does_not_fail_alone() {
    let run = Run::new("few", "x,class\n1,a\n2,b\n3,a\n", "[routing]\npaths = 2\nsample = 2\n");
    run.publish();
    fs::write(run.path("one.csv"), "x,class\n1,a\n").unwrap();
    let report = output(&["verify", "few.manifest", "--source", "one.csv"], run.folder.path());
    let text = String::from_utf8(report.stdout).unwrap();
    assert!(text.contains("routing     unverifiable: ") && text.contains("DIFFERS"), "{text}");
    assert!(text.contains("classes     DIFFER: no row has the class b"), "{text}");
    assert_eq!(report.status.code(), Some(3));
}

#[test]
fn a_shard_is_written_and_reads_back_as_it_was() {
    // One path and no row twice: the shard is the source, and what was signed of it.
    let data = "n,\"a, b\",\"the \"\"class\"\"\"\r\n0.1,\"x,\"\"y\"\"\",p\r\n-1e-300,\"two\r\nlines\",q\r\n,,p\r\n007.50, z ,\"q\"\r\n5e-324,\u{feff},p\r\n";
    let run = Run::new("whole", data, "[training]\nlayers = 1\n");
    let file = fs::read_to_string(run.path("run.toml")).unwrap();
    fs::write(run.path("run.toml"), file.replace("\"class\"", "'the \"class\"'")).unwrap();
    run.publish();
    let folder = run.folder.path();
    let write = ["materialise", "whole.manifest", "--path", "0", "--source", "data.csv", "--out"];
    for out in ["shard.csv", "shard.csv.gz"] {
        let said = succeed(&[&write[..], &[out]].concat(), folder);
        assert!(said.contains(&format!("{out}: path 0, 5 rows")), "{said}");
        let again = ["verify", "whole.manifest", "--source", out];
        assert!(succeed(&again, folder).contains("1 of 1 shards are the same"));
    }
    let text = fs::read_to_string(run.path("shard.csv")).unwrap();
    assert!(
        text.starts_with("n,\"a, b\",\"the \"\"class\"\"\"\n0.1,") && text.contains("\n7.5, z ,q\n"),
        "{text}"
    );
    assert!(fs::read(run.path("shard.csv.gz")).unwrap().starts_with(&[0x1f, 0x8b]));
}

#[test]
fn the_shards_of_all_paths_are_the_rows_of_the_source() {
    for (name, settings) in [("fitted", KMEANS), ("dealt", IN_TURN)] {
        let run = published(name, settings);
        let folder = run.folder.path();
        let data = fs::read_to_string(run.path("data.csv")).unwrap();
        let rows = cells(&data);
        let facts = json(&succeed(&["spec", &format!("{name}.manifest"), "--json"], folder));
        let mut seen = BTreeSet::new();
        for path in 0..3 {
            let number = path.to_string();
            let manifest = format!("{name}.manifest");
            let args = [
                "materialise",
                &manifest,
                "--path",
                &number,
                "--out",
                "s.csv",
                "--ordinals",
                "--source",
                "data.csv",
            ];
            succeed(&args, folder);
            let text = fs::read_to_string(run.path("s.csv")).unwrap();
            let shard = cells(&text);
            assert_eq!(shard[0][0], "__ordinal");
            assert_eq!(shard[0][1..], rows[0]);
            assert_eq!(shard.len() as u64 - 1, facts["shards"][path]["rows"].as_u64().unwrap());
            for row in &shard[1..] {
                let ordinal: usize = row[0].parse().unwrap();
                assert!(seen.insert(ordinal), "row {ordinal} is in two shards");
                for (written, read) in row[1..].iter().zip(&rows[ordinal + 1]) {
                    let same = match (written.parse::<f64>(), read.parse::<f64>()) {
                        (Ok(written), Ok(read)) => written.to_bits() == read.to_bits(),
                        _ => written == read,
                    };
                    assert!(same, "row {ordinal}: {written} for {read}");
                }
            }
        }
        assert_eq!(seen.len(), 400);
    }
}

#[test]
fn a_shard_that_is_not_what_was_signed_is_not_written() {
    let run = published("refused", KMEANS);
    let folder = run.folder.path();
    let data = fs::read_to_string(run.path("data.csv")).unwrap();
    fs::write(run.path("short.csv"), &data[..data.trim_end().rfind('\n').unwrap()]).unwrap();
    let before = names(folder);
    let mut refused = 0;
    for path in ["0", "1", "2"] {
        let args =
            ["materialise", "refused.manifest", "--path", path, "--out", "s.csv", "--source", "short.csv"];
        let outcome = output(&args, folder);
        if outcome.status.code() == Some(3) {
            assert_eq!(names(folder), before);
            refused += 1;
        } else {
            assert_eq!(outcome.status.code(), Some(0));
            fs::remove_file(run.path("s.csv")).unwrap();
        }
    }
    assert_eq!(refused, 1, "the last row is in one path");
    let whole = ["materialise", "refused.manifest", "--path", "3", "--out", "s.csv", "--source", "data.csv"];
    assert!(fail(2, &whole, folder).contains("the paths 0 to 2"));
    let nowhere =
        ["materialise", "refused.manifest", "--path", "0", "--out", "no/s.csv", "--source", "data.csv"];
    assert!(fail(1, &nowhere, folder).contains("make it first"));
    let missing = ["materialise", "refused.manifest", "--path", "0", "--out", "s.csv", "--source", "no.csv"];
    assert!(fail(1, &missing, folder).contains("no.csv"));
    assert_eq!(names(folder), before);
}

/// The column `__path` of a table that needs no quotes.
fn last_column(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.rsplit_once(',').unwrap().1).collect()
}

#[test]
fn rows_are_routed_as_predictions_route_them() {
    let run = published("routed", KMEANS);
    let folder = run.folder.path();
    succeed(&["train", "run.toml", "--out", "model.json.gz"], folder);
    // Rows that training has not seen, with a number that does not parse and an empty one, and columns of their own.
    let fresh = table(300, 4, 99);
    let mut lines: Vec<String> = fresh
        .lines()
        .enumerate()
        .map(|(i, line)| {
            let features = line.rsplit_once(',').unwrap().0;
            if i == 0 { format!("note,{features}") } else { format!("\"n, {i}\",{features}") }
        })
        .collect();
    lines[3] = "x,rose,?,1,2,3".into();
    lines[4] = "\"say \"\"so\"\"\",,,1,2,3".into();
    let text = lines.join("\n") + "\n";
    fs::write(run.path("fresh.csv"), &text).unwrap();

    let by_model = succeed(&["route", "model.json.gz", "fresh.csv"], folder);
    let by_manifest = succeed(&["route", "routed.manifest", "fresh.csv"], folder);
    assert_eq!(by_model, by_manifest);
    for (routed, line) in by_model.lines().zip(text.lines()) {
        assert_eq!(routed.rsplit_once(',').unwrap().0, line);
    }
    assert_eq!(by_model.lines().count(), 301);
    let paths: BTreeSet<&str> = last_column(&by_model).into_iter().skip(1).collect();
    assert_eq!(paths.into_iter().collect::<Vec<_>>(), ["0", "1", "2"]);

    // To a file, which a reader of models without a router can use: predictions of what is in it are those of the rows.
    succeed(&["route", "model.json.gz", "fresh.csv", "--out", "routed.csv"], folder);
    assert_eq!(fs::read_to_string(run.path("routed.csv")).unwrap(), by_model);
    let plain = succeed(&["predict", "model.json.gz", "fresh.csv"], folder);
    assert_eq!(succeed(&["predict", "model.json.gz", "routed.csv"], folder), plain);
    let mut bare = json(&{
        succeed(&["train", "run.toml", "--out", "model.json"], folder);
        fs::read_to_string(run.path("model.json")).unwrap()
    });
    bare.as_object_mut().unwrap().remove("opendipaco").unwrap();
    fs::write(run.path("bare.json"), bare.to_string()).unwrap();
    assert_eq!(succeed(&["predict", "bare.json", "routed.csv"], folder), plain);
    assert_ne!(succeed(&["predict", "bare.json", "fresh.csv"], folder), plain);
    succeed(&["route", "model.json.gz", "fresh.csv", "--out", "routed.csv.gz"], folder);
    assert_eq!(succeed(&["predict", "bare.json", "routed.csv.gz"], folder), plain);

    // Training rows go where they were trained.
    let routed = succeed(&["route", "routed.manifest", "data.csv"], folder);
    let routed = last_column(&routed);
    succeed(
        &[
            "materialise",
            "routed.manifest",
            "--path",
            "1",
            "--out",
            "s.csv",
            "--ordinals",
            "--source",
            "data.csv",
        ],
        folder,
    );
    for line in fs::read_to_string(run.path("s.csv")).unwrap().lines().skip(1) {
        let ordinal: usize = line.split(',').next().unwrap().parse().unwrap();
        assert_eq!(routed[ordinal + 1], "1");
    }

    for (args, says) in [
        (["route", "bare.json", "fresh.csv"], "does not carry its router"),
        (["route", "model.json", "routed.csv"], "has a column __path already"),
        (["route", "model.json", "missing.csv"], "missing.csv"),
    ] {
        let message = fail(1, &args, folder);
        assert!(message.contains(says), "{message}");
    }
    fs::write(run.path("part.csv"), "word,f0,f1\nred,1,2\n").unwrap();
    fs::write(run.path("ragged.csv"), format!("{text}1,2\n")).unwrap();
    let before = names(folder);
    for (csv, says) in [("part.csv", "there is no column \"f2\""), ("ragged.csv", "line 302")] {
        let message = fail(1, &["route", "model.json", csv, "--out", "new.csv"], folder);
        assert!(message.contains(csv) && message.contains(says), "{message}");
    }
    assert_eq!(names(folder), before);
}

#[test]
fn rows_are_dealt_out_by_number_or_need_no_path() {
    let run = published("dealt", IN_TURN);
    let folder = run.folder.path();
    fs::write(run.path("any.csv"), "what\na\nb\n\"c,d\"\n\"\"\n").unwrap();
    let text = succeed(&["route", "dealt.manifest", "any.csv"], folder);
    assert_eq!(text, "what,__path\na,0\nb,1\n\"c,d\",2\n,0\n");
    succeed(&["train", "run.toml", "--out", "model.json"], folder);
    let message = fail(2, &["route", "model.json", "data.csv"], folder);
    assert!(message.contains("dealt out by number") && message.contains("use them as they are"), "{message}");
    let run = published("alone", "[training]\nlayers = 1\n");
    let folder = run.folder.path();
    succeed(&["train", "run.toml", "--out", "model.json"], folder);
    for router in ["model.json", "alone.manifest"] {
        let message = fail(2, &["route", router, "data.csv"], folder);
        assert!(message.contains("one path") && message.contains("use them as they are"), "{message}");
    }
}

#[test]
fn a_dry_run_shows_what_would_be_published_and_writes_nothing() {
    let run = Run::new("dry", &table(400, 4, 7), KMEANS);
    let folder = run.folder.path();
    let before = names(folder);
    let dry = output(&["publish", "run.toml", "--dry-run", "--out", "new", "--key", "new.pem"], folder);
    assert_eq!(dry.status.code(), Some(0));
    assert_eq!(names(folder), before);
    let steps = String::from_utf8(dry.stderr).unwrap();
    for line in ["reading (1/3)", "fitting the router (2/3)", "counting and hashing shards (3/3)"] {
        assert_eq!(steps.lines().filter(|step| *step == line).count(), 1, "{steps}");
    }
    let dry = String::from_utf8(dry.stdout).unwrap();
    assert!(
        dry.contains("nothing was written") && !dry.contains("run  ") && !dry.contains("operator"),
        "{dry}"
    );
    run.publish();
    let signed = succeed(&["spec", "dry.manifest"], folder);
    let facts = |text: &str| -> Vec<String> {
        let known = |line: &&str| {
            !["run ", "name", "operator", "published", "nothing"].iter().any(|k| line.starts_with(k))
        };
        text.lines().filter(known).map(str::to_owned).collect()
    };
    assert_eq!(facts(&dry), facts(&signed));
    // What can't be published is an error of the dry run too, and two things can't be meant at once.
    fs::write(run.path("bad.toml"), "name = \"b\"\n[source]\nlocations = [\"no.csv\"]\ntarget = \"class\"\n")
        .unwrap();
    assert!(fail(1, &["publish", "bad.toml", "--dry-run"], folder).contains("no.csv"));
    let both = ["publish", "run.toml", "--dry-run", "--announce", "/ip4/127.0.0.1/tcp/1"];
    assert!(fail(2, &both, folder).contains("--dry-run"));
}

#[test]
fn uneven_shards_are_warned_of() {
    let mut data = String::from("x,class\n");
    for i in 0..120 {
        let far = if i % 20 == 0 { 1_000_000 } else { 0 };
        data += &format!("{},{}\n", far + i, ["a", "b"][i % 3 % 2]);
    }
    let run = Run::new("uneven", &data, "[routing]\npaths = 2\n");
    let folder = run.folder.path();
    for more in [&["--dry-run"][..], &["--key", "operator.pem"]] {
        let outcome = output(&[&["publish", "run.toml"], more].concat(), folder);
        let (text, error) =
            (String::from_utf8(outcome.stdout).unwrap(), String::from_utf8(outcome.stderr).unwrap());
        assert!(text.contains("shards      2 paths: 114 rows in the largest, 6 in the smallest"), "{text}");
        let warning = error.lines().find(|line| line.starts_with("warning: the shards are uneven")).unwrap();
        assert!(warning.contains("`routing.seed`") && warning.contains("round_robin"), "{warning}");
    }
    let even = Run::new("even", &data, "[routing]\nkind = \"round_robin\"\npaths = 2\n");
    let outcome = output(&["publish", "run.toml", "--key", "operator.pem"], even.folder.path());
    let error = String::from_utf8(outcome.stderr).unwrap();
    assert!(outcome.status.success() && !error.contains("warning"), "{error}");
    assert!(error.contains("reading (1/2)\ncounting and hashing shards (2/2)\n"), "{error}");
}

#[test]
fn an_announced_run_is_shown_to_who_joins() {
    let run = published("first", KMEANS);
    let folder = run.folder.path();
    let (mut coordinator, address) = run.coordinator_with_source();
    let file = fs::read_to_string(run.path("run.toml")).unwrap();
    fs::write(run.path("second.toml"), file.replace("name = \"first\"", "name = \"second\"")).unwrap();
    let said = succeed(&["publish", "second.toml", "--key", "operator.pem", "--announce", &address], folder);
    assert!(said.contains(&format!("announced   {address}")), "{said}");
    let facts = json(&succeed(&["spec", "second.manifest", "--json"], folder));
    let mut volunteer = run.volunteer(1, &address, &["--run", "second"]);
    let shown = volunteer.expect("run");
    assert_eq!((&shown["name"], &shown["run"]), (&facts["name"], &facts["run"]));
    volunteer.kill();
    let undecided = [
        "join",
        "--bootstrap",
        &address,
        "--no-mdns",
        "--yes",
        "--listen",
        "/ip4/127.0.0.1/tcp/0",
        "--data-dir",
        "undecided",
    ];
    let message = fail(2, &undecided, folder);
    for name in ["first@", "second@"] {
        assert!(message.contains("several runs are open") && message.contains(name), "{message}");
    }
    coordinator.kill();

    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = format!("/ip4/127.0.0.1/tcp/{port}");
    let message =
        fail(1, &["publish", "second.toml", "--key", "operator.pem", "--announce", &nobody], folder);
    assert!(message.contains(&port.to_string()), "{message}");
}
